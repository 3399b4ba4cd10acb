//! Deleting applications and their parts: what is refused, what goes along, and what the events say.

use std::time::Duration;

use msr_lite::base::Timestamp;
use msr_lite::meta::{Mode, event, repo};
use msr_lite::model::Principal;
use msr_lite::model::event::Happening;
use msr_lite::oci::kind::Kind;
use msr_lite::oci::{Digest, Reference};
use msr_lite::registry::apps::MemberState;
use msr_lite::registry::delete::{DeleteOptions, DeletePlan, PlanLine};
use msr_lite::registry::gc::Options;
use msr_lite::registry::{Actor, RegistryError};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app_fixture::{App, Client, Wanted, app_fixture, push_app};
use crate::apps::application;
use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, descriptor, on_each_engine, sha256};

const MONTH: Duration = Duration::from_hours(31 * 24);
const TOGETHER: DeleteOptions = DeleteOptions { with_invocation: true, force: false, seen: None };
const ALONE: DeleteOptions = DeleteOptions { with_invocation: false, force: false, seen: None };
const FORCED: DeleteOptions = DeleteOptions { with_invocation: false, force: true, seen: None };

impl Lab {
    /// The status and message of a client's DELETE.
    async fn client_deletes(&self, repo: &str, reference: impl std::fmt::Display) -> (StatusCode, String) {
        let answer = self.delete(&format!("/v2/{repo}/manifests/{reference}")).await;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let error = &body["errors"][0];
        (
            status,
            format!(
                "{}: {}",
                error["code"].as_str().unwrap_or_default(),
                error["message"].as_str().unwrap_or_default()
            ),
        )
    }

    async fn delete_unit(
        &self,
        repo: &str,
        reference: impl ToString,
        options: DeleteOptions,
    ) -> Result<(), RegistryError> {
        let actor = Actor::new(Principal::User { name: "admin".into(), admin: true });
        let reference = Reference::parse(&reference.to_string()).unwrap();
        self.server.registry().delete_with(actor, &repo.parse().unwrap(), &reference, options).await
    }

    fn plan(&self, repo: &str, reference: impl std::fmt::Display, options: DeleteOptions) -> DeletePlan {
        let reference = Reference::parse(&reference.to_string()).unwrap();
        self.server.registry().plan_deletion(&repo.parse().unwrap(), &reference, options).unwrap()
    }

    /// What happened in a repository, oldest first.
    fn happenings(&self, name: &str) -> Vec<Happening> {
        let events = self.server.registry().meta().read(|tx| {
            let repo = repo::id_of(tx, &name.parse().unwrap())?.unwrap();
            event::of_repo(tx, repo, 1000)
        });
        events.unwrap().into_iter().map(|event| event.what).collect()
    }

    async fn is_there(&self, repo: &str, reference: impl std::fmt::Display) -> bool {
        self.get(&format!("/v2/{repo}/manifests/{reference}")).await.status() == StatusCode::OK
    }

    /// Bytes that collection frees once every lease is over: manifests of the last run not counted.
    async fn collected_after_leases(&self) -> u64 {
        self.clock.advance(Duration::from_hours(25));
        let freed = self.server.registry().collect_garbage(Options::default()).await.unwrap().freed;
        freed.blobs.bytes
    }
}

fn references(lines: &[PlanLine]) -> Vec<String> {
    let mut references: Vec<_> = lines.iter().map(|line| line.reference.to_string()).collect();
    references.sort();
    references
}

fn sorted(references: &[&dyn std::fmt::Display]) -> Vec<String> {
    let mut references: Vec<_> = references.iter().map(ToString::to_string).collect();
    references.sort();
    references
}

fn parts(app: &App) -> [Digest; 7] {
    [app.config, app.invocation, app.web, app.db, app.multi, app.platforms[0], app.platforms[1]]
}

/// A Compose application: its manifest, and the index of its images, attached to it and without a tag.
async fn push_compose(lab: &Lab, repo: &str) -> (Digest, Digest, Vec<Digest>) {
    let file = b"services:\n  web:\n    image: web\n";
    let (config, layer) = (lab.push_blob(repo, b"{}").await, lab.push_blob(repo, file).await);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.docker.compose.project",
        "config": descriptor("application/vnd.oci.empty.v1+json", &config, 2),
        "layers": [descriptor("application/vnd.docker.compose.file+yaml", &layer, file.len())],
        "annotations": { "com.docker.compose.version": "v2.40.0", "org.opencontainers.image.title": "words" },
    });
    let pushed = lab.put_manifest(repo, "1.0", OCI_MANIFEST, &manifest).await;
    assert_eq!(pushed.status(), StatusCode::CREATED);
    let subject = sha256(manifest.to_string().as_bytes());
    let mut images = Vec::new();
    let mut entries = Vec::new();
    for name in ["web", "db"] {
        let image = lab.image(repo, name.as_bytes()).await;
        let digest = sha256(image.to_string().as_bytes());
        let pushed = lab.put_manifest(repo, &digest.to_string(), OCI_MANIFEST, &image).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
        entries.push(descriptor(OCI_MANIFEST, &digest, image.to_string().len()));
        images.push(digest);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": entries,
        "subject": descriptor(OCI_MANIFEST, &subject, manifest.to_string().len()),
        "annotations": { "com.docker.compose.version": "v2.40.0" },
    });
    let digest = sha256(index.to_string().as_bytes());
    let pushed = lab.put_manifest(repo, &digest.to_string(), OCI_INDEX, &index).await;
    assert_eq!(pushed.status(), StatusCode::CREATED);
    (subject, digest, images)
}

on_each_engine! {
    async fn a_tag_that_moves_after_it_was_looked_at_is_not_deleted(lab) {
        let (_, first) = lab.push_image("admin/moves", "1", b"first").await;
        let (_, second) = lab.push_image("admin/moves", "1", b"second").await;
        let seen = |digest| DeleteOptions { seen: Some(digest), ..ALONE };
        let error = lab.delete_unit("admin/moves", "1", seen(first)).await.unwrap_err();
        assert!(matches!(&error, RegistryError::Refused { policy: "what was seen", .. }), "{error}");
        assert_eq!(lab.head("/v2/admin/moves/manifests/1").await.status(), StatusCode::OK);
        lab.delete_unit("admin/moves", "1", seen(second)).await.unwrap();
        assert_eq!(lab.head("/v2/admin/moves/manifests/1").await.status(), StatusCode::NOT_FOUND);
    }

    async fn ways_upwards_are_counted_and_not_multiplied(lab) {
        let (image, digest) = lab.push_image("admin/ways", "image", b"layer").await;
        let of = |size: usize, digest: &Digest| descriptor(OCI_MANIFEST, digest, size);
        let mut below = vec![(image.to_string().len(), digest)];
        // Three levels, each index of one listing all of the one below: 80 and twice 6,400 edges.
        for level in 0..3 {
            let children: Vec<Value> = below.iter().map(|(size, digest)| of(*size, digest)).collect();
            let mut these = Vec::new();
            for n in 0..80 {
                let index = json!({
                    "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children,
                    "annotations": { "lab.n": format!("{level} {n}") },
                });
                let digest = sha256(index.to_string().as_bytes());
                let answer = lab.put_manifest("admin/ways", &digest.to_string(), OCI_INDEX, &index).await;
                assert_eq!(answer.status(), StatusCode::CREATED);
                these.push((index.to_string().len(), digest));
            }
            below = these;
        }
        let (status, why) = lab.client_deletes("admin/ways", digest).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "more edges than one question looks at: {why}");
        assert!(why.contains("too many manifests"), "{why}");
        // A tag is a name, whoever lists what it points at.
        assert_eq!(lab.client_deletes("admin/ways", "image").await.0, StatusCode::ACCEPTED);
    }

    async fn what_a_deletion_frees_counts_a_part_once_however_many_share_it(lab) {
        let (image, digest) = lab.push_image("admin/many", "image", b"layer").await;
        let child = descriptor(OCI_MANIFEST, &digest, image.to_string().len());
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": vec![child; 4_000] });
        assert_eq!(lab.put_manifest("admin/many", "index", OCI_INDEX, &index).await.status(), StatusCode::CREATED);
        let plan = lab.plan("admin/many", "index", ALONE);
        assert_eq!((plan.goes.len(), plan.stays.len()), (2, 1), "tag and index go, the image once stays: {plan:?}");
        lab.client_deletes("admin/many", "image").await;
        let plan = lab.plan("admin/many", "index", ALONE);
        assert_eq!((plan.goes.len(), plan.stays.len()), (3, 0), "{plan:?}");
    }

    async fn parts_of_a_living_application_are_not_deleted(lab) {
        let app = app_fixture(&lab).await;
        for part in parts(&app) {
            let (status, message) = lab.client_deletes(app.repo, part).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            let wanted = format!("DENIED: {part} is a part of the application admin/lab-words:0.1.0; delete that first");
            assert_eq!(message, wanted);
        }
        let (status, message) = lab.client_deletes(app.repo, "0.1.0-invoc").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(
            message,
            "DENIED: 0.1.0-invoc is the invocation image of the application admin/lab-words:0.1.0; delete that first, or \
             both together"
        );
        assert_eq!(application(&lab, app.repo, "0.1.0").await.unwrap().size, app.size, "nothing went");

        // Another tag of a member is but a name.
        let web = lab.get(&format!("/v2/{}/manifests/{}", app.repo, app.web)).await.bytes().await.unwrap();
        lab.put_bytes(app.repo, "web-again", crate::app_fixture::DOCKER_MANIFEST, web.to_vec()).await;
        assert_eq!(lab.client_deletes(app.repo, "web-again").await.0, StatusCode::ACCEPTED);

        // An untagged application is a leftover and blocks nobody.
        assert_eq!(lab.client_deletes(app.repo, "0.1.0").await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, "0.1.0-invoc").await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, app.platforms[0]).await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, app.web).await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, app.digest).await.0, StatusCode::ACCEPTED);
    }

    async fn an_application_lives_by_what_it_is_a_part_of(lab) {
        let app = app_fixture(&lab).await;
        let outer = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            descriptor(app.index_type, &app.digest, app.index.to_string().len()),
        ] });
        assert_eq!(lab.put_manifest(app.repo, "outer", OCI_INDEX, &outer).await.status(), StatusCode::CREATED);
        assert_eq!(lab.client_deletes(app.repo, "0.1.0").await.0, StatusCode::ACCEPTED);
        let (status, message) = lab.client_deletes(app.repo, app.web).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(message.contains("admin/lab-words:outer"), "{message}");
        // The tag without its application is an ordinary one.
        assert_eq!(lab.client_deletes(app.repo, "0.1.0-invoc").await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, "outer").await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, app.web).await.0, StatusCode::ACCEPTED);
    }

    async fn a_name_alone_pairs_nothing(lab) {
        let app = push_app(&lab, Wanted { client: Client::App09, ..Wanted::default() }).await;
        lab.push_image(app.repo, "0.1.0-invoc", b"somebody's own").await;
        assert_eq!(lab.client_deletes(app.repo, "0.1.0-invoc").await.0, StatusCode::ACCEPTED);
        lab.push_image(app.repo, "x-invoc", b"no application").await;
        assert_eq!(lab.client_deletes(app.repo, "x-invoc").await.0, StatusCode::ACCEPTED);
    }

    async fn an_application_goes_with_what_it_is_made_of(lab) {
        let app = app_fixture(&lab).await;
        // Another application has the same images, but for its invocation image's tag and its index.
        let alone = lab.plan(app.repo, "0.1.0", ALONE);
        assert_eq!(alone.refused, None);
        assert_eq!(alone.with_invocation.as_ref().unwrap().as_str(), "0.1.0-invoc");
        let p = app.platforms;
        let goes = sorted(&[&"0.1.0", &app.digest, &app.config, &app.web, &app.db, &app.multi, &p[0], &p[1]]);
        assert_eq!(references(&alone.goes), goes);
        assert_eq!(alone.goes[0].reference.to_string(), "0.1.0");
        assert_eq!(references(&alone.stays), sorted(&[&"0.1.0-invoc", &app.invocation]));
        let image = alone.stays.iter().find(|line| line.what == "invocation").unwrap();
        assert_eq!(image.why, "the tag 0.1.0-invoc points at it");
        assert!(alone.goes.iter().any(|line| line.what == "component web" && line.why == "nothing else needs it"));

        let together = lab.plan(app.repo, "0.1.0", TOGETHER);
        let goes = [goes, sorted(&[&"0.1.0-invoc", &app.invocation])].concat();
        assert_eq!(references(&together.goes), { let mut goes = goes; goes.sort(); goes });
        assert!(together.stays.is_empty());
        assert_eq!(together.frees, app.size);
        assert!(alone.frees < together.frees);

        lab.delete_unit(app.repo, "0.1.0", TOGETHER).await.unwrap();
        assert!(!lab.is_there(app.repo, "0.1.0").await && !lab.is_there(app.repo, "0.1.0-invoc").await);
        for part in parts(&app) {
            assert!(!lab.is_there(app.repo, part).await);
        }
        let happened = lab.happenings(app.repo);
        let [.., Happening::TagDeleted { tag: invocation, .. }, Happening::TagDeleted { tag, forced, .. },
            Happening::ManifestDeleted { digest, tags, parts, .. }] = happened.as_slice() else { panic!("{happened:?}") };
        assert_eq!((invocation.as_str(), tag.as_str(), *digest), ("0.1.0-invoc", "0.1.0", app.digest));
        assert!(tags.is_empty() && !forced && parts.len() == 7);
        let manifests = app.size - lab.collected_after_leases().await;
        assert!(manifests > 3_000 && manifests < 8_000, "bodies of manifests go at once, blobs are collected: {manifests}");
    }

    async fn what_others_need_stays(lab) {
        let first = app_fixture(&lab).await;
        let second = push_app(&lab, Wanted { tag: "0.2.0", twins: true, ..Wanted::default() }).await;
        lab.push_image(first.repo, "sign-me", b"layer").await;
        // A signature of the application goes with it; one under a tag of its own stays.
        let config = lab.push_blob(first.repo, b"{}").await;
        let mut signature = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.empty.v1+json", &config, 2), "layers": [],
            "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json",
            "subject": descriptor(OCI_INDEX, &first.digest, 10),
        });
        let signed = sha256(signature.to_string().as_bytes());
        lab.put_manifest(first.repo, &signed.to_string(), OCI_MANIFEST, &signature).await;
        signature["annotations"] = json!({ "by": "tag" });
        let tagged = sha256(signature.to_string().as_bytes());
        lab.put_manifest(first.repo, "kept", OCI_MANIFEST, &signature).await;

        let plan = lab.plan(first.repo, "0.1.0", TOGETHER);
        assert_eq!(references(&plan.goes), sorted(&[&"0.1.0", &"0.1.0-invoc", &first.digest, &first.db, &signed]));
        let shared = [&first.config as &dyn std::fmt::Display, &first.invocation, &first.web, &first.multi, &tagged];
        assert_eq!(references(&plan.stays), sorted(&shared));
        let web = plan.stays.iter().find(|line| line.what == "component web").unwrap();
        assert_eq!(web.why, "it is a part of the application 0.2.0");
        lab.delete_unit(first.repo, "0.1.0", TOGETHER).await.unwrap();
        assert_eq!(application(&lab, second.repo, "0.2.0").await.unwrap().size, second.size);
        assert!(!application(&lab, second.repo, "0.2.0").await.unwrap().incomplete);
        assert!(lab.is_there(first.repo, "kept").await && !lab.is_there(first.repo, signed).await);
        assert!(!lab.is_there(first.repo, first.db).await);

        // By digest, with all its tags; and a tag that is not the only one takes nothing along.
        let index = lab.get(&format!("/v2/{}/manifests/0.2.0", second.repo)).await.bytes().await.unwrap();
        lab.put_bytes(second.repo, "latest", second.index_type, index.to_vec()).await;
        let plan = lab.plan(second.repo, "latest", TOGETHER);
        assert_eq!((references(&plan.goes), plan.frees), (sorted(&[&"latest"]), 0));
        assert_eq!(plan.stays[0].why, "the tag 0.2.0 points at it");
        let plan = lab.plan(second.repo, second.digest, TOGETHER);
        assert!(references(&plan.goes).contains(&"latest".to_owned()));
        lab.delete_unit(second.repo, second.digest, TOGETHER).await.unwrap();
        assert!(!lab.is_there(second.repo, "latest").await && !lab.is_there(second.repo, "0.2.0-invoc").await);
        assert!(!lab.is_there(second.repo, second.web).await);
        let Some(Happening::ManifestDeleted { tags, .. }) = lab.happenings(second.repo).pop() else { panic!() };
        assert_eq!(tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.2.0", "latest"]);
    }

    async fn an_administrator_may_force_it_and_the_event_tells(lab) {
        let app = app_fixture(&lab).await;
        for reference in [app.web.to_string(), "0.1.0-invoc".to_owned()] {
            let plan = lab.plan(app.repo, &reference, ALONE);
            assert!(plan.refused.unwrap().contains("admin/lab-words:0.1.0"));
            let refused = lab.delete_unit(app.repo, &reference, ALONE).await.unwrap_err();
            assert!(matches!(refused, RegistryError::Refused { policy: "members of applications", .. }), "{refused}");
        }
        let plan = lab.plan(app.repo, app.web, FORCED);
        assert_eq!(plan.stays[0].why, "it lists what goes, and will be incomplete");
        lab.delete_unit(app.repo, app.web, FORCED).await.unwrap();
        lab.delete_unit(app.repo, "0.1.0-invoc", FORCED).await.unwrap();
        let mut happened = lab.happenings(app.repo);
        // Refusals are put on record once a while, so anywhere between.
        happened.retain(|what| !matches!(what, Happening::Refused { .. }));
        let [.., Happening::ManifestDeleted { forced: true, digest, .. }, Happening::TagDeleted { forced: true, .. }] =
            happened.as_slice() else { panic!("{happened:?}") };
        assert_eq!(*digest, app.web);
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert!(seen.incomplete && seen.invocation_tag.is_none());
        assert_eq!(seen.members[3].state, MemberState::Missing);
        assert_eq!(seen.members[1].state, MemberState::Present, "its manifest stays");
        // What was forced without need is an ordinary deletion.
        lab.delete_unit(app.repo, "0.1.0", FORCED).await.unwrap();
        let forced = |what: &Happening| matches!(what, Happening::TagDeleted { tag, forced: true, .. } if tag.as_str() == "0.1.0");
        assert!(!lab.happenings(app.repo).iter().any(forced));
    }

    async fn members_are_never_collected_while_the_application_lives(lab) {
        let app = app_fixture(&lab).await;
        let leftover = push_app(&lab, Wanted { salt: 1, ..Wanted::default() }).await;
        for _ in 0..3 {
            lab.clock.advance(MONTH);
            lab.server.registry().collect_garbage(Options::default()).await.unwrap();
        }
        let seen = application(&lab, app.repo, "0.1.0").await.unwrap();
        assert_eq!((seen.digest, seen.size, seen.incomplete), (leftover.digest, leftover.size, false));
        assert!(!lab.is_there(app.repo, app.digest).await, "the first push is a leftover, and went");
        assert!(!lab.is_there(app.repo, app.web).await);

        // A client deletes the tag: the application goes by itself, and then its members.
        assert_eq!(lab.client_deletes(app.repo, "0.1.0").await.0, StatusCode::ACCEPTED);
        assert_eq!(lab.client_deletes(app.repo, "0.1.0-invoc").await.0, StatusCode::ACCEPTED);
        lab.clock.advance(MONTH);
        lab.server.registry().collect_garbage(Options::default()).await.unwrap();
        for part in parts(&leftover) {
            assert!(!lab.is_there(app.repo, part).await);
        }
    }

    async fn a_push_is_one_event_for_each_tag(lab) {
        let app = app_fixture(&lab).await;
        let pushed = |happened: Vec<Happening>| {
            let tags = happened.into_iter().filter_map(|what| match what {
                Happening::TagPushed { tag, digest, kind, pair, members, .. } => Some((tag.to_string(), digest, kind, pair, members)),
                _ => None,
            });
            tags.collect::<Vec<_>>()
        };
        let events = pushed(lab.happenings(app.repo));
        let [(invocation_tag, invocation, image, none, no_members), (tag, digest, kind, pair, members)] = events.as_slice()
            else { panic!("{events:?}") };
        assert_eq!((invocation_tag.as_str(), *invocation, *image), ("0.1.0-invoc", app.invocation, Kind::Image));
        assert!(none.is_none() && no_members.is_empty());
        assert_eq!((tag.as_str(), *digest, *kind), ("0.1.0", app.digest, Kind::Application));
        assert_eq!(pair.as_ref().unwrap().as_str(), "0.1.0-invoc");
        let members: Vec<_> = members.iter().map(|m| (m.role.as_str(), m.name.as_str(), m.digest)).collect();
        assert_eq!(members, [
            ("config", "", app.config), ("invocation", "", app.invocation), ("component", "multi", app.multi),
            ("component", "web", app.web), ("component", "db", app.db),
        ]);
        // A push of the same again finds the pair at its first step.
        app_fixture(&lab).await;
        let events = pushed(lab.happenings(app.repo));
        assert_eq!(events[2].3.as_ref().unwrap().as_str(), "0.1.0");

        // 0.9 writes its tag three times: so many events, the last one the application's.
        push_app(&lab, Wanted { client: Client::App09, repo: "admin/nine", ..Wanted::default() }).await;
        let kinds: Vec<_> = pushed(lab.happenings("admin/nine")).into_iter().map(|event| event.2).collect();
        assert_eq!(kinds, [Kind::Image, Kind::Image, Kind::Application]);
    }

    async fn a_compose_application_is_its_manifest_and_the_index_of_its_images(lab) {
        let (manifest, index, images) = push_compose(&lab, "admin/compose").await;
        let seen = application(&lab, "admin/compose", "1.0").await.unwrap();
        assert_eq!((seen.digest, seen.bundle.name.as_str()), (manifest, "words"));
        assert_eq!(seen.members.iter().map(|m| m.digest.unwrap()).collect::<Vec<_>>(), images);
        assert!(seen.members.iter().all(|m| m.state == MemberState::Present) && !seen.incomplete);
        assert!(seen.document.unwrap().1.unwrap().starts_with(b"services:"));
        let details = crate::apps::details(&lab, "admin/compose", images[0]).await;
        assert_eq!((details.parents[0].digest, details.parents[0].role.as_str()), (manifest, "component"));

        for part in [index, images[0], images[1]] {
            let (status, message) = lab.client_deletes("admin/compose", part).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(message.contains("admin/compose:1.0"), "{message}");
        }
        let plan = lab.plan("admin/compose", "1.0", ALONE);
        assert_eq!(references(&plan.goes), sorted(&[&"1.0", &manifest, &index, &images[0], &images[1]]));
        lab.delete_unit("admin/compose", "1.0", ALONE).await.unwrap();
        assert!(!lab.is_there("admin/compose", images[0]).await);
    }

    async fn what_is_more_than_one_commit_takes_goes_by_itself(lab) {
        let repo = "lab/wide";
        let mut image = lab.image(repo, b"layer").await;
        let mut entries = Vec::new();
        for n in 0..110 {
            image["annotations"] = json!({ "n": n.to_string() });
            let digest = sha256(image.to_string().as_bytes());
            lab.put_manifest(repo, &digest.to_string(), OCI_MANIFEST, &image).await;
            let mut entry = descriptor(OCI_MANIFEST, &digest, image.to_string().len());
            entry["platform"] = json!({ "os": "linux", "architecture": format!("a{n}") });
            entries.push(entry);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        lab.put_manifest(repo, "wide", OCI_INDEX, &index).await;
        let plan = lab.plan(repo, "wide", ALONE);
        assert_eq!((plan.goes.len(), plan.stays.len()), (1 + 100, 11), "the tag and a hundred manifests");
        assert!(plan.stays.iter().all(|line| line.why.starts_with("it goes by itself")));
        lab.delete_unit(repo, "wide", ALONE).await.unwrap();
        lab.clock.advance(MONTH);
        let freed = lab.server.registry().collect_garbage(Options::default()).await.unwrap().freed;
        assert_eq!(freed.manifests.count, 11);
    }

    async fn porter_deletes_its_tags(lab) {
        // It deletes by tag; where a registry does not know how, it overwrites the tag and deletes that by digest.
        let app = push_app(&lab, Wanted { client: Client::CnabToOci, repo: "admin/porter", ..Wanted::default() }).await;
        lab.push_image(app.repo, "porter-temporary", b"the bundle image").await;
        assert_eq!(lab.client_deletes(app.repo, "porter-temporary").await.0, StatusCode::ACCEPTED);
        let (_, thrown_away) = lab.push_image(app.repo, "0.1.0", b"sh.porter.delete-tag").await;
        assert_eq!(lab.client_deletes(app.repo, thrown_away).await.0, StatusCode::ACCEPTED);
        assert!(!lab.is_there(app.repo, "0.1.0").await);
        assert!(lab.is_there(app.repo, app.digest).await);
    }

    async fn referrers_are_a_tree_by_whichever_way_they_refer(lab) {
        let repo = "lab/tree";
        let (_, subject) = lab.push_image(repo, "1", b"layer").await;
        let config = lab.push_blob(repo, b"{}").await;
        let artifact = |kind: &str, subject: Option<&Digest>| {
            let mut body = json!({
                "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind,
                "config": descriptor("application/vnd.oci.empty.v1+json", &config, 2), "layers": [],
            });
            if let Some(subject) = subject {
                body["subject"] = descriptor(OCI_MANIFEST, subject, 10);
            }
            (sha256(body.to_string().as_bytes()), body)
        };
        let (sbom, body) = artifact("application/spdx+json", Some(&subject));
        lab.put_manifest(repo, &sbom.to_string(), OCI_MANIFEST, &body).await;
        let (signature, body) = artifact("application/vnd.cncf.notary.signature", Some(&sbom));
        lab.put_manifest(repo, &signature.to_string(), OCI_MANIFEST, &body).await;
        let (cosign, body) = artifact("application/x.cosign", None);
        lab.put_manifest(repo, &format!("sha256-{}.sig", subject.hex()), OCI_MANIFEST, &body).await;
        let (listed, body) = artifact("application/x.listed", None);
        lab.put_manifest(repo, &listed.to_string(), OCI_MANIFEST, &body).await;
        let fallback = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            descriptor(OCI_MANIFEST, &listed, body.to_string().len()), descriptor(OCI_MANIFEST, &sbom, 10),
        ] });
        lab.put_manifest(repo, &format!("sha256-{}", subject.hex()), OCI_INDEX, &fallback).await;

        let tree = lab.server.registry().referrer_tree(&repo.parse().unwrap(), &subject).unwrap();
        let mut found: Vec<_> = tree.iter().map(|node| (node.descriptor.digest, node.referrers.len())).collect();
        found.sort();
        let mut wanted = vec![(sbom, 1), (cosign, 0), (listed, 0)];
        wanted.sort();
        assert_eq!(found, wanted);
        let below = tree.iter().find(|node| node.descriptor.digest == sbom).unwrap();
        assert_eq!(below.referrers[0].descriptor.digest, signature);
        assert_eq!(below.row.as_ref().unwrap().summary.as_ref().unwrap().kind, Kind::Sbom);
        let tagged = tree.iter().find(|node| node.descriptor.digest == cosign).unwrap();
        assert_eq!(tagged.tag.as_ref().unwrap().as_str(), format!("sha256-{}.sig", subject.hex()));
        assert!(below.row.as_ref().unwrap().pushed > Timestamp(0));
        let none = lab.server.registry().referrer_tree(&repo.parse().unwrap(), &sha256(b"nothing")).unwrap();
        assert!(none.is_empty());
    }
}
