//! Whether anything may have been written since a moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// A time in which nothing is written. What was read after [`Engine::epoch`](super::Engine::epoch) gave it is still so
/// whenever that gives the same one again: whoever remembers what he read remembers this with it, and asks before each
/// use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

/// Counts epochs: even between commits, odd from before a commit until after it. So nobody takes what he remembers for
/// present from before the first reader can see the new rows (readers who talk to each other never see time run
/// backwards), nor keeps what he read while it was open whether that was the old or the new.
#[derive(Debug, Default)]
pub(super) struct Epochs(AtomicU64);

impl Epochs {
    /// The present one; `None` while a commit is under way.
    pub(super) fn now(&self) -> Option<Epoch> {
        let count = self.0.load(Ordering::SeqCst);
        count.is_multiple_of(2).then_some(Epoch(count))
    }

    /// Ends the present one; the next begins when the returned value is dropped. The writer thread alone calls this.
    pub(super) fn change(&self) -> Change<'_> {
        self.0.fetch_or(1, Ordering::SeqCst);
        Change(self)
    }

    /// Ends the last one: the store is closed, and remembered rows are no way around that.
    pub(super) fn end(&self) {
        std::mem::forget(self.change());
    }
}

/// A commit that is under way.
#[must_use]
pub(super) struct Change<'e>(&'e Epochs);

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, MetaError, Mode, Read, ReadTx, tables};
    use super::*;

    #[test]
    fn a_view_is_shared_until_the_next_commit() {
        let engine = Engine::in_memory(Mode::Normal);
        let read = |row: Option<&[u8]>| {
            let look = engine.read(|tx: &ReadTx| {
                assert_eq!(tx.get(tables::META, b"row")?.as_deref(), row);
                Ok::<_, MetaError>(std::ptr::from_ref(tx).addr())
            });
            look.unwrap()
        };
        let shared = || engine.0.store.shared.lock().is_some();
        let first = read(None);
        assert!(shared() && read(None) == first);
        let write = engine.write_blocking(|tx| {
            tx.put(tables::META, b"row", vec![1]);
            Ok::<_, MetaError>(())
        });
        write.unwrap();
        assert!(!shared(), "it would keep pages from being used again");
        assert_eq!(read(Some(&[1])), read(Some(&[1])));
        let store = engine.0.store.clone();
        engine.close();
        assert!(store.shared.lock().is_none() && store.epochs.now().is_none());
    }

    #[test]
    fn an_epoch_ends_before_a_change_and_never_comes_again() {
        let epochs = Epochs::default();
        let first = epochs.now();
        assert!(first.is_some() && first == epochs.now());
        let change = epochs.change();
        assert_eq!(epochs.now(), None);
        drop(change);
        let second = epochs.now();
        assert!(second.is_some() && second != first);
        epochs.end();
        assert_eq!(epochs.now(), None);
    }
}
