//! The schema's version, and the way from older ones to this one.
//!
//! The last closure of each migration changes the version too. One that must touch more rows than one closure may goes in
//! several, each of which leaves rows that the next can find again: after a crash it goes on where it was.
//
// To come with the first migration: a copy of the store (redb's persistent savepoint, or the file) that is kept until
// every step has succeeded.

use super::{Engine, MetaError, Read, WriteError, WriteTx, account, record, tables};

/// The schema that this version of the program reads and writes.
pub const VERSION: u64 = 4;

/// The row of [`tables::META`] with the version: a decimal number, written as a record.
const KEY: &[u8] = b"schema";

/// The way from each version to the next, oldest first: the first leads from version 1 to 2. The second (2 to 3) puts
/// events in chains, the third (3 to 4) gives accounts their ids: organizations, teams and grants came in.
const MIGRATIONS: &[Migration] = &[rows_of_lists, super::event::chain_old, account::number];

const _: () = assert!(VERSION == 1 + MIGRATIONS.len() as u64, "every version but the first has its migration");

/// One bounded step from a version to the next; true when it was the last.
pub type Migration = fn(&mut WriteTx) -> Result<bool, MetaError>;

/// From 1 to 2: the rows of lists came in, which a program of version 1 would not keep. Nothing is done here; a job makes
/// those of what is stored (`registry::reindex`), in bounded steps, while the registry serves.
#[allow(clippy::unnecessary_wraps, reason = "other steps fail")]
fn rows_of_lists(_: &mut WriteTx) -> Result<bool, MetaError> {
    Ok(true)
}

/// Why a store cannot be used by this version of the program.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer version of the program wrote it. Nothing was changed.
    #[error(
        "the metadata store has schema version {found}, and this msr-lite knows versions up to {known}; start a newer \
         msr-lite, or restore a backup that was made before the update"
    )]
    Newer {
        /// The store's version.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
    },
    /// The store failed, or a step did. The steps before it stand.
    #[error(transparent)]
    Store(#[from] MetaError),
}

/// Brings the store to [`VERSION`]; a new one just gets it written down. To be called before anything else is
/// written. Blocks.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(engine: &Engine) -> Result<(), MigrateError> {
    run(engine, MIGRATIONS)
}

fn run(engine: &Engine, migrations: &'static [Migration]) -> Result<(), MigrateError> {
    let known = 1 + migrations.len() as u64;
    let found = engine.write_blocking(move |tx| version(tx, known)).map_err(store)?;
    let done = match found.checked_sub(1) {
        None => return Err(MetaError::Corrupt("its schema version is 0".to_owned()).into()),
        Some(_) if found > known => return Err(MigrateError::Newer { found, known }),
        // At most the number of migrations, so it fits.
        Some(done) => usize::try_from(done).unwrap_or(usize::MAX),
    };
    for (step, to) in migrations.iter().skip(done).zip(found + 1..) {
        tracing::info!(to, "migrating the metadata store");
        let mut done = false;
        while !done {
            done = engine
                .write_blocking(move |tx| {
                    let done = step(tx)?;
                    if done {
                        tx.put(tables::META, KEY, record::encode(&to));
                    }
                    Ok(done)
                })
                .map_err(store)?;
        }
    }
    Ok(())
}

/// The store's version; a store without any row is new and becomes the version that is `known`.
fn version(tx: &mut WriteTx, known: u64) -> Result<u64, MetaError> {
    if let Some(value) = tx.get(tables::META, KEY)? {
        return record::decode(tables::META, &value);
    }
    for &table in tables::ALL {
        if !tx.range(table, &[], None, 1)?.is_empty() {
            return Err(MetaError::Corrupt("it has rows, but its schema version is missing".to_owned()));
        }
    }
    tx.put(tables::META, KEY, record::encode(&known));
    Ok(known)
}

fn store(error: WriteError<MetaError>) -> MigrateError {
    match error {
        WriteError::Refused(error) | WriteError::Store(error) => MigrateError::Store(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;

    const RENAME: Migration = |tx| {
        let old = tx.get(tables::META, b"old")?.ok_or_else(|| MetaError::Corrupt("no old row".to_owned()))?;
        tx.delete(tables::META, b"old");
        tx.put(tables::META, b"new", old);
        Ok(true)
    };
    const FAIL: Migration = |tx| {
        tx.put(tables::META, b"half", vec![1]);
        Err(MetaError::Corrupt("no way".to_owned()))
    };

    fn stored(engine: &Engine, key: &'static [u8]) -> Option<Vec<u8>> {
        engine.read(|tx| tx.get(tables::META, key)).unwrap()
    }

    fn put(engine: &Engine, key: &'static [u8], value: &'static [u8]) {
        engine
            .write_blocking::<_, MetaError>(move |tx| {
                tx.put(tables::META, key, value.to_vec());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_new_store_gets_the_version_and_keeps_it() {
        let engine = Engine::in_memory(Mode::Strict);
        migrate(&engine).unwrap();
        assert_eq!(stored(&engine, KEY), Some(format!("1{VERSION}").into_bytes()));
        migrate(&engine).unwrap();
        assert_eq!(engine.commits(), 1);
    }

    #[test]
    fn an_older_store_takes_the_steps_it_lacks_once() {
        let engine = Engine::in_memory(Mode::Strict);
        put(&engine, KEY, b"11");
        put(&engine, b"old", b"row");
        for _ in 0..2 {
            run(&engine, &[RENAME]).unwrap();
            assert_eq!(stored(&engine, KEY), Some(b"12".to_vec()));
            assert_eq!(stored(&engine, b"new"), Some(b"row".to_vec()));
            assert_eq!(stored(&engine, b"old"), None);
        }
    }

    #[test]
    fn a_failed_step_leaves_the_version_before_it() {
        let engine = Engine::in_memory(Mode::Strict);
        put(&engine, KEY, b"11");
        put(&engine, b"old", b"row");
        assert!(matches!(run(&engine, &[RENAME, FAIL]), Err(MigrateError::Store(MetaError::Corrupt(_)))));
        assert_eq!(stored(&engine, KEY), Some(b"12".to_vec()));
        assert_eq!(stored(&engine, b"half"), None);
    }

    #[test]
    fn a_migration_in_steps_goes_on_after_a_crash() {
        const STEPS: Migration = |tx| {
            let left = tx.range(tables::REFUSAL, &[], None, 2)?;
            let Some((first, _)) = left.first() else { return Ok(true) };
            tx.delete(tables::REFUSAL, first);
            Ok(false)
        };
        const BREAKS: Migration = |tx| {
            let done = STEPS(tx)? || tx.range(tables::REFUSAL, &[], None, 9)?.len() <= 1;
            if done { Err(MetaError::Corrupt("a crash".to_owned())) } else { Ok(false) }
        };
        let engine = Engine::in_memory(Mode::Strict);
        put(&engine, KEY, b"11");
        let filled = engine.write_blocking::<_, MetaError>(|tx| {
            (1..=5).for_each(|n| tx.put(tables::REFUSAL, &[n], vec![n]));
            Ok(())
        });
        filled.unwrap();
        let left = || engine.read(|tx| tx.range(tables::REFUSAL, &[], None, 9)).unwrap().len();
        assert!(run(&engine, &[BREAKS]).is_err());
        assert_eq!((left(), stored(&engine, KEY)), (2, Some(b"11".to_vec())));
        run(&engine, &[STEPS]).unwrap();
        assert_eq!((left(), stored(&engine, KEY)), (0, Some(b"12".to_vec())));
    }

    #[test]
    fn a_newer_store_is_refused_and_left_alone() {
        let engine = Engine::in_memory(Mode::Strict);
        put(&engine, KEY, b"17");
        let error = migrate(&engine).unwrap_err().to_string();
        assert!(error.contains("schema version 7") && error.contains(&format!("up to {VERSION};")), "{error}");
        assert_eq!(stored(&engine, KEY), Some(b"17".to_vec()));
    }

    #[test]
    fn a_store_with_rows_and_no_version_is_refused() {
        let engine = Engine::in_memory(Mode::Strict);
        put(&engine, b"instance", b"1\"x\"");
        assert!(matches!(migrate(&engine), Err(MigrateError::Store(MetaError::Corrupt(_)))));
        for unreadable in [&b"10"[..], b"x", b"1-1", b""] {
            put(&engine, KEY, unreadable);
            assert!(matches!(migrate(&engine), Err(MigrateError::Store(MetaError::Corrupt(_)))));
        }
    }
}
