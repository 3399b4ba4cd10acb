//! The list of repositories.

use super::tags::Listed;
use super::{Registry, RegistryError};
use crate::access::rights::Visible;
use crate::base::Page;
use crate::meta::{MetaError, Read, repo};
use crate::oci::RepoName;

/// Names that are read from the store at once.
const CHUNK: usize = 1000;

impl Registry {
    /// The repositories that `readable` lets the caller see (Docker's catalog, `/v2/_catalog`). Where `visible` names
    /// places, only those are looked at.
    ///
    /// # Errors
    /// When the store fails.
    pub fn catalog(
        &self,
        page: &Page,
        visible: &Visible,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Listed<String>, RegistryError> {
        let limit = page.limit();
        let entries = self.meta().read(|tx| {
            let mut entries = Vec::new();
            let mut last = page.last.clone();
            while entries.len() <= limit {
                let names = names(tx, visible, last.as_deref(), CHUNK.min(limit + 1))?;
                let Some(end) = names.last() else { break };
                last = Some(end.to_string());
                entries.extend(names.iter().filter(|name| readable(name)).map(ToString::to_string));
            }
            Ok::<_, RegistryError>(entries)
        })?;
        Ok(Listed::cut(entries, limit))
    }
}

/// At most `limit` names after `last` in byte order, of those that may be visible.
pub(super) fn names(
    tx: &impl Read,
    visible: &Visible,
    last: Option<&str>,
    limit: usize,
) -> Result<Vec<RepoName>, MetaError> {
    let Visible::Some(places) = visible else { return repo::names(tx, last, limit) };
    let mut names: Vec<RepoName> = Vec::new();
    for namespace in &places.namespaces {
        names.extend(repo::names_in(tx, repo::List::Namespace(namespace), last, limit)?);
    }
    if places.public {
        names.extend(repo::names_in(tx, repo::List::Public, last, limit)?);
    }
    let single = places.repositories.iter().map(|(name, _)| name);
    names.extend(single.filter(|name| last.is_none_or(|last| name.as_str() > last)).cloned());
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names.truncate(limit);
    Ok(names)
}
