//! The search over everything that the caller may see.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::routes::{ManifestPage, manifest_path, repository_path};
use super::{Failure, Outcome, Visit};
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::oci::kind::Kind;
use crate::oci::{Digest, Reference, RepoName, Tag};
use crate::registry::Registry;

/// Entries of each list.
const LIMIT: usize = 20;

/// Bytes of the longest text that is looked for: a digest of sha512 has 135.
const MAX_TEXT: usize = 200;

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    text: String,
    repositories: Vec<(RepoName, String)>,
    tags: Vec<TagFound>,
    digests: Vec<DigestFound>,
    annotations: Vec<AnnotationFound>,
    more: bool,
}

struct TagFound {
    repo: RepoName,
    tag: Tag,
    path: String,
    kind: &'static str,
    label: &'static str,
}

struct DigestFound {
    repo: RepoName,
    digest: Digest,
    /// Of a manifest; a blob has no page of its own, so its repository's.
    path: String,
    /// `None` for a blob.
    kind: Option<(&'static str, &'static str)>,
}

struct AnnotationFound {
    repo: RepoName,
    digest: Digest,
    path: String,
    /// What was found, in the author's words.
    words: String,
}

/// `/search`.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    let text = visit.query.get("q").unwrap_or_default();
    if text.len() > MAX_TEXT {
        return Err(Failure::Bad(format!("A search has at most {MAX_TEXT} bytes; look for less of it.")));
    }
    let (access, caller) = (visit.app.access.clone(), visit.caller.clone());
    let visible = access.visible(&caller)?;
    let readable = move |name: &RepoName| access.may(&caller, Requirement::Repository(name, Action::Pull));
    let wanted = text.to_owned();
    let search = move |registry: &Registry| registry.search_visible(&wanted, LIMIT, &visible, readable);
    let found = visit.app.registry.search_aside(search).await?;
    let by_digest = |repo: &RepoName, digest| manifest_path(repo, &Reference::Digest(digest), ManifestPage::Overview);
    let named = |kind: Kind| (kind.name(), kind.label());
    let mut frame = visit.frame("Search", Nav::Repositories);
    text.clone_into(&mut frame.search);
    let tags = found.tags.into_iter().map(|(repo, tag, kind)| {
        let path = manifest_path(&repo, &Reference::Tag(tag.clone()), ManifestPage::Overview);
        TagFound { repo, tag, path, kind: kind.name(), label: kind.label() }
    });
    let digests = found.digests.into_iter().map(|(repo, digest, kind)| {
        let path = if kind.is_some() { by_digest(&repo, digest) } else { repository_path(&repo) };
        DigestFound { path, repo, digest, kind: kind.map(named) }
    });
    let annotations = found.annotations.into_iter().map(|(repo, digest, words)| AnnotationFound {
        path: by_digest(&repo, digest),
        repo,
        digest,
        words,
    });
    let page = SearchPage {
        frame,
        text: text.to_owned(),
        tags: tags.collect(),
        digests: digests.collect(),
        annotations: annotations.collect(),
        repositories: found
            .repositories
            .into_iter()
            .map(|name| {
                let path = repository_path(&name);
                (name, path)
            })
            .collect(),
        more: found.more,
    };
    Ok(render(StatusCode::OK, &page))
}

impl SearchPage {
    fn is_empty(&self) -> bool {
        self.repositories.is_empty() && self.tags.is_empty() && self.digests.is_empty() && self.annotations.is_empty()
    }
}
