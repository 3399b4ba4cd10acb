//! A view through which only some tables are read.

use super::super::Table;
use super::{MetaError, Read, Row};

/// Reads these tables and no others. Who remembers what was read for as long as those tables stay as they are reads
/// through this: that nothing else went into it is then seen to, not hoped for.
#[derive(Clone, Copy, Debug)]
pub struct Only<'t, R> {
    tx: &'t R,
    tables: &'static [Table],
}

impl<'t, R: Read> Only<'t, R> {
    /// `tx`, but for these tables alone.
    pub fn of(tx: &'t R, tables: &'static [Table]) -> Self {
        Self { tx, tables }
    }

    fn check(&self, table: Table) -> Result<(), MetaError> {
        if self.tables.contains(&table) {
            return Ok(());
        }
        debug_assert!(false, "table {} is not among those that may be read here", table.name());
        Err(MetaError::Rule(format!("table {} is read where only others may be", table.name())))
    }
}

impl<R: Read> Read for Only<'_, R> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, MetaError> {
        self.check(table)?;
        self.tx.get(table, key)
    }

    fn range(&self, table: Table, from: &[u8], to: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, MetaError> {
        self.check(table)?;
        self.tx.range(table, from, to, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, Mode, tables};
    use super::*;

    #[test]
    #[should_panic(expected = "table tag is not among those")]
    fn another_table_is_not_read() {
        let meta = Engine::in_memory(Mode::Normal);
        let read = meta.read(|tx| {
            let tx = Only::of(tx, tables::RIGHTS);
            tx.get(tables::REPO, b"key")?;
            tx.get(tables::TAG, b"key")
        });
        drop(read);
    }
}
