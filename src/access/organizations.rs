//! Organizations: their members, their teams, and the teams' members. Whether the caller may is decided before
//! ([`Requirement::Organization`](crate::model::operation::Requirement)).

use super::{Access, AccessError};
use crate::base::Uuid;
use crate::meta::{MetaError, Read, WriteTx, account, organization};
use crate::model::Actor;
use crate::model::account::{Account, wrong_name};
use crate::model::event::Happening;
use crate::model::organization::{MAX_DESCRIPTION, MAX_TEAMS_OF_MEMBER, Member, Team};

/// The most entries of one page of members or teams, and one more that tells whether there is a next page.
pub const MAX_PAGE: usize = 1001;

/// What may be changed about a team; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// A user's membership, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The account.
    pub account: Account,
    /// Whether it owns the organization.
    pub owner: bool,
}

/// Bounded numbers for a page's head; `None` where there are more than were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Members of an organization, or of a team.
    pub members: Option<u64>,
    /// Teams.
    pub teams: Option<u64>,
}

/// Entries that are counted for [`Sizes`].
pub const COUNTED: usize = 2000;

fn unknown_team(organization: &str, team: &str) -> AccessError {
    AccessError::NotFound(format!("the organization {organization} has no team {team}"))
}

/// The organization of that name.
pub(super) fn organization(tx: &impl Read, name: &str) -> Result<Account, AccessError> {
    let found = account::get(tx, name)?.filter(Account::is_organization);
    found.ok_or_else(|| AccessError::NotFound(format!("there is no organization {name}")))
}

/// The team, by its name or the text of its id.
pub(super) fn team(tx: &impl Read, organization: &str, name: &str) -> Result<Team, AccessError> {
    let found = match organization::team_named(tx, organization, name)? {
        Some(team) => Some(team),
        None => match Uuid::parse(name.strip_prefix("id:").unwrap_or(name)) {
            Some(id) => organization::team(tx, id)?.filter(|team| team.organization == organization),
            None => None,
        },
    };
    found.ok_or_else(|| unknown_team(organization, name))
}

fn check_description(text: &str) -> Result<(), AccessError> {
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(AccessError::Malformed(format!("a description has at most {MAX_DESCRIPTION} characters")));
    }
    Ok(())
}

fn user(tx: &impl Read, name: &str) -> Result<Account, AccessError> {
    let found = account::get(tx, name)?.filter(|account| !account.is_organization());
    found.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))
}

impl Access {
    /// Makes a user a member of an organization, or changes whether the member is an owner.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], [`AccessError::UnknownAccount`], or the store's fault.
    pub async fn set_member(
        &self,
        actor: &Actor,
        organization: &str,
        name: &str,
        owner: bool,
    ) -> Result<Member, AccessError> {
        let (organization, name) = (organization.to_owned(), name.to_owned());
        self.change(actor, move |tx, record| {
            self::organization(tx, &organization)?;
            user(tx, &name)?;
            let before = organization::member(tx, &organization, &name)?;
            if let Some(member) = before.filter(|member| member.owner == owner) {
                return Ok(member);
            }
            let member = Member { owner, since: before.map_or(record.now, |member| member.since) };
            organization::put_member(tx, &organization, &name, &member);
            let (organization, account) = (organization.clone(), name.clone());
            record.put(tx, 0, None, Happening::MemberAdded { organization, team: None, account, owner })?;
            Ok(member)
        })
        .await
    }

    /// Takes a user out of an organization and all its teams; tells whether the user was in it.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub async fn remove_member(&self, actor: &Actor, organization: &str, name: &str) -> Result<bool, AccessError> {
        let (organization, name) = (organization.to_owned(), name.to_owned());
        self.change(actor, move |tx, record| {
            self::organization(tx, &organization)?;
            if organization::member(tx, &organization, &name)?.is_none() {
                return Ok(false);
            }
            organization::remove_member(tx, &organization, &name)?;
            let (organization, account) = (organization.clone(), name.clone());
            record.put(tx, 0, None, Happening::MemberRemoved { organization, team: None, account })?;
            Ok(true)
        })
        .await
    }

    /// How a user belongs to an organization.
    ///
    /// # Errors
    /// When the store fails.
    pub fn member(&self, organization: &str, user: &str) -> Result<Option<Member>, AccessError> {
        Ok(self.0.meta.read(|tx| organization::member(tx, organization, user))?)
    }

    /// At most `limit` members of an organization after the user `last`, by name.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn members(
        &self,
        organization: &str,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Membership>, AccessError> {
        self.0.meta.read(|tx| {
            self::organization(tx, organization)?;
            let rows = organization::members(tx, organization, last, limit.min(MAX_PAGE))?;
            let mut members = Vec::with_capacity(rows.len());
            for (name, member) in rows {
                members.extend(account::get(tx, &name)?.map(|account| Membership { account, owner: member.owner }));
            }
            Ok(members)
        })
    }

    /// At most `limit` organizations that a user belongs to, after `last`, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn organizations_of(
        &self,
        user: &str,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Account, Member)>, AccessError> {
        self.0.meta.read(|tx| {
            let mut found = Vec::new();
            for name in organization::organizations_of(tx, user, last, limit.min(MAX_PAGE))? {
                found.extend(account::get(tx, &name)?.zip(organization::member(tx, &name, user)?));
            }
            Ok(found)
        })
    }

    /// How many members and teams an organization has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn organization_sizes(&self, organization: &str) -> Result<Sizes, AccessError> {
        let told = |count: usize| (count <= COUNTED).then_some(count as u64);
        Ok(self.0.meta.read(|tx| {
            let members = organization::members(tx, organization, None, COUNTED + 1)?.len();
            let teams = organization::teams(tx, organization, None, COUNTED + 1)?.len();
            Ok::<_, MetaError>(Sizes { members: told(members), teams: told(teams) })
        })?)
    }

    /// Makes a team.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], [`AccessError::Malformed`], [`AccessError::Conflict`] when there is one of that name, or
    /// the store's fault.
    pub async fn create_team(
        &self,
        actor: &Actor,
        organization: &str,
        name: &str,
        description: &str,
    ) -> Result<Team, AccessError> {
        if let Some(wrong) = wrong_name(name) {
            return Err(AccessError::Malformed(wrong));
        }
        check_description(description)?;
        let new = Team {
            id: Uuid::random(),
            organization: organization.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            created: self.0.clock.now(),
        };
        self.change(actor, move |tx, record| {
            self::organization(tx, &new.organization)?;
            is_free(tx, &new.organization, &new.name)?;
            organization::put_team(tx, &new, None);
            let (organization, team) = (new.organization.clone(), new.name.clone());
            record.put(tx, 0, None, Happening::TeamCreated { organization, team, id: new.id })?;
            Ok(new.clone())
        })
        .await
    }

    /// Changes a team's name or description. `team` is its name or id.
    ///
    /// # Errors
    /// As [`Access::create_team`].
    pub async fn change_team(
        &self,
        actor: &Actor,
        organization: &str,
        team: &str,
        change: TeamChange,
    ) -> Result<Team, AccessError> {
        if let Some(wrong) = change.name.as_deref().and_then(wrong_name) {
            return Err(AccessError::Malformed(wrong));
        }
        check_description(change.description.as_deref().unwrap_or_default())?;
        let (organization, name) = (organization.to_owned(), team.to_owned());
        self.change(actor, move |tx, record| {
            let before = self::team(tx, &organization, &name)?;
            let mut after = before.clone();
            if let Some(name) = &change.name {
                after.name.clone_from(name);
            }
            if let Some(description) = &change.description {
                after.description.clone_from(description);
            }
            if after == before {
                return Ok(after);
            }
            let was = (after.name != before.name).then_some(before.name);
            if was.is_some() {
                is_free(tx, &organization, &after.name)?;
            }
            organization::put_team(tx, &after, was.as_deref());
            let (organization, team) = (organization.clone(), after.name.clone());
            record.put(tx, 0, None, Happening::TeamChanged { organization, team, was })?;
            Ok(after)
        })
        .await
    }

    /// Deletes a team: what it gave is gone with the answer, and its rows go behind.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub async fn delete_team(&self, actor: &Actor, organization: &str, team: &str) -> Result<(), AccessError> {
        let (organization, name) = (organization.to_owned(), team.to_owned());
        self.change(actor, move |tx, record| {
            let Team { id, organization, name, .. } = {
                let team = self::team(tx, &organization, &name)?;
                organization::delete_team(tx, &team);
                team
            };
            record.put(tx, 0, None, Happening::TeamDeleted { organization, team: name, id })?;
            Ok(())
        })
        .await?;
        super::accounts::drain(&self.0.meta).await?;
        Ok(())
    }

    /// A team, by its name or id.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn team(&self, organization: &str, team: &str) -> Result<Team, AccessError> {
        self.0.meta.read(|tx| self::team(tx, organization, team))
    }

    /// At most `limit` teams of an organization after the name `last`, by name.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn teams(&self, organization: &str, last: Option<&str>, limit: usize) -> Result<Vec<Team>, AccessError> {
        self.0.meta.read(|tx| {
            self::organization(tx, organization)?;
            Ok(organization::teams(tx, organization, last, limit.min(MAX_PAGE))?)
        })
    }

    /// The teams of an organization that a user is in, by id.
    ///
    /// # Errors
    /// When the store fails.
    pub fn teams_of(&self, organization: &str, user: &str) -> Result<Vec<Team>, AccessError> {
        self.0.meta.read(|tx| {
            let mut teams = Vec::new();
            for id in organization::teams_of(tx, user, Some(organization), None, MAX_TEAMS_OF_MEMBER)? {
                teams.extend(organization::team(tx, id)?);
            }
            Ok(teams)
        })
    }

    /// Whether a user is in a team.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_in_team(&self, team: Uuid, user: &str) -> Result<bool, AccessError> {
        Ok(self.0.meta.read(|tx| organization::is_in_team(tx, team, user))?)
    }

    /// Puts a user into a team; one who is no member of the organization becomes one by it. Tells whether that is news.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], [`AccessError::UnknownAccount`], [`AccessError::Conflict`] when the user is in too many
    /// teams, or the store's fault.
    pub async fn add_team_member(
        &self,
        actor: &Actor,
        organization: &str,
        team: &str,
        name: &str,
    ) -> Result<bool, AccessError> {
        let (organization, team, name) = (organization.to_owned(), team.to_owned(), name.to_owned());
        self.change(actor, move |tx, record| {
            let team = self::team(tx, &organization, &team)?;
            user(tx, &name)?;
            if organization::is_in_team(tx, team.id, &name)? {
                return Ok(false);
            }
            let added = |team: Option<&Team>| Happening::MemberAdded {
                organization: organization.clone(),
                team: team.map(|team| team.name.clone()),
                account: name.clone(),
                owner: false,
            };
            if organization::member(tx, &organization, &name)?.is_none() {
                let member = Member { owner: false, since: record.now };
                organization::put_member(tx, &organization, &name, &member);
                record.put(tx, 0, None, added(None))?;
            }
            let teams = organization::teams_of(tx, &name, Some(&organization), None, MAX_TEAMS_OF_MEMBER)?;
            if teams.len() == MAX_TEAMS_OF_MEMBER {
                return Err(AccessError::Conflict(format!(
                    "{name} is in {MAX_TEAMS_OF_MEMBER} teams of {organization} already; take {name} out of another one \
                     first"
                )));
            }
            organization::put_team_member(tx, &team, &name);
            record.put(tx, 1, None, added(Some(&team)))?;
            Ok(true)
        })
        .await
    }

    /// Takes a user out of a team; tells whether the user was in it.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub async fn remove_team_member(
        &self,
        actor: &Actor,
        organization: &str,
        team: &str,
        name: &str,
    ) -> Result<bool, AccessError> {
        let (organization, team, name) = (organization.to_owned(), team.to_owned(), name.to_owned());
        self.change(actor, move |tx, record| {
            let team = self::team(tx, &organization, &team)?;
            if !organization::is_in_team(tx, team.id, &name)? {
                return Ok(false);
            }
            organization::remove_team_member(tx, &organization, team.id, &name);
            let (organization, account) = (organization.clone(), name.clone());
            record.put(tx, 0, None, Happening::MemberRemoved { organization, team: Some(team.name), account })?;
            Ok(true)
        })
        .await
    }

    /// At most `limit` members of a team after the user `last`, by name.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn team_members(
        &self,
        organization: &str,
        team: &str,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Membership>, AccessError> {
        self.0.meta.read(|tx| {
            let team = self::team(tx, organization, team)?;
            let mut members = Vec::new();
            for name in organization::team_members(tx, team.id, last, limit.min(MAX_PAGE))? {
                let owner = organization::member(tx, organization, &name)?.is_some_and(|member| member.owner);
                members.extend(account::get(tx, &name)?.map(|account| Membership { account, owner }));
            }
            Ok(members)
        })
    }

    /// How many members a team has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn team_sizes(&self, team: Uuid) -> Result<Sizes, AccessError> {
        let count = self.0.meta.read(|tx| organization::team_members(tx, team, None, COUNTED + 1))?.len();
        Ok(Sizes { members: (count <= COUNTED).then_some(count as u64), teams: None })
    }
}

fn is_free(tx: &WriteTx, organization: &str, name: &str) -> Result<(), AccessError> {
    match organization::team_named(tx, organization, name)? {
        None => Ok(()),
        Some(_) => Err(AccessError::Conflict(format!(
            "the organization {organization} has a team {name} already; choose another name"
        ))),
    }
}
