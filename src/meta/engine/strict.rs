//! What [`Mode::Strict`](super::Mode::Strict) asks of a closure: that it may be run again, and the limits of a
//! distributed engine (`FoundationDB`'s, design §5).

use super::job::{Fate, Job};
use super::overlay::{Change, Changes};
use super::{MetaError, WriteTx};

/// The longest key in bytes.
const KEY: usize = 10_000;
/// The longest value in bytes.
const VALUE: usize = 100_000;
/// All keys and values of one closure, in bytes.
const TOTAL: usize = 8_000_000;
/// The most rows that one closure may touch.
const KEYS: usize = 1_000;
/// The same for a closure that claims the exception for one manifest's edges: four rows for each of its 5,000
/// references.
const MANY_KEYS: usize = 4 * 5_000;

/// Runs a closure twice over the same rows: both runs must want the same. What the caller gets, and the effects, are
/// the second run's.
pub(super) fn run(job: &mut dyn Job, tx: &mut WriteTx) -> Fate {
    let first = job.run(tx);
    if let Fate::Failed(_) = first {
        return first;
    }
    let changes = tx.take_changes();
    match (first, job.run(tx)) {
        (Fate::Kept, Fate::Kept) if changes == *tx.changes() => Fate::Kept,
        (Fate::Kept, Fate::Kept) => broken("its second run wrote other rows than its first"),
        (Fate::Kept, Fate::Refused) | (Fate::Refused, Fate::Kept) => {
            broken("one of its runs refused and the other did not")
        }
        (_, second) => second,
    }
}

/// Whether the changes of one closure keep the limits.
pub(super) fn check_limits(changes: &Changes, many_keys: bool) -> Result<(), MetaError> {
    let most = if many_keys { MANY_KEYS } else { KEYS };
    let (mut keys, mut total) = (0, 0);
    for (table, key, change) in changes.iter() {
        let value = if let Change::Put(value) = change { value.len() } else { size_of::<i64>() };
        if key.is_empty() || key.len() > KEY {
            return Err(rule(format!("a key of table {} has {} bytes; 1 to {KEY} may be", table.name(), key.len())));
        }
        if value > VALUE {
            return Err(rule(format!("a value of table {} has {value} bytes; {VALUE} may be", table.name())));
        }
        keys += 1;
        total += key.len() + value;
    }
    if keys > most {
        return Err(rule(format!("it touches {keys} rows; {most} may be")));
    }
    if total > TOTAL {
        return Err(rule(format!("it writes {total} bytes; {TOTAL} may be")));
    }
    Ok(())
}

fn broken(how: &str) -> Fate {
    Fate::Failed(rule(format!("a closure must do the same when it is run again: {how}")))
}

fn rule(how: String) -> MetaError {
    MetaError::Rule(how)
}

/// A coin that falls the same way in every run of the tests (splitmix64).
pub(super) struct Coin(u64);

impl Coin {
    pub(super) fn new() -> Self {
        Self(0)
    }

    /// True one time in four.
    pub(super) fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).is_multiple_of(4)
    }
}
