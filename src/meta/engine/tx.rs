//! What a write closure sees and does.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::overlay::{Batch, Change, Changes, Merged, Patch, Value};
use super::{MetaError, Read, ReadTx, Row, Table, bounds, strict};

/// Something to be done once it is known whether a closure commits.
pub(super) type Effect = Box<dyn FnOnce() + Send>;

/// The effects of one closure, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) on_commit: Vec<Effect>,
    pub(super) on_abort: Vec<Effect>,
}

/// A write closure's view: its own overlay over those kept before it in the batch, over the last commit.
pub struct WriteTx {
    /// The last commit. One writer means that it stays the last until this batch is committed.
    snapshot: Arc<ReadTx>,
    /// What earlier closures of the batch left.
    batch: Batch,
    /// What this closure did.
    own: Changes,
    effects: Effects,
    /// A fault in a call that has no result to report it in; the closure cannot commit.
    fault: Option<MetaError>,
    many_keys: Option<&'static str>,
}

impl Read for WriteTx {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        match self.own.get(table, key) {
            Some(change) => change.over(|| self.below(table, key)),
            None => self.below(table, key),
        }
    }

    fn range(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, MetaError> {
        let Some(bounds) = bounds(from, to) else { return Ok(Vec::new()) };
        let kept = Merged::new(self.snapshot.rows(table, bounds)?, self.batch.range(table, bounds));
        Merged::new(kept, self.own.range(table, bounds)).take(limit).collect()
    }
}

impl WriteTx {
    /// Sets a row.
    pub fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.own.set(table, key, Change::Put(value));
    }

    /// Sets a row that must not exist yet; tells whether it was set.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    pub fn put_new(&mut self, table: Table, key: &[u8], value: Vec<u8>) -> Result<bool, MetaError> {
        let free = self.get(table, key)?.is_none();
        if free {
            self.put(table, key, value);
        }
        Ok(free)
    }

    /// Removes a row, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.own.set(table, key, Change::Delete);
    }

    /// Adds `delta` to the counter under `key` (an i64, big-endian, zero when absent); commutative. On a row that is
    /// no counter, or beyond an i64, the closure fails with [`MetaError::Corrupt`] when it ends.
    pub fn add(&mut self, table: Table, key: &[u8], delta: i64) {
        if let Err(error) = self.own.add(table, key, delta) {
            self.fault.get_or_insert(error);
        }
    }

    /// Runs `effect` once this closure is durable, before its caller is answered, even if its caller has gone away.
    /// Effects run on the writer thread, in order: they wake and forget, they do not wait.
    pub fn on_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.effects.on_commit.push(Box::new(effect));
    }

    /// Runs `effect` once if this closure does not commit; otherwise as [`WriteTx::on_commit`].
    pub fn on_abort(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.effects.on_abort.push(Box::new(effect));
    }

    /// Lifts the limit on keys to what the edges of one manifest may need ([`Mode::Strict`](super::Mode::Strict)
    /// alone enforces either). `reason` says why this closure cannot go in bounded steps.
    pub fn allow_many_keys(&mut self, reason: &'static str) {
        self.many_keys = Some(reason);
    }

    pub(super) fn over(snapshot: Arc<ReadTx>) -> Self {
        Self {
            snapshot,
            batch: Batch::default(),
            own: Changes::default(),
            effects: Effects::default(),
            fault: None,
            many_keys: None,
        }
    }

    /// Forgets the closure that ran last, its effects included.
    pub(super) fn start(&mut self) {
        self.own = Changes::default();
        self.effects = Effects::default();
        self.fault = None;
        self.many_keys = None;
    }

    /// What the closure did, for comparison with another run of it.
    pub(super) fn take_changes(&mut self) -> Changes {
        mem::take(&mut self.own)
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.own
    }

    pub(super) fn take_effects(&mut self) -> Effects {
        mem::take(&mut self.effects)
    }

    /// Whether the closure kept the limits that a distributed engine would set.
    pub(super) fn check_limits(&self) -> Result<(), MetaError> {
        strict::check_limits(&self.own, self.many_keys.is_some())
    }

    /// Makes the closure's changes part of the batch, all or none.
    pub(super) fn keep(&mut self) -> Result<(), MetaError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let changes = mem::take(&mut self.own);
        let rows = changes.resolve(|table, key| self.below(table, key))?;
        self.batch.append(rows);
        Ok(())
    }

    /// Whether a read met a fault after which the store must be opened anew.
    pub(super) fn latched(&self) -> bool {
        self.snapshot.latched.load(Ordering::Relaxed)
    }

    /// The rows to commit; lets go of the snapshot, which would keep redb from reusing pages.
    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    /// The row before this closure.
    fn below(&self, table: Table, key: &[u8]) -> Result<Value, MetaError> {
        match self.batch.get(table, key) {
            Some(value) => Ok(value.clone()),
            None => self.snapshot.get(table, key),
        }
    }
}
