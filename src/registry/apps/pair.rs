//! The tag of an application and the tag of its invocation image, `<app>-invoc`, which docker app 0.8 pushes beside it:
//! paired by digest, never by name alone.

use super::super::RegistryError;
use super::super::content::Look;
use super::super::derived;
use super::super::kinds::summary_of;
use crate::base::RepoId;
use crate::meta::{Read, manifest, tag};
use crate::oci::kind::Kind;
use crate::oci::{Digest, Tag};

/// The other tag of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) struct Pair {
    /// The other tag.
    pub(in crate::registry) other: Tag,
    /// Whether the tag that was asked about is the invocation image's.
    pub(in crate::registry) is_invocation: bool,
}

/// The other tag of the pair in which `name`, which points at `digest`, stands; `None` when it stands in none.
pub(in crate::registry) fn pair_of(
    tx: &impl Read,
    repo: RepoId,
    name: &Tag,
    digest: &Digest,
) -> Result<Option<Pair>, RegistryError> {
    if let Some(application) = tag::application_tag(name)
        && let Some(row) = tag::get(tx, repo, &application)?
        && has_invocation_image(tx, repo, &row.digest, digest)?
    {
        return Ok(Some(Pair { other: application, is_invocation: true }));
    }
    if let Some(invocation) = tag::invocation_tag(name)
        && let Some(row) = tag::get(tx, repo, &invocation)?
        && has_invocation_image(tx, repo, digest, &row.digest)?
    {
        return Ok(Some(Pair { other: invocation, is_invocation: false }));
    }
    Ok(None)
}

/// Whether this manifest is an application, and that one its invocation image.
fn has_invocation_image(
    tx: &impl Read,
    repo: RepoId,
    application: &Digest,
    image: &Digest,
) -> Result<bool, RegistryError> {
    let Some(row) = manifest::get(tx, repo, application)? else { return Ok(false) };
    if !matches!(summary_of(tx, repo, application, &row)?.kind, Kind::Application | Kind::CnabBundle) {
        return Ok(false);
    }
    if row.invocation.is_some() {
        return Ok(row.invocation == Some(*image));
    }
    // A row of an earlier version does not say.
    Ok(Look::new(tx, repo).read(application)?.and_then(|index| derived::invocation(&index)) == Some(*image))
}
