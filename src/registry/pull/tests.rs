use std::time::Duration;

use super::*;
use crate::base::{Clock, Timestamp};
use crate::blobs::{BlobOptions, Blobs};
use crate::meta::{Engine, MetaError, Mode};
use crate::oci::manifest::ManifestLimits;
use crate::oci::{Algorithm, Tag};
use crate::registry::{Actor, Settings};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const BODY: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn tag() -> Reference {
    Reference::Tag(Tag::parse("1.0").unwrap())
}

struct Lab {
    registry: Registry,
    repo: RepoName,
    digest: Digest,
    _data: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_800_000_000_000));
        let options = BlobOptions { session_ttl: Duration::from_hours(1), max_blob: 1 << 20 };
        let blobs = Blobs::open(data.path(), options, clock.clone(), |_| Ok(false)).unwrap();
        let settings = Settings {
            create_on_push: true,
            untagged: None,
            collect_every: Duration::from_hours(1),
            accept_incomplete: true,
            lease: Duration::from_hours(24),
            manifest: ManifestLimits { references: 100, depth: 100 },
        };
        Self {
            registry: Registry::new(Engine::in_memory(Mode::Normal), blobs, clock, settings),
            repo: RepoName::parse("lab/app").unwrap(),
            digest: Digest::of(Algorithm::Sha256, BODY.as_bytes()),
            _data: data,
        }
    }

    async fn push(&self, repo: &RepoName) {
        self.push_bytes(repo, Bytes::from_static(BODY.as_bytes())).await;
    }

    async fn push_bytes(&self, repo: &RepoName, body: Bytes) {
        self.registry.push_manifest(Actor::system(), repo, &tag(), &[], Some(INDEX), body).await.unwrap();
    }

    fn pull(&self, repo: &RepoName) -> Result<Option<Bytes>, RegistryError> {
        self.registry.pull_manifest(repo, &Reference::Digest(self.digest)).map(|pulled| pulled.body)
    }
}

#[tokio::test]
async fn a_deletion_works_at_once_although_the_bytes_are_at_hand() {
    let lab = Lab::new();
    let other = RepoName::parse("lab/other").unwrap();
    lab.push(&lab.repo).await;
    lab.push(&other).await;
    for _ in 0..2 {
        assert_eq!(lab.pull(&lab.repo).unwrap().unwrap(), BODY);
    }
    assert!(lab.registry.0.bodies.get(&lab.digest).is_some(), "the second pull was answered from memory");
    lab.registry.delete_manifest(Actor::system(), &lab.repo, &Reference::Digest(lab.digest)).await.unwrap();
    assert!(matches!(lab.pull(&lab.repo), Err(RegistryError::ManifestUnknown { .. })));
    assert_eq!(lab.pull(&other).unwrap().unwrap(), BODY, "the other repository still has it");
    lab.push(&lab.repo).await;
    assert_eq!(lab.pull(&lab.repo).unwrap().unwrap(), BODY);
}

#[tokio::test]
async fn wrong_bytes_are_given_to_nobody() {
    let lab = Lab::new();
    lab.push(&lab.repo).await;
    let digest = lab.digest;
    let damage = lab.registry.meta().write(move |tx| {
        let mut damaged = manifest::body(tx, &digest, BODY.len() as u64)?.to_vec();
        damaged[40] ^= 1;
        manifest::put_body(tx, &digest, &damaged);
        Ok::<_, MetaError>(())
    });
    damage.await.unwrap();
    for _ in 0..2 {
        assert!(matches!(lab.pull(&lab.repo), Err(RegistryError::Store(MetaError::Corrupt(_)))));
    }
}

/// Who was told that a tag moved finds it there, however many others have just asked and remember where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_moved_tag_is_seen_at_once_by_everybody() {
    let lab = std::sync::Arc::new(Lab::new());
    let bodies = [Bytes::from(BODY), Bytes::from(format!("{BODY} "))];
    lab.push_bytes(&lab.repo, bodies[0].clone()).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (lab, stop) = (lab.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    lab.registry.pull_manifest(&lab.repo, &tag()).unwrap();
                    lab.registry.head_manifest(&lab.repo, &tag(), false).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 1..200 {
        let body = &bodies[round % 2];
        lab.push_bytes(&lab.repo, body.clone()).await;
        for _ in 0..3 {
            assert_eq!(lab.registry.pull_manifest(&lab.repo, &tag()).unwrap().body.as_ref(), Some(body), "{round}");
            let seen = lab.registry.head_manifest(&lab.repo, &tag(), false).await.unwrap();
            assert_eq!(seen.size, body.len() as u64, "{round}");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
}

#[tokio::test]
async fn a_pull_after_a_look_has_its_bytes_and_both_end_with_the_manifest() {
    let lab = Lab::new();
    lab.push(&lab.repo).await;
    for _ in 0..2 {
        assert_eq!(lab.registry.head_manifest(&lab.repo, &tag(), false).await.unwrap().body, None);
        let pulled = lab.registry.pull_manifest(&lab.repo, &tag()).unwrap();
        assert_eq!((pulled.body.as_deref(), pulled.size), (Some(BODY.as_bytes()), BODY.len() as u64));
    }
    assert!(lab.registry.usage().knows(repo_id(&lab), &lab.digest), "also what is answered from memory is noted");
    lab.registry.delete_manifest(Actor::system(), &lab.repo, &tag()).await.unwrap();
    assert!(matches!(lab.registry.pull_manifest(&lab.repo, &tag()), Err(RegistryError::ManifestUnknown { .. })));
    let looked = lab.registry.head_manifest(&lab.repo, &tag(), false).await;
    assert!(matches!(looked, Err(RegistryError::ManifestUnknown { .. })));
    assert_eq!(lab.pull(&lab.repo).unwrap().unwrap(), BODY, "by its digest it is still here");
}

fn repo_id(lab: &Lab) -> RepoId {
    lab.registry.meta().read(|tx| known(tx, &lab.repo)).unwrap()
}

#[tokio::test]
async fn a_blob_is_gone_with_its_link() {
    let lab = Lab::new();
    let (bytes, now) = (Bytes::from_static(b"some bytes"), lab.registry.clock().now());
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    lab.push(&lab.repo).await;
    let id = repo_id(&lab);
    let stored = bytes.clone();
    let push = lab.registry.meta().write(move |tx| {
        blob::put_inline(tx, &digest, &stored, now);
        blob::link(tx, id, &digest, stored.len() as u64, now)
    });
    push.await.unwrap();
    for _ in 0..2 {
        assert_eq!(lab.registry.head_blob(&lab.repo, &digest, false).await.unwrap().size, 10);
        let pulled = lab.registry.pull_blob(&lab.repo, &digest).unwrap();
        assert!(matches!(pulled.bytes, Some(BlobBytes::Inline(read)) if read == bytes));
    }
    let elsewhere = RepoName::parse("lab/other").unwrap();
    assert!(matches!(lab.registry.pull_blob(&elsewhere, &digest), Err(RegistryError::BlobUnknown { .. })));
    lab.registry.delete_blob(Actor::system(), &lab.repo, digest).await.unwrap();
    assert!(matches!(lab.registry.pull_blob(&lab.repo, &digest), Err(RegistryError::BlobUnknown { .. })));
    let looked = lab.registry.head_blob(&lab.repo, &digest, false).await;
    assert!(matches!(looked, Err(RegistryError::BlobUnknown { .. })));
}
