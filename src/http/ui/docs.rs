//! The guides, which are part of the program.

use std::sync::LazyLock;

use askama::Template;
use hyper::StatusCode;

use super::Visit;
use super::markdown;
use super::page::{Frame, Nav, render};
use super::routes::Guide;
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
