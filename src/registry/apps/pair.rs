//! The tag of an application and the tag of its invocation image, `<app>-invoc`, which docker app 0.8 pushes beside it:
//! paired by digest, never by name alone.

use super::super::RegistryError;
use super::super::content::Look;
use super::super::kinds::summary_of;
use crate::base::RepoId;
use crate::meta::{Read, manifest, tag};
use crate::oci::kind::{ChildRole, Kind, role_of_child};
use crate::oci::{Digest, Manifest, Tag};

/// What docker app puts behind an application's tag.
const SUFFIX: &str = "-invoc";

/// The other tag of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::registry) struct Pair {
    /// The other tag.
    pub(in crate::registry) other: Tag,
    /// Whether the tag that was asked about is the invocation image's.
    pub(in crate::registry) is_invocation: bool,
}

/// The invocation image that an application's index lists; the first, should there be several (clients take exactly
/// one).
fn invocation_image(index: &Manifest) -> Option<&Digest> {
    let is_invocation = |child: &&crate::oci::Descriptor| role_of_child(index, child) == ChildRole::CnabInvocation;
    index.children().find(is_invocation).map(|child| &child.digest)
}

/// The other tag of the pair in which `name`, which points at `digest`, stands; `None` when it stands in none.
pub(in crate::registry) fn pair_of(
    tx: &impl Read,
    repo: RepoId,
    name: &Tag,
    digest: &Digest,
) -> Result<Option<Pair>, RegistryError> {
    if let Some(application) = name.as_str().strip_suffix(SUFFIX).and_then(|text| Tag::parse(text).ok())
        && let Some(row) = tag::get(tx, repo, &application)?
        && has_invocation_image(tx, repo, &row.digest, digest)?
    {
        return Ok(Some(Pair { other: application, is_invocation: true }));
    }
    // A tag that is too long for the suffix has no pair.
    if let Ok(invocation) = Tag::parse(&format!("{name}{SUFFIX}"))
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
    let Some(index) = Look::new(tx, repo).read(application)? else { return Ok(false) };
    Ok(invocation_image(&index) == Some(image))
}
