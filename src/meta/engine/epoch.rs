//! Whether anything may have been written since a moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// A time in which nothing is written, or (for [`Engine::rights_epoch`](super::Engine::rights_epoch)) nothing of some
/// tables. What was read after [`Engine::epoch`](super::Engine::epoch) gave it is still so whenever that gives the same
/// one again: whoever remembers what he read remembers this with it, and asks before each use. The epochs of one are
/// not to be compared with those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

/// Counts epochs: even between commits, odd from before a commit until after it. So nobody takes what he remembers for
/// present from before the first reader can see the new rows (readers who talk to each other never see time run
/// backwards), nor keeps what he read while it was open whether that was the old or the new.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn now(&self) -> Option<Epoch> {
        let count = self.0.load(Ordering::SeqCst);
        count.is_multiple_of(2).then_some(Epoch(count))
    }

    fn end(&self) {
        self.0.fetch_or(1, Ordering::SeqCst);
    }

    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The epochs of a store: of all its rows, and of those that rights are made of ([`tables::RIGHTS`]), which outlive the
/// many commits that only push.
///
/// [`tables::RIGHTS`]: super::tables::RIGHTS
#[derive(Debug, Default)]
pub(super) struct Epochs {
    all: Count,
    rights: Count,
}

impl Epochs {
    /// The present one; `None` while a commit is under way.
    pub(super) fn now(&self) -> Option<Epoch> {
        self.all.now()
    }

    /// The present one of rights; `None` while a commit is under way that may change some.
    pub(super) fn of_rights(&self) -> Option<Epoch> {
        self.rights.now()
    }

    /// Ends the present one, and that of rights when `rights` says so; the next begins when the returned value is
    /// dropped. The writer thread alone calls this.
    pub(super) fn change(&self, rights: bool) -> Change<'_> {
        self.all.end();
        if rights {
            self.rights.end();
        }
        Change { epochs: self, rights }
    }

    /// Ends the last one: the store is closed, and remembered rows are no way around that.
    pub(super) fn end(&self) {
        std::mem::forget(self.change(true));
    }
}

/// A commit that is under way.
#[must_use]
pub(super) struct Change<'e> {
    epochs: &'e Epochs,
    rights: bool,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if self.rights {
            self.epochs.rights.begin();
        }
        self.epochs.all.begin();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, IDLE_COMMITS, MetaError, Mode, Read, ReadTx, Table, tables};
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
        let open = || engine.0.store.shared.lock().as_ref().map(|(_, view)| view.in_use());
        assert_eq!(open(), Some(vec![(tables::META, 1)]));
        let write = engine.write_blocking(|tx| {
            tx.put(tables::META, b"row", vec![1]);
            Ok::<_, MetaError>(())
        });
        write.unwrap();
        // The commit let go of the view before it, which would keep pages from being used again, and left its own.
        assert!(shared() && read(Some(&[1])) == read(Some(&[1])));
        let write = |row: u8| {
            let write = engine.write_blocking(move |tx| {
                tx.put(tables::JOB, b"row", vec![row]);
                Ok::<_, MetaError>(())
            });
            write.unwrap();
        };
        for row in 1..=IDLE_COMMITS {
            assert_eq!(open(), Some(vec![(tables::META, row)]));
            write(row);
        }
        assert_eq!(open(), Some(Vec::new()), "what nobody asks for is not carried along for ever");
        let store = engine.0.store.clone();
        engine.close();
        assert!(store.shared.lock().is_none() && store.epochs.now().is_none());
    }

    #[test]
    fn readers_beside_a_writer_never_see_time_run_backwards() {
        let engine = Engine::in_memory(Mode::Normal);
        let read = || {
            let row = engine.read(|tx: &ReadTx| tx.get(tables::META, b"row"));
            row.map(|row: Option<Vec<u8>>| row.map_or(0, |row| row[0])).unwrap()
        };
        let acknowledged = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < 200 {
                        let sure = acknowledged.load(Ordering::SeqCst);
                        let row = read();
                        assert!(row >= last && u64::from(row) >= sure, "{row} after {last}, {sure} acknowledged");
                        last = row;
                    }
                });
            }
            for row in 1..=200 {
                let write = engine.write_blocking(move |tx| {
                    tx.put(tables::META, b"row", vec![row]);
                    Ok::<_, MetaError>(())
                });
                write.unwrap();
                acknowledged.store(row.into(), Ordering::SeqCst);
            }
        });
    }

    #[test]
    fn an_epoch_ends_before_a_change_and_never_comes_again() {
        let epochs = Epochs::default();
        let first = epochs.now();
        assert!(first.is_some() && first == epochs.now());
        let change = epochs.change(true);
        assert_eq!(epochs.now(), None);
        drop(change);
        let second = epochs.now();
        assert!(second.is_some() && second != first);
        epochs.end();
        assert_eq!(epochs.now(), None);
    }

    #[test]
    fn an_epoch_of_rights_outlives_commits_of_other_rows() {
        let engine = Engine::in_memory(Mode::Normal);
        let put = |table: Table, key: &'static [u8]| {
            let write = engine.write_blocking(move |tx| {
                tx.put(table, key, vec![1]);
                Ok::<_, MetaError>(())
            });
            write.unwrap();
        };
        for table in tables::ALL {
            let (all, rights) = (engine.epoch(), engine.rights_epoch());
            put(*table, b"row");
            assert_ne!(engine.epoch(), all);
            assert_eq!(engine.rights_epoch() != rights, tables::RIGHTS.contains(table), "{table:?}");
        }
        let epochs = Epochs::default();
        let change = epochs.change(false);
        assert!(epochs.now().is_none() && epochs.of_rights().is_some());
        drop(change);
        let change = epochs.change(true);
        assert!(epochs.now().is_none() && epochs.of_rights().is_none());
        drop(change);
    }
}
