//! How the registry is (ui-design, S12).

use std::time::Duration;

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::{Outcome, Visit};
use crate::meta::repo;
use crate::ops::gc::{Outlook, outlook};
use crate::pki::CertificateFacts;
use crate::space::Report;

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    frame: Frame,
    version: &'static str,
    instance: String,
    pid: u32,
    uptime: Duration,
    data_dir: String,
    repositories: u64,
    uploads: u64,
    space: Report,
    leaf: CertificateFacts,
    leaf_days: i64,
    ca: CertificateFacts,
    imported: bool,
    warnings: Vec<String>,
    /// Clients that refused our certificate, by address, and how often.
    refusing: u64,
    refusals: u64,
    collection: Outlook,
    not_ready: Option<String>,
}

/// `/system`.
pub(super) fn serve(visit: &Visit<'_>) -> Outcome {
    let app = visit.app;
    let now = app.clock.now();
    let leaf = app.pki.leaf_facts();
    let refused = app.handshakes.refusals();
    let peers: std::collections::HashSet<_> = refused.iter().map(|refusal| refusal.peer).collect();
    let page = SystemPage {
        frame: visit.frame("System", Nav::System),
        version: env!("CARGO_PKG_VERSION"),
        instance: app.access.instance().to_owned(),
        pid: std::process::id(),
        uptime: now.since(app.started),
        data_dir: app.data_dir.display().to_string(),
        repositories: app.registry.meta().read(repo::total)?,
        uploads: app.registry.blobs().open_sessions() as u64,
        space: app.registry.space().current(),
        leaf_days: leaf.days_left(now),
        leaf,
        ca: app.pki.ca_facts(),
        imported: app.pki.is_imported(),
        warnings: app.pki.warnings(),
        refusing: peers.len() as u64,
        refusals: refused.iter().map(|refusal| refusal.count).sum(),
        collection: outlook(&app.registry)?,
        not_ready: (app.ready)().err(),
    };
    Ok(render(StatusCode::OK, &page))
}
