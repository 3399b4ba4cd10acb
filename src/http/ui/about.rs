//! The program and its licences.

use askama::Template;
use hyper::StatusCode;

use super::Visit;
use super::page::{Frame, Nav, render};
use crate::http::reply::Reply;

/// Crates that are linked in, with their licences.
const CRATES: &str = include_str!("../../../assets/licenses.txt");

/// The project's own licence.
const LICENSE: &str = include_str!("../../../LICENSE");

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    frame: Frame,
    version: &'static str,
    license: &'static str,
    /// Name and version, licence.
    crates: Vec<(&'static str, &'static str)>,
}

/// `/system/about`.
pub(super) fn serve(visit: &Visit<'_>) -> Reply {
    let crates = CRATES.lines().skip(1).filter_map(|line| {
        let mut parts = line.split(" | ");
        Some((parts.next()?, parts.next()?))
    });
    let page = AboutPage {
        frame: visit.frame("About", Nav::System),
        version: env!("CARGO_PKG_VERSION"),
        license: LICENSE,
        crates: crates.collect(),
    };
    render(StatusCode::OK, &page)
}
