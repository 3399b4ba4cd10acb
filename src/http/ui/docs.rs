//! The guide to applications, which is part of the program.

use std::sync::LazyLock;

use askama::Template;
use hyper::StatusCode;

use super::Visit;
use super::markdown;
use super::page::{Frame, Nav, render};
use crate::http::reply::Reply;

/// The text without its first heading, which is the page's.
static GUIDE: LazyLock<String> = LazyLock::new(|| {
    let text = include_str!("../../../docs/applications.md").trim_start();
    let body = if text.starts_with("# ") { text.split_once('\n').map_or("", |(_, body)| body) } else { text };
    markdown::html(body)
});

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    frame: Frame,
    html: &'static str,
}

/// `/docs/applications`.
pub(super) fn serve(visit: &Visit<'_>) -> Reply {
    render(StatusCode::OK, &DocsPage { frame: visit.frame("Applications", Nav::Elsewhere), html: &GUIDE })
}
