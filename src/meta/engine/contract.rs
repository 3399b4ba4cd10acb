//! What an engine promises, and to whom: options, faults, reading.

use super::super::Table;
use super::super::key::Key;
use super::overlay;
use crate::space::Space;

/// A fault of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetaError {
    /// The disk under the store is full; nothing of the batch was written.
    #[error("the disk that holds the metadata is full")]
    DiskFull,
    /// Another process has the store open.
    #[error("the metadata store is in use by another process")]
    InUse,
    /// A stored row cannot be read.
    #[error("the metadata store is damaged: {0}")]
    Corrupt(String),
    /// The store's backend failed.
    #[error("the metadata store failed: {0}")]
    Storage(String),
    /// The engine has been shut down.
    #[error("the metadata store is closed")]
    Closed,
    /// A closure broke one of the limits that a distributed engine would set (only reported in strict mode).
    #[error("a transaction broke the engine's rules: {0}")]
    Rule(String),
}

/// How closures are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Run once, trust their authors.
    #[default]
    Normal,
    /// For tests: run every closure twice, inject conflicts, enforce the limits of design §5.
    Strict,
}

/// How to open an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Page cache in bytes (redb's own default is 1 GiB).
    pub cache: usize,
    /// How closures are treated.
    pub mode: Mode,
    /// The most closures in one commit, at least 1. More raise the throughput and, since their pages are written
    /// together, the slowest answers too.
    pub batch: usize,
    /// Whose ballast goes when the disk is full.
    pub space: Space,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { cache: 16 << 20, mode: Mode::Normal, batch: 64, space: Space::default() }
    }
}

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Reading, alike in read and write transactions.
pub trait Read {
    /// The value under `key`.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError>;

    /// At most `limit` rows with `from <= key < to` (no upper bound when `to` is `None`), in key order.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    fn range(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, MetaError>;

    /// The keys of what [`Read::range`] gives; the values are not copied where they need not be.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    fn keys(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Vec<u8>>, MetaError> {
        Ok(self.range(table, from, to, limit)?.into_iter().map(|(key, _)| key).collect())
    }

    /// The values under `keys`, in their order.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    fn get_many(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, MetaError> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }

    /// At most `limit` rows whose keys begin with `prefix`, in key order.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    fn range_prefix(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, MetaError> {
        self.range(table, prefix, Key::prefix_end(prefix).as_deref(), limit)
    }

    /// The counter under `key` as [`WriteTx::add`](super::WriteTx::add) keeps it; zero when absent.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when the row is no counter; otherwise when the store fails.
    fn counter(&self, table: Table, key: &[u8]) -> Result<i64, MetaError> {
        overlay::count(self.get(table, key)?.as_deref())
    }
}

/// What a write closure ended with when it did not commit.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The closure itself refused; nothing of it was written.
    #[error(transparent)]
    Refused(E),
    /// The store failed; nothing of it was written.
    #[error(transparent)]
    Store(MetaError),
}
