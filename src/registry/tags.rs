//! Lists of tags.

use super::{Registry, RegistryError, known};
use crate::base::Page;
use crate::meta::tag;
use crate::oci::RepoName;

/// One page of a list and whether more follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries, in byte order.
    pub entries: Vec<T>,
    /// Whether there are entries after these.
    pub more: bool,
}

impl<T> Listed<T> {
    /// Makes a page of `limit` out of up to `limit + 1` entries: the last one only tells that there is more.
    pub(super) fn cut(mut entries: Vec<T>, limit: usize) -> Self {
        let more = entries.len() > limit && limit > 0;
        entries.truncate(limit);
        Self { entries, more }
    }
}

impl Registry {
    /// The tags of a repository (end-8).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn list_tags(&self, name: &RepoName, page: &Page) -> Result<Listed<String>, RegistryError> {
        let limit = page.limit();
        let entries = self.meta().read(|tx| {
            let id = known(tx, name)?;
            Ok::<_, RegistryError>(tag::names(tx, id, page.last.as_deref(), limit + 1)?)
        })?;
        Ok(Listed::cut(entries, limit))
    }
}
