//! The certificate, its names, how clients learn to trust it, and which did not (ui-design, S14).

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::trusting::{self, ClientTrust};
use super::{Failure, Outcome, Visit, errors, local, redirect};
use crate::http::reply::Reply;
use crate::meta::refusal::Refusal;
use crate::ops::certificates::{CertRequest, perform};
use crate::ops::handshakes::{Cure, cure};
use crate::pki::{CertificateFacts, PkiError, SubjectName};

#[derive(Template)]
#[template(path = "certificate.html")]
struct CertificatePage {
    frame: Frame,
    leaf: CertificateFacts,
    leaf_days: i64,
    ca: CertificateFacts,
    ca_days: i64,
    file_sha256: String,
    imported: bool,
    warnings: Vec<String>,
    names: Vec<String>,
    unknown_host: Option<String>,
    /// Names that clients asked for and the certificate does not cover.
    asked_for: Vec<String>,
    registry: Option<String>,
    clients: Vec<ClientTrust>,
    refusals: Vec<(Refusal, Option<Cure>)>,
    typed: String,
    problem: Option<String>,
    done: bool,
}

/// `/system/certificate`.
pub(super) fn serve(visit: &Visit<'_>) -> Reply {
    page(visit, StatusCode::OK, None)
}

fn page(visit: &Visit<'_>, status: StatusCode, problem: Option<String>) -> Reply {
    /// Names that are offered; they come from whoever dials us.
    const OFFERED: usize = 8;
    let pki = &visit.app.pki;
    let now = visit.app.clock.now();
    let (leaf, ca) = (pki.leaf_facts(), pki.ca_facts());
    let registry = trusting::registry(visit);
    let refusals = visit.app.handshakes.refusals().into_iter().map(|refusal| {
        let cure = registry.as_ref().map(|host| cure(pki, &refusal, host));
        (refusal, cure)
    });
    let refusals: Vec<_> = refusals.collect();
    let mut asked_for: Vec<String> = Vec::new();
    for name in refusals.iter().filter_map(|(_, cure)| cure.as_ref()?.uncovered.clone()) {
        if !asked_for.contains(&name) && asked_for.len() < OFFERED && visit.unknown_host.as_ref() != Some(&name) {
            asked_for.push(name);
        }
    }
    let page = CertificatePage {
        frame: visit.frame("Certificate and trust", Nav::System),
        leaf_days: leaf.days_left(now),
        names: leaf.names.iter().map(SubjectName::to_string).collect(),
        leaf,
        ca_days: ca.days_left(now),
        ca,
        file_sha256: pki.ca_pem_sha256(),
        imported: pki.is_imported(),
        warnings: pki.warnings(),
        unknown_host: visit.unknown_host.clone(),
        asked_for,
        clients: registry.as_ref().map(|host| trusting::clients(pki, host)).unwrap_or_default(),
        registry: registry.map(|host| host.to_string()),
        refusals,
        typed: visit.form.get("name").unwrap_or_default().to_owned(),
        problem,
        done: visit.query.get("done") == Some("name"),
    };
    render(status, &page)
}

/// `/system/certificate/names`: one more name, in a certificate that is in use at once.
pub(super) async fn add_name(visit: &Visit<'_>) -> Outcome {
    let name = visit.form.get("name").unwrap_or_default().to_owned();
    let (pki, wanted) = (visit.app.pki.clone(), name.clone());
    // Writes and syncs files: not on an async thread.
    let added = tokio::task::spawn_blocking(move || perform(&pki, CertRequest::Add(wanted))).await;
    match added.map_err(|error| Failure::Fault(error.to_string()))? {
        Ok(_) => {
            let by = visit.caller.principal.name();
            tracing::info!(account = by, name, "a name was added to the certificate from the pages");
            Ok(redirect(local(visit.form.get("next")).unwrap_or("/system/certificate?done=name")))
        }
        Err(PkiError::Unusable(message)) => Ok(page(visit, StatusCode::BAD_REQUEST, Some(errors::sentence(&message)))),
        Err(error) => Err(Failure::Fault(error.to_string())),
    }
}
