//! Garbage collection, on a clock that is moved by hand; and a soak on the real one.

use std::sync::Arc;
use std::time::Duration;

use msr_lite::base::FileId;
use msr_lite::meta::{Mode, blob, lease, manifest, repo};
use msr_lite::model::gc::{Freed, Report, Trigger};
use msr_lite::oci::Digest;
use msr_lite::registry::gc::{GcError, Options};
use msr_lite::registry::trace::TraceEvent::{
    self, Doomed, Forgotten, HeadAnswered, LinkCollected, Published, Purged, RowCollected, SessionBegan,
};
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_INDEX, OCI_MANIFEST, code, descriptor, noise, on_each_engine, sha256};

const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(31 * 24);

impl Lab {
    async fn collect(&self) -> Report {
        self.server.registry().collect_garbage(Options::default()).await.unwrap()
    }

    async fn collect_now(&self) -> Report {
        self.server.registry().collect_garbage(Options { ignore_leases: true }).await.unwrap()
    }

    async fn dry(&self, ignore_leases: bool) -> Freed {
        self.server.registry().survey_garbage(Options { ignore_leases }).await.unwrap().goes
    }

    /// Blob files on disk.
    fn files(&self) -> usize {
        self.server.registry().blobs().list(None, 1_000_000).unwrap().len()
    }

    fn has_row(&self, digest: &Digest) -> bool {
        self.server.registry().meta().read(|tx| blob::get(tx, digest)).unwrap().is_some()
    }

    async fn status(&self, repo: &str, kind: &str, reference: impl std::fmt::Display) -> StatusCode {
        // GET renews no lease, unlike HEAD.
        self.get(&format!("/v2/{repo}/{kind}/{reference}")).await.status()
    }

    /// Whether the repository has it, asked past the wire so that nothing counts as a pull.
    fn has_manifest(&self, name: &str, digest: &Digest) -> bool {
        self.server
            .registry()
            .meta()
            .read(|tx| {
                let repo = repo::id_of(tx, &name.parse().unwrap())?.unwrap();
                manifest::get(tx, repo, digest)
            })
            .unwrap()
            .is_some()
    }

    async fn push_index(&self, repo: &str, reference: Option<&str>, children: &[(&str, &Digest)]) -> Digest {
        let entries: Vec<Value> = children.iter().map(|(kind, digest)| descriptor(kind, digest, 10)).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
        self.push_by_digest(repo, reference, OCI_INDEX, &index).await
    }

    async fn push_by_digest(&self, repo: &str, reference: Option<&str>, kind: &str, body: &Value) -> Digest {
        let digest = sha256(body.to_string().as_bytes());
        let reference = reference.map_or_else(|| digest.to_string(), str::to_owned);
        let pushed = self.put_manifest(repo, &reference, kind, body).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
        digest
    }

    /// An image without a tag.
    async fn push_untagged(&self, repo: &str, layer: &[u8]) -> Digest {
        let image = self.image(repo, layer).await;
        self.push_by_digest(repo, None, OCI_MANIFEST, &image).await
    }

    async fn push_referrer(&self, repo: &str, subject: &Digest, note: &str) -> Digest {
        let config = self.push_blob(repo, b"{}").await;
        let body = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/x.signature",
            "config": descriptor("application/vnd.oci.empty.v1+json", &config, 2),
            "layers": [],
            "subject": descriptor(OCI_MANIFEST, subject, 10),
            "annotations": { "note": note },
        });
        self.push_by_digest(repo, None, OCI_MANIFEST, &body).await
    }
}

/// A dry run does not count the leases of what would go.
fn but_leases(freed: &Freed) -> Freed {
    Freed { leases: 0, ..freed.clone() }
}

on_each_engine! {
    async fn a_run_by_hand_waits_for_the_one_that_works(lab) {
        let unused = lab.push_blob("lab/web", b"not needed").await;
        let registry = lab.server.registry();
        let by_hand = || registry.collect_garbage(Options { ignore_leases: true });
        // The first of these to be polled is at work when the others are.
        let (scheduled, first, second) =
            tokio::join!(registry.collect_garbage_for(Duration::from_secs(20)), by_hand(), by_hand());
        assert_eq!(scheduled.unwrap().unwrap().freed.blobs.count, 0, "it keeps to the lease");
        let report = first.unwrap();
        assert_eq!((report.trigger, report.freed.blobs.count), (Trigger::Hand, 1));
        assert!(!lab.has_row(&unused));
        // One that waits is enough.
        let told = second.unwrap_err().to_string();
        assert!(told.contains("waits until it is over"), "{told}");
        by_hand().await.unwrap();
        // And the schedule leaves the work to who does it.
        let (report, scheduled) = tokio::join!(by_hand(), registry.collect_garbage_for(Duration::from_secs(20)));
        report.unwrap();
        assert!(matches!(scheduled, Err(GcError::Busy)));
    }

    async fn what_no_manifest_refers_to_goes_after_its_lease(lab) {
        let (manifest, _) = lab.push_image("lab/kept", "1", &noise(40_000, 1)).await;
        let kept: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        let large = lab.push_blob("lab/kept", &noise(50_000, 2)).await;
        let small = lab.push_blob("lab/kept", b"small").await;
        assert_eq!(lab.files(), 2);

        assert!(lab.collect().await.freed.is_nothing(), "both are leased");
        lab.clock.advance(Duration::from_secs(86_399));
        assert!(lab.collect().await.freed.is_nothing(), "and still are");
        lab.clock.advance(Duration::from_secs(2));
        let dry = lab.dry(false).await;
        let freed = lab.collect().await.freed;
        assert_eq!(dry, but_leases(&freed), "a dry run tells what a run does");
        assert_eq!((freed.links, freed.blobs.count, freed.blobs.bytes), (2, 2, 50_005));
        assert_eq!((freed.files.count, freed.files.bytes), (1, 50_000));
        assert!(freed.leases >= 2);
        for gone in [&large, &small] {
            assert!(!lab.has_row(gone));
            assert_eq!(lab.status("lab/kept", "blobs", gone).await, StatusCode::NOT_FOUND);
            assert_eq!(lab.server.registry().meta().read(|tx| lease::until(tx, gone)).unwrap(), 0);
        }
        assert_eq!(lab.files(), 1);
        assert_eq!(lab.get(&format!("/v2/lab/kept/blobs/{kept}")).await.bytes().await.unwrap(), noise(40_000, 1));
        assert!(lab.collect().await.freed.is_nothing(), "nothing is left to do");
    }

    async fn a_blob_of_two_repositories_goes_with_the_second(lab) {
        let layer = noise(30_000, 3);
        let (_, image) = lab.push_image("lab/one", "1", &layer).await;
        let digest = sha256(&layer);
        let mount = format!("/v2/lab/two/blobs/uploads/?mount={digest}&from=lab/one");
        assert_eq!(lab.request(reqwest::Method::POST, &mount).send().await.unwrap().status(), StatusCode::CREATED);
        lab.clock.advance(DAY * 2);
        let freed = lab.collect().await.freed;
        assert_eq!((freed.links, freed.blobs.count), (1, 0), "the second never used it");
        assert_eq!(lab.status("lab/two", "blobs", digest).await, StatusCode::NOT_FOUND);
        assert_eq!(lab.status("lab/one", "blobs", digest).await, StatusCode::OK);

        assert_eq!(lab.delete(&format!("/v2/lab/one/manifests/{image}")).await.status(), StatusCode::ACCEPTED);
        let freed = lab.collect().await.freed;
        assert_eq!((freed.links, freed.blobs.count, freed.files.count), (2, 2, 1), "config and layer");
        assert_eq!(lab.files(), 0);
    }

    async fn a_blob_that_a_user_deletes_is_freed_after_its_lease(lab) {
        let digest = lab.push_blob("lab/del", &noise(20_000, 4)).await;
        assert_eq!(lab.delete(&format!("/v2/lab/del/blobs/{digest}")).await.status(), StatusCode::ACCEPTED);
        assert_eq!(lab.status("lab/del", "blobs", digest).await, StatusCode::NOT_FOUND);
        assert!(lab.collect().await.freed.is_nothing());
        assert_eq!(lab.files(), 1, "the lease holds row and file");
        lab.clock.advance(DAY * 2);
        let freed = lab.collect().await.freed;
        assert_eq!((freed.links, freed.blobs.count, freed.files.bytes), (0, 1, 20_000));
        assert!(!lab.has_row(&digest));
        assert_eq!(lab.files(), 0);
    }

    async fn untagged_manifests_go_when_nobody_used_them_for_a_month(lab) {
        let stale = lab.push_untagged("lab/un", &noise(20_000, 5)).await;
        let pulled = lab.push_untagged("lab/un", &noise(20_000, 6)).await;
        let (_, tagged) = lab.push_image("lab/un", "1", b"layer").await;
        lab.clock.advance(DAY * 20);
        assert_eq!(lab.status("lab/un", "manifests", pulled).await, StatusCode::OK);
        lab.server.registry().flush_usage().await.unwrap();
        lab.clock.advance(DAY * 11);
        let dry = lab.dry(false).await;
        let freed = lab.collect().await.freed;
        assert_eq!(dry, but_leases(&freed));
        assert_eq!(freed.manifests.count, 1);
        assert!(!lab.has_manifest("lab/un", &stale));
        assert!(lab.has_manifest("lab/un", &pulled) && lab.has_manifest("lab/un", &tagged));
        assert_eq!((freed.blobs.count, freed.files.count), (1, 1), "its layer goes in the same run");

        // A pull that is only a note yet counts, too.
        lab.clock.advance(DAY * 25);
        assert_eq!(lab.status("lab/un", "manifests", pulled).await, StatusCode::OK);
        lab.clock.advance(DAY * 25);
        assert_eq!(lab.collect().await.freed.manifests.count, 0);
        lab.clock.advance(DAY * 6);
        assert_eq!(lab.collect().await.freed.manifests.count, 1);
        assert!(!lab.has_manifest("lab/un", &pulled) && lab.has_manifest("lab/un", &tagged));

        let events = lab.server.registry().meta().read(|tx| {
            let repo = repo::id_of(tx, &"lab/un".parse().unwrap())?.unwrap();
            msr_lite::meta::event::of_repo(tx, repo, 100)
        });
        let collected = events.unwrap().into_iter().filter(|event| {
            matches!(event.what, msr_lite::model::event::Happening::ManifestCollected { .. })
                && event.actor == msr_lite::model::Principal::System
        });
        assert_eq!(collected.count(), 2);
    }

    async fn a_manifests_time_without_a_tag_runs_from_its_last_tag_on(lab) {
        let (_, first) = lab.push_image("lab/move", "latest", b"first").await;
        let (_, deleted) = lab.push_image("lab/move", "gone", b"deleted").await;
        lab.clock.advance(DAY * 60);
        let (_, second) = lab.push_image("lab/move", "latest", b"second").await;
        lab.delete("/v2/lab/move/manifests/gone").await;
        lab.clock.advance(DAY * 29);
        assert_eq!(lab.collect().await.freed.manifests.count, 0);
        assert!(lab.has_manifest("lab/move", &first) && lab.has_manifest("lab/move", &deleted));
        lab.clock.advance(DAY * 2);
        assert_eq!(lab.collect().await.freed.manifests.count, 2);
        assert!(lab.has_manifest("lab/move", &second));
    }

    async fn members_of_the_living_stay_and_go_with_them(lab) {
        let child = lab.push_untagged("lab/members", &noise(20_000, 7)).await;
        let inner = lab.push_index("lab/members", None, &[(OCI_MANIFEST, &child)]).await;
        let outer = lab.push_index("lab/members", Some("app"), &[(OCI_INDEX, &inner)]).await;
        let signature = lab.push_referrer("lab/members", &child, "signature").await;
        let of_signature = lab.push_referrer("lab/members", &signature, "of the signature").await;
        let stray = lab.push_referrer("lab/members", &sha256(b"never here"), "stray").await;
        let all = [child, inner, outer, signature, of_signature];
        lab.clock.advance(MONTH);
        assert_eq!(lab.collect().await.freed.manifests.count, 1);
        assert!(!lab.has_manifest("lab/members", &stray), "its subject is missing: its own age counts");
        assert!(all.iter().all(|digest| lab.has_manifest("lab/members", digest)));

        lab.delete("/v2/lab/members/manifests/app").await;
        lab.clock.advance(DAY * 29);
        assert_eq!(lab.collect().await.freed.manifests.count, 0, "untagged since yesterday's month");
        lab.clock.advance(DAY * 2);
        let dry = lab.dry(false).await;
        let freed = lab.collect().await.freed;
        assert_eq!(dry, but_leases(&freed));
        assert_eq!(freed.manifests.count, 5, "one after the other in one run");
        assert!(all.iter().all(|digest| !lab.has_manifest("lab/members", digest)));
        assert_eq!(lab.files(), 0);
    }

    async fn an_incomplete_manifest_keeps_what_comes_later(lab) {
        let layer = noise(20_000, 8);
        let config = lab.push_blob("lab/late", b"{}").await;
        let body = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config, 2),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &sha256(&layer), layer.len())],
        });
        lab.push_by_digest("lab/late", Some("1"), OCI_MANIFEST, &body).await;
        lab.push_blob("lab/late", &layer).await;
        lab.clock.advance(DAY * 3);
        assert_eq!(lab.collect().await.freed.links, 0);
        assert_eq!(lab.status("lab/late", "blobs", sha256(&layer)).await, StatusCode::OK);
    }

    async fn mounts_and_heads_renew_the_lease(lab) {
        let headed = lab.push_blob("lab/a", &noise(20_000, 9)).await;
        let mounted = lab.push_blob("lab/a", &noise(20_000, 10)).await;
        lab.clock.advance(Duration::from_hours(20));
        assert_eq!(lab.head(&format!("/v2/lab/a/blobs/{headed}")).await.status(), StatusCode::OK);
        let mount = format!("/v2/lab/b/blobs/uploads/?mount={mounted}&from=lab/a");
        assert_eq!(lab.request(reqwest::Method::POST, &mount).send().await.unwrap().status(), StatusCode::CREATED);
        lab.clock.advance(Duration::from_hours(20));
        assert!(lab.collect().await.freed.is_nothing());
        lab.clock.advance(Duration::from_hours(5));
        assert_eq!(lab.collect().await.freed.blobs.count, 2);
    }

    async fn a_head_of_a_manifest_keeps_it_for_who_may_push(lab) {
        let child = lab.push_untagged("lab/hm", b"child").await;
        lab.clock.advance(MONTH);
        // A HEAD is use as well; here only the lease shall keep it.
        assert_eq!(lab.head(&format!("/v2/lab/hm/manifests/{child}")).await.status(), StatusCode::OK);
        let until = lab.server.registry().meta().read(|tx| lease::until(tx, &child)).unwrap();
        assert!(until > lab.clock.steady());
        assert_eq!(lab.collect().await.freed.manifests.count, 0);
        lab.push_index("lab/hm", Some("1"), &[(OCI_MANIFEST, &child)]).await;
    }

    async fn what_was_lost_is_asked_for_again(lab) {
        let layer = noise(20_000, 11);
        let image = lab.image("lab/lost", &layer).await;
        lab.clock.advance(DAY * 2);
        assert_eq!(lab.collect().await.freed.blobs.count, 2);
        let refused = lab.put_manifest("lab/lost", "1", OCI_MANIFEST, &image).await;
        assert_eq!(code(refused).await, "MANIFEST_BLOB_UNKNOWN");
        let again = lab.image("lab/lost", &layer).await;
        assert_eq!(lab.put_manifest("lab/lost", "1", OCI_MANIFEST, &again).await.status(), StatusCode::CREATED);
        let pulled = lab.get(&format!("/v2/lab/lost/blobs/{}", sha256(&layer))).await;
        assert_eq!(pulled.bytes().await.unwrap(), layer);
    }

    async fn marks_of_what_was_lost_end_after_a_month(lab) {
        let image = lab.image("lab/marks", b"layer").await;
        lab.clock.advance(DAY * 2);
        lab.collect().await;
        lab.clock.advance(MONTH);
        assert_eq!(lab.collect().await.freed.marks, 2);
        let taken = lab.put_manifest("lab/marks", "1", OCI_MANIFEST, &image).await;
        assert_eq!(taken.status(), StatusCode::CREATED, "an incomplete manifest like any other");
    }

    async fn orphans_go_and_what_sessions_own_stays(lab) {
        let content = noise(60_000, 12);
        let location = lab.begin_upload("lab/open").await;
        let patched = lab.request(reqwest::Method::PATCH, &location).body(content[..30_000].to_vec()).send().await;
        assert_eq!(patched.unwrap().status(), StatusCode::ACCEPTED);
        let orphan = FileId::random();
        let shelf = lab.data().join("blobs").join(&orphan.to_string()[..2]);
        std::fs::write(shelf.join(orphan.to_string()), noise(1234, 13)).unwrap();
        std::fs::write(shelf.join("not ours"), "x").unwrap();
        assert_eq!(lab.files(), 2);
        let dry = lab.dry(false).await;
        let freed = lab.collect().await.freed;
        assert_eq!(dry, but_leases(&freed));
        assert_eq!((freed.orphans.count, freed.orphans.bytes), (1, 1234));
        assert_eq!(lab.files(), 1);
        assert!(shelf.join("not ours").exists());
        let put = format!("{location}?digest={}", sha256(&content));
        let put = lab.request(reqwest::Method::PUT, &put).body(content[30_000..].to_vec()).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }

    async fn a_missing_file_is_told_and_its_row_stays(lab) {
        let digest = lab.push_blob("lab/missing", &noise(20_000, 14)).await;
        let row = lab.server.registry().meta().read(|tx| blob::get(tx, &digest)).unwrap().unwrap();
        lab.server.registry().blobs().unlink(row.file.unwrap()).unwrap();
        assert_eq!(lab.collect().await.missing_files, 1);
        assert!(lab.has_row(&digest));
    }

    async fn a_doomed_file_is_removed_after_a_restart(lab) {
        // As if the process had ended between the collection and the removal of the file.
        let digest = lab.push_blob("lab/crash", &noise(20_000, 15)).await;
        let now = lab.clock.now();
        let doom = lab.server.registry().meta().write(move |tx| {
            let row = blob::get(tx, &digest)?.unwrap();
            for repo in blob::repos_with(tx, &digest, 10)? {
                blob::unlink(tx, repo, &digest, row.size);
            }
            blob::remove(tx, &digest, &row, now);
            Ok::<_, msr_lite::meta::MetaError>(())
        });
        doom.await.unwrap();
        let lab = lab.restart().await;
        assert_eq!(lab.files(), 1);
        assert_eq!(lab.dry(false).await.files.count, 1);
        let freed = lab.collect().await.freed;
        assert_eq!((freed.files.count, freed.files.bytes, freed.orphans.count), (1, 20_000, 0));
        assert_eq!(lab.files(), 0);
        assert!(lab.server.registry().meta().read(|tx| blob::doomed(tx, None, 1)).unwrap().is_empty());
    }

    async fn a_wall_clock_that_jumps_collects_nothing(lab) {
        lab.push_untagged("lab/jump", &noise(20_000, 16)).await;
        let loose = lab.push_blob("lab/jump", &noise(20_000, 17)).await;
        lab.clock.jump(lab.clock.now().plus(DAY * 365));
        lab.server.runner().drain().await.unwrap();
        assert!(lab.collect().await.freed.is_nothing());
        lab.clock.jump(lab.clock.now().minus(DAY * 700));
        assert!(lab.collect().await.freed.is_nothing());
        assert!(lab.has_row(&loose));
    }

    async fn by_hand_leases_can_be_ignored(lab) {
        let (_, image) = lab.push_image("lab/now", "1", &noise(20_000, 18)).await;
        lab.push_blob("lab/now", &noise(20_000, 19)).await;
        assert_eq!(lab.dry(true).await, but_leases(&lab.collect_now().await.freed));
        assert_eq!(lab.files(), 1);
        assert_eq!(lab.delete(&format!("/v2/lab/now/manifests/{image}")).await.status(), StatusCode::ACCEPTED);
        let dry = lab.dry(true).await;
        let report = lab.collect_now().await;
        assert_eq!(dry, but_leases(&report.freed));
        assert!(report.ignored_leases);
        assert_eq!(lab.files(), 0);
    }

    async fn the_schedule_collects_and_keeps_its_report(lab) {
        lab.server.runner().drain().await.unwrap();
        lab.push_blob("lab/jobs", &noise(20_000, 20)).await;
        let status = lab.server.registry().garbage_status().await.unwrap();
        assert_eq!((status.survey.leased.links, status.survey.leased.blobs.bytes), (1, 20_000));
        let until = status.survey.leased.latest.unwrap();
        assert_eq!(until, lab.clock.now().plus(DAY));
        lab.clock.advance(DAY + Duration::from_secs(1));
        lab.server.runner().drain().await.unwrap();
        assert_eq!(lab.files(), 0);
        let lab = lab.restart().await;
        let status = lab.server.registry().garbage_status().await.unwrap();
        let last = status.last.unwrap();
        assert_eq!((last.freed.links, last.freed.files.bytes), (1, 20_000));
        assert!(status.survey.leased.is_nothing() && status.survey.goes.is_nothing());
        assert_eq!(status.next.unwrap(), last.started.plus(Duration::from_hours(1)));
    }

    async fn a_pull_in_progress_outlives_its_blob(lab) {
        let content = noise(24 << 20, 21);
        let digest = lab.push_blob("lab/pull", &content).await;
        let mut pull = lab.get(&format!("/v2/lab/pull/blobs/{digest}")).await;
        let mut got = pull.chunk().await.unwrap().unwrap().to_vec();
        lab.clock.advance(DAY * 2);
        assert_eq!(lab.collect().await.freed.files.count, 1);
        assert_eq!(lab.files(), 0);
        while let Some(chunk) = pull.chunk().await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        assert!(got == content, "to the last byte");
    }

    async fn an_observer_is_told_every_step(lab) {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let told = steps.clone();
        lab.server.registry().trace().observe(Arc::new(move |step: &TraceEvent| told.lock().push(step.clone())));
        let name = "lab/trace".parse().unwrap();
        let digest = lab.push_blob("lab/trace", &noise(20_000, 22)).await;
        lab.push_blob("lab/trace", &noise(20_000, 22)).await;
        lab.head(&format!("/v2/lab/trace/blobs/{digest}")).await;
        lab.clock.advance(DAY * 2);
        lab.collect().await;
        let steps = std::mem::take(&mut *steps.lock());
        let [
            SessionBegan { upload, file, repo },
            Published { upload: first, file: Some(made), new_row: true, lease_until, .. },
            SessionBegan { file: second, .. },
            Doomed { file: doomed, .. },
            Published { new_row: false, file: Some(again), .. },
            HeadAnswered { renewed: false, lease_until: promised, .. },
            LinkCollected { .. },
            Doomed { file: last, .. },
            RowCollected { file: Some(row), .. },
            Purged { .. }, Purged { .. },
            Forgotten { .. }, Forgotten { .. },
        ] = steps.as_slice() else { panic!("{steps:#?}") };
        assert_eq!((upload, file, repo), (first, made, &name));
        assert_eq!((second, second), (doomed, again));
        assert_eq!((file, file), (last, row));
        assert_eq!(lease_until, promised);
    }

    async fn more_than_a_page_goes_in_one_run(lab) {
        // The same blob in many repositories, and many blobs in one.
        let shared = lab.push_blob("lab/r0", b"shared by all").await;
        for n in 1..100 {
            let mount = format!("/v2/lab/r{n}/blobs/uploads/?mount={shared}&from=lab/r0");
            assert_eq!(lab.request(reqwest::Method::POST, &mount).send().await.unwrap().status(), StatusCode::CREATED);
        }
        for n in 0..100_u32 {
            lab.push_blob("lab/r0", &n.to_be_bytes()).await;
        }
        lab.clock.advance(DAY * 2);
        let dry = lab.dry(false).await;
        let freed = lab.collect().await.freed;
        assert_eq!(dry, but_leases(&freed));
        assert_eq!((freed.links, freed.blobs.count), (200, 101));
        let left = lab.server.registry().meta().read(|tx| blob::scan(tx, None, 10)).unwrap();
        assert!(left.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn untagged_manifests_can_be_kept_for_ever() {
    let lab = Lab::with(Mode::Strict, |config| config.gc.untagged_days = 0).await;
    let digest = lab.push_untagged("lab/ever", b"layer").await;
    lab.clock.advance(DAY * 1000);
    assert_eq!(lab.collect().await.freed.manifests.count, 0);
    assert!(lab.has_manifest("lab/ever", &digest));
}
