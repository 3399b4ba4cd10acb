//! The pages of a manifest: what stands above the tabs of all of them, and which tabs there are.
//!
//! [`Details`] says what a manifest is; each kind has a file beside this one. Whatever stands in a manifest was written
//! by somebody else: lists are cut at [`ROWS`], texts go through [`shown`].

use super::page::{Frame, Nav};
use super::pull_commands::{Command, Target};
use super::repository::api_path;
use super::routes::{self, ManifestPage};
use super::{Failure, Outcome, Visit, shown, words};
use super::{application, artifact, image, multi_arch, raw, referrers};
use crate::base::Timestamp;
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::oci::kind::{Kind, Summary};
use crate::oci::{Descriptor, Digest, Reference, RepoName};
use crate::registry::manifests::{Details, Parent, ReferrerNode, What};

/// Rows of one table. What is left out is said, and stands in the raw manifest.
pub(super) const ROWS: usize = 500;
/// Characters of a name, a reference, a value in a table.
pub(super) const NAME: usize = 300;
/// Missing digests that are named.
const MISSING: usize = 10;
/// Tags, and manifests that list this one, in the header.
const TAGS: usize = 20;

/// The part of a child that is an application's invocation image.
const INVOCATION: &str = "invocation";

/// A link to a page of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) path: String,
    pub(super) words: String,
}

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

/// Answers for `/r/{name…}/-/tags/{tag}`, `/-/digests/{digest}` and their tabs.
pub(super) async fn serve(visit: &Visit<'_>, repo: &RepoName, reference: &Reference, page: ManifestPage) -> Outcome {
    let registry = &visit.app.registry;
    let details = registry.manifest_details(repo, reference).await?;
    if visit.query.ticked("download") {
        return raw::download(&details, page);
    }
    let tree = registry.referrer_tree(repo, &details.digest)?;
    let (frame, header) = above(visit, &details, page, &tree)?;
    Ok(match (header.active(), &details.what) {
        (ManifestPage::Raw, _) => raw::page(frame, header, &details),
        (ManifestPage::Referrers, what) => {
            let parts = referrers::of_parts(registry, repo, what)?;
            referrers::page(frame, header, &details, &tree, parts)
        }
        (page, What::Application(application)) => application::page(frame, header, page, application),
        (page, What::Image { config, layers }) => image::page(frame, header, page, config.as_deref(), layers),
        (_, What::MultiArch { platforms, attestations, others }) => {
            multi_arch::page(frame, header, &details, platforms, attestations, others)
        }
        (page, What::Artifact { files, config }) => {
            artifact::page(frame, header, page, &details, files, config.as_ref())
        }
    })
}

/// The tabs of what a manifest is, the first one first.
fn tabs(details: &Details, referrers: usize) -> Vec<(ManifestPage, &'static str, Option<usize>)> {
    let mut tabs = match &details.what {
        What::Application(application) => {
            let bundle = &application.bundle;
            let inputs = bundle.parameters.len() + bundle.credentials.len();
            let document = if application.manifest.kind() == Kind::Compose { "Compose file" } else { "bundle.json" };
            vec![
                (ManifestPage::Components, "Components", None),
                (ManifestPage::Parameters, "Parameters", Some(inputs)),
                (ManifestPage::Bundle, document, None),
            ]
        }
        What::Image { layers, .. } => vec![
            (ManifestPage::Layers, "Layers", Some(layers.len())),
            (ManifestPage::Config, "Config", None),
            (ManifestPage::History, "History", None),
        ],
        What::MultiArch { platforms, .. } => vec![(ManifestPage::Platforms, "Platforms", Some(platforms.len()))],
        What::Artifact { files, config } => {
            let mut tabs = vec![(ManifestPage::Files, "Files", Some(files.len()))];
            if config.is_some() {
                tabs.push((ManifestPage::Config, "Config", None));
            }
            tabs
        }
    };
    tabs.push((ManifestPage::Referrers, "Referrers", Some(referrers)));
    tabs.push((ManifestPage::Raw, "Raw", None));
    tabs
}

/// The frame and the header of one of a manifest's pages.
fn above(
    visit: &Visit<'_>,
    details: &Details,
    page: ManifestPage,
    tree: &[ReferrerNode],
) -> Result<(Frame, Header), Failure> {
    let Details { repo, reference, digest, row, .. } = details;
    let summary = match &row.summary {
        Some(summary) => summary.clone(),
        // A row of an earlier version, until it is indexed again.
        None => Summary::of(&details.manifest, None, &[]),
    };
    let about = summary.about();
    let tabs = tabs(details, tree.len());
    let first = tabs[0].0;
    let active = if page == ManifestPage::Overview { first } else { page };
    let Some((_, tab_words, _)) = tabs.iter().find(|(tab, ..)| *tab == active) else {
        let message =
            format!("{repo}:{reference} is of the type {} and has no page “{}”.", about.label, page.segment());
        return Err(Failure::NotFound(message));
    };
    let behind = match reference {
        Reference::Tag(tag) => format!(":{tag}"),
        Reference::Digest(digest) => format!("@{}:{}", digest.algorithm().name(), words::short(digest)),
    };
    let title = if active == first { format!("{repo}{behind}") } else { format!("{repo}{behind} · {tab_words}") };
    let path = |page: ManifestPage| {
        let page = if page == first { ManifestPage::Overview } else { page };
        routes::manifest_path(repo, reference, page)
    };
    let tabs = tabs.iter().map(|&(page, words, count)| Tab {
        page,
        words,
        path: path(page),
        count: count.filter(|count| *count > 0),
        is_active: page == active,
    });
    let pinned = Reference::Digest(*digest);
    let annotations = &details.manifest.annotations;
    let is_first = active == first;
    let shown_annotations = annotations.iter().take(if is_first { ROWS } else { 0 });
    let may_delete = visit.may(Requirement::Repository(repo, Action::Delete));
    // The application whose tag this one's name is made of goes first.
    let asked = details
        .tags
        .iter()
        .find(|tag| matches!((&tag.name, reference), (Some(name), Reference::Tag(tag)) if name == tag));
    let pair = asked.and_then(|tag| tag.pair.as_ref());
    let mut parents: Vec<_> = details.parents.iter().collect();
    parents.sort_by_key(|parent| pair.is_none() || parent.tag.as_ref() != pair);
    let subject = row.subject;
    let target = Target { host: &visit.ctx.authority, repo, reference, subject };
    let header = Header {
        repo: repo.to_string(),
        behind,
        crumbs: crumbs(repo),
        kind: summary.kind,
        label: about.label,
        raw_type: summary.raw_type.as_deref().map(|raw| shown::line(raw, NAME)),
        is_invocation: details.parents.iter().any(|parent| parent.role == INVOCATION),
        digest: *digest,
        pinned: (*reference != pinned).then(|| routes::manifest_path(repo, &pinned, ManifestPage::Overview)),
        media_type: row.media_type.to_string(),
        size: details.size,
        pushed: row.pushed,
        pusher: row.pusher.clone(),
        pulled: row.pulled,
        missing: details.missing.iter().take(MISSING).copied().collect(),
        missing_count: details.missing.len(),
        tags: details
            .tags
            .iter()
            .filter_map(|tag| tag.name.as_ref())
            .take(TAGS)
            .map(|tag| tag_link(repo, tag))
            .collect(),
        more_tags: details.tags.len() > TAGS,
        parents: parents.into_iter().map(|parent| part_of(repo, parent)).collect(),
        subject: details.manifest.subject.as_ref().map(|subject| digest_link(repo, &subject.digest)),
        commands: target.commands(summary.kind, summary.format.as_deref()),
        tabs: tabs.collect(),
        delete: may_delete.then(|| routes::manifest_path(repo, reference, ManifestPage::Delete)),
        annotations: shown_annotations
            .map(|(key, value)| (shown::line(key, NAME), shown::lines(value, 1_000)))
            .collect(),
        more_annotations: if is_first { annotations.len().saturating_sub(ROWS) } else { 0 },
    };
    let frame = visit.frame(title, Nav::Repositories).with_api(format!("{}/tags/{reference}", api_path(repo)));
    Ok((frame, header))
}

/// The pages above this one.
fn crumbs(repo: &RepoName) -> Vec<(String, String)> {
    let mut crumbs = vec![("/repositories".to_owned(), "Repositories".to_owned())];
    if !repo.namespace().is_empty() {
        crumbs.push((format!("/repositories?ns={}", repo.namespace()), repo.namespace().to_owned()));
    }
    crumbs.push((routes::repository_path(repo), repo.name().to_owned()));
    crumbs.push((format!("{}/-/tags", routes::repository_path(repo)), "Tags".to_owned()));
    crumbs
}

fn part_of(repo: &RepoName, parent: &Parent) -> PartOf {
    let reference = match &parent.tag {
        Some(tag) => Reference::Tag(tag.clone()),
        None => Reference::Digest(parent.digest),
    };
    let role = if parent.role == INVOCATION { "invocation image" } else { &parent.role };
    PartOf { link: link(repo, &reference), role: shown::line(role, NAME) }
}

/// `repository:tag`, or `repository@digest` cut.
fn link(repo: &RepoName, reference: &Reference) -> Link {
    let words = match reference {
        Reference::Tag(tag) => format!("{repo}:{tag}"),
        Reference::Digest(digest) => format!("{repo}@{}", words::short(digest)),
    };
    Link { path: routes::manifest_path(repo, reference, ManifestPage::Overview), words }
}

/// A tag, or a digest cut: for what is in the same repository anyway.
pub(super) fn short_link(repo: &RepoName, reference: &Reference) -> Link {
    match reference {
        Reference::Tag(tag) => tag_link(repo, tag),
        Reference::Digest(digest) => digest_link(repo, digest),
    }
}

pub(super) fn tag_link(repo: &RepoName, tag: &crate::oci::Tag) -> Link {
    let reference = Reference::Tag(tag.clone());
    Link { path: routes::manifest_path(repo, &reference, ManifestPage::Overview), words: tag.to_string() }
}

pub(super) fn digest_link(repo: &RepoName, digest: &Digest) -> Link {
    let reference = Reference::Digest(*digest);
    Link { path: routes::manifest_path(repo, &reference, ManifestPage::Overview), words: words::short(digest) }
}

/// The title that an annotation gives to content, or its media type.
pub(super) fn title(descriptor: &Descriptor) -> Option<String> {
    let title = descriptor.annotation("org.opencontainers.image.title").map(str::trim);
    title.filter(|title| !title.is_empty()).map(|title| shown::line(title, NAME))
}

impl Header {
    /// The tab that is shown.
    fn active(&self) -> ManifestPage {
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
