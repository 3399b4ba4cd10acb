//! The paths by which somebody has rights, each by itself: what pages explain and what audits list. What they come to is
//! decided in [`decide`](super::decide); both read the same rows.

use std::fmt;

use super::grants::held;
use super::rights::each_team;
use super::{Access, AccessError, Anonymous};
use crate::base::Uuid;
use crate::meta::grant::{self, At};
use crate::meta::repo::{self, Visibility};
use crate::meta::{MetaError, Read, account, organization, personal_token};
use crate::model::account::Account;
use crate::model::organization::{MAX_TEAMS_OF_MEMBER, Member, Team};
use crate::model::permission::{Level, Place};
use crate::model::{Caller, Principal};
use crate::oci::RepoName;

/// Organizations that are read at once.
const CHUNK: usize = 50;

/// Members that are looked at for owners: an organization with more of them may have owners that are not named.
const LOOKED_AT: usize = 2000;

/// Grants of one team that are counted.
const COUNTED: usize = 200;

/// One path to a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Administrators may everything.
    Administrator,
    /// The namespace is the user's own.
    OwnNamespace,
    /// The user owns the organization of this name.
    Owner(String),
    /// The user is in a team that has a grant.
    Team {
        /// The team's organization.
        organization: String,
        /// Its name.
        team: String,
        /// Whether the grant is on the whole namespace.
        on_namespace: bool,
    },
    /// The repository is public.
    Public,
}

impl Path {
    fn of(team: &Team, on_namespace: bool) -> Self {
        Self::Team { organization: team.organization.clone(), team: team.name.clone(), on_namespace }
    }

    /// The path for who reads next to it where the grant is.
    pub fn without_place(&self) -> String {
        match self {
            Self::Team { organization, team, .. } => format!("through team {team} of {organization}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Path {
    /// As it stands behind a level: `through team dev of web, on the namespace`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("an administrator"),
            Self::OwnNamespace => f.write_str("the namespace is the user's own"),
            Self::Owner(organization) => write!(f, "as an owner of {organization}"),
            Self::Team { on_namespace: false, .. } => f.write_str(&self.without_place()),
            Self::Team { .. } => write!(f, "{}, on the namespace", self.without_place()),
            Self::Public => f.write_str("the repository is public"),
        }
    }
}

/// A right of a user, with the place where it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRight {
    /// Where; `None`: everywhere.
    pub place: Option<Place>,
    /// How much.
    pub level: Level,
    /// By which path.
    pub path: Path,
    /// Ask for what comes behind it with this.
    pub mark: RightMark,
}

/// A place in the list of a user's rights: behind what an organization gives its owners, or behind a team's grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RightMark {
    organization: String,
    grant: Option<(Uuid, Vec<u8>)>,
}

impl RightMark {
    /// Reads what [`RightMark`]'s `Display` wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let organization = parts.next()?.to_owned();
        let grant = match (parts.next(), parts.next()) {
            (None, None) => None,
            (Some(team), Some(mark)) => Some((Uuid::parse(team)?, hex::decode(mark).ok()?)),
            _ => return None,
        };
        (!organization.contains('\0')).then_some(Self { organization, grant })
    }
}

impl fmt::Display for RightMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.organization)?;
        match &self.grant {
            Some((team, mark)) => write!(f, "/{team}/{}", hex::encode(mark)),
            None => Ok(()),
        }
    }
}

/// How many repositories a team has a grant on, by level; and what it has on the whole namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantCounts {
    /// On the organization's whole namespace.
    pub namespace: Option<Level>,
    /// On single repositories, the least level first as in [`Level::ALL`].
    pub repositories: [u64; 3],
    /// Whether there are more grants than were counted.
    pub more: bool,
}

/// At most `limit` rights of a user behind a mark, whatever is public left out: first what the account itself gives,
/// then by organization what its owners and the user's teams have.
pub(super) fn rights_of(
    tx: &impl Read,
    user: &Account,
    after: Option<&RightMark>,
    limit: usize,
) -> Result<Vec<HeldRight>, MetaError> {
    let mut found = Vec::new();
    let mut last: Option<String> = None;
    if let Some(after) = after {
        through_teams(tx, &user.name, &after.organization, after.grant.as_ref(), limit, &mut found)?;
        last = Some(after.organization.clone());
    } else {
        let mark = RightMark::default();
        let mut own = |place, path| found.push(HeldRight { place, level: Level::Admin, path, mark: mark.clone() });
        if user.admin {
            own(None, Path::Administrator);
        }
        own(Some(Place::Namespace(user.name.clone())), Path::OwnNamespace);
    }
    loop {
        let organizations = organization::organizations_of(tx, &user.name, last.as_deref(), CHUNK)?;
        for organization in &organizations {
            if found.len() >= limit {
                break;
            }
            if organization::member(tx, organization, &user.name)?.is_some_and(|member| member.owner) {
                let mark = RightMark { organization: organization.clone(), grant: None };
                let (place, path) = (Place::Namespace(organization.clone()), Path::Owner(organization.clone()));
                found.push(HeldRight { place: Some(place), level: Level::Admin, path, mark });
            }
            through_teams(tx, &user.name, organization, None, limit, &mut found)?;
        }
        last = organizations.last().cloned();
        if organizations.len() < CHUNK || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// What the teams of one organization give a user, behind a team's grant, until there are `limit` of all.
fn through_teams(
    tx: &impl Read,
    user: &str,
    organization: &str,
    after: Option<&(Uuid, Vec<u8>)>,
    limit: usize,
    found: &mut Vec<HeldRight>,
) -> Result<(), MetaError> {
    if organization.is_empty() {
        return Ok(());
    }
    for id in organization::teams_of(tx, user, Some(organization), None, MAX_TEAMS_OF_MEMBER)? {
        let behind = match after {
            Some((team, _)) if id < *team => continue,
            Some((team, mark)) if id == *team => Some(mark.as_slice()),
            _ => None,
        };
        let room = limit.saturating_sub(found.len());
        let Some(team) = organization::team(tx, id)?.filter(|_| room > 0) else { continue };
        for grant in held(tx, id, behind, room)? {
            let path = Path::of(&team, matches!(grant.place, Place::Namespace(_)));
            let mark = RightMark { organization: organization.to_owned(), grant: Some((id, grant.mark)) };
            found.push(HeldRight { place: Some(grant.place), level: grant.level, path, mark });
        }
    }
    Ok(())
}

/// Every path by which a caller has a right on a repository, the greatest right first.
fn paths_on(
    tx: &impl Read,
    caller: &Principal,
    name: &RepoName,
    anonymous: Anonymous,
) -> Result<Vec<(Level, Path)>, MetaError> {
    let mut paths = Vec::new();
    let namespace = name.namespace();
    let id = repo::id_of(tx, name)?;
    let row = id.map(|id| repo::get(tx, id)).transpose()?.flatten();
    if let Principal::User { name: user, admin } = caller {
        if *admin {
            paths.push((Level::Admin, Path::Administrator));
        }
        if user == namespace {
            paths.push((Level::Admin, Path::OwnNamespace));
        }
        if organization::member(tx, namespace, user)?.is_some_and(|member| member.owner) {
            paths.push((Level::Admin, Path::Owner(namespace.to_owned())));
        }
        each_team(tx, user, namespace, &mut |team_id| {
            let places =
                [(!namespace.is_empty()).then_some(At::Namespace(namespace)), id.map(|id| At::Repository(id, name))];
            for at in places.into_iter().flatten() {
                let Some(level) = grant::get(tx, at, team_id)? else { continue };
                let on_namespace = matches!(at, At::Namespace(_));
                paths.extend(organization::team(tx, team_id)?.map(|team| (level, Path::of(&team, on_namespace))));
            }
            Ok(true)
        })?;
    }
    let everybody = anonymous == Anonymous::PublicRepositories;
    if row.is_some_and(|row| row.visibility == Visibility::Public) && (everybody || *caller != Principal::Anonymous) {
        paths.push((Level::ReadOnly, Path::Public));
    }
    paths.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    Ok(paths)
}

impl Access {
    /// At most `limit` rights of a user behind a mark, with the path of each: first what the account itself gives, then by
    /// organization. What is public to everybody is not among them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rights_of(
        &self,
        user: &Account,
        after: Option<&RightMark>,
        limit: usize,
    ) -> Result<Vec<HeldRight>, AccessError> {
        Ok(self.0.meta.read(|tx| rights_of(tx, user, after, limit))?)
    }

    /// Every path by which the caller's account has a right on a repository, the greatest right first: rights add up, so
    /// the first is what it may. What tokens narrow is not looked at.
    ///
    /// # Errors
    /// When the store fails.
    pub fn paths_on(&self, caller: &Caller, repo: &RepoName) -> Result<Vec<(Level, Path)>, AccessError> {
        let anonymous = self.anonymous();
        Ok(self.0.meta.read(|tx| paths_on(tx, &caller.principal, repo, anonymous))?)
    }

    /// At most `limit` owners of an organization, by name, as far as they are among its first members.
    ///
    /// # Errors
    /// When the store fails.
    pub fn owners(&self, organization: &str, limit: usize) -> Result<Vec<String>, AccessError> {
        Ok(self.0.meta.read(|tx| {
            let members = organization::members(tx, organization, None, LOOKED_AT)?;
            let owners = members.into_iter().filter(|(_, Member { owner, .. })| *owner).map(|(name, _)| name);
            Ok::<_, MetaError>(owners.take(limit).collect())
        })?)
    }

    /// What a team has, counted: on its namespace, and on those repositories that `visible` lets the caller know of.
    ///
    /// # Errors
    /// When the store fails.
    pub fn grant_counts(&self, team: Uuid, visible: impl Fn(&RepoName) -> bool) -> Result<GrantCounts, AccessError> {
        let grants = self.0.meta.read(|tx| held(tx, team, None, COUNTED + 1))?;
        let mut counts = GrantCounts { more: grants.len() > COUNTED, ..GrantCounts::default() };
        for grant in grants.into_iter().take(COUNTED) {
            match grant.place {
                Place::Namespace(_) => counts.namespace = Some(grant.level),
                Place::Repository(name) if visible(&name) => counts.repositories[grant.level as usize] += 1,
                Place::Repository(_) => {}
            }
        }
        Ok(counts)
    }

    /// At most `limit` repositories of a namespace, by name, whoever may see them: what must go before its owner can.
    ///
    /// # Errors
    /// When the store fails.
    pub fn repositories_in(&self, namespace: &str, limit: usize) -> Result<Vec<RepoName>, AccessError> {
        Ok(self.0.meta.read(|tx| repo::in_namespace(tx, namespace, limit))?)
    }

    /// How many access tokens a user has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn token_count(&self, user: &str) -> Result<u64, AccessError> {
        Ok(self.0.meta.read(|tx| personal_token::count(tx, user))? as u64)
    }

    /// The account of that name, if it is an organization.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], or the store's fault.
    pub fn organization(&self, name: &str) -> Result<Account, AccessError> {
        self.0.meta.read(|tx| super::organizations::organization(tx, name))
    }

    /// The account of that name, if it is a user.
    ///
    /// # Errors
    /// [`AccessError::UnknownAccount`], or the store's fault.
    pub fn user(&self, name: &str) -> Result<Account, AccessError> {
        let found = self.0.meta.read(|tx| account::get(tx, name))?.filter(|account| !account.is_organization());
        found.ok_or_else(|| AccessError::UnknownAccount(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back() {
        let team = Uuid::random();
        for mark in [
            RightMark::default(),
            RightMark { organization: "a.b".into(), grant: None },
            RightMark { organization: "web".into(), grant: Some((team, b"r\0lab/web\0".to_vec())) },
        ] {
            assert_eq!(RightMark::parse(&mark.to_string()), Some(mark));
        }
        for wrong in ["a/b", "a/b/c", &format!("a/{team}"), &format!("a/{team}/zz"), "a\0b"] {
            assert_eq!(RightMark::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn paths_say_what_decisions_say() {
        let team = |on_namespace| Path::Team { organization: "web".into(), team: "dev".into(), on_namespace };
        assert_eq!(team(false).to_string(), "through team dev of web");
        assert_eq!(team(true).to_string(), "through team dev of web, on the namespace");
        assert_eq!(team(true).without_place(), "through team dev of web");
        assert_eq!(Path::Owner("web".into()).to_string(), "as an owner of web");
    }
}
