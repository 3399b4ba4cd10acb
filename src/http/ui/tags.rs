//! The list of a repository's tags (ui-design, S3).

use askama::Template;
use hyper::StatusCode;

use super::list_query::{Choice, Heading, ListQuery};
use super::page::{Frame, Nav, render};
use super::pull_commands::Command;
use super::repository::{Head, Tab, api_path, pull_commands, push_commands};
use super::routes::{ManifestPage, manifest_path, repository_path};
use super::{Outcome, Visit, kind_words};
use crate::base::Timestamp;
use crate::meta::manifest::ManifestRow;
use crate::oci::kind::{Group, Kind};
use crate::oci::{Digest, Reference, RepoName};
use crate::registry::listing::{Cursor, Sort};
use crate::registry::tags::{TagEntry, TagQuery, TagUnit};

#[derive(Template)]
#[template(path = "tags.html")]
struct TagsPage {
    frame: Frame,
    head: Head,
    query: ListQuery,
    rows: Vec<Row>,
    next: Option<String>,
    total: Option<u64>,
    headings: [Heading; 3],
    kinds: Vec<Choice>,
    row_choices: Vec<Choice>,
    /// The commands for the first row.
    commands: Vec<Command>,
    /// How many manifests have no tag.
    untagged: Option<u64>,
    /// How many tags are signatures, attestations or bills of materials.
    signatures: u64,
    loose: Option<Loose>,
    deleted: bool,
    push: Option<String>,
}

impl TagsPage {
    /// What the tags are that the list does not count: invocation images stand with their applications, and
    /// signatures are listed where they are asked for.
    fn beside(&self) -> Option<&'static str> {
        let total = self.total.filter(|_| !self.query.is_filtered())?;
        let beside = self.head.tags.saturating_sub(total);
        let signatures = if self.query.signatures { 0 } else { self.signatures };
        match (signatures, beside.saturating_sub(signatures)) {
            (0, 0) => None,
            (0, _) => Some("invocation images"),
            (_, 0) => Some("signatures"),
            _ => Some("signatures and invocation images"),
        }
    }
}

/// A page of untagged manifests.
struct Loose {
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

/// A row of the list.
struct Row {
    /// The tag; `None` for what has none.
    tag: Option<String>,
    /// What is deleted if the row is chosen.
    reference: String,
    path: String,
    kind: &'static str,
    label: &'static str,
    beside: String,
    /// Whether something that it needs was not here when it was pushed.
    incomplete: bool,
    digest: Digest,
    platforms: Vec<String>,
    more_platforms: u64,
    size: u64,
    pushed: Timestamp,
    pusher: String,
    pulled: Option<Timestamp>,
    /// Whether it belongs to the row above.
    is_part: bool,
}

/// Platforms of a row; the rest are counted.
const PLATFORMS: usize = 4;

impl Row {
    fn new(repo: &RepoName, entry: TagEntry) -> Self {
        let reference = entry.name.map_or(Reference::Digest(entry.digest), Reference::Tag);
        let ManifestRow { content_size, missing, pulled, ref summary, .. } = entry.manifest;
        let (all, count) = summary.as_ref().map(|s| (s.platforms.as_slice(), s.platform_count)).unwrap_or_default();
        let platforms: Vec<_> = all.iter().take(PLATFORMS).cloned().collect();
        Self {
            path: manifest_path(repo, &reference, ManifestPage::Overview),
            tag: matches!(reference, Reference::Tag(_)).then(|| reference.to_string()),
            reference: reference.to_string(),
            kind: entry.manifest.kind().name(),
            label: kind_words::label(&entry.manifest),
            beside: kind_words::beside(&entry.manifest),
            incomplete: missing > 0,
            digest: entry.digest,
            more_platforms: count.saturating_sub(platforms.len() as u64),
            platforms,
            size: content_size,
            pushed: entry.pushed,
            pusher: entry.pusher,
            pulled,
            is_part: false,
        }
    }

    /// The invocation image below its application.
    fn invocation(repo: &RepoName, entry: TagEntry) -> Self {
        Self { is_part: true, kind: "invocation", label: "Invocation image", ..Self::new(repo, entry) }
    }
}

/// `/r/{name…}/-/tags`.
pub(super) fn serve(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    let registry = &visit.app.registry;
    let query = ListQuery::read(format!("{}/-/tags", repository_path(repo)), &visit.query)?;
    let details = registry.repository(repo)?;
    let wanted = TagQuery {
        kind: query.kind,
        without: (!query.signatures).then_some(Group::Trust),
        text: query.text.clone(),
        sort: query.sort,
        after: query.after.clone(),
        limit: query.rows,
    };
    let found = registry.tag_units(repo, &wanted)?;
    let commands = found.entries.first().map(|unit| pull_commands(visit, repo, &unit.tag)).unwrap_or_default();
    let mut rows = Vec::with_capacity(found.entries.len());
    for TagUnit { tag, invocation } in found.entries {
        // It is a part of the application all the same when nobody gave it a tag.
        let invocation = match (invocation, tag.manifest.invocation) {
            (Some(entry), _) => Some(entry),
            (None, Some(digest)) => registry.untagged_entry(repo, &digest)?,
            (None, None) => None,
        };
        rows.push(Row::new(repo, tag));
        rows.extend(invocation.map(|entry| Row::invocation(repo, entry)));
    }
    let loose = if query.untagged {
        let found = registry.untagged(repo, query.untagged_after.as_ref(), query.rows)?;
        let rows = found.entries.into_iter().map(|entry| Row::new(repo, entry)).collect();
        Some(Loose { rows, next: found.next.map(|Cursor(place)| place), is_first: query.untagged_after.is_none() })
    } else {
        None
    };
    let head = Head::new(visit, &details, Tab::Tags);
    let page = TagsPage {
        frame: visit.frame(format!("{repo} · Tags"), Nav::Repositories).with_api(format!("{}/tags", api_path(repo))),
        rows,
        next: found.next.map(|Cursor(place)| place),
        total: found.total,
        headings: [
            query.heading("Tag", Sort::Name),
            query.heading("Size", Sort::Size),
            query.heading("Pushed", Sort::Pushed),
        ],
        kinds: query.kinds(|kind| details.entry.contains.iter().any(|(contained, _)| *contained == kind)),
        row_choices: query.row_choices(),
        commands,
        untagged: details.untagged,
        signatures: details.entry.contains.iter().filter(|(kind, _)| is_signature(*kind)).map(|(_, count)| count).sum(),
        loose,
        deleted: visit.query.get("done") == Some("deleted"),
        push: head.may_push.then(|| push_commands(&visit.ctx.authority, repo)),
        head,
        query,
    };
    Ok(render(StatusCode::OK, &page))
}

/// Whether it says something about something else, for who verifies that.
fn is_signature(kind: Kind) -> bool {
    kind.about(None).group == Group::Trust
}

impl TagsPage {
    fn has_rows(&self) -> bool {
        !self.rows.is_empty() || self.loose.as_ref().is_some_and(|loose| !loose.rows.is_empty())
    }
}
