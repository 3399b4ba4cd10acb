//! The rows of the lists against what they are derived from: made again from tags and manifests, by other code than the
//! registry's, and compared after every step of a long random walk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use msr_lite::base::{RepoId, Timestamp};
use msr_lite::meta::key::{Key, KeyReader};
use msr_lite::meta::manifest::ManifestRow;
use msr_lite::meta::repo::{Listed, RepoRow};
use msr_lite::meta::tag::TagRow;
use msr_lite::meta::{Engine, MetaError, Mode, Read, Table, record, tables};
use msr_lite::oci::kind::{Group, Kind};
use msr_lite::oci::{Digest, Reference, RepoName, Tag};
use msr_lite::registry::delete::DeleteOptions;
use msr_lite::registry::gc::Options;
use msr_lite::registry::repos::RepoChange;
use msr_lite::registry::{Actor, Registry, RegistryError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine, sha256};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(engine: &Engine, table: Table) -> Rows {
    engine.read::<_, MetaError>(|tx| tx.range(table, &[], None, usize::MAX)).unwrap()
}

fn keys(engine: &Engine, table: Table) -> BTreeSet<Vec<u8>> {
    rows(engine, table).into_iter().map(|(key, _)| key).collect()
}

fn id_of(key: &[u8]) -> u64 {
    KeyReader::new(key).u64().unwrap()
}

/// Every row of a repository is gone, but for what happened there.
pub(crate) fn nothing_of(lab: &Lab, id: RepoId) {
    let engine = lab.server.registry().meta();
    let bytes = id.0.to_be_bytes();
    let events = [tables::EVENT, tables::EVENT_BY_CHAIN, tables::EVENT_HEAD, tables::EVENT_CHECKPOINT];
    for &table in tables::ALL.iter().filter(|table| !events.contains(table)) {
        for (key, value) in rows(engine, table) {
            let in_key = key.windows(bytes.len()).any(|part| part == bytes);
            let in_value = value == record::encode(&id);
            assert!(!in_key && !in_value, "a row of table {} is left", table.name());
        }
    }
}

/// The places of an entry in the three orders.
fn places(list: &Key, pushed: Timestamp, size: u64, name: &str) -> [Vec<u8>; 3] {
    let key = |letter: &[u8]| list.clone().raw(letter);
    [key(b"p").u64(!pushed.0).text(name), key(b"n").text(name), key(b"s").u64(!size).text(name)]
        .map(|key| key.as_bytes().to_vec())
}

/// Compares every row of the lists.
pub(crate) fn agree(engine: &Engine) {
    let manifests: BTreeMap<(u64, Digest), ManifestRow> = rows(engine, tables::MANIFEST)
        .into_iter()
        .map(|(key, value)| {
            let mut reader = KeyReader::new(&key);
            let key = (reader.u64().unwrap(), reader.digest().unwrap());
            (key, record::decode(tables::MANIFEST, &value).unwrap())
        })
        .collect();
    let tags: BTreeMap<(u64, String), TagRow> = rows(engine, tables::TAG)
        .into_iter()
        .map(|(key, value)| {
            let mut reader = KeyReader::new(&key);
            let key = (reader.u64().unwrap(), reader.text().unwrap().to_owned());
            (key, record::decode(tables::TAG, &value).unwrap())
        })
        .collect();

    let mut order = BTreeSet::new();
    let mut by_name = BTreeSet::new();
    let mut contains: BTreeMap<u64, BTreeMap<Kind, i64>> = BTreeMap::new();
    // Whether it is something itself, and not about something else, and when it was pushed.
    let mut newest: BTreeMap<u64, (bool, Timestamp)> = BTreeMap::new();
    for ((repo, name), row) in &tags {
        by_name.insert(Key::new().text(name).u64(*repo).as_bytes().to_vec());
        let stored = &manifests[&(*repo, row.digest)];
        let application = name.strip_suffix("-invoc").and_then(|stem| tags.get(&(*repo, stem.to_owned())));
        let is_half = application.is_some_and(|application| {
            manifests[&(*repo, application.digest)].invocation == Some(row.digest) && stored.invocation.is_none()
        });
        if is_half {
            continue;
        }
        let list = Key::new().u64(*repo).text(stored.kind().name());
        order.extend(places(&list, row.pushed, stored.content_size, name));
        *contains.entry(*repo).or_default().entry(stored.kind()).or_default() += 1;
        let pushed = (stored.kind().about(None).group != Group::Trust, row.pushed);
        let newest = newest.entry(*repo).or_insert(pushed);
        *newest = pushed.max(*newest);
    }
    assert_eq!(keys(engine, tables::TAG_ORDER), order, "the orders of tags");
    assert_eq!(keys(engine, tables::TAG_BY_NAME), by_name, "tags by name");

    let untagged: BTreeSet<Vec<u8>> = manifests
        .iter()
        .filter(|((repo, digest), _)| !tags.iter().any(|((of, _), tag)| of == repo && tag.digest == *digest))
        .map(|((repo, digest), row)| Key::new().u64(*repo).u64(!row.pushed.0).digest(digest).as_bytes().to_vec())
        .collect();
    assert_eq!(keys(engine, tables::UNTAGGED), untagged, "untagged manifests");

    let mut terms = BTreeSet::new();
    for (key, value) in rows(engine, tables::MANIFEST_TERMS) {
        let mut reader = KeyReader::new(&key);
        let of = (reader.u64().unwrap(), reader.digest().unwrap());
        assert!(manifests.contains_key(&of), "terms of a manifest that is gone");
        for term in record::decode::<Vec<String>>(tables::MANIFEST_TERMS, &value).unwrap() {
            terms.insert(Key::new().text(&term).raw(&key).as_bytes().to_vec());
        }
    }
    assert_eq!(keys(engine, tables::TERM), terms, "terms");

    let mut repositories = BTreeSet::new();
    let listed: BTreeMap<u64, Listed> = rows(engine, tables::REPO_LISTED)
        .into_iter()
        .map(|(key, value)| (id_of(&key), record::decode(tables::REPO_LISTED, &value).unwrap()))
        .collect();
    for (key, value) in rows(engine, tables::REPO) {
        let (id, row): (u64, RepoRow) = (id_of(&key), record::decode(tables::REPO, &value).unwrap());
        if row.deleted.is_some() {
            assert!(!listed.contains_key(&id));
            continue;
        }
        let listed = &listed[&id];
        let contains = contains.remove(&id).unwrap_or_default();
        assert_eq!(listed.kinds, contains.keys().copied().collect::<Vec<_>>(), "the kinds of {}", row.name);
        assert_eq!(listed.pushed, newest.get(&id).map_or(row.created, |newest| newest.1), "the newest of {}", row.name);
        for kind in Kind::ALL {
            let counter = Key::new().u64(id).raw(b"units/").text(kind.name());
            let count = engine.read::<_, MetaError>(|tx| tx.counter(tables::REPO_COUNTER, counter.as_ref())).unwrap();
            assert_eq!(count, contains.get(kind).copied().unwrap_or(0), "{kind} of {}", row.name);
        }
        let mut lists: Vec<Key> = listed.kinds.iter().map(|kind| Key::new().raw(b"k").text(kind.name())).collect();
        if lists.is_empty() {
            lists.push(Key::new().raw(b"k").text(""));
        }
        lists.push(Key::new().raw(b"n").text(row.name.namespace()));
        for list in lists {
            repositories.extend(places(&list, listed.pushed, listed.size, row.name.as_str()));
        }
    }
    assert_eq!(keys(engine, tables::REPO_ORDER), repositories, "the orders of repositories");
}

const REPOS: [&str; 3] = ["lab/one", "lab/two", "three"];
const TAGS: [&str; 6] = ["a", "a-invoc", "a-invoc-invoc", "b", "b-invoc", "c"];

/// A step of the walk; numbers choose among few things, so that steps meet.
#[derive(Clone, Debug)]
enum Step {
    /// What is pushed ([`content`]), and the tags, as bits; none: by its digest alone.
    Push {
        repo: usize,
        what: usize,
        tags: u8,
    },
    DeleteTag {
        repo: usize,
        tag: usize,
    },
    /// As a person deletes: with what belongs to it, and past refusals.
    DeleteUnit {
        repo: usize,
        tag: usize,
        with_invocation: bool,
    },
    DeleteManifest {
        repo: usize,
        what: usize,
    },
    PushBlob {
        repo: usize,
        size: usize,
    },
    Create {
        repo: usize,
    },
    DeleteRepository {
        repo: usize,
    },
    Wait {
        hours: u64,
    },
    /// The wall clock is set back.
    SetBack,
    Collect,
    RunJobs,
    Reindex,
}

fn step() -> impl Strategy<Value = Step> {
    let repo = || prop::sample::select(vec![0, 0, 0, 1, 1, 2]);
    prop_oneof![
        8 => (repo(), 0..CONTENTS, any::<u8>()).prop_map(|(repo, what, tags)| Step::Push { repo, what, tags: tags & 0x3f }),
        4 => (repo(), 0..CONTENTS, 0..6_u8).prop_map(|(repo, what, tag)| Step::Push { repo, what, tags: 1 << tag }),
        3 => (repo(), 0..6_usize).prop_map(|(repo, tag)| Step::DeleteTag { repo, tag }),
        3 => (repo(), 0..CONTENTS).prop_map(|(repo, what)| Step::DeleteManifest { repo, what }),
        3 => (repo(), 0..6_usize, any::<bool>())
            .prop_map(|(repo, tag, with_invocation)| Step::DeleteUnit { repo, tag, with_invocation }),
        2 => (repo(), 1..40_000_usize).prop_map(|(repo, size)| Step::PushBlob { repo, size }),
        1 => repo().prop_map(|repo| Step::Create { repo }),
        1 => repo().prop_map(|repo| Step::DeleteRepository { repo }),
        2 => prop::sample::select(vec![0, 1, 30, 800]).prop_map(|hours| Step::Wait { hours }),
        1 => Just(Step::SetBack),
        1 => Just(Step::Collect),
        1 => Just(Step::RunJobs),
        1 => Just(Step::Reindex),
    ]
}

const CONTENTS: usize = 9;

/// Three images, a chart, three applications (two of the same invocation image, one whose invocation image is an
/// application), an index and one that looks like an application and lists no invocation image.
fn content(what: usize) -> (&'static str, Value) {
    let image = |n: usize, config: &str| {
        json!({
            "schemaVersion": 2,
            "config": descriptor(config, &sha256(b"config"), 6),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &sha256(&[u8::try_from(n).unwrap()]), 1000 * n)],
            "annotations": { "org.opencontainers.image.title": format!("number {n}") },
        })
    };
    let child = |what: usize, role: &str| {
        let (kind, body) = content(what);
        let mut child = descriptor(kind, &sha256(body.to_string().as_bytes()), 100);
        child["annotations"] = json!({ "io.cnab.manifest.type": role });
        child
    };
    let application = |n: usize, children: Vec<Value>| {
        let said = json!({ "io.docker.type": "app", "io.docker.app.format": "cnab", "n": n.to_string() });
        (OCI_INDEX, json!({ "schemaVersion": 2, "manifests": children, "annotations": said }))
    };
    match what {
        0..3 => (OCI_MANIFEST, image(what + 1, "application/vnd.oci.image.config.v1+json")),
        3 => (OCI_MANIFEST, image(9, "application/vnd.cncf.helm.config.v1+json")),
        4 => application(4, vec![child(0, "invocation"), child(1, "component")]),
        5 => application(5, vec![child(0, "invocation")]),
        6 => application(6, vec![child(4, "invocation")]),
        7 => application(7, vec![child(2, "component")]),
        _ => (OCI_INDEX, json!({ "schemaVersion": 2, "manifests": [child(0, ""), child(3, "")] })),
    }
}

async fn push(registry: &Registry, repo: &RepoName, what: usize, tags: &[Tag]) -> Result<(), RegistryError> {
    let (kind, body) = content(what);
    let body = Bytes::from(body.to_string());
    let reference = Reference::Digest(sha256(&body));
    registry.push_manifest(Actor::system(), repo, &reference, tags, Some(kind), body).await.map(drop)
}

async fn go(lab: &Lab, step: &Step) -> Result<(), RegistryError> {
    let registry = lab.server.registry();
    let name = |repo: &usize| REPOS[*repo].parse::<RepoName>().unwrap();
    let tag = |tag: &usize| Tag::parse(TAGS[*tag]).unwrap();
    match step {
        Step::Push { repo, what, tags } => {
            let tags: Vec<Tag> = (0..TAGS.len()).filter(|n| tags & (1 << n) != 0).map(|n| tag(&n)).collect();
            push(registry, &name(repo), *what, &tags).await
        }
        Step::DeleteTag { repo, tag: which } => {
            registry.delete_manifest(Actor::system(), &name(repo), &Reference::Tag(tag(which))).await
        }
        Step::DeleteUnit { repo, tag: which, with_invocation } => {
            let options = DeleteOptions { with_invocation: *with_invocation, force: true, seen: None };
            registry.delete_with(Actor::system(), &name(repo), &Reference::Tag(tag(which)), options).await
        }
        Step::DeleteManifest { repo, what } => {
            let digest = sha256(content(*what).1.to_string().as_bytes());
            registry.delete_manifest(Actor::system(), &name(repo), &Reference::Digest(digest)).await
        }
        Step::PushBlob { repo, size } => {
            lab.push_blob(REPOS[*repo], &vec![1; *size]).await;
            Ok(())
        }
        Step::Create { repo } => {
            registry.create_repository(Actor::system(), &name(repo), RepoChange::default()).await.map(drop)
        }
        Step::DeleteRepository { repo } => registry.delete_repository(Actor::system(), &name(repo)).await,
        Step::Wait { hours } => {
            lab.clock.advance(Duration::from_secs(hours * 3600 + 1));
            Ok(())
        }
        Step::SetBack => {
            lab.clock.jump(Timestamp(lab.clock.now().0 - 7_000));
            Ok(())
        }
        Step::Collect => {
            registry.collect_garbage(Options { ignore_leases: true }).await.unwrap();
            Ok(())
        }
        Step::RunJobs => {
            lab.server.runner().drain().await.unwrap();
            Ok(())
        }
        Step::Reindex => {
            let changed = registry.reindex_all().await?;
            let _ = changed;
            Ok(())
        }
    }
}

fn walk(mode: Mode, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(async {
            let lab = Lab::new(mode).await;
            for step in &steps {
                match go(&lab, step).await {
                    // What is not there cannot be deleted, and what was lost is asked for again.
                    Ok(())
                    | Err(
                        RegistryError::NameUnknown(_)
                        | RegistryError::NameTaken(_)
                        | RegistryError::ManifestUnknown { .. }
                        | RegistryError::Refused { .. },
                    ) => {}
                    Err(error) => panic!("{step:?}: {error}"),
                }
                agree(lab.server.registry().meta());
            }
        });
    });
}

#[test]
fn the_lists_agree_with_what_is_stored() {
    walk(Mode::Normal, 20);
}

#[test]
fn the_lists_agree_with_what_is_stored_strictly() {
    walk(Mode::Strict, 20);
}

/// Makes the store what version 1 would have left.
pub(crate) fn make_old(engine: &Engine) {
    let made = engine.write_blocking(|tx| {
        for table in [
            tables::TAG_ORDER,
            tables::TAG_BY_NAME,
            tables::UNTAGGED,
            tables::TERM,
            tables::MANIFEST_TERMS,
            tables::REPO_ORDER,
            tables::REPO_LISTED,
        ] {
            for (key, _) in tx.range(table, &[], None, usize::MAX)? {
                tx.delete(table, &key);
            }
        }
        for (key, _) in tx.range(tables::REPO_COUNTER, &[], None, usize::MAX)? {
            if key[8..].starts_with(b"units/") {
                tx.delete(tables::REPO_COUNTER, &key);
            }
        }
        for (table, fields) in
            [(tables::TAG, &["listed"][..]), (tables::MANIFEST, &["summary", "invocation", "content_size"])]
        {
            for (key, value) in tx.range(table, &[], None, usize::MAX)? {
                let mut row: serde_json::Map<String, Value> = record::decode(table, &value)?;
                row.retain(|field, _| !fields.contains(&field.as_str()));
                tx.put(table, &key, record::encode(&row));
            }
        }
        tx.delete(tables::META, b"derived");
        Ok::<_, MetaError>(())
    });
    made.unwrap();
}

async fn fill(registry: &Registry) {
    for repo in REPOS {
        let repo: RepoName = repo.parse().unwrap();
        for (n, name) in TAGS.iter().enumerate() {
            push(registry, &repo, n + 1, &[Tag::parse(name).unwrap()]).await.unwrap();
        }
        push(registry, &repo, 0, &[]).await.unwrap();
    }
}

on_each_engine! {
    async fn an_older_store_is_indexed_by_a_job(lab) {
        fill(lab.server.registry()).await;
        lab.push_blob("lab/blob", b"and no manifest").await;
        agree(lab.server.registry().meta());
        let engine = lab.server.registry().meta().clone();
        tokio::task::spawn_blocking(move || make_old(&engine)).await.unwrap();
        let lab = lab.restart().await;
        lab.server.runner().drain().await.unwrap();
        agree(lab.server.registry().meta());
        assert_eq!(lab.server.registry().reindex_all().await.unwrap(), 0, "there is nothing left to change");
    }

    async fn what_is_pushed_while_an_older_store_is_indexed_is_not_lost(lab) {
        let registry = lab.server.registry();
        fill(registry).await;
        let engine = registry.meta().clone();
        tokio::task::spawn_blocking(move || make_old(&engine)).await.unwrap();
        let work = async {
            for (n, tag) in TAGS.iter().chain(["new", "new-invoc"].iter()).enumerate() {
                let (repo, tag): (RepoName, Tag) = (REPOS[n % 3].parse().unwrap(), Tag::parse(tag).unwrap());
                push(registry, &repo, (3 * n) % CONTENTS, std::slice::from_ref(&tag)).await.unwrap();
                let other: RepoName = REPOS[(n + 1) % 3].parse().unwrap();
                // Some are there to be deleted, some are not.
                let _ = registry.delete_manifest(Actor::system(), &other, &Reference::Tag(tag)).await;
            }
        };
        let (reindexed, ()) = tokio::join!(registry.reindex_all(), work);
        reindexed.unwrap();
        agree(registry.meta());
    }
}
