//! Bodies of manifests at hand, each verified when it came in.
//!
//! Only bytes are remembered, under the digest that they were found to have: what can never become wrong. Whether a
//! repository has a manifest is asked of the metadata, or of what was read of them since the last commit
//! ([`crate::meta::memo`]), so that a deletion works at once.

use std::collections::HashMap;
use std::mem;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::meta::MetaError;
use crate::oci::Digest;

/// Bytes of one generation; there are two.
const GENERATION: usize = 4 << 20;

/// A longer body is not kept, and verified each time that it is given out.
const LONGEST: usize = 256 * 1024;

/// What an entry costs besides its bytes, about.
const ENTRY: usize = 200;

/// At most 8 MiB of manifests in two generations: when the young one is full it becomes the old one, and the old one is
/// forgotten; what is used moves to the young one.
#[derive(Debug, Default)]
pub(super) struct Bodies(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Bytes>,
    old: HashMap<Digest, Bytes>,
    /// What the young ones cost.
    bytes: usize,
}

impl Generations {
    fn insert(&mut self, digest: Digest, body: Bytes) {
        let cost = body.len() + ENTRY;
        if self.bytes + cost > GENERATION {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(digest, body).is_none() {
            self.bytes += cost;
        }
    }
}

impl Bodies {
    /// The body of this digest, if it is at hand.
    pub(super) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let mut generations = self.0.lock();
        if let Some(body) = generations.young.get(digest) {
            return Some(body.clone());
        }
        let body = generations.old.remove(digest)?;
        generations.insert(*digest, body.clone());
        Some(body)
    }

    /// A body as the store gave it, once it has been found to have its digest; it is at hand from now on.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when it has another one: wrong bytes are given to nobody.
    pub(super) fn verify(&self, digest: &Digest, body: Bytes) -> Result<Bytes, MetaError> {
        let actual = Digest::of(digest.algorithm(), &body);
        if actual != *digest {
            tracing::error!(
                %digest, %actual, bytes = body.len(),
                "the stored bytes of a manifest are wrong and are given to nobody: the disk or the memory of this \
                 machine is failing; push the image again"
            );
            return Err(MetaError::Corrupt(format!("manifest {digest} is stored with other bytes")));
        }
        if body.len() <= LONGEST {
            self.0.lock().insert(*digest, body.clone());
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    fn body(n: usize, length: usize) -> (Digest, Bytes) {
        let body = Bytes::from(format!("{n:0length$}"));
        (Digest::of(Algorithm::Sha256, &body), body)
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let bodies = Bodies::default();
        let (used, bytes) = body(0, 1000);
        bodies.verify(&used, bytes.clone()).unwrap();
        for n in 1..20_000 {
            let (digest, passing) = body(n, 1000);
            bodies.verify(&digest, passing).unwrap();
            assert_eq!(bodies.get(&used).as_ref(), Some(&bytes), "used after every insertion");
        }
        let kept = bodies.0.lock();
        let bytes: usize = kept.young.values().chain(kept.old.values()).map(|body| body.len() + ENTRY).sum();
        assert!(bytes <= 2 * GENERATION, "{bytes}");
        assert!(bytes > GENERATION / 2, "{bytes}");
    }

    #[test]
    fn a_long_body_is_verified_and_not_kept() {
        let bodies = Bodies::default();
        let long = Bytes::from(vec![b' '; LONGEST + 1]);
        let digest = Digest::of(Algorithm::Sha512, &long);
        assert_eq!(bodies.verify(&digest, long.clone()).unwrap(), long);
        assert_eq!(bodies.get(&digest), None);
    }

    #[test]
    fn wrong_bytes_never_come_in() {
        let bodies = Bodies::default();
        let (digest, mut bytes) = (body(1, 10).0, body(2, 10).1);
        for _ in 0..2 {
            assert!(matches!(bodies.verify(&digest, bytes.clone()), Err(MetaError::Corrupt(_))));
            assert_eq!(bodies.get(&digest), None);
            bytes.truncate(5);
        }
    }
}
