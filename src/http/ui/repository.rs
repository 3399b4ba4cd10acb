//! A repository's own page, and what stands above all of its pages.

use askama::Template;
use hyper::{Method, StatusCode};

use super::page::{Frame, Nav, render};
use super::pull_commands::{Command, Target};
use super::repositories::visibility_word;
use super::routes::{ManifestPage, manifest_path, repository_path};
use super::{Outcome, Visit, kind_words, markdown};
use crate::base::Timestamp;
use crate::http::api::PREFIX;
use crate::http::api::table::{self, Found};
use crate::model::Action;
use crate::oci::{Reference, RepoName, Tag};
use crate::registry::repos::RepoDetails;
use crate::registry::tags::TagEntry;

/// The tab that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Info,
    Tags,
    Activity,
    Settings,
    Access,
    /// A page behind one of them.
    Other,
}

/// What stands above a repository's pages: its name, what the caller may do with it, the tabs.
pub(super) struct Head {
    pub(super) name: RepoName,
    pub(super) path: String,
    pub(super) tab: Tab,
    pub(super) visibility: &'static str,
    pub(super) tags: u64,
    pub(super) size: u64,
    pub(super) permission: &'static str,
    /// Why that much.
    pub(super) because: String,
    pub(super) may_push: bool,
    pub(super) may_delete: bool,
    pub(super) may_administer: bool,
    /// Whether somebody is signed in, whom it can be told why.
    pub(super) signed_in: bool,
}

impl Head {
    pub(super) fn new(visit: &Visit<'_>, details: &RepoDetails, tab: Tab) -> Self {
        let entry = &details.entry;
        let right = visit.app.access.right(&visit.caller, &entry.name).unwrap_or_default();
        let may = |action| right.as_ref().is_some_and(|right| right.level.allows(action));
        let [may_push, may_delete, may_administer] = [Action::Push, Action::Delete, Action::Administer].map(may);
        let (permission, because) = match right {
            Some(right) => (right.level.as_str(), right.because.into_owned()),
            // It was allowed to look a moment ago.
            None => ("none", "it has just been taken away".to_owned()),
        };
        Self {
            name: entry.name.clone(),
            path: repository_path(&entry.name),
            tab,
            visibility: visibility_word(entry.visibility),
            tags: entry.tags,
            size: entry.size,
            permission,
            because,
            may_push,
            may_delete,
            may_administer,
            signed_in: visit.caller.is_signed_in(),
        }
    }

    /// The pages above this one.
    pub(super) fn above(&self) -> Vec<(String, String)> {
        let mut above = crumbs(&self.name);
        if self.tab != Tab::Other {
            above.pop();
        }
        above
    }

    /// Whether this tab is shown, for the templates.
    pub(super) fn is(&self, tab: &str) -> bool {
        matches!(
            (self.tab, tab),
            (Tab::Info, "info")
                | (Tab::Tags, "tags")
                | (Tab::Activity, "activity")
                | (Tab::Settings, "settings")
                | (Tab::Access, "access")
        )
    }
}

/// The way to a repository and to it, for the pages behind it.
pub(super) fn crumbs(repo: &RepoName) -> Vec<(String, String)> {
    let mut crumbs = vec![("/repositories".to_owned(), "Repositories".to_owned())];
    let namespace = repo.namespace();
    if !namespace.is_empty() {
        crumbs.push((format!("/repositories?ns={namespace}"), namespace.to_owned()));
    }
    crumbs.push((repository_path(repo), repo.name().to_owned()));
    crumbs
}

/// The commands that pull a tag.
pub(super) fn pull_commands(visit: &Visit<'_>, repo: &RepoName, entry: &TagEntry) -> Vec<Command> {
    let reference = entry.name.clone().map_or(Reference::Digest(entry.digest), Reference::Tag);
    let format = entry.manifest.summary.as_ref().and_then(|summary| summary.format.as_deref());
    let target = Target { host: &visit.ctx.authority, repo, reference: &reference, subject: entry.manifest.subject };
    target.commands(entry.manifest.kind(), format)
}

/// The path of the same data in the REST interface, where a repository of one component stands under `-`.
pub(super) fn api_path(repo: &RepoName) -> String {
    let namespace = if repo.namespace().is_empty() { "-" } else { repo.namespace() };
    let name = format!("{namespace}/{}", repo.name());
    let plain = format!("/repositories/{name}");
    // The last component may be a word such as `tags`; then a list has this path.
    match table::find(PREFIX, &Method::GET, &plain) {
        Found::Endpoint(row, _) if row.path == table::REPOSITORY => format!("{PREFIX}{plain}"),
        _ => format!("{PREFIX}/repositories/{}", name.replace('/', "%2F")),
    }
}

#[derive(Template)]
#[template(path = "repository.html")]
struct InfoPage {
    frame: Frame,
    head: Head,
    description: String,
    readme: Option<String>,
    commands: Vec<Command>,
    push: Option<String>,
    newest: Option<(Tag, String, Timestamp, String)>,
    contains: Vec<(String, String)>,
    pulls: u64,
    pushes: u64,
    untagged: Option<u64>,
    created: Timestamp,
}

/// `/r/{name…}`.
pub(super) fn serve(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    let registry = &visit.app.registry;
    let details = registry.repository(repo)?;
    let head = Head::new(visit, &details, Tab::Info);
    let newest = details.entry.newest.as_ref();
    let entry = match newest {
        // It may have been deleted since.
        Some(newest) => registry.tags_of(repo, &Reference::Tag(newest.tag.clone()), 1).unwrap_or_default().pop(),
        None => None,
    };
    let page = InfoPage {
        frame: visit.frame(repo.as_str(), Nav::Repositories).with_api(api_path(repo)),
        readme: Some(details.long_description.as_str()).filter(|text| !text.trim().is_empty()).map(markdown::html),
        commands: entry.map(|entry| pull_commands(visit, repo, &entry)).unwrap_or_default(),
        push: head.may_push.then(|| push_commands(&visit.ctx.authority, repo)),
        newest: newest.map(|newest| {
            let path = manifest_path(repo, &Reference::Tag(newest.tag.clone()), ManifestPage::Overview);
            (newest.tag.clone(), path, newest.pushed, newest.pusher.clone())
        }),
        contains: details
            .entry
            .contains
            .iter()
            .map(|(kind, count)| {
                (kind_words::counted(*kind, *count), format!("{}/-/tags?type={}", head.path, kind.name()))
            })
            .collect(),
        head,
        pulls: details.pulls,
        pushes: details.pushes,
        untagged: details.untagged,
        created: details.entry.created,
        description: details.entry.short_description,
    };
    Ok(render(StatusCode::OK, &page))
}

/// What to type to push here.
pub(super) fn push_commands(host: &str, repo: &RepoName) -> String {
    format!("docker login {host}\ndocker tag IMAGE {host}/{repo}:TAG\ndocker push {host}/{repo}:TAG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_a_page_shows_is_the_repositorys() {
        let plain = ["lab/app", "lab/app/web", "lab/tags"];
        for name in plain.into_iter().chain(["lab/webhooks", "lab/app/tags", "lab/app/webhooks", "webhooks", "app"]) {
            let repo = RepoName::parse(name).unwrap();
            let path = api_path(&repo);
            let expected = if name.contains('/') { name.to_owned() } else { format!("-/{name}") };
            let Found::Endpoint(row, parameters) = table::find(PREFIX, &Method::GET, &path[PREFIX.len()..]) else {
                panic!("{path}")
            };
            assert_eq!(
                (row.path, parameters.repository.as_deref()),
                (table::REPOSITORY, Some(expected.as_str())),
                "{path}"
            );
            assert!(!plain.contains(&name) || !path.contains('%'), "{path}");
        }
    }
}
