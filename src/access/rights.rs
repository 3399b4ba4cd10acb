//! What somebody may do to a repository, and by which path. Rights add up: the greatest level that any path gives.
//!
//! | path | gives |
//! |---|---|
//! | administrators, the registry itself | admin, everywhere |
//! | a user's own namespace | admin |
//! | an owner of the organization that the namespace belongs to | admin |
//! | a team with a grant on the namespace or on the repository | that level |
//! | a public repository | read-only, to whoever is signed in; and to everybody where `anonymous` says so |
//!
//! What a decision costs is bounded by the teams that the user is in within *one* organization, not by how many users,
//! teams and grants there are: one read each for the repository's id, the membership, the list of those teams, the grants
//! of the namespace and of the repository, and the name of the team that gives most (or whether the repository is public).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cache::Bounded;
use super::decide::{self, Rights};
use super::{Access, AccessError, Anonymous};
use crate::base::{RepoId, Uuid};
use crate::meta::grant::{self, At};
use crate::meta::memo::Memo;
use crate::meta::repo::{self, Visibility};
use crate::meta::tables::RIGHTS;
use crate::meta::{Engine, Epoch, MetaError, Only, Read, organization};
use crate::model::operation::Requirement;
use crate::model::organization::{Member, Team};
use crate::model::permission::{Action, Level, Place, Right};
use crate::model::personal_token::TokenScope;
use crate::model::{Caller, Decision, Principal};
use crate::oci::RepoName;
use crate::oci::scope::Scope;

/// Teams that are read at once.
const CHUNK: usize = 64;

/// How a user (or nobody) stands to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether the repository is public; not looked at where there is a level, which gives at least as much.
    pub(super) public: bool,
    /// The greatest level that organization and teams give.
    pub(super) level: Option<Level>,
    /// By which path.
    pub(super) because: Option<Arc<str>>,
}

/// Standings that were read, by user (empty for nobody) and repository. They are void with the first commit that changes
/// any row of [`RIGHTS`], of whomever: a right that was taken away is not served from here (CVE-2025-23208).
/// Pushes to a repository that is there change none of them.
pub(super) type Standings = Memo<String, Standing>;

/// What users may see, for lists, remembered as [`Standings`] are.
pub(super) struct Sights(Mutex<(Option<Epoch>, Bounded<String, Visible>)>);

/// Users of whom that is remembered: some 60 KB each at most.
const SIGHTS: usize = 32;

impl Default for Sights {
    fn default() -> Self {
        Self(Mutex::new((None, Bounded::new(SIGHTS))))
    }
}

impl Sights {
    /// What a user may see, remembered or read.
    fn of(&self, meta: &Engine, user: &str) -> Result<Visible, AccessError> {
        let epoch = meta.rights_epoch();
        if epoch.is_some() {
            let mut kept = self.0.lock();
            if kept.0 == epoch
                && let Some(known) = kept.1.get(&user.to_owned())
            {
                return Ok(known.clone());
            }
        }
        let read = meta.read(|tx| places_of(&Only::of(tx, RIGHTS), user))?;
        if epoch.is_some() {
            let mut kept = self.0.lock();
            if kept.0 != epoch {
                *kept = (epoch, Bounded::new(SIGHTS));
            }
            kept.1.insert(user.to_owned(), read.clone());
        }
        Ok(read)
    }
}

/// Reads how a user (`None`: nobody) stands to a repository, apart from what follows from the names alone.
pub(super) fn standing(tx: &impl Read, user: Option<&str>, name: &RepoName) -> Result<Standing, MetaError> {
    let id = repo::id_of(tx, name)?;
    if let Some(user) = user
        && let Some(right) = through_organization(tx, user, name.namespace(), id.map(|id| (id, name)))?
    {
        return Ok(Standing { public: false, level: Some(right.level), because: Some(right.because.into()) });
    }
    let row = id.map(|id| repo::get(tx, id)).transpose()?.flatten();
    let public = row.is_some_and(|row| row.visibility == Visibility::Public);
    Ok(Standing { public, ..Standing::default() })
}

/// What an organization gives a user on a namespace of its own (`None`), or on one repository in it.
pub(super) fn through_organization(
    tx: &impl Read,
    user: &str,
    namespace: &str,
    repo: Option<(RepoId, &RepoName)>,
) -> Result<Option<Right>, MetaError> {
    if !namespace.is_empty() {
        match organization::member(tx, namespace, user)? {
            None => return Ok(None),
            Some(Member { owner: true, .. }) => {
                let because = Cow::Owned(format!("as an owner of {namespace}"));
                return Ok(Some(Right { level: Level::Admin, because }));
            }
            Some(_) => {}
        }
    }
    let mut granted: Option<Vec<Granted<'_>>> = None;
    let mut best: Option<(Level, Team, At<'_>)> = None;
    each_team(tx, user, namespace, &mut |id| {
        let places = match &mut granted {
            Some(places) => places,
            none => none.insert(Granted::in_reach(tx, namespace, repo)?),
        };
        for place in places {
            if let Some(level) = place.to(tx, id)?
                && best.as_ref().is_none_or(|(most, ..)| level > *most)
                // The rows of a deleted team go behind it.
                && let Some(team) = organization::team(tx, id)?
            {
                best = Some((level, team, place.at));
            }
        }
        Ok(best.as_ref().is_none_or(|(level, ..)| *level < Level::Admin))
    })?;
    Ok(best.map(|(level, team, at)| {
        let on = if at.repo().is_none() { ", on the namespace" } else { "" };
        let because = Cow::Owned(format!("through team {} of {}{on}", team.name, team.organization));
        Right { level, because }
    }))
}

/// Grants of a place that are read at once. Most places have few, side by side; where there are more, each team of the
/// user is looked up instead.
const FEW: usize = 16;

/// The grants of a place.
struct Granted<'p> {
    at: At<'p>,
    /// All of them; `None` where they are more than [`FEW`].
    all: Option<Vec<(Uuid, Level)>>,
}

impl<'p> Granted<'p> {
    /// Those of a namespace, if it is one, and of a repository.
    fn in_reach(
        tx: &impl Read,
        namespace: &'p str,
        repo: Option<(RepoId, &'p RepoName)>,
    ) -> Result<Vec<Self>, MetaError> {
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty()).map(At::Namespace);
        let places = namespace.into_iter().chain(repo.map(|(id, name)| At::Repository(id, name)));
        let read = |at| {
            let all = grant::on(tx, at, None, FEW + 1)?;
            Ok(Self { at, all: Some(all).filter(|all| all.len() <= FEW) })
        };
        places.map(read).collect()
    }

    /// What a team has there.
    fn to(&self, tx: &impl Read, team: Uuid) -> Result<Option<Level>, MetaError> {
        match &self.all {
            Some(all) => Ok(all.iter().find(|(id, _)| *id == team).map(|(_, level)| *level)),
            None => grant::get(tx, self.at, team),
        }
    }
}

/// Each team of a user in the organization of a namespace (of a repository that has none: every team of the user), as
/// long as `go_on` says so.
pub(super) fn each_team(
    tx: &impl Read,
    user: &str,
    namespace: &str,
    go_on: &mut dyn FnMut(Uuid) -> Result<bool, MetaError>,
) -> Result<(), MetaError> {
    if namespace.is_empty() {
        let mut last: Option<String> = None;
        loop {
            let organizations = organization::organizations_of(tx, user, last.as_deref(), CHUNK)?;
            for organization in &organizations {
                each_team(tx, user, organization, go_on)?;
            }
            last = organizations.last().cloned();
            if organizations.len() < CHUNK {
                return Ok(());
            }
        }
    }
    let mut last = None;
    loop {
        let teams = organization::teams_of(tx, user, Some(namespace), last, CHUNK)?;
        for team in &teams {
            if !go_on(*team)? {
                return Ok(());
            }
        }
        last = teams.last().copied();
        if teams.len() < CHUNK {
            return Ok(());
        }
    }
}

/// Decisions over the store, with what was read of it since the last commit.
struct Stored<'a> {
    meta: &'a Engine,
    standings: &'a Standings,
    anonymous: Anonymous,
}

impl Rights for Stored<'_> {
    fn anonymous(&self) -> Anonymous {
        self.anonymous
    }

    fn standing(&self, user: Option<&String>, repo: &RepoName) -> Result<Standing, MetaError> {
        const NOBODY: &String = &String::new();
        let key = user.unwrap_or(NOBODY);
        let epoch = self.meta.rights_epoch();
        if let Some(known) = self.standings.recall(epoch, repo, key) {
            return Ok(known);
        }
        let found = self.meta.read_within(|tx| standing(&Only::of(tx, RIGHTS), user.map(String::as_str), repo))?;
        let bytes = key.len() + found.because.as_ref().map_or(0, |because| because.len());
        self.standings.remember(epoch, repo, key, found.clone(), bytes);
        Ok(found)
    }

    fn in_namespace(&self, user: &str, namespace: &str) -> Result<Option<Right>, MetaError> {
        self.meta.read_within(|tx| through_organization(tx, user, namespace, None))
    }

    fn member(&self, organization: &str, user: &str) -> Result<Option<Member>, MetaError> {
        self.meta.read_within(|tx| organization::member(tx, organization, user))
    }
}

/// Which repositories a caller may see: what lists read, instead of asking for each repository there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Every one.
    All,
    /// Those in these places.
    Some(Places),
    /// Those in so many places that asking for each repository is cheaper.
    Ask,
}

/// Places in which a caller may see repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Whether the public ones.
    pub public: bool,
    /// All of these namespaces.
    pub namespaces: BTreeSet<String>,
    /// These repositories.
    pub repositories: BTreeSet<(RepoName, RepoId)>,
}

/// The most places that [`Visible::Some`] names.
pub const MAX_PLACES: usize = 500;

impl Access {
    fn stored(&self) -> Stored<'_> {
        let inner = &self.0;
        Stored { meta: &inner.meta, standings: &inner.standings, anonymous: inner.settings.anonymous }
    }

    /// May they? As [`Access::decide`], for one who need not know why.
    pub fn may(&self, caller: &Caller, requirement: Requirement<'_>) -> bool {
        decide::may(&self.stored(), caller, requirement)
    }

    /// May they? A store that fails says no.
    pub fn decide(&self, caller: &Caller, requirement: Requirement<'_>) -> Decision {
        decide::decide(&self.stored(), caller, requirement)
    }

    /// What a bearer token for this caller may say of a scope that was asked for.
    pub(super) fn grant(&self, caller: &Caller, asked: &Scope) -> Option<Scope> {
        decide::grant(&self.stored(), caller, asked)
    }

    /// How much the caller may do to a repository, and by which path; `None` when nothing. What a bearer token narrows is
    /// not looked at, what a personal access token narrows is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn right(&self, caller: &Caller, repo: &RepoName) -> Result<Option<Right>, AccessError> {
        Ok(decide::right_on(&self.stored(), caller, repo)?)
    }

    /// What those may who do not sign in.
    pub fn anonymous(&self) -> Anonymous {
        self.0.settings.anonymous
    }

    /// What the caller may see, for lists: where it is not [`Visible::Ask`], exactly the repositories for which
    /// [`Access::may`] allows to pull.
    ///
    /// # Errors
    /// When the store fails.
    pub fn visible(&self, caller: &Caller) -> Result<Visible, AccessError> {
        if let Some(scopes) = &caller.token {
            // A bearer token names each repository that it is for.
            let named = scopes.iter().filter(|scope| scope.kind == "repository");
            let named = named.filter_map(|scope| RepoName::parse(&scope.name).ok());
            let repositories = self.pullable(caller, named)?;
            return Ok(Visible::Some(Places { repositories, ..Places::default() }));
        }
        let everybody = self.0.settings.anonymous == Anonymous::PublicRepositories;
        let visible = match &caller.principal {
            Principal::System | Principal::User { admin: true, .. } => Visible::All,
            Principal::Anonymous => Visible::Some(Places { public: everybody, ..Places::default() }),
            Principal::User { name, .. } => self.0.sights.of(&self.0.meta, name)?,
        };
        match caller.through.as_ref().map(|through| &through.scope) {
            Some(TokenScope::Places(named)) => self.narrowed(caller, &visible, named.iter().map(|(place, _)| place)),
            _ => Ok(visible),
        }
    }

    /// Those of some repositories that are there and that the caller may pull from.
    fn pullable(
        &self,
        caller: &Caller,
        named: impl Iterator<Item = RepoName>,
    ) -> Result<BTreeSet<(RepoName, RepoId)>, AccessError> {
        let named: Vec<_> =
            named.filter(|name| self.may(caller, Requirement::Repository(name, Action::Pull))).collect();
        self.0.meta.read(|tx| {
            let mut found = BTreeSet::new();
            for name in named {
                found.extend(repo::id_of(tx, &name)?.map(|id| (name, id)));
            }
            Ok(found)
        })
    }

    /// What is left of what is `visible` to a token's owner by a token for the places that are `named`.
    fn narrowed<'p>(
        &self,
        caller: &Caller,
        visible: &Visible,
        named: impl Iterator<Item = &'p Place>,
    ) -> Result<Visible, AccessError> {
        let (mut places, mut single) = (Places::default(), Vec::new());
        for place in named {
            match (place, visible) {
                (Place::Repository(name), _) => single.push(name.clone()),
                (Place::Namespace(namespace), Visible::All) => drop(places.namespaces.insert(namespace.clone())),
                (Place::Namespace(namespace), Visible::Some(of_owner)) => {
                    if of_owner.namespaces.contains(namespace) {
                        places.namespaces.insert(namespace.clone());
                        continue;
                    }
                    let within = |name: &&RepoName| name.namespace() == namespace;
                    single.extend(of_owner.repositories.iter().map(|(name, _)| name).filter(within).cloned());
                    if of_owner.public {
                        let public = self.0.meta.read(|tx| repo::public_in(tx, namespace, MAX_PLACES + 1))?;
                        if public.len() > MAX_PLACES {
                            return Ok(Visible::Ask);
                        }
                        single.extend(public);
                    }
                    // Before each is asked for: a token names up to a hundred places.
                    if single.len() > 2 * MAX_PLACES {
                        return Ok(Visible::Ask);
                    }
                }
                (Place::Namespace(_), Visible::Ask) => return Ok(Visible::Ask),
            }
        }
        places.repositories = self.pullable(caller, single.into_iter())?;
        if places.repositories.len() > MAX_PLACES {
            return Ok(Visible::Ask);
        }
        Ok(Visible::Some(places))
    }
}

/// Where a user may see repositories.
fn places_of(tx: &impl Read, user: &str) -> Result<Visible, AccessError> {
    let mut places = Places { public: true, ..Places::default() };
    if !user.is_empty() {
        places.namespaces.insert(user.to_owned());
    }
    let mut last: Option<String> = None;
    loop {
        let organizations = organization::organizations_of(tx, user, last.as_deref(), CHUNK)?;
        for organization in &organizations {
            if organization::member(tx, organization, user)?.is_some_and(|member| member.owner) {
                places.namespaces.insert(organization.clone());
            }
            let mut room = true;
            each_team(tx, user, organization, &mut |team| {
                room = gather(tx, team, &mut places)?;
                Ok(room)
            })?;
            if !room || places.namespaces.len() > MAX_PLACES {
                return Ok(Visible::Ask);
            }
        }
        last = organizations.last().cloned();
        if organizations.len() < CHUNK {
            return Ok(Visible::Some(places));
        }
    }
}

/// Adds where a team has grants; false when that is too much.
fn gather(tx: &impl Read, team: Uuid, places: &mut Places) -> Result<bool, MetaError> {
    if organization::team(tx, team)?.is_none() {
        return Ok(true);
    }
    let grants = grant::of_team(tx, team, None, MAX_PLACES + 1)?;
    if grants.len() > MAX_PLACES {
        return Ok(false);
    }
    for held in grants {
        match (held.place, held.repo) {
            (Place::Namespace(namespace), _) => drop(places.namespaces.insert(namespace)),
            (Place::Repository(name), Some(id)) if repo::id_of(tx, &name)? == Some(id) => {
                places.repositories.insert((name, id));
            }
            (Place::Repository(_), _) => {}
        }
    }
    Ok(places.namespaces.len() + places.repositories.len() <= MAX_PLACES)
}
