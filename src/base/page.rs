//! Pages of lists (distribution-spec, "Listing Tags"; Docker's catalog).

/// What a caller asks of a list: at most `n` entries that come after `last`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most this many entries; `None` when the caller named no number.
    pub n: Option<usize>,
    /// Only entries strictly after this one, in byte order.
    pub last: Option<String>,
}

/// The most entries that one page has, whatever was asked for (CVE-2023-2253: a huge `n` must not allocate).
pub const MAX_PAGE: usize = 10_000;

impl Page {
    /// The number of entries that this page may have.
    pub fn limit(&self) -> usize {
        self.n.unwrap_or(MAX_PAGE).min(MAX_PAGE)
    }
}
