//! A store that an earlier version of the program wrote is opened by this one with everything that was in it.
//!
//! The rows are written by this version and brought back to the form that the earlier ones gave them, as far as a
//! migration changes it: a stand-in for stores that those wrote themselves.

use std::path::Path;

use msr_lite::access::accounts::{AccountChange, NewAccount};
use msr_lite::base::{EventId, RepoId, Uuid};
use msr_lite::meta::key::Key;
use msr_lite::meta::{Engine, EngineOptions, MetaError, Mode, Read, Table, WriteTx, account, event, record, tables};
use msr_lite::model::account::AccountKind;
use msr_lite::model::event::chain::Recorded;
use msr_lite::model::permission::Level;
use msr_lite::registry::audit::export::Wanted;
use msr_lite::registry::audit::verify::Verifier;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Lab, header, noise};
use crate::rights::{PASSWORD, at, system};
use crate::rows::make_old;

fn rewrite(tx: &mut WriteTx, table: Table, fields: &[&str]) -> Result<(), MetaError> {
    for (key, value) in tx.range(table, &[], None, usize::MAX)? {
        let mut row: serde_json::Map<String, Value> = record::decode(table, &value)?;
        row.retain(|field, _| !fields.contains(&field.as_str()));
        tx.put(table, &key, record::encode(&row));
    }
    Ok(())
}

fn empty(tx: &mut WriteTx, some: &[Table]) -> Result<(), MetaError> {
    for &table in some {
        for (key, _) in tx.range(table, &[], None, usize::MAX)? {
            tx.delete(table, &key);
        }
    }
    Ok(())
}

/// Version 3: accounts had no ids and stood in no lists; there were neither organizations nor teams.
fn to_version_3(tx: &mut WriteTx) -> Result<(), MetaError> {
    for organization in account::list(tx, Some(account::List::Organizations), None, 100)? {
        tx.delete(tables::ACCOUNT, Key::new().text(&organization.name).as_bytes());
    }
    rewrite(tx, tables::ACCOUNT, &["id", "kind", "full_name", "active"])?;
    empty(tx, &[tables::ACCOUNT_BY_ID, tables::ACCOUNT_LIST])?;
    tx.put(tables::META, b"schema", record::encode(&3_u64));
    Ok(())
}

/// Version 2: events stood by themselves, in no chain.
fn to_version_2(tx: &mut WriteTx) -> Result<(), MetaError> {
    for (key, value) in tx.range(tables::EVENT, &[], None, usize::MAX)? {
        let Recorded { chain, event, .. } = record::decode(tables::EVENT, &value)?;
        tx.put(tables::EVENT, &key, record::encode(&event));
        if let Some(RepoId(repo)) = chain.0 {
            tx.put(tables::EVENT_BY_REPO, Key::new().u64(repo).raw(&key).as_bytes(), Vec::new());
        }
    }
    empty(tx, &[tables::EVENT_BY_CHAIN, tables::EVENT_HEAD, tables::EVENT_CHECKPOINT])?;
    tx.delete(tables::META, b"audit_key");
    tx.put(tables::META, b"schema", record::encode(&2_u64));
    Ok(())
}

/// Brings the store of a registry that does not run back to this version.
fn bring_back(data: &Path, version: u64) {
    let engine = Engine::open(&data.join("metadata.redb"), EngineOptions::default()).unwrap();
    engine.write_blocking(to_version_3).unwrap();
    if version <= 2 {
        engine.write_blocking(to_version_2).unwrap();
    }
    if version == 1 {
        make_old(&engine);
        let write = |tx: &mut WriteTx| {
            tx.put(tables::META, b"schema", record::encode(&1_u64));
            Ok::<_, MetaError>(())
        };
        engine.write_blocking(write).unwrap();
    }
}

/// The events and their order, whatever chain they are in.
fn events(lab: &Lab) -> Vec<(EventId, Value)> {
    let events = lab.server.registry().meta().read(|tx| event::list(tx, 1000)).unwrap();
    events.into_iter().map(|event| (event.id, serde_json::to_value(event.what).unwrap())).collect()
}

async fn is_whole(lab: &Lab) {
    let page = lab.server.registry().export_events(&Wanted::default(), None).await.unwrap();
    assert!(page.next.is_none());
    let mut verifier = Verifier::new();
    for line in &page.lines {
        verifier.line(line);
    }
    let report = verifier.finish();
    assert!(report.is_whole() && report.chains.len() >= 3, "{report:#?}");
}

async fn everything_is_there(version: u64, mode: Mode) {
    let mut lab = Lab::new(mode).await;
    let layer = noise(100_000, 3);
    let (manifest, digest) = lab.push_image("lab/web", "1.0", &layer).await;
    lab.push_image("lab/web", "2.0", b"a small layer").await;
    lab.push_image("solo", "1", b"a layer of its own").await;
    lab.publish("solo").await;
    let refresh: Value = lab.get("/auth/token?offline_token=true&service=msr-lite").await.json().await.unwrap();
    let lists = async |lab: &Lab| {
        let mut pages = Vec::new();
        for path in
            ["/v2/_catalog", "/v2/lab/web/tags/list", "/api/v0/repositories", "/api/v0/repositories/lab/web/tags"]
        {
            pages.push(lab.get(path).await.json::<Value>().await.unwrap());
        }
        pages
    };
    let (before, shown, fingerprint) = (events(&lab), lists(&lab).await, lab.server.pki().ca_facts().fingerprint);

    lab = lab.restart_after(move |data| bring_back(data, version)).await;
    lab.server.runner().drain().await.unwrap();

    // Nothing is lost: what was pushed, the password, what was signed in, the CA, lists and what happened.
    assert_eq!(lab.server.pki().ca_facts().fingerprint, fingerprint);
    assert_eq!(lists(&lab).await, shown);
    let pulled = lab.get("/v2/lab/web/manifests/1.0").await;
    assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
    assert_eq!(pulled.text().await.unwrap(), manifest.to_string());
    let blob = manifest["layers"][0]["digest"].as_str().unwrap();
    assert_eq!(lab.get(&format!("/v2/lab/web/blobs/{blob}")).await.bytes().await.unwrap(), layer);
    let form = format!(
        "grant_type=refresh_token&service=msr-lite&refresh_token={}",
        refresh["refresh_token"].as_str().unwrap()
    );
    let again = lab.anonymous(Method::POST, "/auth/token").body(form);
    let again = again.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(again.status(), StatusCode::OK, "clients stay signed in");
    let after = events(&lab);
    assert!(before.iter().all(|event| after.contains(event)), "{before:#?}\n{after:#?}");
    is_whole(&lab).await;

    // And what came in since works with it.
    let access = lab.server.access();
    let admin = access.account("admin").unwrap().unwrap();
    assert!(admin.id != Uuid::NIL && admin.kind == AccountKind::User && admin.active && admin.admin);
    let found = lab.server.registry().meta().read(|tx| account::name_of(tx, admin.id)).unwrap();
    assert_eq!(found.as_deref(), Some("admin"));
    let off = AccountChange { active: Some(false), ..AccountChange::default() };
    let last = access.change_account(&system(), "admin", off).await.unwrap_err().to_string();
    assert!(last.contains("last active administrator"), "{last}");
    let lab_again = NewAccount { name: "lab".into(), kind: AccountKind::Organization, ..NewAccount::default() };
    access.create_account(&system(), lab_again).await.unwrap();
    lab.with_alice().await;
    let ask = async || lab.by(PASSWORD, Method::GET, "/v2/lab/web/manifests/1.0").await.status().as_u16();
    assert_eq!(ask().await, 404);
    lab.give(at("lab/web"), Level::ReadOnly).await;
    assert_eq!(ask().await, 200);
    let public = lab.by(PASSWORD, Method::GET, "/v2/solo/manifests/1").await;
    assert_eq!(public.status(), StatusCode::OK, "what was public is");
    let catalog: Value = lab.by(PASSWORD, Method::GET, "/v2/_catalog").await.json().await.unwrap();
    assert_eq!(catalog, json!({ "repositories": ["lab/web", "solo"] }));
    lab.push_image("lab/web", "3.0", b"another layer").await;
    is_whole(&lab).await;

    // A second start finds nothing to do.
    let lab = lab.restart().await;
    assert_eq!(lab.get("/v2/lab/web/manifests/3.0").await.status(), StatusCode::OK);
}

macro_rules! versions {
    ($($name:ident: $version:literal),*) => {
        $(mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn normal() {
                everything_is_there($version, Mode::Normal).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn strict() {
                everything_is_there($version, Mode::Strict).await;
            }
        })*
    };
}

versions!(a_store_of_version_1_is_opened: 1, a_store_of_version_2_is_opened: 2, a_store_of_version_3_is_opened: 3);
