//! Manifests: the list, what a list of manifests lists, deleting one.

use serde_json::{Value, json};

use super::call::{ANSWER, Call, Outcome, Parts, page, weight};
use super::error::{Code, Failure};
use super::tags::{NEVER, delete_reference, time};
use crate::http::v2::read_list;
use crate::oci::kind::{CONFIG_MAX, ChildRole, Kind, role_of_child};
use crate::oci::{Descriptor, Digest, Platform, Reference, RepoName};
use crate::registry::manifests::{Brief, Line};
use crate::registry::{Registry, RegistryError};

/// Manifests of one list that are shown.
const CHILDREN: usize = 500;
/// Bytes that are read for the children of one index, after which no more are shown: each of thousands may be the same few
/// megabytes.
const READ: u64 = 64 * 1024 * 1024;

/// `GET …/manifests`.
pub(super) async fn list(call: Call<'_>) -> Outcome {
    let paging = call.query.whole()?;
    let after = paging.start.as_deref().map(digest).transpose()?;
    let (registry, repo) = (call.app.registry.clone(), call.repo().clone());
    let (listed, count) = read_list(paging.size, move || {
        let listed = registry.manifest_digests(&repo, after.as_ref(), paging.size)?;
        let count = if paging.count { Some(registry.counts(&repo)?.manifests) } else { None };
        Ok((listed, count))
    })
    .await?;
    let (mut manifests, mut rows) = (Manifests::default(), Vec::with_capacity(listed.entries.len()));
    let (mut last, mut more) = (None, listed.more);
    for (n, digest) in listed.entries.iter().enumerate() {
        rows.extend(manifests.of(&call.app.registry, call.repo(), digest).await?);
        last = Some(digest.to_string());
        if manifests.is_enough() && n + 1 < listed.entries.len() {
            more = true;
            break;
        }
    }
    Ok(page(&Value::Array(rows), last.as_deref().filter(|_| more), count))
}

/// `DELETE …/manifests/{reference}`.
pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let digest = digest(call.parameter("reference"))?;
    delete_reference(&call, &Reference::Digest(digest)).await
}

fn digest(text: &str) -> Result<Digest, Failure> {
    Digest::parse(text).map_err(|error| Failure::Said(Code::InvalidDigest, error.to_string()))
}

/// The manifests of one answer, each looked at once.
#[derive(Default)]
pub(super) struct Manifests(Parts);

impl Manifests {
    /// A manifest, if it is here.
    pub(super) async fn of(
        &mut self,
        registry: &Registry,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<Value>, RegistryError> {
        if let Some(known) = self.0.again(digest) {
            return Ok(known);
        }
        // Others get their turn between two manifests.
        tokio::task::yield_now().await;
        let manifest = match registry.manifest_brief(repo, digest).await {
            // It went since the list was read.
            Err(RegistryError::ManifestUnknown { .. } | RegistryError::NameUnknown(_)) => None,
            brief => Some(show(&brief?, None)),
        };
        Ok(self.0.keep(digest, manifest))
    }

    pub(super) fn is_enough(&self) -> bool {
        self.0.is_enough()
    }
}

/// MSR's `Manifest`; `platform` as an index says it.
fn show(brief: &Brief, platform: Option<&Platform>) -> Value {
    let Brief { digest, row, summary, manifest, lines } = brief;
    let mut own = summary.platforms.first().map(String::as_str).unwrap_or_default().splitn(3, '/');
    let own = [own.next(), own.next()].map(Option::unwrap_or_default);
    // An index is for several; what it lists says which.
    let [os, architecture] = match platform {
        Some(platform) => [platform.os.as_str(), platform.architecture.as_str()],
        None if manifest.as_ref().is_some_and(|manifest| manifest.is_index) => ["", ""],
        None => own,
    };
    let config = manifest.as_ref().and_then(|manifest| manifest.config());
    json!({
        "digest": digest,
        "architecture": architecture,
        "os": os,
        "osVersion": platform.and_then(|platform| platform.os_version.as_deref()).unwrap_or_default(),
        "author": row.pusher,
        "configDigest": config.map(|config| config.digest.to_string()).unwrap_or_default(),
        "configMediaType": row.config_media_type.as_deref().unwrap_or_default(),
        "mediaType": row.media_type,
        "createdAt": time(row.created),
        "size": row.content_size,
        "dockerfile": lines.iter().map(line).collect::<Vec<_>>(),
    })
}

/// Takes the lines from a shown manifest: the answer would be too long with them.
pub(super) fn without_lines(shown: &mut Value) {
    shown["dockerfile"] = Value::Array(Vec::new());
}

/// A step that made an image.
fn line(Line { command, layer }: &Line) -> Value {
    let mut value = json!({
        "line": command,
        "layerDigest": layer.as_ref().map(|layer| layer.digest.to_string()).unwrap_or_default(),
        "size": layer.as_ref().map_or(0, |layer| layer.size),
        "isEmpty": layer.is_none(),
    });
    if let Some(layer) = layer {
        value["mediaType"] = layer.media_type.as_str().into();
        if !layer.urls.is_empty() {
            value["urls"] = layer.urls.clone().into();
        }
    }
    value
}

/// The manifests that a manifest stands for: those that a list lists, but for what describes others; else itself.
pub(super) async fn of_list(registry: &Registry, repo: &RepoName, brief: Brief) -> Result<Vec<Value>, RegistryError> {
    let (mut bytes, mut cost, mut shown) = (0, 0, Vec::new());
    let mut last: Option<Brief> = None;
    if let Some(index) = brief.manifest.as_ref().filter(|manifest| manifest.is_index) {
        let children =
            index.children().filter(|child| !matches!(role_of_child(index, child), ChildRole::Attestation { .. }));
        for child in children.take(CHILDREN) {
            if cost > READ {
                break;
            }
            if last.as_ref().is_none_or(|last| last.digest != child.digest) {
                tokio::task::yield_now().await;
                last = match registry.manifest_brief(repo, &child.digest).await {
                    Err(RegistryError::ManifestUnknown { .. }) => None,
                    brief => Some(brief?),
                };
                cost += last.as_ref().map_or(0, read);
            }
            let platform = child.platform.as_deref().filter(|platform| platform.is_real());
            shown.push(last.as_ref().map_or_else(|| missing(child, platform), |brief| show(brief, platform)));
            if let Some(shown) = shown.last_mut() {
                if bytes > ANSWER {
                    without_lines(shown);
                }
                bytes += weight(shown);
            }
        }
    }
    if shown.is_empty() {
        shown.push(show(&brief, None));
    }
    Ok(shown)
}

/// Bytes that were read for a manifest in short: its own, and those of the config that has its history.
fn read(brief: &Brief) -> u64 {
    let config = brief.manifest.as_ref().and_then(|manifest| manifest.config());
    let history = config.filter(|_| brief.summary.kind == Kind::Image).map_or(0, |config| config.size.min(CONFIG_MAX));
    brief.row.size.saturating_add(history)
}

/// What an index says of a manifest that is not here.
fn missing(child: &Descriptor, platform: Option<&Platform>) -> Value {
    json!({
        "digest": child.digest,
        "architecture": platform.map(|platform| platform.architecture.as_str()).unwrap_or_default(),
        "os": platform.map(|platform| platform.os.as_str()).unwrap_or_default(),
        "osVersion": platform.and_then(|platform| platform.os_version.as_deref()).unwrap_or_default(),
        "author": "",
        "configDigest": "",
        "configMediaType": "",
        "mediaType": child.media_type,
        "createdAt": NEVER,
        "size": child.size,
        "dockerfile": [],
    })
}
