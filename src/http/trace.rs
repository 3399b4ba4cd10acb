//! Request ids and the access log.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::base::id;

/// A fresh request id: 16 hex digits, enough to find one line among all that a log keeps. It is a name and no secret,
/// so that the operating system is asked for randomness once per process and not per request: from a random start, the
/// steps of an odd number pass through all 2⁶⁴ values before one comes again.
pub fn request_id() -> String {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(u64::from_be_bytes(id::random())));
    hex::encode(NEXT.fetch_add(STEP, Ordering::Relaxed).to_be_bytes())
}

/// What the access log says about one request. Neither the query nor any header goes in: both carry secrets.
#[derive(Debug)]
pub struct Line<'l> {
    /// The request's id.
    pub id: &'l str,
    /// The client.
    pub client: IpAddr,
    /// Method.
    pub method: &'l str,
    /// Path, without the query.
    pub path: &'l str,
    /// Status; `None` when the client went away before there was one.
    pub status: Option<u16>,
    /// What was asked for, where it is known.
    pub operation: Option<&'static str>,
    /// Who asked, where it is known.
    pub principal: Option<&'l str>,
    /// Bytes of the body given to the connection.
    pub bytes: u64,
    /// Whether the answer was given out to its end.
    pub whole: bool,
    /// From the head of the request to the end of the answer.
    pub took: Duration,
}

impl Line<'_> {
    /// Writes it, as one event of target `access`.
    pub fn write(&self) {
        tracing::info!(
            target: "access",
            id = self.id,
            client = %self.client,
            method = self.method,
            path = self.path,
            status = self.status,
            operation = self.operation,
            principal = self.principal,
            bytes = self.bytes,
            whole = self.whole,
            ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_16_hex_digits_and_all_different() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
