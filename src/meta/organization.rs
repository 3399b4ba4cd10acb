//! Rows of organizations: members, teams and their members.
//!
//! A team's rows are found by its id, which no other team ever gets: with the row of [`TEAM`] whatever names the team has
//! lost its meaning, and may go later, in bounded steps.

use super::engine::{MetaError, Read, WriteTx};
use super::key::{Key, KeyReader};
use super::record::{decode, encode};
use super::tables::{MEMBER, MEMBER_OF, TEAM, TEAM_BY_NAME, TEAM_GONE, TEAM_MEMBER, TEAM_OF, Table};
use super::{grant, repo};
use crate::base::Uuid;
use crate::model::organization::{MAX_TEAMS_OF_MEMBER, Member, Team};

/// Rows that one step takes away, about.
const STEP: usize = 150;

fn pair(first: &str, second: &str) -> Key {
    Key::new().text(first).text(second)
}

fn corrupt(table: Table) -> MetaError {
    MetaError::Corrupt(format!("a key of table {} does not read", table.name()))
}

/// The last text of a key, behind `prefix` bytes.
fn text_behind(key: &[u8], prefix: usize, table: Table) -> Result<String, MetaError> {
    let text = key.get(prefix..).and_then(|rest| KeyReader::new(rest).text());
    text.map(str::to_owned).ok_or_else(|| corrupt(table))
}

fn id_at_end(key: &[u8], table: Table) -> Result<Uuid, MetaError> {
    key.last_chunk::<16>().map(|id| Uuid(*id)).ok_or_else(|| corrupt(table))
}

/// How a user belongs to an organization; `None` when not at all.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn member(tx: &impl Read, organization: &str, user: &str) -> Result<Option<Member>, MetaError> {
    if organization.contains('\0') || user.contains('\0') {
        return Ok(None);
    }
    tx.get(MEMBER, pair(organization, user).as_bytes())?.map(|value| decode(MEMBER, &value)).transpose()
}

/// Makes a user a member, or changes how.
pub fn put_member(tx: &mut WriteTx, organization: &str, user: &str, member: &Member) {
    tx.put(MEMBER, pair(organization, user).as_bytes(), encode(member));
    tx.put(MEMBER_OF, pair(user, organization).as_bytes(), Vec::new());
}

/// Takes a user out of an organization and all its teams.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn remove_member(tx: &mut WriteTx, organization: &str, user: &str) -> Result<(), MetaError> {
    for team in teams_of(tx, user, Some(organization), None, MAX_TEAMS_OF_MEMBER)? {
        remove_team_member(tx, organization, team, user);
    }
    tx.delete(MEMBER, pair(organization, user).as_bytes());
    tx.delete(MEMBER_OF, pair(user, organization).as_bytes());
    Ok(())
}

/// At most `limit` members of an organization after the user `last`, by name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn members(
    tx: &impl Read,
    organization: &str,
    last: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Member)>, MetaError> {
    let prefix = Key::new().text(organization);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(MEMBER, &repo::after(&prefix, last), end.as_deref(), limit)?;
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        Ok((text_behind(&key, prefix.as_bytes().len(), MEMBER)?, decode(MEMBER, &value)?))
    };
    rows.into_iter().map(read).collect()
}

/// At most `limit` organizations of a user after `last`, by name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn organizations_of(
    tx: &impl Read,
    user: &str,
    last: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, MetaError> {
    let prefix = Key::new().text(user);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(MEMBER_OF, &repo::after(&prefix, last), end.as_deref(), limit)?;
    rows.iter().map(|(key, _)| text_behind(key, prefix.as_bytes().len(), MEMBER_OF)).collect()
}

/// The team with this id.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn team(tx: &impl Read, id: Uuid) -> Result<Option<Team>, MetaError> {
    tx.get(TEAM, &id.0)?.map(|value| decode(TEAM, &value)).transpose()
}

/// The team of this name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn team_named(tx: &impl Read, organization: &str, name: &str) -> Result<Option<Team>, MetaError> {
    if organization.contains('\0') || name.contains('\0') {
        return Ok(None);
    }
    match tx.get(TEAM_BY_NAME, pair(organization, name).as_bytes())? {
        Some(value) => team(tx, decode(TEAM_BY_NAME, &value)?),
        None => Ok(None),
    }
}

/// Stores a team; `was` is the name that it had before, if that was another one.
pub fn put_team(tx: &mut WriteTx, team: &Team, was: Option<&str>) {
    if let Some(was) = was {
        tx.delete(TEAM_BY_NAME, pair(&team.organization, was).as_bytes());
    }
    tx.put(TEAM, &team.id.0, encode(team));
    tx.put(TEAM_BY_NAME, pair(&team.organization, &team.name).as_bytes(), encode(&team.id));
}

/// At most `limit` teams of an organization after the name `last`, by name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn teams(tx: &impl Read, organization: &str, last: Option<&str>, limit: usize) -> Result<Vec<Team>, MetaError> {
    let prefix = Key::new().text(organization);
    let end = Key::prefix_end(prefix.as_bytes());
    let mut teams = Vec::new();
    for (_, id) in tx.range(TEAM_BY_NAME, &repo::after(&prefix, last), end.as_deref(), limit)? {
        teams.extend(team(tx, decode(TEAM_BY_NAME, &id)?)?);
    }
    Ok(teams)
}

/// Takes a team away: nothing that it gave holds any more. What names it goes later ([`drain_team`]).
pub fn delete_team(tx: &mut WriteTx, team: &Team) {
    tx.delete(TEAM, &team.id.0);
    tx.delete(TEAM_BY_NAME, pair(&team.organization, &team.name).as_bytes());
    tx.put(TEAM_GONE, &team.id.0, encode(&team.organization));
}

/// At most `limit` deleted teams whose rows are still to go, with their organizations.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn gone(tx: &impl Read, limit: usize) -> Result<Vec<(Uuid, String)>, MetaError> {
    let rows = tx.range(TEAM_GONE, &[], None, limit)?;
    rows.iter().map(|(key, value)| Ok((id_at_end(key, TEAM_GONE)?, decode(TEAM_GONE, value)?))).collect()
}

/// One bounded step over what a deleted team left; true when nothing is left.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn drain_team(tx: &mut WriteTx, id: Uuid, organization: &str) -> Result<bool, MetaError> {
    let users = team_members(tx, id, None, STEP)?;
    for user in &users {
        remove_team_member(tx, organization, id, user);
    }
    if users.len() == STEP || !grant::drop_some(tx, id, STEP)? {
        return Ok(false);
    }
    tx.delete(TEAM_GONE, &id.0);
    Ok(true)
}

/// Whether a user is in a team.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn is_in_team(tx: &impl Read, team: Uuid, user: &str) -> Result<bool, MetaError> {
    Ok(!user.contains('\0') && tx.get(TEAM_MEMBER, Key::new().raw(&team.0).text(user).as_bytes())?.is_some())
}

/// Puts a user into a team of an organization that the user is a member of.
pub fn put_team_member(tx: &mut WriteTx, team: &Team, user: &str) {
    tx.put(TEAM_MEMBER, Key::new().raw(&team.id.0).text(user).as_bytes(), Vec::new());
    tx.put(TEAM_OF, pair(user, &team.organization).raw(&team.id.0).as_bytes(), Vec::new());
}

/// Takes a user out of a team.
pub fn remove_team_member(tx: &mut WriteTx, organization: &str, team: Uuid, user: &str) {
    tx.delete(TEAM_MEMBER, Key::new().raw(&team.0).text(user).as_bytes());
    tx.delete(TEAM_OF, pair(user, organization).raw(&team.0).as_bytes());
}

/// At most `limit` members of a team after the user `last`, by name.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn team_members(tx: &impl Read, team: Uuid, last: Option<&str>, limit: usize) -> Result<Vec<String>, MetaError> {
    let prefix = Key::new().raw(&team.0);
    let end = Key::prefix_end(prefix.as_bytes());
    let rows = tx.range(TEAM_MEMBER, &repo::after(&prefix, last), end.as_deref(), limit)?;
    rows.iter().map(|(key, _)| text_behind(key, 16, TEAM_MEMBER)).collect()
}

/// At most `limit` teams of a user after `last`, within one organization or (`None`, and then `last` must be too) in
/// all. Some may be deleted ones.
///
/// # Errors
/// [`MetaError`] when the store fails.
pub fn teams_of(
    tx: &impl Read,
    user: &str,
    organization: Option<&str>,
    last: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Uuid>, MetaError> {
    let prefix = organization.map_or_else(|| Key::new().text(user), |organization| pair(user, organization));
    let end = Key::prefix_end(prefix.as_bytes());
    let from = match last {
        Some(last) => prefix.raw(&last.0).raw(&[0]),
        None => prefix,
    };
    let rows = tx.range(TEAM_OF, from.as_bytes(), end.as_deref(), limit)?;
    rows.iter().map(|(key, _)| id_at_end(key, TEAM_OF)).collect()
}

/// One bounded step of a deleted user out of all organizations; true when it is in none any more.
pub(super) fn leave_all(tx: &mut WriteTx, user: &str) -> Result<bool, MetaError> {
    // One at a time: each may have many teams.
    let Some(organization) = organizations_of(tx, user, None, 1)?.pop() else { return Ok(true) };
    remove_member(tx, &organization, user)?;
    Ok(false)
}

/// One bounded step over the members and teams of a deleted organization; true when it has none any more.
pub(super) fn dissolve(tx: &mut WriteTx, organization: &str) -> Result<bool, MetaError> {
    if let Some(team) = teams(tx, organization, None, STEP)?.into_iter().next() {
        delete_team(tx, &team);
        return Ok(false);
    }
    if let Some((user, _)) = members(tx, organization, None, 1)?.pop() {
        remove_member(tx, organization, &user)?;
        return Ok(false);
    }
    Ok(true)
}
