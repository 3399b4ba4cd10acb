//! Changes held in memory over rows that are not changed yet.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use super::{MetaError, Row, Table};

/// The ends of a range of keys, in order.
pub(super) type Bounds<'b> = (Bound<&'b [u8]>, Bound<&'b [u8]>);

/// What a closure does to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Put(Vec<u8>),
    Delete,
    /// Adds to a counter whatever it will be.
    Add(i64),
}

/// What becomes of a row: its value, or `None` for no row.
pub(super) type Value = Option<Vec<u8>>;

/// The changes of one closure.
pub(super) type Changes = Overlay<Change>;

/// The rows of a batch as they will be committed; counters are summed up.
pub(super) type Batch = Overlay<Value>;

/// Something that turns a row into another.
pub(super) trait Patch {
    /// The row after this change; `base` tells what it was and is only asked when it matters.
    fn over(&self, base: impl FnOnce() -> Result<Value, MetaError>) -> Result<Value, MetaError>;
}

impl Patch for Change {
    fn over(&self, base: impl FnOnce() -> Result<Value, MetaError>) -> Result<Value, MetaError> {
        match self {
            Self::Put(value) => Ok(Some(value.clone())),
            Self::Delete => Ok(None),
            Self::Add(delta) => sum(base()?.as_deref(), *delta).map(Some),
        }
    }
}

impl Patch for Value {
    fn over(&self, _base: impl FnOnce() -> Result<Value, MetaError>) -> Result<Value, MetaError> {
        Ok(self.clone())
    }
}

/// The counter that a row holds; zero when there is none.
pub(super) fn count(value: Option<&[u8]>) -> Result<i64, MetaError> {
    match value {
        None => Ok(0),
        Some(bytes) => bytes
            .try_into()
            .map(i64::from_be_bytes)
            .map_err(|_| MetaError::Corrupt(format!("a counter has {} bytes instead of 8", bytes.len()))),
    }
}

/// The row of a counter after `delta` was added.
pub(super) fn sum(value: Option<&[u8]>, delta: i64) -> Result<Vec<u8>, MetaError> {
    let sum = count(value)?.checked_add(delta).ok_or_else(|| MetaError::Corrupt("a counter overflows".to_owned()))?;
    Ok(sum.to_be_bytes().to_vec())
}

/// Changes by table and key, in key order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overlay<C>(BTreeMap<Table, BTreeMap<Vec<u8>, C>>);

impl<C> Default for Overlay<C> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<C> Overlay<C> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<&C> {
        self.0.get(&table)?.get(key)
    }

    pub(super) fn set(&mut self, table: Table, key: &[u8], change: C) {
        self.0.entry(table).or_default().insert(key.to_vec(), change);
    }

    /// The changes within `bounds`, in key order.
    pub(super) fn range(&self, table: Table, bounds: Bounds<'_>) -> impl Iterator<Item = (&Vec<u8>, &C)> {
        self.0.get(&table).into_iter().flat_map(move |rows| rows.range::<[u8], _>(bounds))
    }

    /// The changes of each table, in key order.
    pub(super) fn tables(&self) -> impl Iterator<Item = (Table, &BTreeMap<Vec<u8>, C>)> {
        self.0.iter().map(|(table, rows)| (*table, rows))
    }

    /// Every change with its table and key, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Table, &[u8], &C)> {
        self.tables().flat_map(|(table, rows)| rows.iter().map(move |(key, change)| (table, key.as_slice(), change)))
    }
}

impl Changes {
    /// These changes with every counter summed up over what `base` says it was.
    pub(super) fn resolve(self, base: impl Fn(Table, &[u8]) -> Result<Value, MetaError>) -> Result<Batch, MetaError> {
        let mut batch = Batch::default();
        for (table, rows) in self.0 {
            let mut values = BTreeMap::new();
            for (key, change) in rows {
                let value = match change {
                    Change::Put(value) => Some(value),
                    Change::Delete => None,
                    Change::Add(delta) => Some(sum(base(table, &key)?.as_deref(), delta)?),
                };
                values.insert(key, value);
            }
            batch.0.insert(table, values);
        }
        Ok(batch)
    }

    /// Adds to a counter; a delta over a delta is one delta.
    pub(super) fn add(&mut self, table: Table, key: &[u8], delta: i64) -> Result<(), MetaError> {
        let change = match self.get(table, key) {
            None => Change::Add(delta),
            Some(Change::Delete) => Change::Put(sum(None, delta)?),
            Some(Change::Put(value)) => Change::Put(sum(Some(value), delta)?),
            Some(Change::Add(pending)) => Change::Add(
                pending.checked_add(delta).ok_or_else(|| MetaError::Corrupt("a counter overflows".to_owned()))?,
            ),
        };
        self.set(table, key, change);
        Ok(())
    }
}

impl Batch {
    /// Whether a row of these tables is among them.
    pub(super) fn touches(&self, tables: &[Table]) -> bool {
        tables.iter().any(|table| self.0.contains_key(table))
    }

    /// Puts `later` over these rows. One by one: `BTreeMap::append` would build the whole map anew for each closure of the
    /// batch.
    pub(super) fn append(&mut self, later: Self) {
        for (table, rows) in later.0 {
            self.0.entry(table).or_default().extend(rows);
        }
    }
}

/// Rows in key order with changes in key order over them.
pub(super) struct Merged<B: Iterator, C: Iterator> {
    base: Peekable<B>,
    changes: Peekable<C>,
}

impl<B: Iterator, C: Iterator> Merged<B, C> {
    pub(super) fn new(base: B, changes: C) -> Self {
        Self { base: base.peekable(), changes: changes.peekable() }
    }
}

impl<'c, B, C, P> Iterator for Merged<B, C>
where
    B: Iterator<Item = Result<Row, MetaError>>,
    C: Iterator<Item = (&'c Vec<u8>, &'c P)>,
    P: Patch + 'c,
{
    type Item = Result<Row, MetaError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.changes.peek() else { return self.base.next() };
            let old = match self.base.peek() {
                None => None,
                Some(Err(_)) => return self.base.next(),
                Some(Ok((key, _))) => match key.cmp(changed) {
                    Ordering::Less => return self.base.next(),
                    Ordering::Equal => self.base.next(),
                    Ordering::Greater => None,
                },
            };
            let (key, change) = self.changes.next()?;
            match change.over(|| old.transpose().map(|row| row.map(|(_, value)| value))) {
                Ok(Some(value)) => return Some(Ok((key.clone(), value))),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
