//! What a repository says of itself, and who may see it.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::repositories::{read_visibility, visibility_meaning, visibility_word};
use super::repository::{Head, Tab, api_path};
use super::routes::repository_path;
use super::{Outcome, Visit, errors, redirect};
use crate::oci::RepoName;
use crate::registry::RegistryError;
use crate::registry::repos::{LONG_DESCRIPTION, RepoChange, SHORT_DESCRIPTION};

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    head: Head,
    description: String,
    readme: String,
    visibility: &'static str,
    /// What the visibility means today.
    meaning: &'static str,
    longest: usize,
    largest: u64,
    saved: bool,
    problem: Option<String>,
}

/// `/r/{name…}/-/settings`: the form, and what it sends.
pub(super) async fn serve(visit: &Visit<'_>, repo: &RepoName) -> Outcome {
    if visit.is_get() {
        return page(visit, repo, StatusCode::OK, None, None);
    }
    // Browsers end the lines of a form with CR LF.
    let text = |name| visit.form.raw(name).map(|text| text.replace("\r\n", "\n"));
    let change = RepoChange {
        short_description: text("description").map(|text| text.trim().to_owned()),
        long_description: text("readme"),
        visibility: visit.form.get("visibility").map(|word| read_visibility(Some(word))).transpose()?,
    };
    match visit.app.registry.change_repository(visit.actor(), repo, change.clone()).await {
        Ok(_) => Ok(redirect(&format!("{}/-/settings?done=saved", repository_path(repo)))),
        Err(error @ RegistryError::TextTooLong { .. }) => {
            let problem = errors::sentence(&error.to_string());
            page(visit, repo, StatusCode::BAD_REQUEST, Some(change), Some(problem))
        }
        Err(error) => Err(error.into()),
    }
}

/// The form with what is stored, or with what was typed and is not taken.
fn page(
    visit: &Visit<'_>,
    repo: &RepoName,
    status: StatusCode,
    typed: Option<RepoChange>,
    problem: Option<String>,
) -> Outcome {
    let details = visit.app.registry.repository(repo)?;
    let typed = typed.unwrap_or_default();
    let page = SettingsPage {
        frame: visit.frame(format!("{repo} · Settings"), Nav::Repositories).with_api(api_path(repo)),
        head: Head::new(visit, &details, Tab::Settings),
        visibility: visibility_word(typed.visibility.unwrap_or(details.entry.visibility)),
        description: typed.short_description.unwrap_or(details.entry.short_description),
        readme: typed.long_description.unwrap_or(details.long_description),
        meaning: visibility_meaning(visit.app.access.anonymous()),
        longest: SHORT_DESCRIPTION,
        largest: LONG_DESCRIPTION as u64,
        saved: visit.query.get("done") == Some("saved"),
        problem,
    };
    Ok(render(status, &page))
}
