//! A queued write: its closure, and the caller who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::{MetaError, WriteError, WriteTx};

/// What a run of a closure came to.
#[derive(Debug)]
pub(super) enum Fate {
    /// It wants to commit.
    Kept,
    /// It refused.
    Refused,
    /// It panicked, broke a rule or met a fault of the store that it could not report.
    Failed(MetaError),
}

/// A write of whatever result type.
pub(super) trait Job: Send {
    /// Runs the closure (again); the last run's result counts.
    fn run(&mut self, tx: &mut WriteTx) -> Fate;

    /// Answers the caller: with the closure's own result, or with what became of the batch.
    fn finish(self: Box<Self>, outcome: Result<(), MetaError>);
}

pub(super) struct Call<F, T, E> {
    closure: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, WriteError<E>>>,
}

impl<F, T, E> Call<F, T, E> {
    /// A call, and where its answer will be.
    pub(super) fn new(closure: F) -> (Self, oneshot::Receiver<Result<T, WriteError<E>>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { closure, result: None, answer }, receiver)
    }
}

impl<F, T, E> Job for Call<F, T, E>
where
    F: FnMut(&mut WriteTx) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, tx: &mut WriteTx) -> Fate {
        tx.start();
        // Unwind safety: after a panic neither the closure nor its overlay is used again.
        match catch_unwind(AssertUnwindSafe(|| (self.closure)(tx))) {
            Ok(result) => {
                let fate = if result.is_ok() { Fate::Kept } else { Fate::Refused };
                self.result = Some(result);
                fate
            }
            Err(panic) => Fate::Failed(MetaError::Storage(format!("a write closure panicked: {}", message(&*panic)))),
        }
    }

    fn finish(self: Box<Self>, outcome: Result<(), MetaError>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), Some(Err(refusal))) => Err(WriteError::Refused(refusal)),
            (Ok(()), None) => Err(WriteError::Store(MetaError::Closed)),
            (Err(error), _) => Err(WriteError::Store(error)),
        };
        // A caller who has gone away wanted the write all the same.
        drop(self.answer.send(answer));
    }
}

/// What a panic said.
pub(super) fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
