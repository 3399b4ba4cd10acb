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
///
/// A range that runs backwards (`500-0`) is bad syntax to RFC 9110, which would let us ignore it; the conformance
/// suite of the distribution specification wants 416, and so it is unsatisfiable here.
pub fn asked(header: Option<&str>, size: u64) -> Asked {
    header.and_then(|header| one_range(header, size)).unwrap_or(Asked::Whole)
}

/// The answer to a single byte range; `None` for whatever else the header holds.
fn one_range(header: &str, size: u64) -> Option<Asked> {
    let (unit, range) = header.trim().split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let end = size.checked_sub(1);
    Some(match (first, last) {
        // The last so many bytes. Those of nothing are satisfiable and nothing (RFC 9110 §14.1.2): the whole content.
        ("", suffix) => match (position(suffix)?, end) {
            (0, _) => Asked::Unsatisfiable,
            (_, None) => Asked::Whole,
            (length, Some(last)) => Asked::Part { first: size.saturating_sub(length), last },
        },
        (first, last) => {
            let first = position(first)?;
            let last = if last.is_empty() { u64::MAX } else { position(last)? };
            match end {
                Some(end) if first <= end && first <= last => Asked::Part { first, last: last.min(end) },
                _ => Asked::Unsatisfiable,
            }
        }
    })
}

/// A position of RFC 9110 (`1*DIGIT`). No content is as long as 2^64 bytes, so what is beyond stands for the end.
fn position(digits: &str) -> Option<u64> {
    let well_formed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    well_formed.then(|| digits.parse().unwrap_or(u64::MAX))
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
    /// Parses the header; `None` when it is not a range, runs backwards or does not fit the size behind it.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let range = match header.split_at_checked(6) {
            Some((unit, rest)) if unit.eq_ignore_ascii_case("bytes ") => rest.trim_start(),
            _ => header,
        };
        let (range, size) = range.split_once('/').unwrap_or((range, "*"));
        let (first, last) = range.split_once('-')?;
        let (first, last) = (position(first)?, position(last)?);
        // A last byte at 2^64-1 would make a length that no u64 holds.
        let fits = last < u64::MAX && (size == "*" || last < position(size)?);
        (first <= last && fits).then_some(Self { first, last })
    }

    /// The chunk's length in bytes.
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(first: u64, last: u64) -> Asked {
        Asked::Part { first, last }
    }

    /// The requests of the conformance suite's "range requests", for its content of 2048 bytes.
    #[test]
    fn the_ranges_of_the_conformance_suite() {
        for (header, answer) in [
            ("bytes=500-1499", part(500, 1499)),
            ("bytes=500-", part(500, 2047)),
            ("bytes=-500", part(1548, 2047)),
            ("bytes=2000-5000", part(2000, 2047)),
            ("bytes=500-0", Asked::Unsatisfiable),
            ("bytes=5000-10000", Asked::Unsatisfiable),
        ] {
            assert_eq!(asked(Some(header), 2048), answer, "{header}");
        }
    }

    #[test]
    fn edges() {
        let beyond = "99999999999999999999999";
        for (header, size, answer) in [
            ("bytes=0-0", 1, part(0, 0)),
            ("BYTES= 0-", 1, part(0, 0)),
            ("bytes=2047-", 2048, part(2047, 2047)),
            ("bytes=2048-", 2048, Asked::Unsatisfiable),
            ("bytes=-0", 2048, Asked::Unsatisfiable),
            ("bytes=-9999", 2048, part(0, 2047)),
            ("bytes=0-", 0, Asked::Unsatisfiable),
            ("bytes=-1", 0, Asked::Whole),
            (&format!("bytes=1-{beyond}"), 2048, part(1, 2047)),
            (&format!("bytes={beyond}-"), 2048, Asked::Unsatisfiable),
            (&format!("bytes=-{beyond}"), 2048, part(0, 2047)),
        ] {
            assert_eq!(asked(Some(header), size), answer, "{header} of {size}");
        }
    }

    #[test]
    fn what_may_be_ignored_is_ignored() {
        assert_eq!(asked(None, 2048), Asked::Whole);
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=0-1,3-4",
            "items=0-1",
            "0-1",
            "bytes=+1-2",
            "bytes=a-b",
            "bytes=1 - 2",
        ] {
            assert_eq!(asked(Some(header), 2048), Asked::Whole, "{header}");
        }
    }

    #[test]
    fn chunk_ranges() {
        for header in ["0-99", "bytes 0-99", "bytes 0-99/200", "0-99/*", " Bytes  0-99/100 "] {
            assert_eq!(ChunkRange::parse(header), Some(ChunkRange { first: 0, last: 99 }), "{header}");
        }
        for header in [
            "",
            "-",
            "0-",
            "-99",
            "99-0",
            "0-99/99",
            "0-99/",
            "bytes=0-99",
            "items 0-99",
            "+0-99",
            "0-18446744073709551615",
        ] {
            assert_eq!(ChunkRange::parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_content(first in 0..5000u64, last in 0..5000u64, size in 0..5000u64) {
            let expected = if first <= last && first < size { part(first, last.min(size - 1)) } else { Asked::Unsatisfiable };
            prop_assert_eq!(asked(Some(&format!("bytes={first}-{last}")), size), expected);
        }

        #[test]
        fn chunk_ranges_round_trip(first: u64, length in 1..u64::MAX) {
            let Some(last) = first.checked_add(length - 1).filter(|&last| last < u64::MAX) else { return Ok(()) };
            let range = ChunkRange::parse(&format!("{first}-{last}")).unwrap();
            prop_assert_eq!((range.first, range.last, range.length()), (first, last, length));
        }

        #[test]
        fn no_text_panics(text in "(bytes[= ])?[0-9*/,=+é -]{0,30}", size: u64) {
            let _ = ChunkRange::parse(&text).map(ChunkRange::length);
            if let Asked::Part { first, last } = asked(Some(&text), size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
