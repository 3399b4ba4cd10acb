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
        let tag = Reference::Tag(Tag::parse("1.0").unwrap());
        let body = Bytes::from_static(BODY.as_bytes());
        self.registry.push_manifest(Actor::system(), repo, &tag, &[], Some(INDEX), body).await.unwrap();
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
