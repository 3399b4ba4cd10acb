//! What stands above the tabs of a manifest's pages: what it is, what lacks, what it belongs to, how to pull it.

use super::manifest::{Link, NAME, ROWS, digest_link, link, tabs, tag_link};
use super::page::{Frame, Nav};
use super::pull_commands::{Command, Target};
use super::repository::{self, api_path};
use super::routes::{self, ManifestPage};
use super::shown::Room;
use super::{Failure, Visit, shown, words};
use crate::base::Timestamp;
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::oci::kind::{Kind, Summary};
use crate::oci::{Digest, Reference, RepoName};
use crate::registry::manifests::{Details, Parent};
use crate::registry::tags::TagEntry;

/// Missing digests that are named.
const MISSING: usize = 10;
/// Tags, and manifests that list this one, in the header.
const TAGS: usize = 20;
/// Characters of an annotation's value.
const ANNOTATION: usize = 1_000;
/// The part of a child that is an application's invocation image.
const INVOCATION: &str = "invocation";

/// A tab of a manifest's page.
pub(super) struct Tab {
    pub(super) page: ManifestPage,
    pub(super) words: &'static str,
    pub(super) path: String,
    pub(super) count: Option<usize>,
    pub(super) is_active: bool,
}

/// A manifest that lists this one.
pub(super) struct PartOf {
    pub(super) link: Link,
    pub(super) role: String,
}

/// What stands above the tabs.
pub(super) struct Header {
    pub(super) repo: String,
    /// `:tag` or `@sha256:…`, cut.
    pub(super) behind: String,
    pub(super) crumbs: Vec<(String, String)>,
    pub(super) kind: Kind,
    pub(super) label: &'static str,
    /// The type in its own words, where the kind does not tell it.
    pub(super) raw_type: Option<String>,
    pub(super) is_invocation: bool,
    /// How many components it lists, as lists of tags say it; 0 for what is no CNAB bundle.
    pub(super) components: u64,
    pub(super) digest: Digest,
    /// The page that no push changes; none on that page itself.
    pub(super) pinned: Option<String>,
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) pushed: Timestamp,
    pub(super) pusher: String,
    pub(super) pulled: Option<Timestamp>,
    pub(super) missing: Vec<Digest>,
    pub(super) missing_count: usize,
    pub(super) tags: Vec<Link>,
    pub(super) more_tags: bool,
    pub(super) parents: Vec<PartOf>,
    pub(super) subject: Option<Link>,
    pub(super) commands: Vec<Command>,
    pub(super) tabs: Vec<Tab>,
    /// Where to delete it, for those who may.
    pub(super) delete: Option<String>,
    /// The annotations of the manifest, on its first tab.
    pub(super) annotations: Vec<(String, String)>,
    pub(super) more_annotations: usize,
}

impl Header {
    /// The header of one of a manifest's pages, and the frame around it. `referrers` is how many it has.
    ///
    /// # Errors
    /// [`Failure::NotFound`] when what this manifest is has no such page.
    pub(super) fn new(
        visit: &Visit<'_>,
        details: &Details,
        page: ManifestPage,
        referrers: usize,
    ) -> Result<(Frame, Self), Failure> {
        let Details { repo, reference, digest, row, .. } = details;
        let summary = match &row.summary {
            Some(summary) => summary.clone(),
            // A row of an earlier version, until it is indexed again.
            None => Summary::of(&details.manifest, None, &[]),
        };
        let label = summary.about().label;
        let tabs = tabs(details, referrers);
        let first = tabs[0].0;
        let active = if page == ManifestPage::Overview { first } else { page };
        let Some((_, tab_words, _)) = tabs.iter().find(|(tab, ..)| *tab == active) else {
            let name = link(repo, reference).words;
            return Err(Failure::NotFound(format!(
                "{name} is of the type {label}, which has no page “{}”.",
                page.segment()
            )));
        };
        let behind = match reference {
            Reference::Tag(tag) => format!(":{tag}"),
            Reference::Digest(digest) => format!("@{}:{}", digest.algorithm().name(), words::short(digest)),
        };
        let title = if active == first { format!("{repo}{behind}") } else { format!("{repo}{behind} · {tab_words}") };
        let tabs = tabs.iter().map(|&(page, words, count)| {
            let target = if page == first { ManifestPage::Overview } else { page };
            let path = routes::manifest_path(repo, reference, target);
            Tab { page, words, path, count: count.filter(|count| *count > 0), is_active: page == active }
        });
        let asked = asked_tag(details);
        let pinned = Reference::Digest(*digest);
        let target = Target { host: &visit.ctx.authority, repo, reference, subject: row.subject };
        let may_delete = visit.may(Requirement::Repository(repo, Action::Delete));
        let names = details.tags.iter().filter_map(|tag| tag.name.as_ref());
        let annotations = &details.manifest.annotations;
        let annotation_rows = if active == first { ROWS } else { 0 };
        let mut room = Room::new();
        let header = Self {
            repo: repo.to_string(),
            behind,
            crumbs: crumbs(repo),
            kind: summary.kind,
            label,
            raw_type: summary.raw_type.as_deref().map(|raw| shown::line(raw, NAME)),
            components: summary.components,
            is_invocation: details.parents.iter().any(|parent| parent.role == INVOCATION),
            digest: *digest,
            pinned: (*reference != pinned).then(|| routes::manifest_path(repo, &pinned, ManifestPage::Overview)),
            media_type: row.media_type.to_string(),
            size: details.size,
            pushed: asked.map_or(row.pushed, |tag| tag.pushed),
            pusher: asked.map_or(&row.pusher, |tag| &tag.pusher).clone(),
            pulled: row.pulled,
            missing: details.missing.iter().take(MISSING).copied().collect(),
            missing_count: details.missing.len(),
            tags: names.take(TAGS).map(|tag| tag_link(repo, tag)).collect(),
            more_tags: details.tags.len() > TAGS,
            parents: parents(details, asked),
            subject: details.manifest.subject.as_ref().map(|subject| digest_link(repo, &subject.digest)),
            commands: target.commands(summary.kind, summary.format.as_deref()),
            tabs: tabs.collect(),
            delete: may_delete.then(|| routes::manifest_path(repo, reference, ManifestPage::Delete)),
            annotations: (annotations.iter().take(annotation_rows))
                .map(|(key, value)| (room.line(key, NAME), room.lines(value, ANNOTATION)))
                .collect(),
            more_annotations: if active == first { annotations.len().saturating_sub(ROWS) } else { 0 },
        };
        let frame = visit.frame(title, Nav::Repositories).with_api(format!("{}/tags/{reference}", api_path(repo)));
        Ok((frame, header))
    }

    /// The tab that is shown.
    pub(super) fn active(&self) -> ManifestPage {
        self.tabs.iter().find(|tab| tab.is_active).map_or(ManifestPage::Overview, |tab| tab.page)
    }

    /// What stands where tags would.
    pub(super) fn untagged(&self) -> &'static str {
        match (self.parents.is_empty(), self.subject.is_some()) {
            (false, _) => "none; what it is part of keeps it",
            (true, true) => "none; what it is attached to keeps it",
            (true, false) => "none",
        }
    }

    /// Where the manifest itself is shown.
    pub(super) fn raw(&self) -> &str {
        self.tabs.last().map_or("", |tab| tab.path.as_str())
    }

    /// Where what the tab shows is downloaded.
    pub(super) fn download(&self) -> String {
        self.tabs.iter().find(|tab| tab.is_active).map(|tab| format!("{}?download=1", tab.path)).unwrap_or_default()
    }

    /// Whether the first tab is shown.
    pub(super) fn is_first(&self) -> bool {
        self.tabs.first().is_some_and(|tab| tab.is_active)
    }
}

/// The pages above this one.
fn crumbs(repo: &RepoName) -> Vec<(String, String)> {
    let mut crumbs = repository::crumbs(repo);
    crumbs.push((format!("{}/-/tags", routes::repository_path(repo)), "Tags".to_owned()));
    crumbs
}

/// The tag under which the manifest was asked for.
fn asked_tag(details: &Details) -> Option<&TagEntry> {
    let Reference::Tag(asked) = &details.reference else { return None };
    details.tags.iter().find(|tag| tag.name.as_ref() == Some(asked))
}

/// What the manifest is a part of; the application of which the asked tag is the invocation image's goes first.
fn parents(details: &Details, asked: Option<&TagEntry>) -> Vec<PartOf> {
    let pair = asked.and_then(|tag| tag.pair.as_ref());
    let mut parents: Vec<_> = details.parents.iter().collect();
    parents.sort_by_key(|parent| pair.is_none() || parent.tag.as_ref() != pair);
    parents.into_iter().map(|parent| part_of(&details.repo, parent)).collect()
}

fn part_of(repo: &RepoName, parent: &Parent) -> PartOf {
    let reference = match &parent.tag {
        Some(tag) => Reference::Tag(tag.clone()),
        None => Reference::Digest(parent.digest),
    };
    let role = if parent.role == INVOCATION { "invocation image" } else { &parent.role };
    PartOf { link: link(repo, &reference), role: shown::line(role, NAME) }
}
