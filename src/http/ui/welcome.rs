//! What an administrator does first (ui-design, S1): a password of their own, the names in the certificate, trust.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::trusting::{self, ClientTrust};
use super::{Outcome, Visit};
use crate::access::password::MIN_PASSWORD;
use crate::pki::SubjectName;

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    frame: Frame,
    initial: bool,
    shortest: usize,
    next: Option<&'static str>,
    imported: bool,
    unknown_host: Option<String>,
    names: Vec<String>,
    fingerprint: String,
    file_sha256: String,
    clients: Vec<ClientTrust>,
    login: String,
}

/// `/welcome`.
#[expect(clippy::unnecessary_wraps, reason = "a view like the others")]
pub(super) fn serve(visit: &Visit<'_>) -> Outcome {
    let pki = &visit.app.pki;
    let registry = trusting::registry(visit);
    let page = WelcomePage {
        frame: visit.frame("Welcome", Nav::Elsewhere),
        initial: visit.session.as_ref().is_some_and(|session| session.initial_password),
        shortest: MIN_PASSWORD,
        next: Some("/welcome"),
        imported: pki.is_imported(),
        unknown_host: visit.unknown_host.clone(),
        names: pki.leaf_facts().names.iter().map(SubjectName::to_string).collect(),
        fingerprint: pki.ca_facts().fingerprint,
        file_sha256: pki.ca_pem_sha256(),
        clients: registry.as_ref().map(|host| trusting::clients(pki, host)).unwrap_or_default(),
        login: format!(
            "docker login {}",
            registry.map_or_else(|| visit.ctx.authority.clone(), |host| host.to_string())
        ),
    };
    Ok(render(StatusCode::OK, &page))
}
