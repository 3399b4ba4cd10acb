//! Makes again what is derived: kinds, sizes, pairs, terms and the rows of the lists. After an update a job does it for
//! the rows of the version before, while pushes and pulls go on: every closure looks again at what is there, so a push in
//! between is never undone.

use super::listing::Seal;
use super::{Registry, RegistryError};
use crate::base::id::random;
use crate::base::{JobId, RepoId};
use crate::meta::{MetaError, Read, WriteError, job, record, repo, tables, tag};
use crate::model::Job;
use crate::model::job::{JobState, Task};
use crate::oci::kind::rules_version;
use crate::oci::{Digest, Tag};

/// The version of what is derived besides kinds; raised with every change of it.
const LISTS: u32 = 2;
/// The row of [`tables::META`] with the versions that the rows were derived by.
const MARK: &[u8] = b"derived";
/// Jobs among which one that waits already is looked for.
const JOBS: usize = 1_000;

/// Tags that one closure brings up to date: each is about ten rows, and that of its invocation image as many.
const TAGS: usize = 40;
/// Repositories that one closure brings up to date: one that holds every kind there is has some ninety rows.
const REPOS: usize = 5;
/// Rows read at once.
const PAGE: usize = 500;

fn versions() -> (u32, u32) {
    (rules_version(), LISTS)
}

impl Registry {
    /// Before the first request: makes the secret of the marks, if there is none, and asks for a reindexing when rows
    /// were derived by another version than this one; a new store has none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prepare(&self) -> Result<(), RegistryError> {
        let due = self.clock().now();
        let (id, secret) = (JobId::at(due), random());
        let write = self.meta().write(move |tx| {
            Seal::prepare(tx, &secret)?;
            let mark = record::encode(&versions());
            if tx.get(tables::META, MARK)?.is_some_and(|before| before == mark) {
                return Ok(());
            }
            let is_new = tx.range(tables::REPO, &[], None, 1)?.is_empty();
            let is_asked_for = |job: &Job| job.task == Task::Reindex && job.state != JobState::Dead;
            if is_new {
                tx.put(tables::META, MARK, mark);
            } else if !job::list(tx, JOBS)?.iter().any(is_asked_for) {
                let (task, state) = (Task::Reindex, JobState::Waiting);
                job::put(tx, None, &Job { id, task, state, due, attempts: 0, last_error: None });
            }
            Ok::<_, MetaError>(())
        });
        write.await.map_err(|error| match error {
            WriteError::Refused(error) | WriteError::Store(error) => error.into(),
        })
    }

    /// Goes through all there is, a step at a time ([`Registry::reindex`]); returns how many rows changed.
    ///
    /// # Errors
    /// When the store fails; what was written stands.
    pub async fn reindex_all(&self) -> Result<u64, RegistryError> {
        let (mut changed, mut after) = (0, None);
        loop {
            let done = self.reindex(after).await?;
            changed += done.changed;
            after = done.next;
            if after.is_none() {
                break;
            }
        }
        let write = self.meta().write(|tx| {
            tx.put(tables::META, MARK, record::encode(&versions()));
            Ok::<_, RegistryError>(())
        });
        write.await?;
        Ok(changed)
    }

    /// Brings the lists up to date with these manifests: their tags, and their repositories.
    pub(super) async fn relist(&self, manifests: &[(RepoId, Digest)]) -> Result<(), RegistryError> {
        for (id, digest) in manifests.iter().copied() {
            // The tags of one manifest may be many, but no push or deletion adds or removes more than a few hundred at
            // once: those are brought up to date by it.
            let tags = self.meta().read(|tx| tag::of_manifest(tx, id, &digest, usize::MAX))?;
            for some in tags.chunks(TAGS) {
                let some: Vec<Tag> = some.to_vec();
                let write = self.meta().write(move |tx| {
                    for tag in &some {
                        tag::refresh(tx, id, tag)?;
                        tag::refresh_invocation(tx, id, tag)?;
                    }
                    Ok::<_, RegistryError>(())
                });
                write.await?;
            }
        }
        let mut ids: Vec<RepoId> = manifests.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        self.relist_repositories(&ids).await
    }

    /// Brings the lists up to date with these repositories.
    pub(super) async fn relist_repositories(&self, ids: &[RepoId]) -> Result<(), RegistryError> {
        for some in ids.chunks(REPOS) {
            let some = some.to_vec();
            let write = self.meta().write(move |tx| {
                some.iter().try_for_each(|id| repo::refresh(tx, *id))?;
                Ok::<_, RegistryError>(())
            });
            write.await?;
        }
        Ok(())
    }

    /// Lists the repositories that stand in no list yet: those of an earlier version that hold no manifest.
    pub(super) async fn list_the_unlisted(&self) -> Result<(), RegistryError> {
        let mut last: Option<String> = None;
        loop {
            let (names, unlisted) = self.meta().read(|tx| {
                let names = repo::names(tx, last.as_deref(), PAGE)?;
                let mut unlisted = Vec::new();
                for name in &names {
                    if let Some(id) = repo::id_of(tx, name)?
                        && !repo::is_listed(tx, id)?
                    {
                        unlisted.push(id);
                    }
                }
                Ok::<_, RegistryError>((names, unlisted))
            })?;
            self.relist_repositories(&unlisted).await?;
            match names.last() {
                Some(name) => last = Some(name.to_string()),
                None => return Ok(()),
            }
        }
    }
}
