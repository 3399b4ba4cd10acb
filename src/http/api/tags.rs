//! Tags: the list, one tag or digest, deleting a tag.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::call::{ANSWER, Call, Outcome, Parts, page, weight};
use super::error::{Code, Failure};
use super::manifests::{self, Manifests};
use crate::base::{Page, Timestamp};
use crate::http::reply;
use crate::http::v2::read_list;
use crate::model::operation::Requirement;
use crate::oci::kind::Kind;
use crate::oci::{Digest, Reference, RepoName, Tag};
use crate::registry::apps::{Member, is_application};
use crate::registry::delete::DeleteOptions;
use crate::registry::tags::TagEntry;
use crate::registry::{Registry, RegistryError};

/// Different applications of one page, after which it ends: their members are looked up one by one.
const APPLICATIONS: usize = 200;
/// Tags of one digest that are shown.
const TAGS: usize = 100;
/// Entries of the answer for one tag or digest.
const ENTRIES: usize = 1_000;
/// MSR's time for what never was: Go's zero, which scripts compare with.
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

/// `GET …/tags`.
pub(super) async fn list(call: Call<'_>) -> Outcome {
    let (paging, with_manifests) = (call.query.page()?, call.query.flag("includeManifests")?);
    let (registry, repo) = (call.app.registry.clone(), call.repo().clone());
    let (listed, count) = read_list(paging.size, move || {
        let listed = registry.tag_entries(&repo, &Page { n: Some(paging.size), last: paging.start })?;
        let count = if paging.count { Some(registry.counts(&repo)?.tags) } else { None };
        Ok((listed, count))
    })
    .await?;
    let (registry, repo) = (&call.app.registry, call.repo());
    let (mut applications, mut manifests) = (Applications::default(), Manifests::default());
    let (mut rows, mut next) = (Vec::with_capacity(listed.entries.len()), None);
    let mut more = listed.more;
    let count_of = listed.entries.len();
    for entry in &listed.entries {
        let mut row = tag_row(entry);
        if let Some(members) = applications.members(registry, repo, entry).await? {
            row["members"] = members;
        }
        if with_manifests {
            row["manifest"] = manifests.of(registry, repo, &entry.digest).await?.unwrap_or(Value::Null);
        }
        rows.push(row);
        next = entry.name.as_ref().map(Tag::as_str);
        if rows.len() < count_of && (applications.is_enough() || manifests.is_enough()) {
            more = true;
            break;
        }
    }
    Ok(page(&Value::Array(rows), next.filter(|_| more), count))
}

/// `GET …/tags/{reference}`.
pub(super) async fn get(call: Call<'_>) -> Outcome {
    let text = call.parameter("reference");
    let no_such = |why: &str| Failure::Said(Code::NoSuchRef, format!("there is no {text} in {}: {why}", call.repo()));
    let reference = Reference::parse(text).map_err(|error| no_such(&error.to_string()))?;
    let (registry, repo) = (&call.app.registry, call.repo());
    let mut entries = match registry.tags_of(repo, &reference, TAGS) {
        Err(RegistryError::ManifestUnknown { .. }) => return Err(no_such("no such tag or digest")),
        entries => entries?,
    };
    let brief = match (entries.first(), &reference) {
        (Some(entry), _) => registry.manifest_brief(repo, &entry.digest).await?,
        (None, Reference::Digest(digest)) => registry.manifest_brief(repo, digest).await?,
        // A tag has an entry, or is none.
        (None, Reference::Tag(_)) => return Err(no_such("no such tag")),
    };
    if entries.is_empty() {
        entries.push(untagged(&brief.digest, &brief.row));
    }
    let shown = manifests::of_list(registry, repo, brief).await?;
    let (os, arch) = (call.query.text("os"), call.query.text("arch"));
    let fits = |shown: &Value, key: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| shown[key] == wanted);
    let shown: Vec<Value> =
        shown.into_iter().filter(|shown| fits(shown, "os", os) && fits(shown, "architecture", arch)).collect();
    let mut applications = Applications::default();
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for entry in &entries {
        let mut row = tag_row(entry);
        if let Some(members) = applications.members(registry, repo, entry).await? {
            row["members"] = members;
        }
        for manifest in shown.iter().take(ENTRIES - rows.len()) {
            row["manifest"] = manifest.clone();
            bytes += weight(&row);
            // The first entry is whole, and so are all but those of giants.
            if bytes > ANSWER && !rows.is_empty() {
                row.as_object_mut().and_then(|row| row.remove("members"));
                manifests::without_lines(&mut row["manifest"]);
            }
            rows.push(row.clone());
        }
    }
    Ok(reply::json(StatusCode::OK, &Value::Array(rows)))
}

/// `DELETE …/tags/{reference}`: as the pages do it, a tag goes with what belonged to it and nothing else needs.
pub(super) async fn delete(call: Call<'_>) -> Outcome {
    let tag = Tag::parse(call.parameter("reference")).map_err(|_| {
        Failure::said(Code::InvalidTagName, "this is no tag; a digest is deleted under …/manifests/{digest}")
    })?;
    delete_reference(&call, &Reference::Tag(tag)).await
}

/// Deletes a tag or a manifest as the query says.
pub(super) async fn delete_reference(call: &Call<'_>, reference: &Reference) -> Outcome {
    let (with_invocation, force) = (call.query.flag("withInvocation")?, call.query.flag("force")?);
    let options = DeleteOptions { with_invocation, force, seen: None };
    if options.force {
        call.need(Requirement::Admin)?;
    }
    call.app.registry.delete_with(call.actor(), call.repo(), reference, options).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// What stands for a manifest that no tag points at.
fn untagged(digest: &Digest, row: &crate::meta::manifest::ManifestRow) -> TagEntry {
    TagEntry {
        name: None,
        digest: *digest,
        manifest: row.clone(),
        pushed: row.pushed,
        pusher: row.pusher.clone(),
        created: row.created,
        pair: None,
        is_invocation: false,
    }
}

/// MSR's `ListTag`, and ours beside it. A manifest without a tag has an empty name.
fn tag_row(entry: &TagEntry) -> Value {
    let row = &entry.manifest;
    let label = row.summary.as_ref().map_or_else(|| Kind::Unknown.label(), |summary| summary.about().label);
    let mut value = json!({
        "name": entry.name.as_ref().map_or("", Tag::as_str),
        "digest": entry.digest,
        "author": entry.pusher,
        "updatedAt": time(entry.pushed),
        "createdAt": time(entry.created),
        "hashMismatch": false,
        "inNotary": false,
        "manifest": null,
        "type": row.kind().name(),
        "typeLabel": label,
        "platforms": row.summary.as_ref().map(|summary| summary.platforms.as_slice()).unwrap_or_default(),
        "size": row.content_size,
    });
    if let Some(pair) = &entry.pair {
        value["pairTag"] = pair.as_str().into();
    }
    if entry.is_invocation {
        value["role"] = "invocation".into();
    }
    value
}

/// RFC 3339 with as many digits as there are; Go's zero time for what never was.
pub(super) fn time(when: Timestamp) -> String {
    if when == Timestamp::default() { NEVER.to_owned() } else { when.to_string() }
}

/// The members of the applications of one answer, each application looked at once.
#[derive(Default)]
struct Applications(Parts);

impl Applications {
    /// The members of what a tag points at, if that is an application.
    async fn members(
        &mut self,
        registry: &Registry,
        repo: &RepoName,
        entry: &TagEntry,
    ) -> Result<Option<Value>, RegistryError> {
        if !is_application(entry.manifest.kind()) {
            return Ok(None);
        }
        if let Some(known) = self.0.again(&entry.digest) {
            return Ok(known);
        }
        // Others get their turn between two applications.
        tokio::task::yield_now().await;
        let members = match registry.members(repo, &entry.digest).await {
            // It went since the list was read.
            Err(RegistryError::ManifestUnknown { .. } | RegistryError::NameUnknown(_)) => None,
            members => members?,
        };
        let members = members.map(|members| members.iter().map(member).collect::<Value>());
        Ok(self.0.keep(&entry.digest, members))
    }

    fn is_enough(&self) -> bool {
        self.0.made() >= APPLICATIONS || self.0.is_enough()
    }
}

fn member(member: &Member) -> Value {
    json!({
        "role": member.role.as_str(),
        "name": member.name,
        "originalName": member.original_name,
        "digest": member.digest,
        "mediaType": member.media_type,
        "size": member.size,
        "state": member.state.as_str(),
    })
}
