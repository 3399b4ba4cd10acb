//! Numbers, times and digests as people read them; the templates' macros are made of these.

use std::time::Duration;

use crate::base::Timestamp;

/// A value behind any number of references: templates hand their arguments on so.
pub trait Plain<T> {
    /// The value.
    fn plain(&self) -> T;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl Plain<$type> for $type {
            fn plain(&self) -> $type {
                *self
            }
        })*
    };
}
plain!(u64, Timestamp, Duration);

impl<T, P: Plain<T> + ?Sized> Plain<T> for &P {
    fn plain(&self) -> T {
        P::plain(self)
    }
}

/// Whether two texts are the same, behind any number of references.
pub fn same(one: impl AsRef<str>, other: impl AsRef<str>) -> bool {
    one.as_ref() == other.as_ref()
}

/// Bytes in decimal units, as registries and disks are sold: `0 B`, `41 kB`, `23.4 MB`.
pub fn size(bytes: impl Plain<u64>) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let bytes = bytes.plain();
    let mut power = 0;
    let mut scale = 1_u64;
    while power + 1 < UNITS.len() && bytes / scale >= 1000 {
        power += 1;
        scale *= 1000;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    match (power, tenths / 10, tenths % 10) {
        (0, whole, _) => format!("{whole} B"),
        (_, whole, 0) => format!("{whole} {}", UNITS[power]),
        (1, whole @ 10.., _) => format!("{whole} kB"),
        (_, whole @ 100.., _) => format!("{whole} {}", UNITS[power]),
        (_, whole, tenth) => format!("{whole}.{tenth} {}", UNITS[power]),
    }
}

/// A number with narrow spaces between groups of three: `12 044`.
pub fn number(number: impl Plain<u64>) -> String {
    let digits = number.plain().to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A time for `datetime`, to the second: `2026-11-22T10:00:00Z`.
pub fn machine_time(time: impl Plain<Timestamp>) -> String {
    time.plain().to_string().split('.').next().map_or_else(String::new, |text| {
        let text = text.trim_end_matches('Z');
        format!("{text}Z")
    })
}

/// The same for people: `2026-11-22 10:00 UTC`.
pub fn time(time: impl Plain<Timestamp>) -> String {
    let text = machine_time(time);
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

/// A duration in its two largest units: `12 d 4 h`, `3 min`, `20 s`.
pub fn duration(duration: impl Plain<Duration>) -> String {
    let seconds = duration.plain().as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The first 12 characters of a digest's hash: enough to tell digests apart on a page.
pub fn short(digest: impl std::fmt::Display) -> String {
    let digest = digest.to_string();
    let hash = digest.split_once(':').map_or(digest.as_str(), |(_, hash)| hash);
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1499, "1.4 kB"),
            (41_300, "41 kB"),
            (23_400_000, "23.4 MB"),
            (999_999_999, "999 MB"),
            (3_100_000_000, "3.1 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(number(12_044), "12\u{202f}044");
        assert_eq!(number(7), "7");
        assert_eq!(number(1_000_000), "1\u{202f}000\u{202f}000");
    }

    #[test]
    fn times_are_absolute_and_in_utc() {
        let at = Timestamp(1_790_000_000_123);
        assert_eq!(machine_time(at), "2026-09-21T14:13:20Z");
        assert_eq!(time(at), "2026-09-21 14:13 UTC");
        assert_eq!(machine_time(Timestamp(1_790_000_000_000)), "2026-09-21T14:13:20Z");
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (180, "3 min"), (3660, "1 h 1 min"), (1_051_200, "12 d 4 h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn digests_are_cut_behind_their_algorithm() {
        assert_eq!(short("sha256:bd1a813b6301aa"), "bd1a813b6301");
        assert_eq!(short("abc"), "abc");
    }
}
