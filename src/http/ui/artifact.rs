//! Charts, plugins, models and everything else that is no image: its files by their titles, and its config.

use std::collections::HashSet;

use askama::Template;
use hyper::StatusCode;
use serde_json::Value;

use super::manifest::{NAME, ROWS, digest_link, title};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::raw::RawConfig;
use super::{ManifestPage, shown};
use crate::http::reply::Reply;
use crate::oci::{Descriptor, Digest};
use crate::registry::manifests::Details;

/// The page of one of an artifact's tabs.
pub(super) fn page(
    frame: Frame,
    header: Header,
    page: ManifestPage,
    details: &Details,
    files: &[Descriptor],
    config: Option<&Value>,
) -> Reply {
    if page == ManifestPage::Config
        && let Some(raw) = RawConfig::new(&frame, &header, details, false)
    {
        return render(StatusCode::OK, &ConfigPage { frame, header, raw });
    }
    let missing: HashSet<&Digest> = details.missing.iter().collect();
    let page = FilesPage {
        frame,
        header,
        config_type: details.manifest.config_media_type.as_deref().map(|text| shown::line(text, NAME)),
        facts: config.map(facts).unwrap_or_default(),
        files: files.iter().take(ROWS).map(|file| File::of(details, file, !missing.contains(&file.digest))).collect(),
        more: files.len().saturating_sub(ROWS),
    };
    render(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage {
    frame: Frame,
    header: Header,
    config_type: Option<String>,
    /// What the config says that people ask for first.
    facts: Vec<(&'static str, String)>,
    files: Vec<File>,
    more: usize,
}

struct File {
    title: Option<String>,
    media_type: String,
    digest: Digest,
    /// The page of a manifest; blobs have none.
    path: Option<String>,
    size: u64,
    here: bool,
}

impl File {
    fn of(details: &Details, file: &Descriptor, here: bool) -> Self {
        let is_manifest = details.manifest.is_index;
        Self {
            title: title(file),
            media_type: file.media_type.to_string(),
            digest: file.digest,
            path: (here && is_manifest).then(|| digest_link(&details.repo, &file.digest).path),
            size: file.size,
            here,
        }
    }
}

/// A chart's `Chart.yaml` and a plugin's settings say these at their top.
fn facts(config: &Value) -> Vec<(&'static str, String)> {
    const FACTS: [(&str, &str); 6] = [
        ("name", "Name"),
        ("version", "Version"),
        ("appVersion", "Version of the application"),
        ("description", "Description"),
        // Docker's plugins write theirs with capitals.
        ("Description", "Description"),
        ("Documentation", "Documentation"),
    ];
    let text = |key: &str| config[key].as_str().map(str::trim).filter(|text| !text.is_empty());
    FACTS.iter().filter_map(|(key, words)| Some((*words, shown::line(text(key)?, 1_000)))).collect()
}

#[derive(Template)]
#[template(path = "artifact_config.html")]
struct ConfigPage {
    frame: Frame,
    header: Header,
    raw: RawConfig,
}
