//! Byte ranges of downloads (RFC 9110 §14) and of upload chunks (distribution-spec, "Pushing a blob in chunks").

/// What a `Range` header asks of content of a known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Everything: there is no range, or one that RFC 9110 lets us ignore (another unit, several ranges, bad syntax).
    Whole,
    /// These bytes, first and last included, clipped to the content.
    Part {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: u64,
    },
    /// No byte of the content lies in the range: 416.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes.
pub fn asked(header: Option<&str>, size: u64) -> Asked {
    let _ = (header, size);
    todo!()
}

/// A `Content-Range` of an upload chunk: `<first>-<last>`, an optional `bytes ` before and `/<size>` behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    /// Offset of the chunk's first byte.
    pub first: u64,
    /// Offset of its last byte.
    pub last: u64,
}

impl ChunkRange {
    /// Parses the header; `None` when it is not a range or runs backwards.
    pub fn parse(header: &str) -> Option<Self> {
        let _ = header;
        todo!()
    }

    /// The chunk's length in bytes.
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }
}
