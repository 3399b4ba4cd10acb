//! The writer thread: takes what is queued, runs it, commits it, tells everybody.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::job::{Fate, Job, message};
use super::strict::{self, Coin};
use super::tx::{Effect, Effects};
use super::{EngineOptions, MetaError, Mode, Store, WriteTx, die_of_writer};

enum Message {
    Write(Box<dyn Job>),
    /// The store is latched; look after it though there is nothing to write.
    Wake,
    Close,
}

/// A handle on the writer thread; dropping it ends the thread and waits for it.
pub(super) struct Writer {
    /// Unbounded, for its length is bounded by those who wait for an answer. `None` once dropped.
    queue: Option<Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(store: Arc<Store>, options: &EngineOptions) -> io::Result<Self> {
        let (queue, messages) = mpsc::channel();
        let (mode, batch) = (options.mode, options.batch.max(1));
        let thread = thread::Builder::new().name("meta-writer".to_owned()).spawn(move || {
            let mut turn = Turn { store, mode, coin: Coin::new() };
            let end = catch_unwind(AssertUnwindSafe(|| turn.serve(&messages, batch)));
            if let Err(panic) = end {
                #[cfg(test)]
                if panic.is::<super::faulty::Died>() {
                    return;
                }
                drop(panic);
                die_of_writer();
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a job; drops it when the thread has ended, which its caller sees.
    pub(super) fn enqueue(&self, job: Box<dyn Job>) {
        self.send(Message::Write(job));
    }

    pub(super) fn wake(&self) {
        self.send(Message::Wake);
    }

    /// Ends the thread after what is queued, and waits for it.
    pub(super) fn close(&self) {
        self.send(Message::Close);
        self.join();
    }

    fn send(&self, message: Message) {
        if let Some(queue) = &self.queue {
            drop(queue.send(message));
        }
    }

    fn join(&self) {
        // The last handle may be dropped by an effect, on the thread itself, which then ends on its own.
        if let Some(thread) = self.thread.lock().take()
            && thread.thread().id() != thread::current().id()
        {
            drop(thread.join());
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        self.join();
    }
}

/// A closure that has run and waits for the batch's commit.
struct Settled {
    job: Box<dyn Job>,
    fate: Fate,
    effects: Effects,
}

/// What the thread works with.
struct Turn {
    store: Arc<Store>,
    mode: Mode,
    coin: Coin,
}

impl Turn {
    fn serve(&mut self, messages: &Receiver<Message>, most: usize) {
        let mut open = true;
        while open && let Ok(first) = messages.recv() {
            let mut jobs = VecDeque::new();
            let mut next = Some(first);
            // No waiting for more: while one batch is committed, the next one gathers by itself.
            while let Some(message) = next {
                match message {
                    Message::Write(job) => jobs.push_back(job),
                    Message::Wake => {}
                    Message::Close => open = false,
                }
                next = if open && jobs.len() < most { messages.try_recv().ok() } else { None };
            }
            self.take_turn(jobs);
        }
        self.store.close();
    }

    fn take_turn(&mut self, jobs: VecDeque<Box<dyn Job>>) {
        let view = match self.store.reopen_if_latched() {
            Ok(()) if jobs.is_empty() => return,
            Ok(()) => self.store.view(self.store.database.read().as_ref()),
            Err(error) => Err(error),
        };
        match view {
            Ok(view) => self.run_batch(jobs, WriteTx::over(view)),
            Err(error) => jobs.into_iter().for_each(|job| job.finish(Err(error.clone()))),
        }
    }

    fn run_batch(&mut self, mut jobs: VecDeque<Box<dyn Job>>, mut tx: WriteTx) {
        let mut settled = Vec::with_capacity(jobs.len());
        while let Some(mut job) = jobs.pop_front() {
            if self.mode == Mode::Strict
                && self.coin.toss()
                && let Some(other) = jobs.pop_front()
            {
                // A conflict, as a distributed engine has them: a run is thrown away since another closure came first.
                job.run(&mut tx);
                settled.push(self.settle(other, &mut tx));
            }
            settled.push(self.settle(job, &mut tx));
        }
        if tx.latched() {
            self.store.latched.store(true, Ordering::Release);
        }
        let batch = tx.into_batch();
        let committed = if batch.is_empty() { Ok(()) } else { self.store.commit(&batch) };
        if let Err(error) = &committed {
            tracing::error!(%error, closures = settled.len(), "a batch of metadata writes was not written");
        }
        for Settled { job, fate, effects } in settled {
            let (effects, outcome) = match (&committed, fate) {
                (_, Fate::Failed(error)) => (effects.on_abort, Err(error)),
                // A refusal may rest on rows of the batch, so it falls with it.
                (Err(error), _) => (effects.on_abort, Err(error.clone())),
                (Ok(()), Fate::Refused) => (effects.on_abort, Ok(())),
                (Ok(()), Fate::Kept) => (effects.on_commit, Ok(())),
            };
            effects.into_iter().for_each(have);
            job.finish(outcome);
        }
    }

    /// Runs a closure and makes what it did part of the batch, or nothing of it.
    fn settle(&self, mut job: Box<dyn Job>, tx: &mut WriteTx) -> Settled {
        let fate = match self.mode {
            Mode::Normal => job.run(tx),
            Mode::Strict => strict::run(&mut *job, tx),
        };
        let fate = match fate {
            Fate::Kept => self.keep(tx).map_or_else(Fate::Failed, |()| Fate::Kept),
            fate => fate,
        };
        Settled { job, fate, effects: tx.take_effects() }
    }

    fn keep(&self, tx: &mut WriteTx) -> Result<(), MetaError> {
        if self.mode == Mode::Strict {
            tx.check_limits()?;
        }
        tx.keep()
    }
}

/// Runs an effect. The commit stands whatever it does, so a panic in it is logged and the next one has its turn.
fn have(effect: Effect) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(effect)) {
        tracing::error!(panic = message(&*panic), "an effect of a metadata write panicked");
    }
}
