//! The pages of a manifest: which tabs there are of what a manifest is, and who shows each.
//!
//! [`Details`] says what a manifest is; each kind has a file beside this one, and [`Header`] what stands above all of
//! them. Whatever stands in a manifest was written by somebody else: lists are cut at [`ROWS`], texts go through
//! [`shown`].

use super::manifest_header::Header;
use super::routes::{self, ManifestPage};
use super::{Outcome, Visit, shown, words};
use super::{application, artifact, image, multi_arch, raw, referrers};
use crate::oci::kind::Kind;
use crate::oci::{Descriptor, Digest, Reference, RepoName, Tag};
use crate::registry::manifests::{Details, What};

/// Rows of one table. What is left out is said, and stands in the raw manifest.
pub(super) const ROWS: usize = 500;
/// Characters of a name, a reference, a value in a table.
pub(super) const NAME: usize = 300;

/// A link to a page of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) path: String,
    pub(super) words: String,
}

/// Answers for `/r/{name…}/-/tags/{tag}`, `/-/digests/{digest}` and their tabs.
pub(super) async fn serve(visit: &Visit<'_>, repo: &RepoName, reference: &Reference, page: ManifestPage) -> Outcome {
    let registry = &visit.app.registry;
    let details = registry.manifest_details(repo, reference).await?;
    if visit.query.ticked("download") {
        return raw::download(&details, page);
    }
    let tree = registry.referrer_tree(repo, &details.digest)?;
    let (frame, header) = Header::new(visit, &details, page, tree.len())?;
    Ok(match (header.active(), &details.what) {
        (ManifestPage::Raw, _) => raw::page(frame, header, &details),
        (ManifestPage::Referrers, what) => {
            let parts = referrers::of_parts(registry, repo, what)?;
            referrers::page(frame, header, &details, &tree, parts)
        }
        (page, What::Application(application)) => application::page(frame, header, page, application),
        (page, What::Image { config, layers }) => image::page(frame, header, page, &details, config.as_deref(), layers),
        (_, What::MultiArch { platforms, attestations, others }) => {
            multi_arch::page(frame, header, &details, platforms, attestations, others)
        }
        (page, What::Artifact { files, config }) => {
            artifact::page(frame, header, page, &details, files, config.as_ref())
        }
    })
}

/// The tabs of what a manifest is, the first one first.
pub(super) fn tabs(details: &Details, referrers: usize) -> Vec<(ManifestPage, &'static str, Option<usize>)> {
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
        What::Artifact { files, .. } => {
            let mut tabs = vec![(ManifestPage::Files, "Files", Some(files.len()))];
            if details.config.is_some() {
                tabs.push((ManifestPage::Config, "Config", None));
            }
            tabs
        }
    };
    tabs.push((ManifestPage::Referrers, "Referrers", Some(referrers)));
    tabs.push((ManifestPage::Raw, "Raw", None));
    tabs
}

/// `repository:tag`, or `repository@digest` cut.
pub(super) fn link(repo: &RepoName, reference: &Reference) -> Link {
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

pub(super) fn tag_link(repo: &RepoName, tag: &Tag) -> Link {
    let reference = Reference::Tag(tag.clone());
    Link { path: routes::manifest_path(repo, &reference, ManifestPage::Overview), words: tag.to_string() }
}

pub(super) fn digest_link(repo: &RepoName, digest: &Digest) -> Link {
    let reference = Reference::Digest(*digest);
    Link { path: routes::manifest_path(repo, &reference, ManifestPage::Overview), words: words::short(digest) }
}

/// The title that an annotation gives to content.
pub(super) fn title(descriptor: &Descriptor) -> Option<String> {
    let title = descriptor.annotation("org.opencontainers.image.title").map(str::trim);
    title.filter(|title| !title.is_empty()).map(|title| shown::line(title, NAME))
}
