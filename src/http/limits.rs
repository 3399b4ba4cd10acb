//! Who may connect, and how large the head of a request may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hyper::StatusCode;
use hyper::http::request::Parts;
use parking_lot::Mutex;

use super::reply::{self, Reply};

/// Bytes of a request target. hyper gives up at 64 KiB by itself, without a word.
pub const MAX_TARGET: usize = 8 * 1024;

/// Header lines of a request, about as many as other servers take (Apache: 100). hyper refuses more than 100 of them by
/// itself, and to be told another number would make it ask the allocator for two tables of that size in every request.
pub const MAX_HEADERS: usize = 96;

/// Counts connections, over all and by neighbourhood.
#[derive(Debug)]
pub struct Doors {
    all: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_neighbourhood: HashMap<IpAddr, usize>,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// `limits.connections` are open.
    Everywhere,
    /// `limits.connections_per_address` are open from there.
    There,
}

impl Full {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Everywhere => "connections",
            Self::There => "connections_per_address",
        }
    }
}

impl Doors {
    /// Doors for so many connections.
    pub fn new(all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { all, per_address, open: Mutex::default() })
    }

    /// Lets a connection in, for as long as the returned value lives.
    ///
    /// # Errors
    /// [`Full`] when it must be closed at once.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let neighbourhood = neighbourhood(peer);
        let mut open = self.open.lock();
        if open.all >= self.all {
            return Err(Full::Everywhere);
        }
        let there = open.by_neighbourhood.entry(neighbourhood).or_default();
        if *there >= self.per_address {
            return Err(Full::There);
        }
        *there += 1;
        open.all += 1;
        Ok(Place { doors: self.clone(), neighbourhood })
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.lock().all
    }
}

/// A connection's place; leaving it makes room for another.
#[derive(Debug)]
pub struct Place {
    doors: Arc<Doors>,
    neighbourhood: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.doors.open.lock();
        open.all -= 1;
        if let Some(there) = open.by_neighbourhood.get_mut(&self.neighbourhood) {
            *there -= 1;
            if *there == 0 {
                open.by_neighbourhood.remove(&self.neighbourhood);
            }
        }
    }
}

/// What counts as one address: an IPv4 address (also when it comes as IPv4-mapped IPv6), or an IPv6 /64, because one
/// machine has all of that for itself.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Refuses a head that is too large, with a reason: `None` when it is fine.
pub fn check_head(head: &Parts, header_bytes: usize) -> Option<Reply> {
    let uri = &head.uri;
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    if target > MAX_TARGET {
        let message = format!("the request's URL has {target} bytes; at most {MAX_TARGET} are taken");
        return Some(reply::error(StatusCode::URI_TOO_LONG, "UNSUPPORTED", &message));
    }
    // As HTTP/1.1 writes it: "name: value" and a line end.
    let lines: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let size = target + lines;
    let message = if size > header_bytes {
        format!("the request's head has {size} bytes; at most {header_bytes} are taken (limits.header_bytes)")
    } else if head.headers.len() > MAX_HEADERS {
        format!("the request has {} header lines; at most {MAX_HEADERS} are taken", head.headers.len())
    } else {
        return None;
    };
    Some(reply::error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "UNSUPPORTED", &message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_is_an_address_or_a_64() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
    }

    #[test]
    fn doors_close_by_neighbourhood_and_over_all_and_open_again() {
        let doors = Doors::new(3, 2);
        let (alice, bob) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = doors.admit(alice).unwrap();
        let _second = doors.admit(alice).unwrap();
        assert_eq!(doors.admit(alice).unwrap_err(), Full::There);
        let _third = doors.admit(bob).unwrap();
        assert_eq!(doors.admit(bob).unwrap_err(), Full::Everywhere);
        drop(first);
        doors.admit(alice).unwrap();
        assert_eq!(doors.open(), 2);
    }
}
