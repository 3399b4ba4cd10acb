//! Which living application needs a manifest.
//!
//! An application lives while a tag points at it, or at something that it is itself a part of: an outer application, an
//! index. One that no tag reaches is a leftover: docker app 0.8 writes the components in a random order, so that every
//! push of an unchanged application leaves an index behind. Such a leftover keeps nobody from deleting anything, and goes
//! by itself.

use std::collections::{HashSet, VecDeque};

use super::super::RegistryError;
use super::super::kinds::summary_of;
use super::is_application;
use crate::base::RepoId;
use crate::meta::{Read, manifest, tag};
use crate::oci::kind::Kind;
use crate::oci::{Digest, Tag};

/// Edges that are looked at, on all ways upwards together. A member has few parents but for the leftovers of re-pushes;
/// whoever nests indexes makes as many ways as the product of their numbers, and this is asked inside of commits.
const LOOKUPS: usize = 5_000;

/// The living application that needs a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) enum Living {
    /// This one.
    Application {
        /// Its digest.
        digest: Digest,
        /// The tag by which it lives: its own, or that of what it is a part of.
        tag: Tag,
    },
    /// More manifests refer to it than one question looks at; none of those seen is a living application.
    Unknown,
}

/// The living application that has the manifest `digest` as a member: as config, invocation image, component, a
/// component's platform, or as the list of a Compose application's images.
pub(in crate::registry) fn living(
    tx: &impl Read,
    repo: RepoId,
    digest: &Digest,
) -> Result<Option<Living>, RegistryError> {
    let mut above = Above { tx, repo, left: LOOKUPS, is_cut: false };
    // Upwards, each with the first application on the way to it.
    let mut open: VecDeque<(Digest, Option<Digest>)> = above.of(digest)?.into_iter().map(|up| (up, None)).collect();
    let mut seen: HashSet<(Digest, bool)> = open.iter().map(|(up, _)| (*up, false)).collect();
    while let Some((digest, through)) = open.pop_front() {
        let Some(row) = manifest::get(tx, repo, &digest)? else { continue };
        let through = match through {
            None if is_application(summary_of(tx, repo, &digest, &row)?.kind) => Some(digest),
            through => through,
        };
        if let Some(application) = through
            && let Some(tag) = tag::of_manifest(tx, repo, &digest, 1)?.pop()
        {
            return Ok(Some(Living::Application { digest: application, tag }));
        }
        let above = above.of(&digest)?.into_iter().filter(|up| seen.insert((*up, through.is_some())));
        open.extend(above.map(|up| (up, through)));
    }
    Ok(above.is_cut.then_some(Living::Unknown))
}

/// Looks upwards, over a bounded number of edges.
struct Above<'t, T> {
    tx: &'t T,
    repo: RepoId,
    left: usize,
    /// Whether there was more than could be looked at.
    is_cut: bool,
}

impl<T: Read> Above<'_, T> {
    /// What a manifest is a part of: those that list it, and the Compose manifest whose images it lists.
    fn of(&mut self, digest: &Digest) -> Result<Vec<Digest>, RegistryError> {
        let mut above = manifest::parents(self.tx, self.repo, digest, self.left + 1)?;
        self.is_cut |= above.len() > self.left;
        above.truncate(self.left);
        self.left -= above.len();
        if let Some(row) = manifest::get(self.tx, self.repo, digest)?
            && let Some(subject) = row.subject
            && summary_of(self.tx, self.repo, digest, &row)?.kind == Kind::ComposeImages
        {
            above.push(subject);
        }
        Ok(above)
    }
}
