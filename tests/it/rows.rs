//! The rows of the lists against what they are derived from: made again from tags and manifests, by other code than the
//! registry's, and compared.

use std::collections::{BTreeMap, BTreeSet};

use msr_lite::base::{RepoId, Timestamp};
use msr_lite::meta::key::{Key, KeyReader};
use msr_lite::meta::manifest::ManifestRow;
use msr_lite::meta::repo::{Listed, RepoRow};
use msr_lite::meta::tag::TagRow;
use msr_lite::meta::{Engine, MetaError, Read, Table, record, tables};
use msr_lite::oci::Digest;
use msr_lite::oci::kind::Kind;

use crate::harness::Lab;

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
    for &table in tables::ALL.iter().filter(|table| ![tables::EVENT, tables::EVENT_BY_REPO].contains(table)) {
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
    let mut newest: BTreeMap<u64, Timestamp> = BTreeMap::new();
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
        let newest = newest.entry(*repo).or_insert(row.pushed);
        *newest = row.pushed.max(*newest);
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
        assert_eq!(listed.pushed, newest.get(&id).copied().unwrap_or(row.created), "the newest of {}", row.name);
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
