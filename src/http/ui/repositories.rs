//! The list of repositories, and new ones (ui-design, S2).

use askama::Template;
use hyper::StatusCode;

use super::list_query::{Choice, Heading, ListQuery};
use super::page::{Frame, Nav, render};
use super::routes::repository_path;
use super::{Failure, Outcome, Visit, errors, kind_words, redirect};
use crate::access::Anonymous;
use crate::base::Timestamp;
use crate::http::reply::Reply;
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::oci::{RepoName, Tag};
use crate::registry::RegistryError;
use crate::registry::listing::{Cursor, Sort};
use crate::registry::repos::{RepoChange, RepoEntry, RepoQuery, SHORT_DESCRIPTION, Visibility};

#[derive(Template)]
#[template(path = "repositories.html")]
struct RepositoriesPage {
    frame: Frame,
    query: ListQuery,
    rows: Vec<Row>,
    next: Option<String>,
    total: Option<u64>,
    headings: [Heading; 3],
    kinds: Vec<Choice>,
    row_choices: Vec<Choice>,
    deleted: bool,
    /// The form for a new one, for who may make any.
    form: Option<NewRepository>,
    /// What to type for a first push.
    first_push: Option<String>,
}

/// The form for a new repository, with what was typed and what is wrong with it.
#[derive(Default)]
struct NewRepository {
    name: String,
    description: String,
    public: bool,
    problem: Option<String>,
    longest: usize,
}

struct Row {
    name: RepoName,
    description: String,
    path: String,
    visibility: &'static str,
    /// Words, and where the tags of that kind are listed.
    contains: Vec<(String, String)>,
    newest: Option<(Tag, Timestamp, String)>,
    size: u64,
}

impl Row {
    fn new(entry: RepoEntry) -> Self {
        let path = repository_path(&entry.name);
        let contains = entry
            .contains
            .iter()
            .map(|(kind, count)| (kind_words::counted(*kind, *count), format!("{path}/-/tags?type={}", kind.name())));
        Self {
            contains: contains.collect(),
            path,
            visibility: visibility_word(entry.visibility),
            description: entry.short_description,
            newest: entry.newest.map(|newest| (newest.tag, newest.pushed, newest.pusher)),
            size: entry.size,
            name: entry.name,
        }
    }
}

/// As pages and the REST interface say it.
pub(super) const fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Public => "public",
    }
}

/// What it means, as the registry is set.
pub(super) const fn visibility_meaning(anonymous: Anonymous) -> &'static str {
    match anonymous {
        Anonymous::None => {
            "Whoever is signed in may pull from a public repository, and nobody else: the setting anonymous is \"none\". From \
             a private one only those with rights on it may."
        }
        Anonymous::PublicRepositories => {
            "Everybody may pull from a public repository, also who is not signed in: the setting anonymous is \
             \"public-repositories\". From a private one only those with rights on it may."
        }
    }
}

/// Reads that word.
pub(super) fn read_visibility(word: Option<&str>) -> Result<Visibility, Failure> {
    match word {
        Some("private") | None => Ok(Visibility::Private),
        Some("public") => Ok(Visibility::Public),
        Some(_) => Err(Failure::Bad("A repository is private or public.".to_owned())),
    }
}

/// `/repositories`: the list; sent a form, a new one.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    if visit.is_get() {
        return list(visit, StatusCode::OK, NewRepository::default());
    }
    create(visit).await
}

fn list(visit: &Visit<'_>, status: StatusCode, form: NewRepository) -> Outcome {
    let query = ListQuery::read("/repositories".to_owned(), &visit.query)?;
    let wanted = RepoQuery {
        namespace: query.namespace.clone(),
        kind: query.kind,
        text: query.text.clone(),
        sort: query.sort,
        after: query.after.clone(),
        limit: query.rows,
    };
    let readable = |name: &RepoName| visit.may(Requirement::Repository(name, Action::Pull));
    let found =
        visit.app.registry.repositories_visible(&wanted, &visit.app.access.visible(&visit.caller)?, readable)?;
    let user = visit.caller.is_signed_in().then(|| visit.caller.principal.name());
    let page = RepositoriesPage {
        frame: visit.frame("Repositories", Nav::Repositories).with_api("/api/v0/repositories"),
        rows: found.entries.into_iter().map(Row::new).collect(),
        next: found.next.map(|Cursor(place)| place),
        total: found.total,
        headings: [
            query.heading("Name", Sort::Name),
            query.heading("Newest", Sort::Pushed),
            query.heading("Size", Sort::Size),
        ],
        kinds: query.kinds(|_| true),
        row_choices: query.row_choices(),
        deleted: visit.query.get("done") == Some("deleted"),
        form: user.is_some().then_some(NewRepository { longest: SHORT_DESCRIPTION, ..form }),
        first_push: user.map(|user| first_push(&visit.ctx.authority, user)),
        query,
    };
    Ok(render(status, &page))
}

/// How anybody gets something in here.
fn first_push(host: &str, user: &str) -> String {
    format!(
        "docker login {host}\ndocker pull hello-world\ndocker tag hello-world {host}/{user}/hello-world:1\n\
         docker push {host}/{user}/hello-world:1"
    )
}

async fn create(visit: &Visit<'_>) -> Outcome {
    let typed = |name| visit.form.get(name).unwrap_or_default().to_owned();
    let visibility = read_visibility(visit.form.get("visibility"))?;
    let form = NewRepository {
        name: typed("name"),
        description: typed("description"),
        public: visibility == Visibility::Public,
        ..NewRepository::default()
    };
    let refuse = |status, problem: String| list(visit, status, NewRepository { problem: Some(problem), ..form });
    let name = match RepoName::parse(&typed("name")) {
        Ok(name) => name,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, errors::sentence(&error.to_string())),
    };
    if !visit.may(Requirement::Repository(&name, Action::Push)) {
        // The same words whether there is one or not.
        let user = visit.caller.principal.name();
        let words = format!("You may not make this repository. In your own namespace, its name begins with {user}/.");
        return refuse(StatusCode::FORBIDDEN, words);
    }
    let change = RepoChange {
        short_description: Some(typed("description")).filter(|text| !text.is_empty()),
        long_description: None,
        visibility: Some(visibility),
    };
    match visit.app.registry.create_repository(visit.actor(), &name, change).await {
        Ok(_) => Ok(created(&name)),
        Err(error @ RegistryError::NameTaken(_)) => refuse(StatusCode::CONFLICT, errors::sentence(&error.to_string())),
        Err(error @ RegistryError::TextTooLong { .. }) => {
            refuse(StatusCode::BAD_REQUEST, errors::sentence(&error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

fn created(name: &RepoName) -> Reply {
    redirect(&repository_path(name))
}
