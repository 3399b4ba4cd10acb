//! Lists of tags.

use super::listing::{self, Cursor, Scope, Sort};
use super::{Registry, RegistryError, known};
use crate::base::{Page, RepoId, Timestamp};
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::tag::{Listed as Standing, TagRow};
use crate::meta::{Read, order, repo, tag};
use crate::oci::kind::{Group, Kind};
use crate::oci::{Digest, Reference, RepoName, Tag};

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

/// Which tags are asked for.
#[derive(Clone, Debug, Default)]
pub struct TagQuery {
    /// Only units of this kind. An application's unit holds its invocation image's tag, so a filter for images does
    /// not show that one.
    pub kind: Option<Kind>,
    /// When no kind is asked for, none of this group: signatures and their like are many, and seldom looked for.
    pub without: Option<Group>,
    /// Only those whose name contains this text; ASCII case is ignored.
    pub text: Option<String>,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many units; 0 for the usual [`listing::PAGE`].
    pub limit: usize,
}

/// Manifests without a tag that one request looks at: whether something refers to one is asked of each.
const UNTAGGED_SCAN: usize = 500;

/// What stands as one in a list: a tag, and the tag of its invocation image if it is an application that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagUnit {
    /// The tag.
    pub tag: TagEntry,
    /// `<app>-invoc`, when it points at this application's invocation image: paired by digest, never by name alone.
    pub invocation: Option<TagEntry>,
}

/// One tag with what its manifest's row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEntry {
    /// The tag; `None` for an untagged manifest.
    pub name: Option<Tag>,
    /// What it points at.
    pub digest: Digest,
    /// The manifest's row: kind, platforms, sizes, pushes and pulls.
    pub manifest: ManifestRow,
    /// When the tag was last pushed.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
    /// When the tag was first pushed.
    pub created: Timestamp,
    /// The other tag of the pair: for an application its invocation image's tag, for that the application's.
    pub pair: Option<Tag>,
    /// Whether this tag is the invocation image of the application in `pair`.
    pub is_invocation: bool,
}

impl Registry {
    /// A page of a repository's tags; an application and its invocation image are one unit.
    ///
    /// A text is looked for in the names of units, of which one request looks at a few thousand.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ForeignCursor`], or the store's fault.
    pub fn tag_units(&self, name: &RepoName, query: &TagQuery) -> Result<listing::Page<TagUnit>, RegistryError> {
        let limit = listing::page_size(query.limit);
        let text = query.text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let seal = self.seal()?;
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let mut contains = repo::contains(tx, id)?;
            contains.retain(|(kind, _)| match (query.kind, query.without) {
                (Some(wanted), _) => *kind == wanted,
                (None, without) => without != Some(kind.about(None).group),
            });
            let list = if query.kind.is_none() && query.without.is_some() { "tags without" } else { "tags" };
            let scope = Scope::new(seal, list, query.sort).repo(id);
            let scope = scope.filter(query.kind.map(Kind::name)).filter(Some(&text));
            let after = scope.place(query.after.as_ref())?;
            let (kinds, chunk) = (contains.iter().map(|(kind, _)| *kind), listing::chunk(limit, !text.is_empty()));
            let mut units = tag::units(tx, id, kinds, query.sort, after.as_deref(), chunk);
            let (entries, next) = listing::fill(&mut units, limit, &scope, |place, _| {
                let name = order::name_at(query.sort, place)?;
                if listing::has_text(name, &text) { unit(tx, id, name) } else { Ok(None) }
            })?;
            let total = text.is_empty().then(|| contains.iter().map(|(_, count)| count).sum());
            Ok(listing::Page { entries, next, total })
        })
    }

    /// A page of a repository's tags, each on its own, by name: as the REST interface lists them.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn tag_entries(&self, name: &RepoName, page: &Page) -> Result<Listed<TagEntry>, RegistryError> {
        let limit = page.limit();
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let rows = tag::rows(tx, id, page.last.as_deref(), limit + 1)?;
            let Listed { entries, more } = Listed::cut(rows, limit);
            let entries = entries.into_iter().map(|(tag, row)| entry(tx, id, tag, row));
            Ok(Listed { entries: entries.filter_map(Result::transpose).collect::<Result<_, _>>()?, more })
        })
    }

    /// The tags that a reference stands for: a tag itself, or every tag that points at a digest (at most `limit`).
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or the store's fault.
    pub fn tags_of(&self, name: &RepoName, of: &Reference, limit: usize) -> Result<Vec<TagEntry>, RegistryError> {
        let unknown = || RegistryError::ManifestUnknown { repo: name.clone(), reference: of.clone() };
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let tags = match of {
                Reference::Tag(tag) => vec![tag.clone()],
                Reference::Digest(digest) => {
                    manifest::get(tx, id, digest)?.ok_or_else(unknown)?;
                    tag::of_manifest(tx, id, digest, limit)?
                }
            };
            let mut entries = Vec::with_capacity(tags.len());
            for tag in tags {
                let row = tag::get(tx, id, &tag)?.ok_or_else(unknown)?;
                entries.extend(entry(tx, id, tag, row)?);
            }
            Ok(entries)
        })
    }

    /// A page of the manifests that no tag points at and no other manifest refers to, latest push first. What is
    /// attached to a manifest that is here is shown with that one and not here.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ForeignCursor`], or the store's fault.
    pub fn untagged(
        &self,
        name: &RepoName,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<listing::Page<TagEntry>, RegistryError> {
        let (limit, seal) = (listing::page_size(limit), self.seal()?);
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let scope = Scope::new(seal, "untagged", Sort::Pushed).repo(id);
            let after = scope.place(after)?;
            let mut rows = manifest::untagged(tx, id, after.as_deref(), UNTAGGED_SCAN + 1)?.into_iter();
            let next = || Ok(rows.next().map(|(place, digest)| (place, digest.to_key())));
            let (entries, next) = listing::fill_from(next, limit, UNTAGGED_SCAN, &scope, |_, digest| {
                let Some((digest, _)) = Digest::split_key(digest) else { return Ok(None) };
                Ok(loose(tx, id, &digest)?.map(|row| without_tag(digest, row)))
            })?;
            Ok(listing::Page { entries, next, total: None })
        })
    }
}

impl Registry {
    /// A manifest as a list shows it without a tag; `None` when it is not here. For the invocation image of an
    /// application that has no tag of its own.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn untagged_entry(&self, name: &RepoName, digest: &Digest) -> Result<Option<TagEntry>, RegistryError> {
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            Ok(manifest::get(tx, id, digest)?.map(|row| without_tag(*digest, row)))
        })
    }
}

fn without_tag(digest: Digest, row: ManifestRow) -> TagEntry {
    TagEntry {
        name: None,
        digest,
        pushed: row.pushed,
        pusher: row.pusher.clone(),
        created: row.created,
        manifest: row,
        pair: None,
        is_invocation: false,
    }
}

/// How many manifests of a repository [`Registry::untagged`] would list; `None` when there are too many to look at.
///
/// # Errors
/// When the store fails.
pub(super) fn count_untagged(tx: &impl Read, id: RepoId) -> Result<Option<u64>, RegistryError> {
    let rows = manifest::untagged(tx, id, None, UNTAGGED_SCAN + 1)?;
    if rows.len() > UNTAGGED_SCAN {
        return Ok(None);
    }
    let mut count = 0;
    for (_, digest) in rows {
        count += u64::from(loose(tx, id, &digest)?.is_some());
    }
    Ok(Some(count))
}

/// The row of a manifest without a tag, if nothing else shows it: no manifest lists it, and it is not attached to one
/// that is here.
fn loose(tx: &impl Read, id: RepoId, digest: &Digest) -> Result<Option<ManifestRow>, RegistryError> {
    if !manifest::parents(tx, id, digest, 1)?.is_empty() {
        return Ok(None);
    }
    let Some(row) = manifest::get(tx, id, digest)? else { return Ok(None) };
    let attached = match &row.subject {
        Some(subject) => manifest::get(tx, id, subject)?.is_some(),
        None => false,
    };
    Ok((!attached).then_some(row))
}

/// The unit of a tag that stands in a list.
fn unit(tx: &impl Read, id: RepoId, name: &str) -> Result<Option<TagUnit>, RegistryError> {
    let Ok(name) = Tag::parse(name) else { return Ok(None) };
    let Some(row) = tag::get(tx, id, &name)? else { return Ok(None) };
    let Some(tag) = entry(tx, id, name, row)? else { return Ok(None) };
    let invocation = match &tag.pair {
        Some(pair) => match tag::get(tx, id, pair)? {
            Some(row) => entry(tx, id, pair.clone(), row)?,
            None => None,
        },
        None => None,
    };
    Ok(Some(TagUnit { tag, invocation }))
}

/// A tag with its manifest's row; `None` when that is not there, which no commit leaves.
pub(super) fn entry(tx: &impl Read, id: RepoId, name: Tag, row: TagRow) -> Result<Option<TagEntry>, RegistryError> {
    let Some(manifest) = manifest::get(tx, id, &row.digest)? else { return Ok(None) };
    let is_invocation = row.listed == Some(Standing::Invocation);
    let pair = if is_invocation {
        tag::application_tag(&name)
    } else if manifest.invocation.is_some()
        && let Some(other) = tag::invocation_tag(&name)
        && tag::get(tx, id, &other)?.is_some_and(|row| row.listed == Some(Standing::Invocation))
    {
        Some(other)
    } else {
        None
    };
    let TagRow { digest, pushed, pusher, created, .. } = row;
    Ok(Some(TagEntry { name: Some(name), digest, manifest, pushed, pusher, created, pair, is_invocation }))
}
