//! Deleting: a page that says exactly what goes, what stays and why; then a form does it (ui-design, principle 5).

use askama::Template;
use hyper::StatusCode;

use super::manifest::NAME;
use super::page::{Frame, Nav, render};
use super::repository::{Head, Tab, api_path};
use super::routes::{ManifestPage, manifest_path, repository_path};
use super::{Failure, Outcome, Visit, errors, redirect, shown};
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::model::permission::Verdict;
use crate::oci::{Digest, Reference, RepoName};
use crate::registry::delete::{DeleteOptions, DeletePlan, PlanLine};
use crate::registry::{Registry, RegistryError};

/// The most that one form deletes.
const AT_ONCE: usize = 100;

#[derive(Template)]
#[template(path = "delete.html")]
struct DeletePage {
    frame: Frame,
    head: Head,
    title: String,
    /// Where the form is sent.
    action: String,
    items: Vec<Item>,
    /// What was chosen and is not there any more.
    gone: Vec<String>,
    /// Bytes that the whole frees.
    frees: u64,
    /// Whether it may be less: other repositories may need them, which is not for everybody to know.
    at_most: bool,
    /// Whether applications take their invocation images' tags with them.
    with_invocation: bool,
    /// The same page with the other choice; `None` when there is nothing to choose.
    other_choice: Option<String>,
    /// Whether something is refused that an administrator may force.
    refused: bool,
    /// Whether forcing it takes a manifest from an application, and not but a tag.
    breaks: bool,
    problem: Option<String>,
}

/// One of the things to be deleted.
struct Item {
    reference: Reference,
    /// What it is now: the form says which, so that nothing else is deleted under its name.
    digest: Digest,
    goes: Vec<Line>,
    stays: Vec<Line>,
    frees: u64,
    refused: Option<String>,
    /// The invocation image's tag that goes or may go with it.
    invocation: Option<String>,
}

struct Line {
    /// As it is shown: a tag, or the beginning of a digest.
    text: String,
    full: String,
    path: String,
    what: String,
    why: String,
}

impl Line {
    fn new(repo: &RepoName, line: PlanLine) -> Self {
        let full = line.reference.to_string();
        let text = match &line.reference {
            Reference::Tag(tag) => tag.to_string(),
            Reference::Digest(digest) => format!("{}:{}…", digest.algorithm().name(), &digest.hex()[..12]),
        };
        let path = manifest_path(repo, &line.reference, ManifestPage::Overview);
        // What was asked for needs no other reason.
        let why = if line.why.is_empty() { "it was chosen".to_owned() } else { line.why };
        // A component's name and a platform's are their author's words.
        Self { text, full, path, what: shown::line(&line.what, NAME), why }
    }
}

impl Item {
    fn new(repo: &RepoName, reference: Reference, digest: Digest, plan: DeletePlan, sees_all: bool) -> Self {
        let lines = |lines: Vec<PlanLine>| lines.into_iter().map(|line| Line::new(repo, line)).collect();
        Self {
            reference,
            digest,
            goes: lines(plan.goes),
            stays: lines(plan.stays),
            frees: if sees_all { plan.frees } else { plan.frees_here },
            refused: plan.refused.map(|words| errors::sentence(&words)),
            invocation: plan.with_invocation.map(|tag| tag.to_string()),
        }
    }

    /// By which the REST interface deletes the same.
    fn api_path(&self, repo: &RepoName, asked: Asked) -> String {
        let repository = api_path(repo);
        let with_invocation = asked.with_invocation && self.invocation.is_some();
        let query = if with_invocation { "?withInvocation=true" } else { "" };
        match &self.reference {
            Reference::Tag(tag) => format!("{repository}/tags/{tag}{query}"),
            Reference::Digest(digest) => format!("{repository}/manifests/{digest}{query}"),
        }
    }
}

/// What the forms say besides the targets.
#[derive(Clone, Copy)]
struct Asked {
    with_invocation: bool,
    force: bool,
}

impl Asked {
    fn read(visit: &Visit<'_>) -> Result<Self, Failure> {
        let fields = if visit.is_get() { &visit.query } else { &visit.form };
        let force = !visit.is_get() && visit.form.ticked("force");
        if force && !visit.is_admin() {
            return Err(Failure::Forbidden("Only an administrator may delete what an application needs.".to_owned()));
        }
        Ok(Self { with_invocation: fields.get("invocation") != Some("keep"), force })
    }

    fn options(self) -> DeleteOptions {
        DeleteOptions { with_invocation: self.with_invocation, force: self.force, seen: None }
    }
}

/// Fails unless the caller may delete here, now that something is to be deleted.
fn check(visit: &Visit<'_>, repo: &RepoName, action: Action) -> Result<(), Failure> {
    let decision = visit.app.access.decide(&visit.caller, Requirement::Repository(repo, action));
    match decision.verdict {
        Verdict::Allowed => Ok(()),
        Verdict::NeedsSignIn => Err(Failure::SignIn),
        Verdict::Hidden => Err(Failure::NotFound(super::NO_REPOSITORY.to_owned())),
        Verdict::Forbidden | Verdict::NeedsWiderToken => Err(Failure::Forbidden(errors::sentence(&decision.because))),
    }
}

/// `…/delete` of a tag or a digest.
pub(super) async fn one(visit: &Visit<'_>, repo: &RepoName, reference: &Reference) -> Outcome {
    let action = manifest_path(repo, reference, ManifestPage::Delete);
    serve(visit, repo, action, vec![reference.clone()]).await
}

/// `/-/delete-tags`: those that the list of tags names.
pub(super) async fn several(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    let fields = if visit.is_get() { &visit.query } else { &visit.form };
    let mut references = Vec::new();
    for text in fields.all("ref") {
        let reference = Reference::parse(text).map_err(|error| Failure::Bad(errors::sentence(&error.to_string())))?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    if references.is_empty() {
        return Err(Failure::Bad("Nothing was chosen. Go back, and tick the rows that are to be deleted.".to_owned()));
    }
    if references.len() > AT_ONCE {
        return Err(Failure::Bad(format!("At most {AT_ONCE} are deleted at once. Go back, and choose fewer.")));
    }
    serve(visit, repo, format!("{}/-/delete-tags", repository_path(repo)), references).await
}

async fn serve(visit: &Visit<'_>, repo: &RepoName, action: String, references: Vec<Reference>) -> Outcome {
    let asked = Asked::read(visit)?;
    if visit.is_get() {
        return page(visit, repo, action, &references, asked, StatusCode::OK, None).await;
    }
    check(visit, repo, Action::Delete)?;
    let (mut refused, mut last) = (Vec::new(), None);
    for item in plans(visit, repo, &references, asked).await?.items {
        if !visit.form.all("digest").any(|digest| digest == item.digest.to_string()) {
            refused.push(item.reference);
            last = Some("Somebody pushed another manifest under its name meanwhile. Look again at what goes.".into());
            continue;
        }
        let options = DeleteOptions { seen: Some(item.digest), ..asked.options() };
        let deleted = visit.app.registry.delete_with(visit.actor(), repo, &item.reference, options);
        match deleted.await {
            // What went with another one is gone, as was wanted.
            Ok(()) | Err(RegistryError::ManifestUnknown { .. }) => {}
            Err(error @ RegistryError::Refused { .. }) => {
                last = Some(errors::sentence(&error.to_string()));
                refused.push(item.reference);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match last {
        None => Ok(redirect(&format!("{}/-/tags?done=deleted", repository_path(repo)))),
        Some(problem) => page(visit, repo, action, &refused, asked, StatusCode::CONFLICT, Some(problem)).await,
    }
}

/// What is to be deleted, and what of it is not there.
struct Plans {
    items: Vec<Item>,
    gone: Vec<Reference>,
}

/// Plans each by itself: applications first, for what belongs to them goes with them. A hundred plans may look at half a
/// million parts, so that is no work for a thread that serves others.
async fn plans(visit: &Visit<'_>, repo: &RepoName, references: &[Reference], asked: Asked) -> Result<Plans, Failure> {
    let (registry, sees_all) = (visit.app.registry.clone(), visit.may(Requirement::Admin));
    let (repo, references) = (repo.clone(), references.to_vec());
    let read = tokio::task::spawn_blocking(move || read_plans(&registry, &repo, &references, asked, sees_all)).await;
    let (mut items, gone) = read.map_err(|error| Failure::Fault(error.to_string()))??;
    items.sort_by_key(|item| item.invocation.is_none());
    if asked.with_invocation {
        // These go with their applications, and need no line of their own.
        let taken: Vec<String> = items.iter().filter_map(|item| item.invocation.clone()).collect();
        items.retain(|item| !taken.contains(&item.reference.to_string()));
    }
    Ok(Plans { items, gone })
}

/// The plans, and what is not there.
fn read_plans(
    registry: &Registry,
    repo: &RepoName,
    references: &[Reference],
    asked: Asked,
    sees_all: bool,
) -> Result<(Vec<Item>, Vec<Reference>), RegistryError> {
    let (mut items, mut gone) = (Vec::new(), Vec::new());
    for reference in references {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => match registry.tags_of(repo, reference, 1) {
                Ok(entries) => entries.first().map(|entry| entry.digest),
                Err(RegistryError::ManifestUnknown { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        let plan = registry.plan_deletion(repo, reference, asked.options());
        match (digest, plan) {
            (Some(digest), Ok(plan)) => items.push(Item::new(repo, reference.clone(), digest, plan, sees_all)),
            (None, _) | (_, Err(RegistryError::ManifestUnknown { .. })) => gone.push(reference.clone()),
            (_, Err(error)) => return Err(error),
        }
    }
    Ok((items, gone))
}

async fn page(
    visit: &Visit<'_>,
    repo: &RepoName,
    action: String,
    references: &[Reference],
    asked: Asked,
    status: StatusCode,
    problem: Option<String>,
) -> Outcome {
    let Plans { items, gone } = plans(visit, repo, references, asked).await?;
    if items.is_empty() && problem.is_none() {
        let reference = gone.into_iter().next().map_or_else(String::new, |reference| reference.to_string());
        return Err(Failure::NotFound(format!("Repository {repo} has no manifest {reference}; it may be deleted.")));
    }
    let details = visit.app.registry.repository(repo)?;
    let title = match items.as_slice() {
        [item] => format!("Delete {}", item.reference),
        items => format!("Delete {} of {repo}", items.len()),
    };
    let has_choice = items.iter().any(|item| item.invocation.is_some());
    let mut frame = visit.frame(format!("{repo} · Delete"), Nav::Repositories);
    // The REST interface deletes one at a time.
    if let [item] = items.as_slice() {
        frame = frame.with_api_delete(item.api_path(repo, asked));
    }
    let page = DeletePage {
        frame,
        head: Head::new(visit, &details, Tab::Other),
        title,
        frees: items.iter().fold(0, |sum: u64, item| sum.saturating_add(item.frees)),
        at_most: !visit.may(Requirement::Admin),
        other_choice: has_choice.then(|| other_choice(&action, references, asked)),
        with_invocation: asked.with_invocation,
        refused: items.iter().any(|item| item.refused.is_some()),
        breaks: items.iter().any(|item| item.refused.is_some() && matches!(item.reference, Reference::Digest(_))),
        gone: gone.iter().map(ToString::to_string).collect(),
        action,
        items,
        problem,
    };
    Ok(render(status, &page))
}

/// The address of the same page with the invocation images' tags kept, or not.
fn other_choice(action: &str, references: &[Reference], asked: Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if action.ends_with("/delete-tags") {
        for reference in references {
            query.append_pair("ref", &reference.to_string());
        }
    }
    query.append_pair("invocation", if asked.with_invocation { "keep" } else { "too" });
    format!("{action}?{}", query.finish())
}

#[derive(Template)]
#[template(path = "delete_repository.html")]
struct DeleteRepositoryPage {
    frame: Frame,
    head: Head,
    pulls: u64,
    problem: Option<String>,
}

/// `/r/{name…}/-/delete`: the whole repository, once its name is typed.
pub(super) async fn repository(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    let page = |status, problem| {
        let details = visit.app.registry.repository(repo)?;
        let page = DeleteRepositoryPage {
            frame: visit.frame(format!("{repo} · Delete"), Nav::Repositories).with_api_delete(api_path(repo)),
            head: Head::new(visit, &details, Tab::Other),
            pulls: details.pulls,
            problem,
        };
        Ok(render(status, &page))
    };
    if visit.is_get() {
        return page(StatusCode::OK, None);
    }
    check(visit, repo, Action::Administer)?;
    if visit.form.get("name") != Some(repo.as_str()) {
        let words = "What was typed is not the repository's name; nothing was deleted.".to_owned();
        return page(StatusCode::BAD_REQUEST, Some(words));
    }
    visit.app.registry.delete_repository(visit.actor(), repo).await?;
    Ok(redirect("/repositories?done=deleted"))
}
