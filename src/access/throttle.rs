//! Slows down who guesses passwords, without letting anybody lock an account out.
//!
//! Three counts work together; only *failed password checks* feed them (a bearer or refresh token has 256 random
//! bits, so guessing it needs no brake), and only *new* checks ask them (a sign-in remembered as right passes by).
//!
//! - **Account and address together**: after [`FREE`] failures in a row the next attempt waits one second, then two,
//!   four, … up to [`CAP`]. A right password ends it. This is the brake that a person meets. Because it counts per
//!   address, the owner of the account gets in from any other address while somebody is guessing: nobody can lock an
//!   account out but for those who share the guesser's address, and these no longer than [`CAP`]. On loopback the
//!   wait ends after [`LOOPBACK_CAP`]; and the command on the server itself needs no password at all.
//! - **Address alone**: [`ADDRESS_BURST`] failures over all accounts at once, then one a minute: the brake on trying
//!   one password on many accounts. Loopback is exempt.
//! - **Account alone**: [`ACCOUNT_BURST`] failures over all addresses, then one a minute; above it, an address that
//!   has failed gets the waits of the first count at once, while one that has not still has its one attempt. A crowd
//!   of addresses has a fifth of its guesses left, and the owner still gets in.
//!
//! A password that was refused before, sent again from the same place, teaches nobody anything: it is refused again
//! at once, neither hashed nor counted. So a forgotten script with an old password disturbs nobody.
//!
//! An address is an IPv4 address or an IPv6 network of 64 bits, which is what one customer usually has. Memory is
//! bounded; who wants his failures forgotten by filling it needs thousands of addresses, and the last count holds.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;

use super::cache::Bounded;
use super::password::Proof;
use super::sign_in::Version;

/// Failures in a row before the first wait.
pub(super) const FREE: u32 = 5;
/// The longest wait of an account at an address.
pub(super) const CAP: Duration = Duration::from_mins(15);
/// The longest wait of an account on loopback.
pub(super) const LOOPBACK_CAP: Duration = Duration::from_secs(30);
/// Failures of an address over all accounts before the slow pace begins.
pub(super) const ADDRESS_BURST: u64 = 20;
/// Failures of an account over all addresses before the slow pace begins.
pub(super) const ACCOUNT_BURST: u64 = 50;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60_000;
/// After so long without an attempt the failures of an account at an address are forgotten.
const FORGET: u64 = 24 * 60 * MINUTE;
/// Entries per count: some 200 bytes each.
const CAPACITY: usize = 16 * 1024;

/// Where attempts come from: an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            other => Self(other),
        }
    }

    fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

/// A password, and the account that it was tried on as that stood; `None` where there was none.
type Attempt = (Proof, Option<Version>);

/// Failures in a row of one account at one address.
#[derive(Debug)]
struct Run {
    failures: u32,
    last: u64,
    /// The last refused attempt, and the state of the account that refused it.
    refused: Attempt,
}

/// A bucket that holds `burst` failures and loses one a minute; kept as the time at which it will be empty.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    empty_at: u64,
}

impl Bucket {
    /// How long until it has room for one more; zero when it has.
    fn wait(self, burst: u64, now: u64) -> Duration {
        Duration::from_millis(self.empty_at.saturating_sub(now).saturating_sub((burst - 1) * MINUTE))
    }

    fn fill(&mut self, now: u64) {
        self.empty_at = self.empty_at.max(now) + MINUTE;
    }
}

#[derive(Debug)]
struct Counts {
    runs: Bounded<(String, Source), Run>,
    addresses: Bounded<Source, Bucket>,
    accounts: Bounded<String, Bucket>,
}

/// The counts. Times are steady milliseconds, so that a jump of the clock neither frees nor locks anybody.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<Counts>);

impl Throttle {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Counts {
            runs: Bounded::new(CAPACITY),
            addresses: Bounded::new(CAPACITY),
            accounts: Bounded::new(CAPACITY),
        }))
    }

    /// Whether this very attempt was refused before and nothing has changed since.
    pub(super) fn refused_before(&self, account: &str, from: Source, attempt: Attempt) -> bool {
        let mut counts = self.0.lock();
        counts.runs.get(&(account.to_owned(), from)).is_some_and(|run| run.refused == attempt)
    }

    /// May a password of this account be tried from there now?
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn check(&self, account: &str, from: Source, now: u64) -> Result<(), Duration> {
        let mut counts = self.0.lock();
        if !from.is_loopback() {
            let full = counts.addresses.get(&from).map_or(Duration::ZERO, |bucket| bucket.wait(ADDRESS_BURST, now));
            if !full.is_zero() {
                return Err(full);
            }
        }
        let besieged =
            counts.accounts.get(&account.to_owned()).is_some_and(|bucket| !bucket.wait(ACCOUNT_BURST, now).is_zero());
        let free = if besieged { 1 } else { FREE };
        let Some(run) = counts.runs.get(&(account.to_owned(), from)) else { return Ok(()) };
        let since = now.saturating_sub(run.last);
        if run.failures < free || since >= FORGET {
            return Ok(());
        }
        let cap = if from.is_loopback() { LOOPBACK_CAP } else { CAP };
        let doubled = FIRST_WAIT.saturating_mul(1 << (run.failures - free).min(20));
        let left = doubled.min(cap).saturating_sub(Duration::from_millis(since));
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    /// Notes a refused password.
    pub(super) fn failed(&self, account: &str, from: Source, attempt: Attempt, now: u64) {
        let mut counts = self.0.lock();
        let key = (account.to_owned(), from);
        let before = counts.runs.get(&key).filter(|run| now.saturating_sub(run.last) < FORGET);
        let failures = before.map_or(0, |run| run.failures).saturating_add(1);
        counts.runs.insert(key, Run { failures, last: now, refused: attempt });
        fill(&mut counts.addresses, from, now);
        fill(&mut counts.accounts, account.to_owned(), now);
    }

    /// Notes a right password: this account's run at this address ends. The other counts stay, or one account of
    /// one's own would wash off every guess at others.
    pub(super) fn succeeded(&self, account: &str, from: Source) {
        self.0.lock().runs.remove(&(account.to_owned(), from));
    }

    /// Forgets what is held against an account: it has a new password.
    pub(super) fn forget(&self, account: &str) {
        let mut counts = self.0.lock();
        counts.runs.retain(|(name, _), _| name != account);
        counts.accounts.remove(&account.to_owned());
    }
}

fn fill<K: std::hash::Hash + Eq>(buckets: &mut Bounded<K, Bucket>, key: K, now: u64) {
    let mut bucket = buckets.get(&key).copied().unwrap_or_default();
    bucket.fill(now);
    buckets.insert(key, bucket);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uuid;

    const HERE: &str = "192.0.2.1";
    const THERE: &str = "192.0.2.2";

    fn from(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    fn guess(n: u32) -> Attempt {
        let mut proof = Proof::default();
        proof[..4].copy_from_slice(&n.to_be_bytes());
        (proof, Some((Uuid([7; 16]), 1)))
    }

    /// Fails `n` times with new guesses as soon as each is let through; returns the time after it.
    fn fail(throttle: &Throttle, account: &str, source: Source, n: u32, mut now: u64) -> u64 {
        for i in 0..n {
            if let Err(wait) = throttle.check(account, source, now) {
                now += u64::try_from(wait.as_millis()).unwrap();
            }
            assert_eq!(throttle.check(account, source, now), Ok(()));
            throttle.failed(account, source, guess(i), now);
        }
        now
    }

    #[test]
    fn waits_double_after_five_failures_up_to_the_cap() {
        let throttle = Throttle::new();
        let mut now = fail(&throttle, "alice", from(HERE), FREE, 0);
        assert_eq!(now, 0, "five are free");
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
            let wait = Duration::from_secs(expected);
            assert_eq!(throttle.check("alice", from(HERE), now), Err(wait));
            now += u64::try_from(wait.as_millis()).unwrap();
            assert_eq!(throttle.check("alice", from(HERE), now), Ok(()));
            throttle.failed("alice", from(HERE), guess(0), now);
        }
    }

    #[test]
    fn a_right_password_ends_the_run_and_a_day_forgets_it() {
        let throttle = Throttle::new();
        fail(&throttle, "alice", from(HERE), FREE + 1, 0);
        throttle.succeeded("alice", from(HERE));
        assert_eq!(throttle.check("alice", from(HERE), 1000), Ok(()));
        let now = fail(&throttle, "bob", from(THERE), FREE + 3, 0);
        assert!(throttle.check("bob", from(THERE), now).is_err());
        fail(&throttle, "bob", from(THERE), FREE, now + FORGET);
    }

    #[test]
    fn the_owner_gets_in_from_another_address_whatever_is_guessed() {
        let throttle = Throttle::new();
        fail(&throttle, "alice", from(HERE), 12, 0);
        assert_eq!(throttle.check("alice", from(THERE), 0), Ok(()));
        for n in 0..=255 {
            fail(&throttle, "alice", from(&format!("198.51.100.{n}")), 1, 0);
        }
        assert_eq!(throttle.check("alice", from(THERE), 0), Ok(()), "one attempt is always free");
        throttle.failed("alice", from(THERE), guess(0), 0);
        assert_eq!(throttle.check("alice", from(THERE), 0), Err(FIRST_WAIT), "but only one under siege");
        throttle.forget("alice");
        assert_eq!(throttle.check("alice", from(THERE), 0), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let throttle = Throttle::new();
        for n in 0..ADDRESS_BURST {
            assert_eq!(throttle.check(&format!("user{n}"), from(HERE), 0), Ok(()));
            throttle.failed(&format!("user{n}"), from(HERE), guess(0), 0);
        }
        assert_eq!(throttle.check("alice", from(HERE), 0), Err(Duration::from_mins(1)));
        assert_eq!(throttle.check("alice", from(THERE), 0), Ok(()));
        assert_eq!(throttle.check("alice", from(HERE), MINUTE), Ok(()), "one a minute");
        throttle.failed("alice", from(HERE), guess(0), MINUTE);
        assert!(throttle.check("bob", from(HERE), MINUTE).is_err());
    }

    #[test]
    fn loopback_never_waits_long() {
        let throttle = Throttle::new();
        let mut now = 0;
        for n in 0..100 {
            now = fail(&throttle, "admin", from("127.0.0.1"), 1, now);
            throttle.failed(&format!("user{n}"), from("::1"), guess(0), now);
        }
        assert!(throttle.check("admin", from("127.0.0.1"), now).unwrap_err() <= LOOPBACK_CAP);
        assert_eq!(throttle.check("root", from("::1"), now), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_one_is_ipv4() {
        assert_eq!(from("2001:db8:1:2:3::1"), from("2001:db8:1:2:ffff::9"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        assert_eq!(from("::ffff:192.0.2.1"), from(HERE));
        assert!(from("::ffff:127.0.0.1").is_loopback() && from("::1").is_loopback());
        assert_ne!(from("::1"), from("::2"));
    }

    #[test]
    fn a_refused_attempt_is_known_again_until_the_account_changes() {
        let throttle = Throttle::new();
        throttle.failed("alice", from(HERE), guess(7), 0);
        assert!(throttle.refused_before("alice", from(HERE), guess(7)));
        assert!(!throttle.refused_before("alice", from(HERE), guess(8)));
        assert!(!throttle.refused_before("alice", from(THERE), guess(7)));
        assert!(
            !throttle.refused_before("alice", from(HERE), (guess(7).0, Some((Uuid([7; 16]), 2)))),
            "a new password"
        );
        let made_again = (guess(7).0, Some((Uuid([8; 16]), 1)));
        assert!(!throttle.refused_before("alice", from(HERE), made_again), "another account of that name");
    }
}
