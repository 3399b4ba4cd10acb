//! The guides, which are part of the program, and the endpoints of the REST interface, of its table.

use std::sync::LazyLock;

use askama::Template;
use hyper::StatusCode;

use super::Visit;
use super::markdown;
use super::page::{Frame, Nav, render};
use super::routes::Guide;
use crate::http::api::openapi;
use crate::http::api::table::PARTS;
use crate::http::reply::Reply;

static APPLICATIONS: LazyLock<String> = LazyLock::new(|| html(include_str!("../../../docs/applications.md")));
static ACCOUNTS: LazyLock<String> = LazyLock::new(|| html(include_str!("../../../docs/accounts.md")));

/// The text without its first heading, which is the page's.
fn html(text: &str) -> String {
    let text = text.trim_start();
    let body = if text.starts_with("# ") { text.split_once('\n').map_or("", |(_, body)| body) } else { text };
    markdown::html(body)
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    frame: Frame,
    html: &'static str,
}

/// `/docs/…`.
pub(super) fn serve(visit: &Visit<'_>, guide: Guide) -> Reply {
    let (title, html) = match guide {
        Guide::Applications => ("Applications", &*APPLICATIONS),
        Guide::Accounts => ("Accounts and rights", &*ACCOUNTS),
    };
    render(StatusCode::OK, &DocsPage { frame: visit.frame(title, Nav::Elsewhere), html })
}

/// One endpoint, as the page shows it.
struct Line {
    method: &'static str,
    path: String,
    about: &'static str,
    needs: &'static str,
    query: Vec<(&'static str, &'static str)>,
}

/// Endpoints that begin with the same word.
struct Group {
    name: String,
    lines: Vec<Line>,
}

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for (prefix, rows) in PARTS {
        for row in *rows {
            let word = row.path.split('/').nth(1).unwrap_or_default();
            let name = format!("{prefix}/{word}");
            let line = Line {
                method: row.method.as_str(),
                path: openapi::path(prefix, row),
                about: row.about,
                needs: openapi::need(row.needs),
                query: row.query.iter().map(|parameter| (parameter.name, parameter.about)).collect(),
            };
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.lines.push(line),
                None => groups.push(Group { name, lines: vec![line] }),
            }
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
});

#[derive(Template)]
#[template(path = "interface.html")]
struct InterfacePage {
    frame: Frame,
    groups: &'static [Group],
}

/// `/docs/api`.
pub(super) fn interface(visit: &Visit<'_>) -> Reply {
    render(StatusCode::OK, &InterfacePage { frame: visit.frame("REST interface", Nav::Elsewhere), groups: &GROUPS })
}
