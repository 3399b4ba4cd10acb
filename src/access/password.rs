//! Passwords: argon2id at OWASP's minimum (19 MiB, two passes), two at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::hmac;
use tokio::sync::Semaphore;

use super::AccessError;
use super::personal_tokens::is_token;
use crate::base::Secret;
use crate::base::id::random;
use crate::meta::MetaError;
use crate::model::account::Account;

/// The longest password in bytes; a longer one is refused, never cut (CVE-2024-9683).
pub const MAX_PASSWORD: usize = 1024;
/// The shortest password that may be set, in bytes.
pub const MIN_PASSWORD: usize = 8;
/// The longest account name in bytes.
pub const MAX_ACCOUNT: usize = 255;

/// Hashes at once: each takes 19 MiB and a core for some 25 ms.
const AT_ONCE: usize = 2;
/// Attempts that may wait for one of them (about three seconds' worth); more are sent away.
const MAX_WAITING: usize = 256;

/// Letters and digits that nobody mistakes for one another, in print or read aloud: no 0 O 1 l I.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const GENERATED: usize = 24;

/// A name and a password under this process's key: what sign-ins are remembered by. It is worthless in any other
/// process, and in this one without the password.
pub(super) type Proof = [u8; 32];

/// A random password of 24 characters (140 bits).
pub fn generate() -> Secret {
    Secret::new(letters(GENERATED))
}

/// So many random letters.
pub(super) fn letters(count: usize) -> String {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        // Bytes past the last whole multiple of the alphabet are thrown away, so that all letters are equally likely.
        let whole = 256 / ALPHABET.len() * ALPHABET.len();
        let fit = random::<32>().into_iter().map(usize::from).filter(|byte| *byte < whole);
        text.extend(fit.map(|byte| char::from(ALPHABET[byte % ALPHABET.len()])).take(count - text.len()));
    }
    text
}

/// Checks that a password may be set.
///
/// # Errors
/// [`AccessError::Malformed`] when it is too short or too long, or looks like an access token.
pub fn check_new(password: &Secret) -> Result<(), AccessError> {
    if is_token(password.reveal()) {
        return Err(AccessError::Malformed("this is an access token; choose a password of your own".into()));
    }
    match password.reveal().len() {
        MIN_PASSWORD..=MAX_PASSWORD => Ok(()),
        _ => Err(AccessError::Malformed(format!("a password has {MIN_PASSWORD} to {MAX_PASSWORD} bytes"))),
    }
}

/// Whether a stored hash is one that was imported: bcrypt (the `$2y$` of htpasswd and its kin).
pub(super) fn is_imported(stored: &str) -> bool {
    stored.starts_with("$2")
}

/// Hashes, and keeps what that costs within bounds.
#[derive(Debug)]
pub(super) struct Passwords {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    key: hmac::Key,
    /// A hash that no password has, of the same cost: what unknown accounts are checked against.
    nobody: String,
    #[cfg(test)]
    pub(super) load: Arc<Load>,
}

/// What the test sees: hashes running now, at most, and in all.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) now: AtomicUsize,
    pub(super) most: AtomicUsize,
    pub(super) all: AtomicUsize,
}

fn params() -> Params {
    Params::new(19 * 1024, 2, 1, None).expect("OWASP's parameters are within argon2's limits")
}

/// Argon2id with these parameters, into as many bytes as `out` has.
fn derive(params: Params, password: &[u8], salt: &[u8], out: &mut [u8]) -> Result<(), argon2::Error> {
    let mut memory = memory(params.block_count());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password,
        salt,
        out,
        &mut memory,
    )
}

/// The memory that one hash works in.
///
/// More address space is asked for than is used (and none that is not used costs memory): what glibc maps for a
/// request of at most 32 MiB, it takes when it is freed as the measure of what to keep (mallopt(3), `M_MMAP_THRESHOLD`).
/// After one hash of 19 MiB it would give neither these back nor, from then on, any buffer of the size that pulls
/// and pushes work with, in none of its arenas: the process would grow beyond 120 MiB (measured) instead of 55.
fn memory(blocks: usize) -> Vec<Block> {
    const ALWAYS_GIVEN_BACK: usize = 33 << 20;
    let mut memory = Vec::with_capacity(blocks.max(ALWAYS_GIVEN_BACK / Block::SIZE));
    memory.resize(blocks, Block::default());
    memory
}

/// The PHC form of a password's hash, under a fresh salt. Takes some 25 ms: not for async threads.
pub(super) fn hash(password: &Secret) -> String {
    let (salt, mut out) = (random::<16>(), [0; Params::DEFAULT_OUTPUT_LEN]);
    derive(params(), password.reveal().as_bytes(), &salt, &mut out).expect("passwords are at most 1024 bytes");
    phc(&salt, &out)
}

fn nobody() -> String {
    phc(&random::<16>(), &random::<{ Params::DEFAULT_OUTPUT_LEN }>())
}

/// The stored form of a hash with our parameters.
fn phc(salt: &[u8], out: &[u8]) -> String {
    let params = (&params()).try_into().expect("argon2's parameters have a stored form");
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(salt).expect("16 bytes are a salt")),
        hash: Some(Output::new(out).expect("32 bytes are a hash")),
    };
    hash.to_string()
}

/// Whether the password has this stored hash; `None` when that is no hash of ours.
fn matches(password: &[u8], stored: &str) -> Option<bool> {
    let stored = PasswordHash::new(stored).ok()?;
    let ours = stored.algorithm == Algorithm::Argon2id.ident() && stored.version == Some(Version::V0x13.into());
    let (true, Some(salt), Some(expected)) = (ours, &stored.salt, &stored.hash) else { return None };
    let mut out = [0; Output::MAX_LENGTH];
    let out = &mut out[..expected.len()];
    derive(Params::try_from(&stored).ok()?, password, salt.as_ref(), out).ok()?;
    // Compared in constant time by its type.
    Some(Output::new(out).ok()? == *expected)
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()),
            nobody: nobody(),
            #[cfg(test)]
            load: Arc::default(),
        }
    }

    /// What this name and password are remembered by.
    pub(super) fn proof(&self, name: &str, password: &Secret) -> Proof {
        let mut context = hmac::Context::with_key(&self.key);
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name.as_bytes());
        context.update(password.reveal().as_bytes());
        let mut proof = Proof::default();
        proof.copy_from_slice(context.sign().as_ref());
        proof
    }

    /// Whether the password is the account's. Without an account it takes as long and says no.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when the stored hash does not read.
    pub(super) fn verify(&self, account: Option<&Account>, password: &Secret) -> Result<bool, MetaError> {
        #[cfg(test)]
        let _running = self.load.begin();
        let stored = account.map_or(self.nobody.as_str(), |account| account.password.as_str());
        if stored.is_empty() {
            // No password is right, which takes as long to say as of a wrong one.
            matches(password.reveal().as_bytes(), &self.nobody);
            return Ok(false);
        }
        if is_imported(stored) {
            // As long as the others take, and a little more: nobody learns from less that the hash is an old one.
            matches(password.reveal().as_bytes(), &self.nobody);
            // More than 72 bytes are an error to the crate, which older programs cut off: refused, never cut.
            return Ok(bcrypt::non_truncating_verify(password.reveal(), stored).unwrap_or(false));
        }
        match matches(password.reveal().as_bytes(), stored) {
            Some(right) => Ok(right && account.is_some()),
            None => Err(MetaError::Corrupt(format!(
                "the password hash of account {} does not read",
                account.map_or("", |account| &account.name)
            ))),
        }
    }

    /// Runs `work` (which hashes) on a blocking thread when one of the two places is free. It runs to its end even
    /// when the caller goes away, so that hanging up does not undo the count of a failure.
    ///
    /// # Errors
    /// [`AccessError::Throttled`] when too many wait already, or what `work` ends with.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
    ) -> Result<T, AccessError> {
        let queue = Queue::join(&self.waiting)?;
        self.run(queue, work).await
    }

    /// The hash of a new password, in turn; never sent away, because who sets a password has been let in already.
    ///
    /// # Errors
    /// [`MetaError::Closed`] when the process is shutting down.
    pub(super) async fn hash(&self, password: Secret) -> Result<String, AccessError> {
        self.run((), move || Ok(hash(&password))).await
    }

    /// Waits for a place, gives up what it held while waiting, and works.
    async fn run<T: Send + 'static>(
        &self,
        waiting: impl Sized,
        work: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
    ) -> Result<T, AccessError> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        drop(waiting);
        // What the work logs goes to where the caller logs, within the caller's span.
        let (log, span) = (tracing::dispatcher::get_default(Clone::clone), tracing::Span::current());
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            tracing::dispatcher::with_default(&log, || span.in_scope(work))
        });
        work.await.unwrap_or_else(|_| Err(MetaError::Closed.into()))
    }
}

/// A place in the queue; given back when the wait ends in whatever way.
struct Queue<'q>(&'q AtomicUsize);

impl<'q> Queue<'q> {
    fn join(waiting: &'q AtomicUsize) -> Result<Self, AccessError> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::SeqCst) < MAX_WAITING {
            Ok(place)
        } else {
            Err(AccessError::Throttled { retry_after: Duration::from_secs(3) })
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Load {
    fn begin(self: &Arc<Self>) -> impl Drop + use<> {
        struct Running(Arc<Load>);
        impl Drop for Running {
            fn drop(&mut self) {
                self.0.now.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.all.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Running(Arc::clone(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_plain_and_all_different() {
        let made: std::collections::HashSet<String> = (0..200).map(|_| generate().reveal().clone()).collect();
        assert_eq!(made.len(), 200);
        for password in &made {
            assert_eq!(password.len(), GENERATED);
            assert!(password.bytes().all(|byte| ALPHABET.contains(&byte)), "{password}");
        }
        let used: std::collections::HashSet<char> = made.iter().flat_map(|password| password.chars()).collect();
        assert_eq!(used.len(), ALPHABET.len(), "every letter is used");
    }

    #[test]
    fn a_stored_hash_names_its_parameters_and_nobody_has_the_same() {
        let phc = hash(&Secret::new("a password".into()));
        let prefix = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(phc.starts_with(prefix), "{phc}");
        assert!(nobody().starts_with(prefix), "{}", nobody());
        assert_eq!(nobody().len(), phc.len());
    }

    #[test]
    fn proofs_bind_name_and_password() {
        let passwords = Passwords::new();
        let secret = |text: &str| Secret::new(text.to_owned());
        assert_eq!(passwords.proof("ab", &secret("c")), passwords.proof("ab", &secret("c")));
        assert_ne!(passwords.proof("ab", &secret("c")), passwords.proof("a", &secret("bc")));
        assert_ne!(passwords.proof("ab", &secret("c")), Passwords::new().proof("ab", &secret("c")), "per process");
    }

    #[test]
    fn the_queue_has_an_end() {
        let waiting = AtomicUsize::new(0);
        let mut queue: Vec<_> = (0..MAX_WAITING).map(|_| Queue::join(&waiting).unwrap()).collect();
        assert!(matches!(Queue::join(&waiting), Err(AccessError::Throttled { .. })));
        queue.pop();
        queue.push(Queue::join(&waiting).unwrap());
        drop(queue);
        assert_eq!(waiting.into_inner(), 0, "also who was sent away has left");
    }

    #[test]
    fn new_passwords_have_bounds() {
        for (length, fits) in [(0, false), (7, false), (8, true), (1024, true), (1025, false)] {
            assert_eq!(check_new(&Secret::new("x".repeat(length))).is_ok(), fits, "{length}");
        }
    }
}
