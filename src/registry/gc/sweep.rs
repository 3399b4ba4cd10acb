//! Files against rows, both ways: a file that no session owns and no row names is an orphan and goes; a row whose file
//! is not there is told loudly and stays.
//!
//! The order of the questions is what makes it safe: first which files there are, then which of them sessions own,
//! then which the metadata names. A file that is published in between leaves its session only after its row is there.

use std::collections::HashMap;

use crate::base::FileId;
use crate::meta::blob::{self, FileState};
use crate::model::gc::Amount;
use crate::oci::Digest;
use crate::registry::trace::TraceEvent;
use crate::registry::{Registry, RegistryError};

/// Files looked at in one step.
const PAGE: usize = 4_096;

/// A page of files, compared.
pub(super) struct Compared {
    /// Files that nothing owns or names, with their bytes.
    pub(super) orphans: Vec<(FileId, u64)>,
    /// Blobs whose file is not there.
    pub(super) missing: Vec<(FileId, Digest)>,
    /// Files seen.
    pub(super) seen: u64,
    /// Behind which file to go on; `None` at the end.
    pub(super) next: Option<FileId>,
}

/// Compares the page of files behind `after` with the rows. Blocks.
pub(super) fn compare(registry: &Registry, after: Option<FileId>) -> Result<Compared, RegistryError> {
    let blobs = registry.blobs();
    let files = blobs.list(after, PAGE)?;
    let next = files.last().copied().filter(|_| files.len() == PAGE);
    let owned = blobs.owned();
    let named = named(registry, after, next)?;
    let mut orphans = Vec::new();
    for file in files.iter().filter(|file| !owned.contains(file) && !named.contains_key(file)) {
        if state(registry, *file)?.is_none() {
            // Gone meanwhile? Then it was a session's that ended.
            orphans.extend(blobs.size(*file)?.map(|size| (*file, size)));
        }
    }
    let mut missing = Vec::new();
    for (file, digest) in named {
        // Published after the files were listed, or collected after the rows were read?
        if files.binary_search(&file).is_err()
            && blobs.size(file)?.is_none()
            && state(registry, file)? == Some(FileState::Published(digest))
        {
            missing.push((file, digest));
        }
    }
    Ok(Compared { orphans, missing, seen: files.len() as u64, next })
}

fn state(registry: &Registry, file: FileId) -> Result<Option<FileState>, RegistryError> {
    registry.meta().read(|tx| Ok(blob::file_state(tx, file)?))
}

/// The files that blobs' rows name, behind `after` and up to `last`.
fn named(
    registry: &Registry,
    after: Option<FileId>,
    last: Option<FileId>,
) -> Result<HashMap<FileId, Digest>, RegistryError> {
    let (mut named, mut after) = (HashMap::new(), after);
    loop {
        let rows = registry.meta().read(|tx| Ok::<_, RegistryError>(blob::files(tx, after, last, PAGE)?))?;
        after = rows.last().map(|(file, _)| *file);
        let is_last = rows.len() < PAGE;
        named.extend(rows);
        if is_last {
            return Ok(named);
        }
    }
}

/// What a step did.
#[derive(Debug, Default)]
pub(super) struct Went {
    pub(super) seen: u64,
    pub(super) orphans: Amount,
    pub(super) missing: u64,
}

/// One step, and behind which file to go on.
pub(super) async fn step(registry: &Registry, after: Option<FileId>) -> Result<(Went, Option<FileId>), RegistryError> {
    let registry = registry.clone();
    super::on_a_thread(move || {
        let Compared { orphans, missing, seen, next } = compare(&registry, after)?;
        let mut went = Went { seen, missing: missing.len() as u64, ..Went::default() };
        for (file, digest) in &missing {
            tracing::error!(%file, %digest, "the file of a blob is missing: its content is lost; push it again");
        }
        let ids: Vec<FileId> = orphans.iter().map(|(file, _)| *file).collect();
        for (file, outcome) in registry.blobs().unlink_all(&ids) {
            match outcome {
                Ok(size) => {
                    went.orphans.add(size.unwrap_or(0));
                    registry.trace().tell(|| TraceEvent::Swept { file });
                }
                Err(error) => tracing::warn!(%file, %error, "a file that nothing names could not be removed"),
            }
        }
        Ok((went, next))
    })
    .await
}
