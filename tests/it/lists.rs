//! The lists that the pages and the REST interface show: units, orders, filters, pages, repositories and search.

use std::time::Duration;

use msr_lite::access::rights::{Places, Visible};
use msr_lite::meta::key::Key;
use msr_lite::meta::{MetaError, Mode, WriteTx, repo, tables};
use msr_lite::oci::kind::Kind;
use msr_lite::oci::{Digest, Reference, RepoName, Tag};
use msr_lite::registry::delete::DeleteOptions;
use msr_lite::registry::gc::Options;
use msr_lite::registry::listing::{Cursor, Page, Sort};
use msr_lite::registry::repos::{RepoChange, RepoEntry, RepoQuery, Visibility};
use msr_lite::registry::search::Found;
use msr_lite::registry::tags::{TagQuery, TagUnit};
use msr_lite::registry::{Actor, Registry, RegistryError};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, noise, on_each_engine, sha256};

const EMPTY: &str = "application/vnd.oci.empty.v1+json";

fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn everybody(_: &RepoName) -> bool {
    true
}

/// A unit in short: its tag, and that of its invocation image.
fn short(units: &[TagUnit]) -> Vec<String> {
    let text = |name: &Option<Tag>| name.as_ref().unwrap().to_string();
    units
        .iter()
        .map(|unit| match &unit.invocation {
            Some(invocation) => format!("{} + {}", text(&unit.tag.name), text(&invocation.name)),
            None => text(&unit.tag.name),
        })
        .collect()
}

fn names(page: &Page<RepoEntry>) -> Vec<&str> {
    page.entries.iter().map(|entry| entry.name.as_str()).collect()
}

impl Lab {
    fn registry(&self) -> &Registry {
        self.server.registry()
    }

    fn units(&self, repo: &str, query: &TagQuery) -> Vec<String> {
        let page = self.registry().tag_units(&name(repo), query).unwrap();
        if page.next.is_none() && query.after.is_none() && query.text.is_none() {
            assert_eq!(page.total, Some(page.entries.len() as u64));
        }
        short(&page.entries)
    }

    fn by_name(&self, repo: &str) -> Vec<String> {
        self.units(repo, &TagQuery { sort: Sort::Name, ..TagQuery::default() })
    }

    async fn put(&self, repo: &str, reference: &str, kind: &str, body: &Value) -> Digest {
        let pushed = self.put_manifest(repo, reference, kind, body).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
        sha256(body.to_string().as_bytes())
    }

    /// Pushes an application of this invocation image under a tag.
    async fn push_application(&self, repo: &str, tag: &str, invocation: &Digest, note: &str) -> Digest {
        let config = self.push_blob(repo, note.as_bytes()).await;
        let config = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.cnab.config.v1+json", &config, note.len()),
            "layers": null,
        });
        let reference = sha256(config.to_string().as_bytes()).to_string();
        let config = self.put(repo, &reference, OCI_MANIFEST, &config).await;
        let child = |digest: &Digest, role: &str| {
            let mut child = descriptor(OCI_MANIFEST, digest, 200);
            child["annotations"] = json!({ "io.cnab.manifest.type": role });
            child
        };
        let index = json!({
            "schemaVersion": 2,
            "manifests": [child(&config, "config"), child(invocation, "invocation")],
            "annotations": {
                "io.docker.type": "app",
                "io.docker.app.format": "cnab",
                "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
                "org.opencontainers.image.title": format!("Lab Words {note}"),
            },
        });
        self.put(repo, tag, OCI_INDEX, &index).await
    }

    /// Pushes an index of no children; each text makes another one.
    async fn push_note(&self, repo: &str, tag: &str, text: &str) -> Digest {
        let body = json!({ "schemaVersion": 2, "manifests": [], "annotations": { "lab.text": text } });
        self.put(repo, tag, OCI_INDEX, &body).await
    }

    async fn push_chart(&self, repo: &str, tag: &str) -> Digest {
        let config = self.push_blob(repo, b"{}").await;
        let body = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", &config, 2),
            "layers": [],
            "annotations": { "for": tag },
        });
        self.put(repo, tag, OCI_MANIFEST, &body).await
    }

    async fn push_sbom(&self, repo: &str, tag: &str) -> Digest {
        let empty = descriptor("application/vnd.oci.empty.v1+json", &self.push_blob(repo, b"{}").await, 2);
        let body = json!({
            "schemaVersion": 2, "artifactType": "application/spdx+json", "config": empty, "layers": [empty],
        });
        self.put(repo, tag, OCI_MANIFEST, &body).await
    }

    fn repos(&self, query: &RepoQuery) -> Page<RepoEntry> {
        self.registry().repositories(query, everybody).unwrap()
    }

    fn find(&self, text: &str) -> Found {
        self.registry().search(text, 10, everybody).unwrap()
    }

    async fn drain(&self) {
        self.server.runner().drain().await.unwrap();
    }
}

on_each_engine! {
    async fn an_application_and_its_invocation_image_are_one_unit(lab) {
        let (_, invocation) = lab.push_image("lab/app", "1.0-invoc", b"invocation").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0-invoc"], "a name alone pairs nothing");
        lab.push_application("lab/app", "1.0", &invocation, "one").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0 + 1.0-invoc"]);
        let page = lab.registry().tag_units(&name("lab/app"), &TagQuery::default()).unwrap();
        let unit = &page.entries[0];
        assert_eq!(unit.tag.manifest.kind(), Kind::Application);
        assert_eq!((&unit.tag.pair, unit.tag.is_invocation), (&Some(tag("1.0-invoc")), false));
        let half = unit.invocation.as_ref().unwrap();
        assert_eq!((&half.pair, half.is_invocation, half.digest), (&Some(tag("1.0")), true, invocation));
        assert!(unit.tag.manifest.content_size > half.manifest.content_size, "an application counts its images");
        let of = |kind| lab.units("lab/app", &TagQuery { kind: Some(kind), ..TagQuery::default() });
        assert_eq!(of(Kind::Application), ["1.0 + 1.0-invoc"]);
        assert!(of(Kind::Image).is_empty(), "it is shown with its application");
        let entries = lab.registry().tag_entries(&name("lab/app"), &msr_lite::base::Page::default()).unwrap().entries;
        let entries: Vec<_> = entries.iter().map(|entry| (entry.name.clone().unwrap(), entry.pair.clone())).collect();
        assert_eq!(entries, [(tag("1.0"), Some(tag("1.0-invoc"))), (tag("1.0-invoc"), Some(tag("1.0")))]);
        let details = lab.registry().repository(&name("lab/app")).unwrap();
        assert_eq!(details.entry.contains, [(Kind::Application, 1)]);
        assert_eq!((details.entry.tags, details.pushes, details.untagged), (2, 3, Some(0)));
    }

    async fn another_digest_under_the_name_is_not_paired(lab) {
        let (_, invocation) = lab.push_image("lab/app", "first", b"invocation").await;
        lab.push_application("lab/app", "1.0", &invocation, "one").await;
        let (_, other) = lab.push_image("lab/app", "1.0-invoc", b"something else").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0", "1.0-invoc", "first"]);
        // The tag moves to the right one and away again.
        lab.push_image("lab/app", "1.0-invoc", b"invocation").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0 + 1.0-invoc", "first"]);
        lab.push_image("lab/app", "1.0-invoc", b"something else").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0", "1.0-invoc", "first"]);
        // The application moves to one of the other image, and away.
        lab.push_application("lab/app", "1.0", &other, "two").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0 + 1.0-invoc", "first"]);
        lab.push_note("lab/app", "1.0", "no application").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0", "1.0-invoc", "first"]);
    }

    async fn what_is_left_of_a_pair_stands_alone(lab) {
        let (_, invocation) = lab.push_image("lab/app", "1.0-invoc", b"invocation").await;
        let application = lab.push_application("lab/app", "1.0", &invocation, "one").await;
        lab.push_application("lab/app", "1.0-invoc-invoc", &invocation, "one").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0 + 1.0-invoc", "1.0-invoc-invoc"]);
        // While the application lives, only an administrator takes half of the pair.
        let (half, forced) = (Reference::Tag(tag("1.0-invoc")), DeleteOptions { force: true, ..DeleteOptions::default() });
        lab.registry().delete_with(Actor::system(), &name("lab/app"), &half, forced).await.unwrap();
        assert_eq!(lab.by_name("lab/app"), ["1.0", "1.0-invoc-invoc"]);
        lab.push_image("lab/app", "1.0-invoc", b"invocation").await;
        assert_eq!(lab.by_name("lab/app"), ["1.0 + 1.0-invoc", "1.0-invoc-invoc"]);
        let gone = lab.delete(&format!("/v2/lab/app/manifests/{application}")).await;
        assert_eq!(gone.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.by_name("lab/app"), ["1.0-invoc"]);
        let page = lab.registry().tag_units(&name("lab/app"), &TagQuery::default()).unwrap();
        assert_eq!((&page.entries[0].tag.pair, page.entries[0].tag.manifest.kind()), (&None, Kind::Image));
    }

    async fn units_come_in_every_order(lab) {
        for (tag, size) in [("b", 3_000), ("a", 50_000), ("c", 100)] {
            lab.push_image("lab/sorted", tag, &noise(size, 1)).await;
            lab.clock.advance(Duration::from_secs(1));
        }
        lab.push_chart("lab/sorted", "chart").await;
        let sorted = |sort| lab.units("lab/sorted", &TagQuery { sort, ..TagQuery::default() });
        assert_eq!(sorted(Sort::Pushed), ["chart", "c", "a", "b"]);
        assert_eq!(sorted(Sort::Name), ["a", "b", "c", "chart"]);
        assert_eq!(sorted(Sort::Size), ["a", "b", "c", "chart"]);
        lab.clock.advance(Duration::from_secs(1));
        lab.push_image("lab/sorted", "b", &noise(90_000, 2)).await;
        assert_eq!(sorted(Sort::Pushed), ["b", "chart", "c", "a"]);
        assert_eq!(sorted(Sort::Size), ["b", "a", "c", "chart"]);
        let images = TagQuery { kind: Some(Kind::Image), ..TagQuery::default() };
        assert_eq!(lab.units("lab/sorted", &images), ["b", "c", "a"]);
        let text = TagQuery { text: Some("C".into()), sort: Sort::Name, ..TagQuery::default() };
        assert_eq!(lab.units("lab/sorted", &text), ["c", "chart"]);
        assert_eq!(lab.delete("/v2/lab/sorted/manifests/b").await.status(), StatusCode::ACCEPTED);
        assert_eq!(sorted(Sort::Size), ["a", "c", "chart"]);
        let unknown = lab.registry().tag_units(&name("lab/nothing"), &TagQuery::default());
        assert!(matches!(unknown, Err(RegistryError::NameUnknown(_))));
    }

    async fn a_thousand_tags_are_paged(lab) {
        let images = [lab.image("lab/many", b"one").await, lab.image("lab/many", b"two").await];
        for (n, image) in images.iter().cycle().take(10).enumerate() {
            let body = image.to_string();
            let tags: Vec<String> = (0..100).map(|tag| format!("tag=t{:04}", 100 * n + tag)).collect();
            let path = format!("{}?{}", sha256(body.as_bytes()), tags.join("&"));
            let pushed = lab.put_bytes("lab/many", &path, OCI_MANIFEST, body.into_bytes()).await;
            assert_eq!(pushed.status(), StatusCode::CREATED, "a push of as many tags as there may be fits");
            lab.clock.advance(Duration::from_secs(1));
        }
        let mut wanted: Vec<String> = (0..1000).map(|n| format!("t{n:04}")).collect();
        let all = |query: TagQuery| {
            let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = lab.registry().tag_units(&name("lab/many"), &TagQuery { after, ..query.clone() }).unwrap();
                assert!(page.entries.len() <= query.limit);
                seen.extend(short(&page.entries));
                (after, pages) = (page.next, pages + 1);
                if after.is_none() {
                    return (seen, pages);
                }
            }
        };
        let query = TagQuery { limit: 50, sort: Sort::Name, ..TagQuery::default() };
        assert_eq!(all(query.clone()), (wanted.clone(), 20));
        assert_eq!(all(TagQuery { kind: Some(Kind::Image), limit: 333, ..query.clone() }), (wanted.clone(), 4));
        let ends_in_7 = all(TagQuery { text: Some("7".into()), ..query.clone() }).0;
        assert_eq!(ends_in_7, wanted.iter().filter(|tag| tag.contains('7')).cloned().collect::<Vec<_>>());
        // Pushed together, so by name within a push, and the latest push first.
        wanted = wanted.chunks(100).rev().flatten().cloned().collect();
        assert_eq!(all(TagQuery { sort: Sort::Pushed, ..query.clone() }), (wanted, 20));

        let mark = lab.registry().tag_units(&name("lab/many"), &query).unwrap().next;
        lab.push_note("lab/other", "x", "").await;
        for (repo, foreign) in [
            ("lab/many", TagQuery { sort: Sort::Size, ..query.clone() }),
            ("lab/many", TagQuery { kind: Some(Kind::Image), ..query.clone() }),
            ("lab/many", TagQuery { text: Some("t".into()), ..query.clone() }),
            ("lab/other", query.clone()),
        ] {
            let page = lab.registry().tag_units(&name(repo), &TagQuery { after: mark.clone(), ..foreign });
            assert!(matches!(page, Err(RegistryError::ForeignCursor)));
        }
        let made_up = TagQuery { after: Some(Cursor("AAAAAAAA".into())), ..query };
        assert!(matches!(lab.registry().tag_units(&name("lab/many"), &made_up), Err(RegistryError::ForeignCursor)));
    }

    async fn repositories_are_filtered_and_sorted(lab) {
        for (repo, size) in [("lab/b", 30_000), ("lab/a", 90_000), ("one", 100)] {
            lab.push_image(repo, "1", &noise(size, 1)).await;
            lab.clock.advance(Duration::from_secs(1));
        }
        lab.push_chart("charts/web", "2").await;
        lab.push_chart("lab/b", "chart").await;
        lab.clock.advance(Duration::from_secs(1));
        let made = lab.registry().create_repository(Actor::system(), &name("lab/empty"), RepoChange::default()).await;
        assert_eq!(made.unwrap().entry.contains, []);

        let all = |query: RepoQuery| names(&lab.repos(&query)).join(" ");
        let sorted = |sort| all(RepoQuery { sort, ..RepoQuery::default() });
        assert_eq!(sorted(Sort::Name), "charts/web lab/a lab/b lab/empty one");
        assert_eq!(sorted(Sort::Pushed), "lab/empty charts/web lab/b one lab/a");
        assert_eq!(sorted(Sort::Size), "lab/a lab/b one charts/web lab/empty");
        let of = |namespace: &str| RepoQuery { namespace: Some(namespace.into()), ..RepoQuery::default() };
        assert_eq!(all(of("lab")), "lab/empty lab/b lab/a");
        assert_eq!(all(of("")), "one");
        assert_eq!(all(of("nobody")), "");
        let charts = RepoQuery { kind: Some(Kind::Chart), sort: Sort::Name, ..RepoQuery::default() };
        assert_eq!(all(charts.clone()), "charts/web lab/b");
        assert_eq!(all(RepoQuery { namespace: Some("lab".into()), ..charts }), "lab/b");
        assert_eq!(all(RepoQuery { text: Some("AB/".into()), sort: Sort::Name, ..RepoQuery::default() }), "lab/a lab/b lab/empty");

        let hidden = |name: &RepoName| name.namespace() == "lab";
        let mut query = RepoQuery { sort: Sort::Name, limit: 2, ..RepoQuery::default() };
        let page = lab.registry().repositories(&query, hidden).unwrap();
        assert_eq!((names(&page).join(" ").as_str(), page.total), ("lab/a lab/b", Some(3)));
        query.after = page.next;
        let page = lab.registry().repositories(&query, hidden).unwrap();
        assert_eq!((names(&page).join(" ").as_str(), page.total), ("lab/empty", Some(3)));
        let foreign = RepoQuery { after: query.after, ..RepoQuery::default() };
        assert!(matches!(lab.registry().repositories(&foreign, hidden), Err(RegistryError::ForeignCursor)));

        let b = &lab.repos(&RepoQuery { text: Some("lab/b".into()), ..RepoQuery::default() }).entries[0];
        assert_eq!(b.contains, [(Kind::Image, 1), (Kind::Chart, 1)]);
        let newest = b.newest.as_ref().unwrap();
        assert_eq!((newest.tag.as_str(), newest.pusher.as_str(), b.tags), ("chart", "admin", 2));
        assert!(b.size >= 30_000);
        lab.clock.advance(Duration::from_secs(1));
        lab.push_sbom("lab/b", "sbom").await;
        let b = &lab.repos(&RepoQuery { text: Some("lab/b".into()), ..RepoQuery::default() }).entries[0];
        assert_eq!(b.newest.as_ref().unwrap().tag.as_str(), "chart", "an SBOM is about something else");
        lab.push_sbom("lab/empty", "sbom").await;
        let alone = &lab.repos(&RepoQuery { text: Some("lab/empty".into()), ..RepoQuery::default() }).entries[0];
        assert_eq!(alone.newest.as_ref().unwrap().tag.as_str(), "sbom", "there is nothing else");
        lab.delete("/v2/lab/b/manifests/chart").await;
        let charts = RepoQuery { kind: Some(Kind::Chart), ..RepoQuery::default() };
        assert_eq!(all(charts), "charts/web", "nothing of the kind is left");
    }

    async fn what_a_repository_says_of_itself(lab) {
        let change = |short: &str, long: &str| RepoChange {
            short_description: Some(short.into()),
            long_description: Some(long.into()),
            visibility: Some(Visibility::Public),
        };
        let registry = lab.registry();
        let made = registry.create_repository(Actor::system(), &name("lab/said"), change("one", "# Two")).await.unwrap();
        assert_eq!((made.entry.short_description.as_str(), made.long_description.as_str()), ("one", "# Two"));
        assert_eq!(made.entry.visibility, Visibility::Public);
        let again = registry.create_repository(Actor::system(), &name("lab/said"), RepoChange::default()).await;
        assert!(matches!(again, Err(RegistryError::NameTaken(_))));
        let none = registry.change_repository(Actor::system(), &name("lab/none"), RepoChange::default()).await;
        assert!(matches!(none, Err(RegistryError::NameUnknown(_))));
        for long in [change(&"ä".repeat(141), ""), change("", &"x".repeat(25_001))] {
            let refused = registry.change_repository(Actor::system(), &name("lab/said"), long).await;
            assert!(matches!(refused, Err(RegistryError::TextTooLong { .. })));
        }
        let longest = change(&"ä".repeat(140), &"x".repeat(25_000));
        registry.change_repository(Actor::system(), &name("lab/said"), longest).await.unwrap();
        let partly = RepoChange { long_description: Some(String::new()), ..RepoChange::default() };
        let changed = registry.change_repository(Actor::system(), &name("lab/said"), partly).await.unwrap();
        assert_eq!((changed.entry.short_description.chars().count(), changed.long_description.as_str()), (140, ""));
        // A push to it keeps what it says.
        lab.push_image("lab/said", "1", b"x").await;
        assert_eq!(registry.repository(&name("lab/said")).unwrap().entry.visibility, Visibility::Public);
    }

    async fn pulls_are_counted(lab) {
        lab.push_image("lab/pulled", "1", b"x").await;
        let pulls = || lab.registry().repository(&name("lab/pulled")).unwrap().pulls;
        for _ in 0..3 {
            lab.get("/v2/lab/pulled/manifests/1").await;
            lab.head("/v2/lab/pulled/manifests/1").await;
        }
        assert_eq!(pulls(), 3);
        lab.registry().flush_usage().await.unwrap();
        lab.get("/v2/lab/pulled/manifests/1").await;
        assert_eq!(pulls(), 4);
        let lab = lab.restart().await;
        assert_eq!(lab.registry().repository(&name("lab/pulled")).unwrap().pulls, 4, "written down at the end");
    }

    async fn untagged_manifests_are_listed(lab) {
        let (_, first) = lab.push_image("lab/loose", "1", b"first").await;
        lab.clock.advance(Duration::from_secs(1));
        let (_, second) = lab.push_image("lab/loose", "1", b"second").await;
        let image = lab.image("lab/loose", b"child").await;
        let child = lab.put("lab/loose", &sha256(image.to_string().as_bytes()).to_string(), OCI_MANIFEST, &image).await;
        let listed = || {
            let page = lab.registry().untagged(&name("lab/loose"), None, 10).unwrap();
            page.entries.iter().map(|entry| entry.digest).collect::<Vec<_>>()
        };
        assert_eq!(listed(), [child, first]);
        let index = json!({ "schemaVersion": 2, "manifests": [descriptor(OCI_MANIFEST, &child, 10)] });
        let index = lab.put("lab/loose", "2", OCI_INDEX, &index).await;
        assert_eq!(listed(), [first], "a child is shown with its index");
        lab.clock.advance(Duration::from_secs(1));
        lab.delete("/v2/lab/loose/manifests/1").await;
        lab.delete("/v2/lab/loose/manifests/2").await;
        assert_eq!(listed(), [index, second, first]);
        let config = lab.push_blob("lab/loose", b"{}").await;
        let signature = json!({
            "schemaVersion": 2,
            "artifactType": "application/x.signature",
            "config": descriptor(EMPTY, &config, 2),
            "layers": [],
            "subject": descriptor(OCI_MANIFEST, &second, 10),
        });
        let at = sha256(signature.to_string().as_bytes()).to_string();
        lab.put("lab/loose", &at, OCI_MANIFEST, &signature).await;
        assert_eq!(listed(), [index, second, first], "a signature is shown with its subject");
        assert_eq!(lab.registry().repository(&name("lab/loose")).unwrap().untagged, Some(3));

        let page = lab.registry().untagged(&name("lab/loose"), None, 2).unwrap();
        let rest = lab.registry().untagged(&name("lab/loose"), page.next.as_ref(), 2).unwrap();
        assert_eq!((page.entries.len(), rest.entries.len(), rest.next), (2, 1, None));
        lab.push_image("lab/loose", "back", b"first").await;
        assert_eq!(listed(), [index, second]);
    }

    async fn a_deleted_repository_is_gone_at_once(lab) {
        let (manifest, digest) = lab.push_image("lab/gone", "1", &noise(40_000, 1)).await;
        lab.push_image("lab/kept", "1", &noise(40_000, 1)).await;
        let (_, own) = lab.push_image("lab/gone", "2", &noise(50_000, 2)).await;
        let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
        let before = lab.registry().repository(&name("lab/gone")).unwrap().entry.id;
        lab.registry().delete_repository(Actor::system(), &name("lab/gone")).await.unwrap();
        assert_eq!(names(&lab.repos(&RepoQuery::default())), ["lab/kept"]);
        for path in ["manifests/1", "tags/list", &format!("blobs/{layer}"), &format!("manifests/{digest}")] {
            assert_eq!(lab.get(&format!("/v2/lab/gone/{path}")).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let found = lab.find(&digest.to_string());
        assert_eq!(found.digests, [(name("lab/kept"), digest, Some(Kind::Image))]);
        let again = lab.registry().delete_repository(Actor::system(), &name("lab/gone")).await;
        assert!(matches!(again, Err(RegistryError::NameUnknown(_))));

        // A push to the name before the rows have gone: a new repository, which has what it was given and no more.
        lab.push_image("lab/gone", "3", b"new").await;
        let after = lab.registry().repository(&name("lab/gone")).unwrap();
        assert_ne!(after.entry.id, before);
        assert_eq!(after.entry.tags, 1);
        assert_eq!(lab.get(&format!("/v2/lab/gone/manifests/{own}")).await.status(), StatusCode::NOT_FOUND);
        lab.drain().await;
        assert_eq!(lab.by_name("lab/gone"), ["3"]);
        assert_eq!(lab.get("/v2/lab/gone/manifests/3").await.status(), StatusCode::OK);
        assert_eq!(lab.get("/v2/lab/kept/manifests/1").await.status(), StatusCode::OK);
        crate::rows::nothing_of(&lab, before);

        // What only the deleted one had goes once the leases are over.
        lab.clock.advance(Duration::from_hours(25));
        lab.registry().collect_garbage(Options::default()).await.unwrap();
        assert_eq!(lab.registry().blobs().list(None, 10).unwrap().len(), 1, "the layer that is kept elsewhere");
        assert_eq!(lab.get(&format!("/v2/lab/kept/blobs/{layer}")).await.status(), StatusCode::OK);
        let survey = lab.registry().survey_garbage(Options::default()).await.unwrap();
        assert_eq!(survey.missing_files, 0);
    }

    // A regression test: the manifest was acknowledged, and its blobs had gone with the repository.
    async fn a_push_over_the_deletion_of_its_repository_is_asked_for_its_parts(lab) {
        let image = lab.image("lab/over", b"layer").await;
        lab.registry().delete_repository(Actor::system(), &name("lab/over")).await.unwrap();
        for _ in 0..2 {
            // The first is the first push to the name, the second comes to a repository that is there again.
            let refused = lab.put_manifest("lab/over", "1", OCI_MANIFEST, &image).await;
            assert_eq!(refused.status(), StatusCode::NOT_FOUND);
            let said: Value = refused.json().await.unwrap();
            assert_eq!(said["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
            lab.push_blob("lab/over", b"another").await;
        }
        lab.push_image("lab/over", "1", b"layer").await;
        assert_eq!(lab.get("/v2/lab/over/manifests/1").await.status(), StatusCode::OK);

        // Later nobody can be in the middle of such a push: incomplete manifests are taken as everywhere.
        let sparse = descriptor(OCI_MANIFEST, &sha256(b"sparse"), 1);
        let index = json!({ "schemaVersion": 2, "manifests": [sparse] });
        assert_eq!(lab.put_manifest("lab/over", "index", OCI_INDEX, &index).await.status(), StatusCode::NOT_FOUND);
        lab.clock.advance(Duration::from_hours(25));
        lab.registry().collect_garbage(Options::default()).await.unwrap();
        assert_eq!(lab.put_manifest("lab/over", "index", OCI_INDEX, &index).await.status(), StatusCode::CREATED);
    }

    async fn a_large_repository_goes_in_bounded_steps(lab) {
        let image = lab.image("lab/large", b"one").await.to_string();
        for n in 0..5 {
            let tags: Vec<String> = (0..100).map(|tag| format!("tag=t{n}-{tag}")).collect();
            let path = format!("{}?{}", sha256(image.as_bytes()), tags.join("&"));
            let pushed = lab.put_bytes("lab/large", &path, OCI_MANIFEST, image.clone().into_bytes()).await;
            assert_eq!(pushed.status(), StatusCode::CREATED);
        }
        let children: Vec<Value> =
            (0..1500).map(|n: u32| descriptor(OCI_MANIFEST, &sha256(&n.to_be_bytes()), 1)).collect();
        let index = json!({ "schemaVersion": 2, "manifests": children });
        lab.put("lab/large", "index", OCI_INDEX, &index).await;
        let id = lab.registry().repository(&name("lab/large")).unwrap().entry.id;
        lab.registry().delete_repository(Actor::system(), &name("lab/large")).await.unwrap();
        lab.drain().await;
        crate::rows::nothing_of(&lab, id);
    }

    async fn search_finds_what_the_caller_may_see(lab) {
        let (_, invocation) = lab.push_image("lab/words", "1.0-invoc", b"invocation").await;
        let application = lab.push_application("lab/words", "1.0", &invocation, "Riddle").await;
        lab.push_note("hidden/words", "1.0", "stage=QA").await;
        let config = br#"{"architecture":"amd64","os":"linux","config":{"Labels":{"Stage":"QA"}}}"#;
        let config_digest = lab.push_blob("lab/words", config).await;
        let labelled = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config_digest, config.len()),
            "layers": [],
        });
        let labelled = lab.put("lab/words", "labelled", OCI_MANIFEST, &labelled).await;

        let words = name("lab/words");
        let seen = |text: &str| lab.registry().search(text, 10, |name| name.namespace() == "lab").unwrap();
        assert_eq!(seen("WORDS").repositories, std::slice::from_ref(&words));
        assert_eq!(lab.find("words").repositories, [name("hidden/words"), words.clone()]);
        let tags = [(words.clone(), tag("1.0"), Kind::Application), (words.clone(), tag("1.0-invoc"), Kind::Image)];
        assert_eq!(seen("1.0").tags, tags);
        assert_eq!(lab.find("1.0").tags.len(), 3);
        for text in [application.to_string(), application.to_string()[..20].to_owned(), application.hex()[..7].to_uppercase()] {
            assert_eq!(seen(&text).digests, [(words.clone(), application, Some(Kind::Application))], "{text}");
        }
        assert_eq!(seen(&config_digest.hex()[..12]).digests, [(words.clone(), config_digest, None)]);
        assert!(seen("abcde").digests.is_empty() && seen("sha1:abcdef").digests.is_empty(), "too short; unknown");
        assert_eq!(seen("stage=qa").annotations, [(words.clone(), labelled, "stage=qa".into())]);
        assert_eq!(seen("Riddl").annotations, [(words.clone(), application, "riddle".into())]);
        assert_eq!(seen("lab.text=stage=qa").annotations, []);
        assert_eq!(lab.find("lab.text=stage=QA").annotations.len(), 1);
        assert_eq!(seen("\0%"), Found::default());
        assert_eq!(seen(" "), Found::default());

        let cut = lab.registry().search("1.0", 1, everybody).unwrap();
        assert_eq!((cut.tags.len(), cut.more), (1, true));
        lab.delete(&format!("/v2/lab/words/manifests/{application}")).await;
        assert!(seen("riddle").annotations.is_empty() && seen(&application.hex()).digests.is_empty());
        assert_eq!(seen("1.0").tags.len(), 1);
    }

    // "There is more" would count what the caller may not see, and what others have would stand before the caller's own.
    async fn a_search_tells_nothing_of_what_one_may_not_see(lab) {
        lab.push_image("hidden/many", "1", b"x").await;
        lab.push_image("lab/app", "zz-own", b"y").await;
        let meta = lab.registry().meta();
        let id = meta.read(|tx| repo::id_of(tx, &name("hidden/many"))).unwrap().unwrap();
        for part in 0..8 {
            let many = move |tx: &mut WriteTx| {
                for n in 0..200 {
                    let key = Key::new().text(&format!("zz-{part}{n:03}")).u64(id.0);
                    tx.put(tables::TAG_BY_NAME, key.as_ref(), Vec::new());
                }
                Ok::<_, MetaError>(())
            };
            meta.write(many).await.unwrap();
        }
        let lab_only = |name: &RepoName| name.namespace() == "lab";
        let namespaces = |names: &[&str]| {
            Visible::Some(Places { namespaces: names.iter().map(ToString::to_string).collect(), ..Places::default() })
        };
        let registry = lab.registry();
        for visible in [Visible::Ask, namespaces(&["lab"])] {
            let found = registry.search_visible("zz-", 10, &visible, lab_only).unwrap();
            assert_eq!(found.tags.len(), 1, "1,600 rows of others stand before it");
            assert!(!found.more, "{visible:?}");
        }
        for (visible, nobody) in [(Visible::Ask, false), (namespaces(&[]), true)] {
            let found = registry.search_visible("zz-", 10, &visible, |_| nobody).unwrap();
            assert_eq!(found, Found::default());
        }
        assert!(registry.search_visible("zz-", 10, &Visible::All, everybody).unwrap().more);
    }

    async fn tags_of_a_reference(lab) {
        let (_, digest) = lab.push_image("lab/of", "1", b"x").await;
        lab.push_image("lab/of", "2", b"x").await;
        let of = |reference: &str| {
            let reference = Reference::parse(reference).unwrap();
            lab.registry().tags_of(&name("lab/of"), &reference, 10)
        };
        assert_eq!(of("2").unwrap()[0].digest, digest);
        let both: Vec<_> = of(&digest.to_string()).unwrap().into_iter().map(|entry| entry.name.unwrap()).collect();
        assert_eq!(both, [tag("1"), tag("2")]);
        assert!(matches!(of("3"), Err(RegistryError::ManifestUnknown { .. })));
        assert!(matches!(of(&sha256(b"none").to_string()), Err(RegistryError::ManifestUnknown { .. })));
    }
}

/// What pages cost among many: `cargo test --release --test it pages_among_many -- --ignored --nocapture`.
#[ignore = "prints figures"]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_among_many() {
    const MANY: usize = 10_000;
    let lab = Lab::new(Mode::Normal).await;
    let registry = lab.registry().clone();
    let push = |repo: String, n: usize, tags: Vec<Tag>| {
        let registry = registry.clone();
        async move {
            let body =
                json!({ "schemaVersion": 2, "manifests": [], "annotations": { "n": n.to_string() } }).to_string();
            let reference = Reference::Digest(sha256(body.as_bytes()));
            let repo = name(&repo);
            let pushed =
                registry.push_manifest(Actor::system(), &repo, &reference, &tags, Some(OCI_INDEX), body.into());
            pushed.await.unwrap();
        }
    };
    let mut pushes = tokio::task::JoinSet::new();
    for n in 0..MANY {
        if pushes.len() == 64 {
            pushes.join_next().await;
        }
        lab.clock.advance(Duration::from_millis(1));
        pushes.spawn(push(format!("lab{}/repo{n}", n % 100), n % 500, vec![tag("latest")]));
        pushes.spawn(push("many/tags".into(), n % 500, vec![tag(&format!("t{n}"))]));
    }
    pushes.join_all().await;
    let took = |what: &str, page: &dyn Fn() -> usize| {
        page();
        let began = std::time::Instant::now();
        let entries = page();
        println!("{what}: {entries} entries in {:?}", began.elapsed());
    };
    for sort in Sort::ALL {
        let tags = |query: TagQuery| lab.registry().tag_units(&name("many/tags"), &query).unwrap();
        let query = TagQuery { sort, ..TagQuery::default() };
        took(&format!("tags by {sort:?}"), &|| tags(query.clone()).entries.len());
        let far = tags(TagQuery { limit: 1000, ..query.clone() }).next;
        took("  far behind", &|| tags(TagQuery { after: far.clone(), ..query.clone() }).entries.len());
        took("  with a text", &|| tags(TagQuery { text: Some("99".into()), ..query.clone() }).entries.len());
        let repos = |query: RepoQuery, all: bool| {
            lab.registry().repositories(&query, |name| all || name.namespace() == "lab7").unwrap().entries.len()
        };
        let query = RepoQuery { sort, ..RepoQuery::default() };
        took(&format!("repositories by {sort:?}"), &|| repos(query.clone(), true));
        took("  of a namespace", &|| repos(RepoQuery { namespace: Some("lab7".into()), ..query.clone() }, true));
        took("  of a kind", &|| repos(RepoQuery { kind: Some(Kind::Index), ..query.clone() }, true));
        took("  with a text", &|| repos(RepoQuery { text: Some("o99".into()), ..query.clone() }, true));
        took("  for one who sees few", &|| repos(query.clone(), false));
    }
    took("search", &|| lab.find("repo99").repositories.len());
    took("search for a tag", &|| lab.find("latest").tags.len());
}
