//! The orders of lists: rows whose keys are the entries' places, so that a page costs the same at the first as at the
//! ten-thousandth entry.
//!
//! A key is a list (a repository and a kind, a namespace, …), the order's letter, and the place of the entry in it: what
//! it is sorted by, then its name, which settles ties. There are rows for each kind; what is asked for without a kind is
//! merged from the lists of all kinds ([`Merged`]), which halves what a push has to write.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyReader};
use super::{MetaError, Read, Table};
use crate::base::Timestamp;

/// An order that a list is offered in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// The latest push first.
    #[default]
    Pushed,
    /// By name, in byte order.
    Name,
    /// The largest first.
    Size,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Pushed, Self::Name, Self::Size];

    /// What stands for it in keys.
    pub(super) const fn letter(self) -> &'static [u8] {
        match self {
            Self::Pushed => b"p",
            Self::Name => b"n",
            Self::Size => b"s",
        }
    }
}

/// What an entry is sorted by, besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// When it was last pushed.
    pub pushed: Timestamp,
    /// Its bytes.
    pub size: u64,
}

/// The place of an entry in an order: the end of its row's key. No place is the beginning of another one.
pub fn place(sort: Sort, weight: Weight, name: &str) -> Key {
    match sort {
        Sort::Pushed => Key::new().u64(!weight.pushed.0).text(name),
        Sort::Name => Key::new().text(name),
        Sort::Size => Key::new().u64(!weight.size).text(name),
    }
}

/// The name of the entry at a place.
///
/// # Errors
/// [`MetaError::Corrupt`] when it is no place of this order.
pub fn name_at(sort: Sort, place: &[u8]) -> Result<&str, MetaError> {
    let mut key = KeyReader::new(place);
    let weight = if sort == Sort::Name { Some(0) } else { key.u64() };
    weight.and_then(|_| key.text()).ok_or_else(|| MetaError::Corrupt("a place in a list does not read".to_owned()))
}

/// When the entry at a place of [`Sort::Pushed`] was pushed.
pub(super) fn pushed_at(place: &[u8]) -> Option<Timestamp> {
    KeyReader::new(place).u64().map(|inverse| Timestamp(!inverse))
}

/// An entry of an order: its place and its row's value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Several lists as one, in order. What stands at the same place in more than one of them comes once.
pub struct Merged<'t, R> {
    tx: &'t R,
    table: Table,
    streams: Vec<Stream>,
    chunk: usize,
}

/// What is left of one list.
struct Stream {
    list: Vec<u8>,
    /// Read and not given out, the next one last.
    ahead: Vec<Entry>,
    /// Where to read on; `None` at the end.
    from: Option<Vec<u8>>,
}

impl<'t, R: Read> Merged<'t, R> {
    /// The entries of `lists` behind the place `after`; `chunk` of each list are read at once.
    pub fn new(
        tx: &'t R,
        table: Table,
        lists: impl IntoIterator<Item = Key>,
        after: Option<&[u8]>,
        chunk: usize,
    ) -> Self {
        let stream = |list: Key| {
            let mut from = list.as_bytes().to_vec();
            if let Some(after) = after {
                from.extend_from_slice(after);
                // No place begins with another one, so a byte more passes exactly this one.
                from.push(0);
            }
            Stream { list: list.as_bytes().to_vec(), ahead: Vec::new(), from: Some(from) }
        };
        Self { tx, table, streams: lists.into_iter().map(stream).collect(), chunk: chunk.max(1) }
    }

    /// The same with entries that were read elsewhere, of which those behind the place `after` are merged in.
    #[must_use]
    pub fn with(mut self, mut entries: Vec<Entry>, after: Option<&[u8]>) -> Self {
        entries.retain(|(place, _)| after.is_none_or(|after| place.as_slice() > after));
        entries.sort_unstable_by(|one, other| other.0.cmp(&one.0));
        self.streams.push(Stream { list: Vec::new(), ahead: entries, from: None });
        self
    }

    /// The next entry.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, MetaError> {
        for stream in &mut self.streams {
            stream.fill(self.tx, self.table, self.chunk)?;
        }
        let heads = self.streams.iter().filter_map(|stream| stream.ahead.last());
        let Some(first) = heads.min_by(|one, other| one.0.cmp(&other.0)).map(|entry| entry.0.clone()) else {
            return Ok(None);
        };
        let mut found = None;
        for stream in &mut self.streams {
            found = stream.ahead.pop_if(|entry| entry.0 == first).or(found);
        }
        Ok(found)
    }
}

impl Stream {
    fn fill(&mut self, tx: &impl Read, table: Table, chunk: usize) -> Result<(), MetaError> {
        if !self.ahead.is_empty() {
            return Ok(());
        }
        let Some(from) = self.from.take() else { return Ok(()) };
        let rows = tx.range(table, &from, Key::prefix_end(&self.list).as_deref(), chunk)?;
        if rows.len() == chunk
            && let Some((last, _)) = rows.last()
        {
            let mut from = last.clone();
            from.push(0);
            self.from = Some(from);
        }
        self.ahead = rows.into_iter().rev().map(|(key, value)| (key[self.list.len()..].to_vec(), value)).collect();
        Ok(())
    }
}
