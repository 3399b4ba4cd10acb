//! Where tests reach under the file operations: to let one fail, to fill the disk, to cut the power.
//!
//! In the program this is nothing: each function is empty and compiled away. [`Fs`](super::fs::Fs) asks
//! [`Seam::before`] before each operation and tells [`Seam::did`] after one that changed something.

use std::fs::File;
use std::path::Path;

/// A change that was made.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code, reason = "read by tests"))]
pub(super) enum Did<'a> {
    /// A file was made under this path.
    Made(&'a Path, &'a File),
    /// Bytes were written from here on.
    Wrote(&'a File, u64, &'a [u8]),
    /// A file was cut to this length.
    Cut(&'a File, u64),
    /// A file's bytes and length are on disk.
    SyncedData(&'a File),
    /// A directory's names are on disk.
    SyncedNames(&'a Path),
    /// A name was removed.
    Removed(&'a Path),
    /// A name took the place of another one in its directory.
    Renamed(&'a Path, &'a Path),
}

#[cfg(not(test))]
pub(super) use program::{Kind, Seam};
#[cfg(test)]
pub(super) use test::Seam;

#[cfg(test)]
pub(super) use crate::base::faults::Kind;

#[cfg(not(test))]
mod program {
    use std::io;

    use super::Did;

    /// See `base::faults::Kind`.
    #[derive(Clone, Copy)]
    pub(in crate::blobs) enum Kind {
        Read,
        Write,
        Sync,
        Remove,
    }

    #[derive(Default)]
    pub(in crate::blobs) struct Seam;

    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "what tests put here may fail")]
    impl Seam {
        pub(in crate::blobs) fn before(&self, _kind: Kind) -> io::Result<()> {
            Ok(())
        }

        pub(in crate::blobs) fn did(&self, _what: Did<'_>) {}

        pub(in crate::blobs) fn take_room(&self, _bytes: u64) -> io::Result<()> {
            Ok(())
        }

        /// Ends the process.
        pub(in crate::blobs) fn die(&self, _why: &str) {
            std::process::abort();
        }
    }
}

#[cfg(test)]
pub(crate) mod test {
    use std::collections::{BTreeMap, HashMap};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use parking_lot::Mutex;

    use super::{Did, Kind};
    use crate::base::faults::{CachedFile, Dice, Faults};

    pub(crate) struct Seam {
        /// Bytes that may still be written before the disk pretends to be full.
        pub(in crate::blobs) room: AtomicU64,
        faults: Option<(Faults, Mutex<Cache>)>,
    }

    /// The files as a disk with a volatile cache has them.
    #[derive(Default)]
    pub(crate) struct Cache {
        files: Vec<CachedFile>,
        /// The file that an inode is now; numbers are used again.
        inodes: HashMap<u64, usize>,
        /// Each directory's names on disk, and the changes since.
        names: BTreeMap<PathBuf, (BTreeMap<PathBuf, usize>, Vec<Name>)>,
    }

    #[derive(Clone)]
    enum Name {
        Link(PathBuf, usize),
        Unlink(PathBuf),
        Rename(PathBuf, PathBuf, usize),
    }

    impl Default for Seam {
        fn default() -> Self {
            Self { room: u64::MAX.into(), faults: None }
        }
    }

    impl Seam {
        /// What lies under `data` now counts as on disk.
        pub(in crate::blobs) fn with(faults: Faults, data: &Path) -> io::Result<Self> {
            let mut cache = Cache::default();
            let mut directories = vec![data.join("uploads"), data.join("blobs")];
            while let Some(directory) = directories.pop() {
                for entry in std::fs::read_dir(&directory).into_iter().flatten() {
                    let path = entry?.path();
                    if path.is_dir() {
                        directories.push(path);
                        continue;
                    }
                    let number = cache.files.len();
                    cache.files.push(CachedFile::synced(std::fs::read(&path)?));
                    cache.inodes.insert(path.metadata()?.ino(), number);
                    cache.names.entry(directory.clone()).or_default().0.insert(path, number);
                }
            }
            Ok(Self { room: u64::MAX.into(), faults: Some((faults, Mutex::new(cache))) })
        }

        pub(in crate::blobs) fn before(&self, kind: Kind) -> io::Result<()> {
            self.faults.as_ref().map_or(Ok(()), |(faults, _)| faults.step(kind))
        }

        pub(in crate::blobs) fn take_room(&self, bytes: u64) -> io::Result<()> {
            let took = self.room.fetch_update(SeqCst, SeqCst, |room| room.checked_sub(bytes));
            took.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
        }

        pub(in crate::blobs) fn die(&self, why: &str) {
            match &self.faults {
                Some((faults, _)) => faults.die(why),
                None => std::process::abort(),
            }
        }

        pub(in crate::blobs) fn did(&self, what: Did<'_>) {
            if let Some((faults, cache)) = &self.faults
                && !faults.is_out()
            {
                cache.lock().note(what);
            }
        }

        /// Makes, under `data`, what a power cut leaves of what this seam has seen.
        pub(crate) fn after_cut(&self, data: &Path, dice: &mut Dice) -> io::Result<()> {
            let (_, cache) = self.faults.as_ref().expect("a seam with faults");
            cache.lock().after_cut(data, dice)
        }
    }

    impl Cache {
        fn note(&mut self, what: Did<'_>) {
            let directory = |path: &Path| path.parent().expect("files lie in directories").to_owned();
            match what {
                Did::Made(path, file) => {
                    let number = self.files.len();
                    self.files.push(CachedFile::default());
                    self.inodes.insert(inode(file), number);
                    let names = self.names.entry(directory(path)).or_default();
                    names.1.push(Name::Link(path.to_owned(), number));
                }
                Did::Wrote(file, at, bytes) => self.of(file).write(at, bytes),
                Did::Cut(file, length) => self.of(file).set_length(length),
                Did::SyncedData(file) => self.of(file).sync(),
                Did::SyncedNames(path) => {
                    let (kept, unsynced) = self.names.entry(path.to_owned()).or_default();
                    for change in std::mem::take(unsynced) {
                        apply(kept, change);
                    }
                }
                Did::Removed(path) => {
                    let names = self.names.entry(directory(path)).or_default();
                    names.1.push(Name::Unlink(path.to_owned()));
                }
                Did::Renamed(from, to) => {
                    let (kept, unsynced) = self.names.entry(directory(from)).or_default();
                    let mut now = kept.clone();
                    unsynced.iter().cloned().for_each(|change| apply(&mut now, change));
                    if let Some(number) = now.get(from) {
                        unsynced.push(Name::Rename(from.to_owned(), to.to_owned(), *number));
                    }
                }
            }
        }

        fn of(&mut self, file: &std::fs::File) -> &mut CachedFile {
            let number = self.inodes[&inode(file)];
            &mut self.files[number]
        }

        fn after_cut(&self, data: &Path, dice: &mut Dice) -> io::Result<()> {
            for (directory, (kept, unsynced)) in &self.names {
                let mut left = kept.clone();
                for change in unsynced.iter().filter(|_| dice.coin()) {
                    apply(&mut left, change.clone());
                }
                // `…/<old data>/blobs/ab` becomes `<data>/blobs/ab`.
                let last = directory.file_name().expect("a name");
                let place = match directory.parent().and_then(Path::file_name) {
                    Some(parent) if parent == "blobs" => data.join("blobs").join(last),
                    _ => data.join(last),
                };
                std::fs::create_dir_all(&place)?;
                for (path, number) in left {
                    let name = path.file_name().expect("a name");
                    std::fs::write(place.join(name), self.files[number].after_cut(dice))?;
                }
            }
            Ok(())
        }
    }

    fn apply(names: &mut BTreeMap<PathBuf, usize>, change: Name) {
        match change {
            Name::Link(path, number) => drop(names.insert(path, number)),
            Name::Unlink(path) => drop(names.remove(&path)),
            Name::Rename(from, to, number) => {
                names.remove(&from);
                names.insert(to, number);
            }
        }
    }

    fn inode(file: &std::fs::File) -> u64 {
        file.metadata().expect("an open file").ino()
    }
}
