//! What the lists of repositories and of tags have in common: orders, pages and the mark that leads to the next one.

use crate::oci::kind::Kind;

/// An order that a list is offered in. Each has rows of its own in the store, so that a page costs the same at the
/// first as at the ten-thousandth entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The latest push first.
    #[default]
    Pushed,
    /// By name, in byte order.
    Name,
    /// The largest first.
    Size,
}

/// Where a page ended: opaque to those who carry it, bound to the order and the filter that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next page begins, if there is one. A page that searched as much as one request may can be short, or
    /// empty, and still have a next one.
    pub next: Option<Cursor>,
    /// How many entries there are in all, where that is counted.
    pub total: Option<u64>,
}

/// The kinds that a filter offers, in the order of the pages.
pub fn filters() -> &'static [Kind] {
    &[]
}
