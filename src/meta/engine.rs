//! The transactional engine: redb behind one writer thread that commits closures in groups.
//!
//! A batch is run in three steps. Its closures run one after another, each in an overlay of its own over those kept
//! before it and over a snapshot of the last commit ([`WriteTx`]); redb cannot roll one closure back alone, dropping
//! an overlay can. What was kept is then written in key order into one redb transaction, whose commit is the only
//! moment at which anything becomes visible. Only after it are effects run and callers answered, those whom a
//! closure refused included: what they were refused for may stand in the same batch.
//!
//! This file is the only one that knows redb; its children hold the parts that do not need to.

mod contract;
mod epoch;
mod job;
mod only;
mod overlay;
mod strict;
mod tx;
mod writer;

#[cfg(test)]
pub(crate) mod faulty;

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableHandle};
use tokio::sync::oneshot;

#[cfg(test)]
use redb::StorageBackend;

pub use self::contract::{EngineOptions, MetaError, Mode, Read, Row, WriteError};
pub use self::epoch::Epoch;
use self::epoch::{Change, Epochs};
use self::job::Call;
pub use self::only::Only;
use self::overlay::{Batch, Bounds};
pub use self::tx::WriteTx;
use self::writer::Writer;
use super::{Table, tables};
use crate::space::Space;

/// How long a reopening waits for read closures to end before it is put off to the next batch.
const READERS_MAY_TAKE: Duration = Duration::from_secs(5);

/// For how many commits a table that nobody asks for is kept open in the shared view; to open one takes about 1 µs of
/// each.
const IDLE_COMMITS: u8 = 16;

/// Exit status after a disk fault (`EX_IOERR` of sysexits.h) or a fault in the writer itself (`EX_SOFTWARE`).
const EXIT_DISK: i32 = 74;
const EXIT_SOFTWARE: i32 = 70;

/// The engine. Cheap to clone; when the last clone is dropped, the writer thread finishes what is queued and the
/// store is closed before the drop returns.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    writer: Writer,
}

impl Engine {
    /// Opens or makes the store at `path` (mode 0600) and makes the tables of [`tables::ALL`] that it lacks.
    ///
    /// # Errors
    /// [`MetaError::InUse`] when another process has it; [`MetaError::DiskFull`], [`MetaError::Corrupt`] or
    /// [`MetaError::Storage`] otherwise.
    pub fn open(path: &Path, options: EngineOptions) -> Result<Self, MetaError> {
        Self::start(Source::File(path.to_owned()), options, tables::ALL)
    }

    /// A store on a disk whose faults a test chooses.
    ///
    /// # Errors
    /// As [`Engine::open`].
    #[cfg(test)]
    pub(crate) fn on_disk(disk: &faulty::Disk, options: EngineOptions) -> Result<Self, MetaError> {
        Self::start(Source::Faulty(disk.clone()), options, tables::ALL)
    }

    /// A store in memory, for tests.
    pub fn in_memory(mode: Mode) -> Self {
        let options = EngineOptions { mode, ..EngineOptions::default() };
        Self::start(Source::Memory, options, tables::ALL).expect("memory has no disk to fail")
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
    pub(super) fn start(source: Source, options: EngineOptions, tables: &'static [Table]) -> Result<Self, MetaError> {
        let store = Arc::new(Store::open(source, options.cache, options.space.clone(), tables)?);
        let writer = Writer::start(Arc::clone(&store), &options)
            .map_err(|error| MetaError::Storage(format!("its writer thread could not be started: {error}")))?;
        Ok(Self(Arc::new(Inner { store, writer })))
    }

    /// Runs `f` over a consistent view. Point reads are cheap enough for an async thread; long scans belong on a
    /// blocking one. A view pins the pages it sees, so none is held while waiting for a client.
    ///
    /// # Errors
    /// What `f` ends with, or the store's fault.
    pub fn read<T, E: From<MetaError>>(&self, f: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        // The lock is held while `f` runs: a store is not reopened under a reader, whose view would fail half-way.
        self.read_under(self.0.store.database.read(), f)
    }

    /// The same for what may run inside another read, such as a decision about an entry of a list that is being read: it
    /// does not wait behind somebody who waits for that other one to end.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub fn read_within<T, E: From<MetaError>>(&self, f: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        self.read_under(self.0.store.database.read_recursive(), f)
    }

    fn read_under<T, E: From<MetaError>>(
        &self,
        database: RwLockReadGuard<'_, Option<Database>>,
        f: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        let result = self.0.store.view(database.as_ref()).map_err(E::from).and_then(|tx| {
            let result = f(&tx);
            if tx.latched.load(Ordering::Relaxed) {
                self.0.store.latched.store(true, Ordering::Release);
            }
            result
        });
        drop(database);
        if self.0.store.latched.load(Ordering::Acquire) {
            // Otherwise reads would fail until somebody writes.
            self.0.writer.wake();
        }
        result
    }

    /// Runs `f` in the next commit. `Ok` means: on disk. `Err` means: nothing of this closure was written, whatever
    /// became of the others in its batch. The closure is queued when the future is first polled; from then on it
    /// runs, commits and has its effects even when the future is dropped. Closures of callers that do not wait for
    /// each other run in no promised order.
    ///
    /// A closure that panics is written nothing of, and answered with [`WriteError::Store`].
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
        self.enqueue(f).await.unwrap_or(Err(WriteError::Store(MetaError::Closed)))
    }

    /// The same for callers on a blocking thread (start-up, the command line on a stopped server, tests).
    ///
    /// # Errors
    /// As [`Engine::write`].
    ///
    /// # Panics
    /// On a thread that drives async tasks, which it would hold up: `spawn_blocking`, or [`Engine::write`].
    pub fn write_blocking<T, E>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<MetaError> + Send + 'static,
    {
        self.enqueue(f).blocking_recv().unwrap_or(Err(WriteError::Store(MetaError::Closed)))
    }

    /// Ends the engine in order while clones of it may still live: what is queued is finished, then the file is
    /// closed. Whoever uses a clone afterwards gets [`MetaError::Closed`]. Blocks until it is done.
    pub fn close(self) {
        self.0.writer.close();
    }

    /// How many commits have reached the disk since the engine was opened.
    pub fn commits(&self) -> u64 {
        self.0.store.commits.load(Ordering::Relaxed)
    }

    /// The present epoch; `None` while a commit is under way, when nothing is to be remembered nor recalled.
    pub fn epoch(&self) -> Option<Epoch> {
        self.0.store.epochs.now()
    }

    /// The same for what was read of [`tables::RIGHTS`] alone (through [`Only`], which sees to that): it does not end with
    /// commits that leave those tables as they are.
    pub fn rights_epoch(&self) -> Option<Epoch> {
        self.0.store.epochs.of_rights()
    }

    /// The receiver fails when the writer has ended: the call was dropped unrun.
    fn enqueue<T, E>(
        &self,
        f: impl FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, WriteError<E>>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (call, answer) = Call::new(f);
        self.0.writer.enqueue(Box::new(call));
        answer
    }
}

/// Where a store lives.
pub(super) enum Source {
    File(PathBuf),
    Memory,
    /// A disk whose faults a test chooses.
    #[cfg(test)]
    Faulty(faulty::Disk),
}

impl Source {
    /// Opens the database; only a `first` opening makes one where there is none, or a lost file would come back as
    /// an empty registry.
    fn open(&self, cache: usize, first: bool) -> Result<Database, MetaError> {
        let mut builder = Database::builder();
        builder.set_cache_size(cache);
        match self {
            Self::File(path) => {
                if first && !path.try_exists().map_err(|error| cannot(path, &error))? {
                    self.make(path)?;
                }
                let file = File::options().read(true).write(true).open(path).map_err(|error| cannot(path, &error))?;
                builder.create_with_backend(FileBackend::new(file).map_err(meta_error)?)
            }
            Self::Memory => builder.create_with_backend(InMemoryBackend::new()),
            #[cfg(test)]
            Self::Faulty(disk) => builder.create_with_backend(disk.clone()),
        }
        .map_err(meta_error)
    }

    /// Makes an empty database, whole or not at all. redb writes the magic number of a new file last, and one that a
    /// power cut took before that is refused for ever; so the file gets its name when it is a database.
    ///
    /// redb's lock on the unfinished file is held until then, so of two processes one makes it and the other sees it.
    fn make(&self, path: &Path) -> Result<(), MetaError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = Path::new(&unfinished);
        let failed = |error| cannot(unfinished, &error);
        // 0600: the rows hold password hashes and sessions. What an earlier start did not finish is emptied, once it is
        // certain that nobody is about to.
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(unfinished);
        let file = file.map_err(failed)?;
        let locked = FileBackend::new(file.try_clone().map_err(failed)?).map_err(meta_error)?;
        if path.try_exists().map_err(|error| cannot(path, &error))? {
            return Ok(());
        }
        file.set_len(0).map_err(failed)?;
        let database = Database::builder().create_with_backend(locked).map_err(meta_error)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(unfinished, path).map_err(failed)?;
        self.sync_name()?;
        drop(database);
        Ok(())
    }

    /// Makes the file's name as durable as its content.
    fn sync_name(&self) -> Result<(), MetaError> {
        let Self::File(path) = self else { return Ok(()) };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| cannot(directory, &error))
    }
}

/// A file operation that failed, by the file's name.
fn cannot(path: &Path, error: &io::Error) -> MetaError {
    if is_full(error) { MetaError::DiskFull } else { MetaError::Storage(format!("{}: {error}", path.display())) }
}

/// The open database and what is known of its health.
struct Store {
    source: Source,
    cache: usize,
    space: Space,
    /// `None` once closed, or while it could not be reopened. Read closures hold the lock; only the writer thread
    /// takes it for writing.
    database: RwLock<Option<Database>>,
    /// redb has seen an I/O error and refuses further work until it is opened anew.
    latched: AtomicBool,
    commits: AtomicU64,
    epochs: Epochs,
    /// The view of this epoch, for all who read in it and for the closures of the next batch: to begin one and to open its
    /// tables costs more than the few rows that most of them want, so each commit leaves one, with the tables that the
    /// view before it had open. Gone before the next commit begins, so that it keeps no page from being used again.
    shared: Mutex<Option<(Epoch, Arc<ReadTx>)>>,
}

impl Store {
    fn open(source: Source, cache: usize, space: Space, tables: &[Table]) -> Result<Self, MetaError> {
        let database = match source.open(cache, true) {
            Err(MetaError::DiskFull) if space.release_ballast() => source.open(cache, true),
            opened => opened,
        }?;
        create_missing(&database, tables).map_err(meta_error)?;
        source.sync_name()?;
        Ok(Self {
            source,
            cache,
            space,
            database: RwLock::new(Some(database)),
            latched: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            epochs: Epochs::default(),
            shared: Mutex::default(),
        })
    }

    /// A view of the last commit, where it can be the one that others have. For those who hold the lock on.
    fn view(&self, database: Option<&Database>) -> Result<Arc<ReadTx>, MetaError> {
        let epoch = self.epochs.now();
        if let Some((at, view)) = &*self.shared.lock()
            && epoch == Some(*at)
        {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(self.snapshot(database)?);
        let mut shared = self.shared.lock();
        // A commit that has begun meanwhile looked here already, or will.
        if let Some(epoch) = epoch
            && self.epochs.now() == Some(epoch)
        {
            *shared = Some((epoch, Arc::clone(&view)));
        }
        Ok(view)
    }

    /// Lets go of the shared view; tells which tables the next one is to have open ([`ReadTx::in_use`]).
    fn unshare(&self) -> Vec<(Table, u8)> {
        let view = self.shared.lock().take();
        view.map_or_else(Vec::new, |(_, view)| view.in_use())
    }

    /// Leaves a view of the commit that has just ended to those who come next, with these tables open. Where that fails,
    /// they meet the fault themselves.
    fn share(&self, change: Change<'_>, tables: &[(Table, u8)]) {
        let view = self.snapshot(self.database.read().as_ref());
        let view = view.and_then(|view| {
            let opened = tables.iter().try_for_each(|(table, idle)| view.open(*table, *idle).map(drop));
            self.latched.fetch_or(view.latched.load(Ordering::Relaxed), Ordering::AcqRel);
            opened.map(|()| view)
        });
        drop(change);
        if let Ok(view) = view
            && let Some(epoch) = self.epochs.now()
        {
            *self.shared.lock() = Some((epoch, Arc::new(view)));
        }
    }

    /// A view of the last commit. The writer may take one without holding the lock on, for nobody else reopens.
    fn snapshot(&self, database: Option<&Database>) -> Result<ReadTx, MetaError> {
        match database {
            Some(database) => database.begin_read().map(ReadTx::new).map_err(|error| {
                let error = error.into();
                self.latched.fetch_or(latches(&error), Ordering::AcqRel);
                meta_error(error)
            }),
            None if self.latched.load(Ordering::Acquire) => {
                Err(MetaError::Storage("it could not be opened again after a fault of its disk".to_owned()))
            }
            None => Err(MetaError::Closed),
        }
    }

    /// Writes a batch and makes it durable. On `Err` none of it was written.
    ///
    /// When the disk is full and there is a ballast, it goes, and the batch is tried once more: it was made over the
    /// last commit, which is the last one still.
    fn commit(&self, batch: &Batch) -> Result<(), MetaError> {
        let change = self.epochs.change(batch.touches(tables::RIGHTS));
        let open = self.unshare();
        match self.try_commit(batch) {
            Err(Uncommitted { error: MetaError::DiskFull, ballast_gone: true }) => {
                self.reopen_if_latched()?;
                self.try_commit(batch).map_err(|failed| failed.error)?;
            }
            committed => committed.map_err(|failed| failed.error)?,
        }
        self.share(change, &open);
        Ok(())
    }

    /// Writes a batch, once.
    ///
    /// redb does not say whether a commit that failed took place. That is looked up in the reopened store (a batch
    /// that is committed changes at least one row); if it did, or if it cannot be told, the process ends as if it had
    /// crashed between the commit and the answer, for callers must not be told the opposite of what is on disk, nor
    /// that it is safe there after a sync has failed.
    fn try_commit(&self, batch: &Batch) -> Result<(), Uncommitted> {
        let written = match self.database.read().as_ref() {
            Some(database) => write_batch(database, batch),
            None => return self.snapshot(None).map(drop).map_err(Uncommitted::of),
        };
        let (error, unsure) = match written {
            Ok(committed) => {
                self.commits.fetch_add(u64::from(committed), Ordering::Relaxed);
                return Ok(());
            }
            Err(Unwritten::NotCommitted(error)) => (error, false),
            Err(Unwritten::CommitFailed(error)) => (error, true),
        };
        if let redb::Error::Io(error) = &error
            && !is_full(error)
        {
            self.die_of_disk(&error.to_string());
        }
        // Before the store is opened anew, which may need space too.
        let ballast_gone = matches!(&error, redb::Error::Io(error) if is_full(error)) && self.space.release_ballast();
        if unsure || latches(&error) {
            self.latched.store(true, Ordering::Release);
            let reopened = self.reopen_if_latched();
            if unsure && reopened.and_then(|()| self.holds(batch)).unwrap_or(true) {
                self.die_of_disk(&format!("{error}; whether the last commit took place is not known"));
            }
        }
        Err(Uncommitted { error: meta_error(error), ballast_gone })
    }

    /// Whether the store's rows are as this batch would have them.
    fn holds(&self, batch: &Batch) -> Result<bool, MetaError> {
        let tx = self.snapshot(self.database.read().as_ref())?;
        for (table, key, value) in batch.iter() {
            let same = tx.get_with(table, key, |stored| value.as_deref() == Some(stored))?;
            if !same.unwrap_or(value.is_none()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gets over redb's latch, if it is set: drops the database and opens it anew. Called by the writer thread
    /// before a batch and after a failed one.
    fn reopen_if_latched(&self) -> Result<(), MetaError> {
        if !self.latched.load(Ordering::Acquire) {
            return Ok(());
        }
        if matches!(self.source, Source::Memory) {
            return Err(MetaError::Storage("a store in memory cannot be opened again".to_owned()));
        }
        // Bounded, since a read closure that (against the rules) reads again inside would otherwise wait for us
        // while we wait for it.
        let Some(mut slot) = self.database.try_write_for(READERS_MAY_TAKE) else {
            return Err(MetaError::Storage("it waits for readers to end before it can be opened again".to_owned()));
        };
        // The old one goes first, with all that holds it: it holds the file's lock.
        drop(self.unshare());
        *slot = None;
        let opened = match self.source.open(self.cache, false) {
            Err(MetaError::DiskFull) if self.space.release_ballast() => self.source.open(self.cache, false),
            opened => opened,
        };
        let database = opened.inspect_err(|error| {
            tracing::error!(%error, "the metadata store could not be opened again; it is tried at the next write");
        })?;
        *slot = Some(database);
        self.latched.store(false, Ordering::Release);
        tracing::warn!("the metadata store was opened again after a fault of its disk");
        Ok(())
    }

    /// Ends the process after a write or sync that failed for another reason than space. What the kernel still holds
    /// of the file can then no longer be trusted (a failed fsync may drop pages and succeed the next time), so the only
    /// safe way on is to start anew from what the disk says; systemd does.
    #[cfg_attr(not(test), allow(clippy::unused_self, reason = "tests end a disk in place of the process"))]
    fn die_of_disk(&self, what: &str) -> ! {
        #[cfg(test)]
        if let Source::Faulty(disk) = &self.source {
            disk.die_in_place_of_the_process(what);
        }
        tracing::error!(
            "the disk under the metadata store failed ({what}); exiting, so that a restart begins from disk"
        );
        std::process::exit(EXIT_DISK)
    }

    /// Closes the file; what is read later gets [`MetaError::Closed`].
    fn close(&self) {
        self.epochs.end();
        if let Some(mut slot) = self.database.try_write_for(READERS_MAY_TAKE) {
            self.latched.store(false, Ordering::Release);
            drop(self.unshare());
            *slot = None;
        }
    }
}

/// A consistent view of the store.
pub struct ReadTx {
    view: ReadTransaction,
    /// Opened as they are first asked for. There are few, so a list is faster than a map; shared so that none is
    /// locked while a caller's function runs.
    open: RwLock<Vec<Opened>>,
    latched: AtomicBool,
}

/// A table that is open in a view.
struct Opened {
    table: Table,
    raw: Arc<RawTable>,
    /// How many commits ago somebody last asked for it; 0 when since the last one.
    idle: AtomicU8,
}

type RawTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl ReadTx {
    fn new(view: ReadTransaction) -> Self {
        Self { view, open: RwLock::default(), latched: AtomicBool::new(false) }
    }

    /// What `f` makes of the value under `key`, which it sees in place: spares the copy that [`Read::get`] makes.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    pub fn get_with<T>(&self, table: Table, key: &[u8], f: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, MetaError> {
        let value = self.table(table)?.get(key).map_err(|error| self.fault(error))?;
        Ok(value.map(|value| f(value.value())))
    }

    /// At most `limit` rows with `from <= key < to` (no upper bound when `to` is `None`), the last one first. For reading
    /// alone: closures that write have what they need at the front of a range, or in a row of its own.
    ///
    /// # Errors
    /// [`MetaError`] when the store fails.
    pub fn range_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, MetaError> {
        match bounds(from, to) {
            Some(bounds) => self.rows(table, bounds)?.rev().take(limit).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// The rows within `bounds`, in key order.
    fn rows(
        &self,
        table: Table,
        bounds: Bounds<'_>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Row, MetaError>>, MetaError> {
        self.rows_as(table, bounds, |key, value| (key.to_vec(), value.to_vec()))
    }

    /// What `f` makes of each row within `bounds`, in key order.
    fn rows_as<T>(
        &self,
        table: Table,
        bounds: Bounds<'_>,
        f: impl Fn(&[u8], &[u8]) -> T,
    ) -> Result<impl DoubleEndedIterator<Item = Result<T, MetaError>>, MetaError> {
        let rows = self.table(table)?.range::<&[u8]>(bounds).map_err(|error| self.fault(error))?;
        Ok(rows.map(move |row| {
            let (key, value) = row.map_err(|error| self.fault(error))?;
            Ok(f(key.value(), value.value()))
        }))
    }

    fn table(&self, table: Table) -> Result<Arc<RawTable>, MetaError> {
        if let Some(opened) = self.open.read().iter().find(|opened| opened.table == table) {
            // Looked at first: a line of memory that all readers write to would go from core to core.
            if opened.idle.load(Ordering::Relaxed) != 0 {
                opened.idle.store(0, Ordering::Relaxed);
            }
            return Ok(Arc::clone(&opened.raw));
        }
        self.open(table, 0)
    }

    fn open(&self, table: Table, idle: u8) -> Result<Arc<RawTable>, MetaError> {
        let raw = Arc::new(self.view.open_table(definition(table)).map_err(|error| self.fault(error))?);
        let mut open = self.open.write();
        if !open.iter().any(|opened| opened.table == table) {
            open.push(Opened { table, raw: Arc::clone(&raw), idle: AtomicU8::new(idle) });
        }
        Ok(raw)
    }

    /// The tables that the view of the next commit is to have open, and how many commits they will have been idle then:
    /// those that were asked for lately. What a report or a collection looked into once is not carried along for ever.
    fn in_use(&self) -> Vec<(Table, u8)> {
        let open = self.open.read();
        let idle = open.iter().map(|opened| (opened.table, opened.idle.load(Ordering::Relaxed) + 1));
        idle.filter(|(_, idle)| *idle <= IDLE_COMMITS).collect()
    }

    fn fault(&self, error: impl Into<redb::Error>) -> MetaError {
        let error = error.into();
        if latches(&error) {
            self.latched.store(true, Ordering::Relaxed);
        }
        meta_error(error)
    }
}

impl Read for ReadTx {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        self.get_with(table, key, <[u8]>::to_vec)
    }

    fn range(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, MetaError> {
        match bounds(from, to) {
            Some(bounds) => self.rows(table, bounds)?.take(limit).collect(),
            None => Ok(Vec::new()),
        }
    }

    fn keys(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Vec<u8>>, MetaError> {
        match bounds(from, to) {
            Some(bounds) => self.rows_as(table, bounds, |key, _| key.to_vec())?.take(limit).collect(),
            None => Ok(Vec::new()),
        }
    }
}

/// `None` when nothing can lie between; maps panic on bounds that are the wrong way round.
fn bounds<'b>(from: &'b [u8], to: Option<&'b [u8]>) -> Option<Bounds<'b>> {
    match to {
        Some(to) if to <= from => None,
        to => Some((Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded))),
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// Makes the tables that are not there yet. Commits nothing when there are none.
fn create_missing(database: &Database, tables: &[Table]) -> Result<(), redb::Error> {
    let view = database.begin_read()?;
    let known: Vec<String> = view.list_tables()?.map(|table| table.name().to_owned()).collect();
    drop(view);
    let missing: Vec<_> = tables.iter().filter(|table| !known.iter().any(|known| known == table.name())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let tx = begin(database)?;
    for table in missing {
        tx.open_table(definition(*table))?;
    }
    Ok(tx.commit()?)
}

/// Why a batch was not written.
enum Unwritten {
    /// It was given up before the commit.
    NotCommitted(redb::Error),
    /// The commit failed; it may have taken place all the same.
    CommitFailed(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Unwritten {
    fn from(error: E) -> Self {
        Self::NotCommitted(error.into())
    }
}

/// A batch that was not written, and what was done about it.
struct Uncommitted {
    error: MetaError,
    /// Whether the ballast was given up, so that another try may go through.
    ballast_gone: bool,
}

impl Uncommitted {
    fn of(error: MetaError) -> Self {
        Self { error, ballast_gone: false }
    }
}

/// Tells whether there was anything to commit: a batch that leaves every row as it was is none.
fn write_batch(database: &Database, batch: &Batch) -> Result<bool, Unwritten> {
    let tx = begin(database)?;
    let mut changes = false;
    for (table, rows) in batch.tables() {
        let mut table = tx.open_table(definition(table))?;
        for (key, value) in rows {
            let old = match value {
                Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                None => table.remove(key.as_slice())?,
            };
            changes |= old.as_ref().map(redb::AccessGuard::value) != value.as_deref();
        }
    }
    if !changes {
        tx.abort()?;
        return Ok(false);
    }
    match tx.commit() {
        Ok(()) => Ok(true),
        // redb rolls it back.
        Err(error @ redb::CommitError::TransactionPoisoned) => Err(error.into()),
        Err(error) => Err(Unwritten::CommitFailed(error.into())),
    }
}

/// A transaction whose commit is durable and leaves nothing to repair: the allocator's state is saved with it, in two
/// phases, so that opening after a kill takes milliseconds whatever the size.
fn begin(database: &Database) -> Result<redb::WriteTransaction, redb::Error> {
    let mut tx = database.begin_write()?;
    tx.set_durability(Durability::Immediate)?;
    tx.set_quick_repair(true);
    Ok(tx)
}

/// Whether redb refuses further work after this error until it is opened anew.
fn latches(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn meta_error(error: impl Into<redb::Error>) -> MetaError {
    match error.into() {
        redb::Error::Io(error) if is_full(&error) => MetaError::DiskFull,
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => MetaError::InUse,
        redb::Error::Corrupted(what) => MetaError::Corrupt(what),
        redb::Error::DatabaseClosed => MetaError::Closed,
        error => MetaError::Storage(error.to_string()),
    }
}

/// Ends the process after a panic in the writer itself: nobody would commit any more, and a restart mends that.
fn die_of_writer() -> ! {
    tracing::error!("the metadata store's writer panicked; exiting, so that a restart begins from disk");
    std::process::exit(EXIT_SOFTWARE)
}
