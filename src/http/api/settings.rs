//! What MSR tells of itself as a whole: settings, features, alerts, the state of its replicas.
//!
//! Settings of msr-lite stand in its configuration file. They are shown here under MSR's names; what is sent back as it
//! is is accepted, and what would change one is refused with the place where it is changed.

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Call, Outcome};
use super::error::{Code, Failure};
use super::table::{Endpoint, Need, at_once, row};
use super::tags::time;
use crate::http::reply;

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        "/meta/settings",
        "api_get_settings",
        Need::Admin,
        "The settings, under MSR's names",
        &[],
        |call| at_once(get(&call)),
    ),
    row(
        Method::POST,
        "/meta/settings",
        "api_change_settings",
        Need::Admin,
        "Changes settings that can be changed while the registry runs",
        &[],
        |call| Box::pin(change(call)),
    ),
    row(
        Method::GET,
        "/admin/settings/registry",
        "api_get_storage_settings",
        Need::Admin,
        "Where blobs are kept, in the form of distribution's configuration",
        &[],
        |call| at_once(Ok(reply::json(StatusCode::OK, &storage(&call)))),
    ),
    row(
        Method::PUT,
        "/admin/settings/registry",
        "api_change_storage_settings",
        Need::Admin,
        "The storage is a choice of the start: what holds is taken, what would change it is refused",
        &[],
        |call| Box::pin(change_storage(call)),
    ),
    row(Method::GET, "/meta/features", "api_get_features", Need::SignedIn, "What this registry can do", &[], |call| {
        at_once(Ok(reply::json(StatusCode::OK, &features(&call))))
    }),
    row(Method::GET, "/meta/alerts", "api_get_alerts", Need::SignedIn, "What everybody should know now", &[], |call| {
        at_once(alerts(&call))
    }),
    row(
        Method::GET,
        "/meta/cluster_status",
        "api_get_cluster_status",
        Need::Admin,
        "The replicas, of which this registry is the only one",
        &[],
        |call| at_once(cluster(&call)),
    ),
    row(
        Method::GET,
        "/accounts/language",
        "api_get_language",
        Need::SignedIn,
        "The language of the pages",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!({ "language": "en" })))),
    ),
];

/// MSR's names and what holds here. Keys that hold secrets are empty.
fn settings(call: &Call<'_>) -> Result<Value, Failure> {
    let app = call.app;
    let audit = &app.config.audit;
    Ok(json!({
        "dtrHost": app.pki.fqdn(),
        "sso": false,
        "createRepositoryOnPush": app.config.create_on_push,
        "disableUpgrades": true,
        "reportAnalytics": false,
        "anonymizeAnalytics": true,
        "disableBackupWarning": true,
        "webTLSCert": "",
        "webTLSKey": "",
        "webTLSCA": app.pki.ca_pem().as_ref(),
        "webTLSClientCA": "",
        "clientCertAuthEnabled": false,
        "scanningEnabled": false,
        "scanningSyncOnline": false,
        "scanningDeadline": 0,
        "scanningEnableAutoRecheck": false,
        "jobHistoryCompactionEnabled": true,
        "jobHistoryToKeep": 0,
        "jobHistoryMaxAge": "",
        "repoEventHistoryCompactionEnabled": audit.keep_days > 0 || audit.keep_events > 0,
        "repoEventHistoryToKeep": audit.keep_events,
        "repoEventHistoryMaxAge": if audit.keep_days > 0 { format!("{}h", audit.keep_days * 24) } else { String::new() },
        "readOnlyRegistry": app.registry.read_only()?.is_some(),
        "disablePersistentCookies": false,
        "replicaSettings": { (app.access.instance()): { "HTTPPort": 0, "HTTPSPort": app.tls_port, "node": app.pki.fqdn() } },
        "replicaID": app.access.instance(),
        "httpProxy": "",
        "httpsProxy": "",
        "noProxy": "",
        "logProtocol": "",
        "logHost": "",
        "logLevel": "",
        "storageVolume": app.data_dir.display().to_string(),
        "nfsHost": "",
        "nfsPath": "",
    }))
}

fn get(call: &Call<'_>) -> Outcome {
    let mut shown = settings(call)?;
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("webTLSKey");
    }
    Ok(reply::json(StatusCode::OK, &shown))
}

/// Where a setting is changed.
fn place(key: &str) -> &'static str {
    match key {
        "dtrHost" => "set fqdn in the configuration file and restart, or add a name with: msr-lite cert add NAME",
        "webTLSCert" | "webTLSKey" | "webTLSCA" => "import a certificate with: msr-lite cert import",
        "createRepositoryOnPush" => "set create_on_push in the configuration file and restart",
        "readOnlyRegistry" => "send true or false",
        key if key.starts_with("scanning") => "this version of msr-lite does not scan",
        "storageVolume" | "storage" => "start msr-lite with another --data-dir",
        _ => "this version of msr-lite has no such choice; leave the key out",
    }
}

async fn change(mut call: Call<'_>) -> Outcome {
    let asked: Map<String, Value> = call.object().await?;
    let now = settings(&call)?;
    let mut read_only = None;
    for (key, value) in &asked {
        // Unknown keys and those without a value change nothing, as everywhere.
        let Some(holds) = now.get(key).filter(|holds| !value.is_null() && *holds != value) else { continue };
        if let ("readOnlyRegistry", Value::Bool(wanted)) = (key.as_str(), value) {
            read_only = Some(*wanted);
            continue;
        }
        return Err(unchangeable(key, holds));
    }
    // Last, so that a refusal has changed nothing.
    if let Some(wanted) = read_only {
        call.app.registry.set_read_only(&call.actor(), wanted.then(String::new)).await?;
    }
    Ok(reply::empty(StatusCode::ACCEPTED))
}

fn unchangeable(key: &str, holds: &Value) -> Failure {
    let message = match holds {
        Value::String(_) | Value::Object(_) => format!("{key} cannot be changed here: {}", place(key)),
        holds => format!("{key} is {holds} and cannot be changed here: {}", place(key)),
    };
    Failure::Said(Code::InvalidSettings, message)
}

/// The storage. Of MSR's form no more is known than that it holds the storage and `keep_metadata`.
fn storage(call: &Call<'_>) -> Value {
    json!({
        "storage": { "filesystem": { "rootdirectory": call.app.data_dir.display().to_string() } },
        "keep_metadata": true,
    })
}

async fn change_storage(mut call: Call<'_>) -> Outcome {
    let asked: Map<String, Value> = call.object().await?;
    let now = storage(&call);
    let differs = |key: &str, value: &Value| now.get(key).filter(|holds| !value.is_null() && *holds != value);
    match asked.iter().find_map(|(key, value)| Some((key, differs(key, value)?))) {
        Some((key, holds)) => Err(unchangeable(key, holds)),
        None => Ok(reply::empty(StatusCode::ACCEPTED)),
    }
}

fn features(call: &Call<'_>) -> Value {
    json!({
        "scanningEnabled": false,
        "scanningLicensed": false,
        "promotionLicensed": false,
        "mirroringLicensed": false,
        "metadataStoreOptedIn": true,
        "onlineGCEnabled": true,
        "db_version": 0,
        "ucpHost": call.app.pki.fqdn(),
    })
}

fn alerts(call: &Call<'_>) -> Outcome {
    let mut alerts = Vec::new();
    if let Some(mode) = call.app.registry.read_only()? {
        let because = if mode.reason.is_empty() { String::new() } else { format!(": {}", mode.reason) };
        let message = format!("The registry is read-only: pulls go on, pushes are refused{because}");
        alerts.push(json!({ "id": "read-only", "class": "warning", "message": message }));
    }
    if call.app.registry.space().admit().is_err() {
        let message = "The registry's disk is full: pulls go on, pushes are refused.";
        alerts.push(json!({ "id": "disk-full", "class": "error", "message": message }));
    }
    Ok(reply::json(StatusCode::OK, &Value::Array(alerts)))
}

fn cluster(call: &Call<'_>) -> Outcome {
    let (app, id) = (call.app, call.app.access.instance());
    let health = (app.ready)().err().unwrap_or_else(|| "OK".to_owned());
    let holder = if app.registry.collector().progress().is_some() { id } else { "" };
    let body = json!({
        "rethink_system_tables": {},
        "replica_health": { (id): health },
        "replica_timestamp": { (id): time(app.clock.now()) },
        "replica_readonly": { (id): app.registry.read_only()?.is_some() },
        "gc_lock_holder": holder,
    });
    Ok(reply::json(StatusCode::OK, &body))
}
