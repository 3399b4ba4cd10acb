//! Scanning, which this version does not do: what its clients ask gets the form that they read, and says so in it.
//!
//! Nothing here may be taken for "no vulnerabilities": the state is [`UNSCANNED`], the time of the last check is MSR's
//! "never", and whoever asks for a scan is refused.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome, namespace};
use super::error::{Code, Failure};
use super::table::{ARCH, Answer, Endpoint, Need, OS, PAGING, PULL, PUSH, Parameter, at_once, parameter, row};
use super::tags::NEVER;
use crate::http::reply;
use crate::oci::{Digest, Reference, RepoName};
use crate::registry::RegistryError;

/// MSR's state of what was never scanned.
const UNSCANNED: u8 = 1;

const SUMMARY_QUERY: &[Parameter] = &[parameter("detailed", "boolean", "whether layers are wanted"), OS, ARCH];
const FILTER: &[Parameter] = &[parameter("scanstatus", "integer", "only those in this state"), OS, ARCH];

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        "/imagescan/status",
        "api_get_scanner",
        Need::SignedIn,
        "The scanner, of which this version has none",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &status()))),
    ),
    row(
        Method::GET,
        "/imagescan/repositories/{repository}/{tag}",
        "api_get_scan",
        PULL,
        "The scan of a tag, as scripts ask for it: never scanned",
        SUMMARY_QUERY,
        |call| at_once(old_summary(&call)),
    ),
    row(
        Method::GET,
        "/imagescan/scansummary/repositories/{repository}/{reference}",
        "api_get_scan_summary",
        PULL,
        "The scan of a tag or digest: never scanned",
        FILTER,
        |call| at_once(summary(&call)),
    ),
    row(
        Method::GET,
        "/imagescan/scansummary/repositories/{repository}/{reference}/export",
        "api_export_scan",
        PULL,
        "The scan as a file; there is none",
        &[],
        |call| at_once(no_report(&call)),
    ),
    row(
        Method::POST,
        "/imagescan/scansummary/tags",
        "api_get_scan_counts",
        Need::SignedIn,
        "Counts for several images; none was scanned",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!({ "images": {} })))),
    ),
    row(
        Method::GET,
        "/imagescan/scansummary/{kind}/{value}",
        "api_find_scans",
        Need::SignedIn,
        "What has a vulnerability, component, licence or layer; not built yet",
        PAGING,
        |_| refused(),
    ),
    row(Method::POST, "/imagescan/scan", "api_scan_all", Need::Admin, "Scans everything; not built yet", &[], |_| {
        refused()
    }),
    row(
        Method::PUT,
        "/imagescan/scan/update",
        "api_update_scanner",
        Need::Admin,
        "Updates the database of vulnerabilities; not built yet",
        &[parameter("online", "boolean", "from the network instead of the file that is sent")],
        |_| refused(),
    ),
    row(
        Method::POST,
        "/imagescan/scan/{repository}/{tag}/{os}/{arch}",
        "api_scan",
        PUSH,
        "Scans an image; not built yet",
        &[],
        |call| at_once(scan(&call)),
    ),
    row(
        Method::POST,
        "/repositories/scan/toggle",
        "api_toggle_scans",
        Need::Admin,
        "Whether repositories are scanned at each push; false, which holds, is all that can be had",
        &[],
        |call| Box::pin(toggle(call)),
    ),
    row(
        Method::GET,
        "/imagescan/layeroverride",
        "api_list_overrides",
        Need::SignedIn,
        "Vulnerabilities that were set aside; none",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!([])))),
    ),
    row(
        Method::POST,
        "/imagescan/layeroverride/{layer}",
        "api_create_override",
        Need::Admin,
        "Sets a vulnerability aside; not built yet",
        &[],
        |_| refused(),
    ),
    row(
        Method::DELETE,
        "/imagescan/layeroverride/{id}",
        "api_delete_override",
        Need::Admin,
        "Takes that back; not built yet",
        &[],
        |_| refused(),
    ),
];

fn not_enabled() -> Failure {
    Failure::said(Code::ScanningNotEnabled, "this version of msr-lite does not scan images")
}

fn refused<'r>() -> Answer<'r> {
    at_once(Err(not_enabled()))
}

/// What is wanted of every repository.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Toggle {
    scan_on_push: Option<bool>,
}

async fn toggle(mut call: Call<'_>) -> Outcome {
    match call.object().await? {
        Toggle { scan_on_push: Some(true) } => Err(not_enabled()),
        Toggle { .. } => Ok(reply::empty(StatusCode::OK)),
    }
}

fn status() -> Value {
    json!({
        "state": 0,
        "scanner_version": 0,
        "scannerUpdatedAt": NEVER,
        "db_version": 0,
        "db_updated_at": NEVER,
        "lastDBUpdateFailed": false,
        "lastVulnOverridesDBUpdateFailed": false,
        "replicas": {},
    })
}

/// The digest of what the path names.
fn digest(call: &Call<'_>, parameter: &str) -> Result<Digest, Failure> {
    let (text, repo) = (call.parameter(parameter), call.repo());
    let no_such = || Failure::Said(Code::NoSuchTag, format!("there is no {text} in {repo}; check the tag"));
    let reference = Reference::parse(text).map_err(|_| no_such())?;
    let entries = match call.app.registry.tags_of(repo, &reference, 1) {
        Err(RegistryError::ManifestUnknown { .. }) => return Err(no_such()),
        entries => entries?,
    };
    match (entries.first(), reference) {
        (Some(entry), _) => Ok(entry.digest),
        (None, Reference::Digest(digest)) => Ok(digest),
        (None, Reference::Tag(_)) => Err(no_such()),
    }
}

fn names(repo: &RepoName) -> (&str, &str) {
    (namespace(repo), repo.name())
}

/// Exactly one entry: gates look at the first of one.
fn old_summary(call: &Call<'_>) -> Outcome {
    digest(call, "tag")?;
    let (namespace, name) = names(call.repo());
    let mut summary = json!({
        "namespace": namespace,
        "reponame": name,
        "tag": call.parameter("tag"),
        "critical": 0,
        "major": 0,
        "minor": 0,
        "last_scan_status": UNSCANNED,
        "check_completed_at": NEVER,
        "should_rescan": false,
        "has_foreign_layers": false,
    });
    if call.query.flag("detailed")? {
        summary["layer_details"] = json!([]);
    }
    Ok(reply::json(StatusCode::OK, &json!([summary])))
}

fn summary(call: &Call<'_>) -> Outcome {
    let digest = digest(call, "reference")?;
    let (namespace, name) = names(call.repo());
    let reference = call.parameter("reference");
    let summary = json!({
        "scannedImage": {
            "pk": "",
            "namespace": namespace,
            "repository": name,
            "tag": if reference.contains(':') { "" } else { reference },
            "manifestDigest": digest,
            "totalVulnCount": { "critical": 0, "major": 0, "minor": 0 },
            "licenses": [],
            "layers": [],
            "components": [],
            "cves": [],
            "maxCVSSValue": 0,
            "scannerFingerprint": { "scannerType": 0, "version": [] },
            "vulnOverrides": [],
        },
        "shouldRescan": false,
        "scanStatus": UNSCANNED,
    });
    Ok(reply::json(StatusCode::OK, &json!([summary])))
}

fn no_report(call: &Call<'_>) -> Outcome {
    digest(call, "reference")?;
    Err(Failure::said(
        Code::NoScannerReport,
        "this image was never scanned, for this version of msr-lite does not scan",
    ))
}

fn scan(call: &Call<'_>) -> Outcome {
    digest(call, "tag")?;
    Err(not_enabled())
}
