//! The list of repositories.

use super::tags::Listed;
use super::{Registry, RegistryError};
use crate::base::Page;
use crate::meta::repo;
use crate::oci::RepoName;

/// Names that are read from the store at once.
const CHUNK: usize = 1000;

impl Registry {
    /// The repositories that `readable` lets the caller see (Docker's catalog, `/v2/_catalog`).
    ///
    /// # Errors
    /// When the store fails.
    pub fn catalog(&self, page: &Page, readable: impl Fn(&RepoName) -> bool) -> Result<Listed<String>, RegistryError> {
        let limit = page.limit();
        let entries = self.meta().read(|tx| {
            let mut entries = Vec::new();
            let mut last = page.last.clone();
            while entries.len() <= limit {
                let names = repo::names(tx, last.as_deref(), CHUNK.min(limit + 1))?;
                let Some(end) = names.last() else { break };
                last = Some(end.to_string());
                entries.extend(names.iter().filter(|name| readable(name)).map(ToString::to_string));
            }
            Ok::<_, RegistryError>(entries)
        })?;
        Ok(Listed::cut(entries, limit))
    }
}
