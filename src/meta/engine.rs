//! The transactional engine: redb behind one writer thread that commits closures in groups.

use std::path::Path;

use super::Table;

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
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Page cache in bytes.
    pub cache: usize,
    /// How closures are treated.
    pub mode: Mode,
    /// The most closures in one commit.
    pub batch: usize,
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

/// A consistent view of the store.
pub struct ReadTx;

/// A write closure's view: its own overlay over the batch's transaction.
pub struct WriteTx;

/// The engine. Cheap to clone; the writer thread ends when the last clone is dropped.
#[derive(Clone)]
pub struct Engine;

impl Engine {
    /// Opens or makes the store at `path`.
    ///
    /// # Errors
    /// [`MetaError::InUse`] when another process has it; [`MetaError::Storage`] otherwise.
    pub fn open(path: &Path, options: EngineOptions) -> Result<Self, MetaError> {
        let _ = (path, options);
        todo!()
    }

    /// A store in memory, for tests.
    pub fn in_memory(mode: Mode) -> Self {
        let _ = mode;
        todo!()
    }

    /// Runs `f` over a consistent view. Point reads are cheap enough for an async thread; long scans belong on a
    /// blocking one.
    ///
    /// # Errors
    /// What `f` ends with, or the store's fault.
    pub fn read<T, E: From<MetaError>>(&self, f: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        let _ = f;
        todo!()
    }

    /// Runs `f` in the next commit. `Ok` means: on disk. `Err` means: nothing of this closure was written, whatever
    /// became of the others in its batch.
    ///
    /// # Errors
    /// [`WriteError::Refused`] with what `f` ended with; [`WriteError::Store`] when the store failed.
    pub async fn write<T, E>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<MetaError> + Send + 'static,
    {
        let _ = f;
        todo!()
    }

    /// The same for callers on a blocking thread (start-up, the command line on a stopped server, tests).
    ///
    /// # Errors
    /// As [`Engine::write`].
    pub fn write_blocking<T, E>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<MetaError> + Send + 'static,
    {
        let _ = f;
        todo!()
    }
}

impl Read for ReadTx {
    fn get(&self, _table: Table, _key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        todo!()
    }
    fn range(&self, _: Table, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Row>, MetaError> {
        todo!()
    }
}

impl Read for WriteTx {
    fn get(&self, _table: Table, _key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        todo!()
    }
    fn range(&self, _: Table, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Row>, MetaError> {
        todo!()
    }
}

impl WriteTx {
    /// Sets a row.
    pub fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        let _ = (table, key, value);
        todo!()
    }

    /// Sets a row that must not exist yet; tells whether it was set.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    pub fn put_new(&mut self, table: Table, key: &[u8], value: Vec<u8>) -> Result<bool, MetaError> {
        let _ = (table, key, value);
        todo!()
    }

    /// Removes a row, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        let _ = (table, key);
        todo!()
    }

    /// Adds `delta` to the counter under `key` (an i64, big-endian, zero when absent); commutative.
    pub fn add(&mut self, table: Table, key: &[u8], delta: i64) {
        let _ = (table, key, delta);
        todo!()
    }

    /// Lifts the key limit.
    pub fn allow_many_keys(&mut self, reason: &'static str) {
        let _ = reason;
        todo!()
    }

    /// Runs `effect` once this closure is durable, even if its caller has gone away.
    pub fn on_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        let _ = effect;
        todo!()
    }

    /// Runs `effect` once if this closure does not commit.
    pub fn on_abort(&mut self, effect: impl FnOnce() + Send + 'static) {
        let _ = effect;
        todo!()
    }
}
