//! Grants: what teams may, on a repository or on a whole namespace. Whether the caller may give them is decided before:
//! on a repository by [`Action::Administer`](crate::model::Action), on a namespace by
//! [`OrganizationAction::Manage`](crate::model::operation::OrganizationAction).

use super::organizations::{MAX_PAGE, team};
use super::{Access, AccessError};
use crate::base::Uuid;
use crate::meta::grant::{self, At};
use crate::meta::{MetaError, Read, account, organization, repo};
use crate::model::event::Happening;
use crate::model::organization::Team;
use crate::model::permission::{Level, Place};
use crate::model::{Account, Actor};

/// A team's right in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The team.
    pub team: Team,
    /// How much.
    pub level: Level,
}

/// Where a team has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldGrant {
    /// Where.
    pub place: Place,
    /// How much.
    pub level: Level,
    /// Ask for what comes behind it with this.
    pub mark: Vec<u8>,
}

fn no_place(place: &Place) -> AccessError {
    AccessError::NotFound(format!("there is no repository {place}; it comes into being with the first push to it"))
}

/// The place as the store finds it, if grants may be given there to teams of this organization.
fn at<'p>(tx: &impl Read, place: &'p Place, organization: &str) -> Result<At<'p>, AccessError> {
    let namespace = match place {
        Place::Namespace(namespace) => namespace.as_str(),
        Place::Repository(name) => name.namespace(),
    };
    // A repository without a namespace belongs to nobody: an administrator may give any team rights on it.
    if !(namespace == organization || namespace.is_empty() && matches!(place, Place::Repository(_))) {
        let owner = match account::get(tx, namespace)? {
            Some(account) if account.is_organization() => format!("its own teams ({namespace}'s)"),
            _ => "teams of an organization that owns it: this one is a user's own".to_owned(),
        };
        return Err(AccessError::Conflict(format!("rights on {place} can be given to {owner} only")));
    }
    At::find(tx, place)?.ok_or_else(|| no_place(place))
}

impl Access {
    /// Gives a team of an organization a right, or another one than it had; `team` is its name or id. What it was before.
    ///
    /// # Errors
    /// [`AccessError::NotFound`], [`AccessError::Conflict`] where the place is not the organization's, or the store's
    /// fault.
    pub async fn set_grant(
        &self,
        actor: &Actor,
        place: &Place,
        organization: &str,
        team: &str,
        level: Level,
    ) -> Result<Option<Level>, AccessError> {
        let (place, organization, name) = (place.clone(), organization.to_owned(), team.to_owned());
        self.change(actor, move |tx, record| {
            let team = self::team(tx, &organization, &name)?;
            let at = at(tx, &place, &organization)?;
            let was = grant::get(tx, at, team.id)?;
            if was != Some(level) {
                grant::put(tx, at, team.id, level);
                let (place, organization) = (place.clone(), organization.clone());
                let what = Happening::GrantSet { place, organization, team: team.name, level, was };
                record.put(tx, 0, at.repo(), what)?;
            }
            Ok(was)
        })
        .await
    }

    /// Takes a team's right in a place away; what it was.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] when there is no such team or repository, or the store's fault.
    pub async fn remove_grant(
        &self,
        actor: &Actor,
        place: &Place,
        organization: &str,
        team: &str,
    ) -> Result<Option<Level>, AccessError> {
        let (place, organization, name) = (place.clone(), organization.to_owned(), team.to_owned());
        self.change(actor, move |tx, record| {
            let team = self::team(tx, &organization, &name)?;
            let at = at(tx, &place, &organization)?;
            let was = grant::get(tx, at, team.id)?;
            if let Some(was) = was {
                grant::delete(tx, at, team.id);
                let (place, organization) = (place.clone(), organization.clone());
                record.put(tx, 0, at.repo(), Happening::GrantRemoved { place, organization, team: team.name, was })?;
            }
            Ok(was)
        })
        .await
    }

    /// What a team has in a place; `None` when nothing.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] when there is no such team or repository, or the store's fault.
    pub fn grant_of(&self, place: &Place, organization: &str, team: &str) -> Result<Option<Granted>, AccessError> {
        self.0.meta.read(|tx| {
            let team = self::team(tx, organization, team)?;
            let at = at(tx, place, organization)?;
            Ok(grant::get(tx, at, team.id)?.map(|level| Granted { team, level }))
        })
    }

    /// At most `limit` grants in a place, behind the team with the id `last`.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] when there is no such repository, or the store's fault.
    pub fn grants_on(&self, place: &Place, last: Option<Uuid>, limit: usize) -> Result<Vec<Granted>, AccessError> {
        self.0.meta.read(|tx| {
            let at = At::find(tx, place)?;
            let at = at.ok_or_else(|| no_place(place))?;
            let (mut found, mut last) = (Vec::new(), last);
            let limit = limit.min(MAX_PAGE);
            while found.len() < limit {
                let rows = grant::on(tx, at, last, limit - found.len())?;
                let Some((end, _)) = rows.last() else { break };
                last = Some(*end);
                for (id, level) in rows {
                    found.extend(organization::team(tx, id)?.map(|team| Granted { team, level }));
                }
            }
            Ok(found)
        })
    }

    /// At most `limit` grants of a team behind the mark `after`: namespaces first, then repositories, each by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn grants_of(&self, team: Uuid, after: Option<&[u8]>, limit: usize) -> Result<Vec<HeldGrant>, AccessError> {
        Ok(self.0.meta.read(|tx| held(tx, team, after, limit.min(MAX_PAGE)))?)
    }

    /// The namespace's owner; `None` when nobody owns it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn owner_of(&self, namespace: &str) -> Result<Option<Account>, AccessError> {
        self.account(namespace)
    }
}

/// Grants of a team that still mean something: not those in repositories that are gone.
pub(super) fn held(
    tx: &impl Read,
    team: Uuid,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<HeldGrant>, MetaError> {
    let (mut found, mut after) = (Vec::new(), after.map(<[u8]>::to_vec));
    while found.len() < limit {
        let rows = grant::of_team(tx, team, after.as_deref(), limit - found.len())?;
        let Some(end) = rows.last() else { break };
        after = Some(end.mark.clone());
        for row in rows {
            let there = match (&row.place, row.repo) {
                (Place::Repository(name), id) => repo::id_of(tx, name)? == id,
                (Place::Namespace(_), _) => true,
            };
            found.extend(there.then_some(HeldGrant { place: row.place, level: row.level, mark: row.mark }));
        }
    }
    Ok(found)
}
