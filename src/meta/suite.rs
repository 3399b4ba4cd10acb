//! The engine's contract, run on every kind of engine; then what only some of them have: files, faults, rules.

mod contract;
mod disk;
mod rules;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use parking_lot::{Condvar, Mutex};

use super::engine::Source;
use super::{Engine, EngineOptions, MetaError, Mode, Read, Table, WriteError, WriteTx, tables};

const ROWS: Table = Table::for_test("test-rows");
const COUNTS: Table = Table::for_test("test-counts");
const TABLES: &[Table] = &[tables::META, ROWS, COUNTS];

/// An engine and what must outlive it.
struct Lab {
    engine: Engine,
    mode: Mode,
    _directory: Option<tempfile::TempDir>,
}

fn start(source: Source, mode: Mode) -> Result<Engine, MetaError> {
    Engine::start(source, EngineOptions { mode, ..EngineOptions::default() }, TABLES)
}

fn file() -> Lab {
    let directory = tempfile::tempdir().unwrap();
    let engine = start(Source::File(directory.path().join("metadata.redb")), Mode::Normal).unwrap();
    Lab { engine, mode: Mode::Normal, _directory: Some(directory) }
}

fn memory() -> Lab {
    Lab { engine: start(Source::Memory, Mode::Normal).unwrap(), mode: Mode::Normal, _directory: None }
}

fn strict() -> Lab {
    Lab { engine: start(Source::Memory, Mode::Strict).unwrap(), mode: Mode::Strict, _directory: None }
}

type Answer<T> = Result<T, WriteError<MetaError>>;

/// A write that is queued.
type Queued<T> = Pin<Box<dyn Future<Output = Answer<T>>>>;

fn refusal() -> MetaError {
    MetaError::Corrupt("refused by the test".to_owned())
}

fn write<T: Send + 'static>(
    engine: &Engine,
    f: impl FnMut(&mut WriteTx) -> Result<T, MetaError> + Send + 'static,
) -> Answer<T> {
    engine.write_blocking(f)
}

fn put(engine: &Engine, key: &[u8], value: &[u8]) -> Answer<()> {
    let (key, value) = (key.to_vec(), value.to_vec());
    write(engine, move |tx| {
        tx.put(ROWS, &key, value.clone());
        Ok(())
    })
}

fn get(engine: &Engine, key: &[u8]) -> Option<Vec<u8>> {
    engine.read::<_, MetaError>(|tx| tx.get(ROWS, key)).unwrap()
}

/// All keys of [`ROWS`].
fn keys(engine: &Engine) -> Vec<Vec<u8>> {
    let rows = engine.read::<_, MetaError>(|tx| tx.range(ROWS, &[], None, usize::MAX)).unwrap();
    rows.into_iter().map(|(key, _)| key).collect()
}

/// Queues a write without waiting for it.
fn queue<T: Send + 'static>(
    engine: &Engine,
    f: impl FnMut(&mut WriteTx) -> Result<T, MetaError> + Send + 'static,
) -> Queued<T> {
    let engine = engine.clone();
    let mut queued: Queued<T> = Box::pin(async move { engine.write(f).await });
    // The first poll queues it.
    assert!(queued.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    queued
}

fn wait<T>(queued: Queued<T>) -> Answer<T> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(queued)
}

/// Holds the writer inside a closure: what is queued meanwhile makes up the next batch.
struct Held {
    gate: Arc<(Mutex<Gate>, Condvar)>,
    closure: Queued<()>,
}

#[derive(Default)]
struct Gate {
    entered: bool,
    open: bool,
}

fn hold(engine: &Engine) -> Held {
    let gate: Arc<(Mutex<Gate>, Condvar)> = Arc::default();
    let inside = Arc::clone(&gate);
    let closure = queue(engine, move |_| {
        let (state, changed) = &*inside;
        let mut state = state.lock();
        state.entered = true;
        changed.notify_all();
        changed.wait_while(&mut state, |state| !state.open);
        Ok(())
    });
    let (state, changed) = &*gate;
    changed.wait_while(&mut state.lock(), |state| !state.entered);
    Held { gate, closure }
}

impl Held {
    fn release(self) {
        self.gate.0.lock().open = true;
        self.gate.1.notify_all();
        wait(self.closure).unwrap();
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) -> impl FnOnce() + Send + 'static {
        let (log, what) = (self.clone(), what.into());
        move || log.0.lock().push(what)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

/// Counts how often a closure ran.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU64>);

impl Runs {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
