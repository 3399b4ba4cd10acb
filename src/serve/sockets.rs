//! Sockets: passed in by systemd, asked for by the settings, or the usual ports.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::ServeError;
use crate::base::Config;
use crate::http::listen::Kind;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A bound socket and what is served on it.
pub(super) struct Bound {
    pub(super) socket: TcpListener,
    pub(super) kind: Kind,
    address: SocketAddr,
}

impl Bound {
    pub(super) fn address(&self) -> (SocketAddr, Kind) {
        (self.address, self.kind)
    }
}

/// All sockets, and what the administrator should know about them.
pub(super) struct AllBound {
    pub(super) sockets: Vec<Bound>,
    pub(super) notices: Vec<String>,
}

/// Binds everything, or nothing.
pub(super) fn bind(config: &Config) -> Result<AllBound, ServeError> {
    let mut all = AllBound { sockets: passed_in()?, notices: Vec::new() };
    // Under systemd the sockets are the socket unit's, and there is no fallback.
    if all.sockets.is_empty() {
        if config.listen.is_empty() {
            bind_usual_port(&mut all)?;
        }
        for address in &config.listen {
            match bind_one(*address, Kind::Tls, &config.listen) {
                Ok(bound) => all.sockets.push(bound),
                Err(error) if can_do_without(*address, &error, &config.listen) => {
                    all.notices.push(format!("this machine has no IPv6, so nothing listens on {address}"));
                }
                Err(error) => {
                    let hint = hint(*address, &error);
                    return Err(ServeError::Failed(format!("cannot listen on {address}: {error}{hint}")));
                }
            }
        }
    }
    let clear = config.http.iter().map(|address| (*address, Kind::Clear, "http"));
    let trust = config.trust_http.iter().map(|address| (*address, Kind::Trust, "trust_http"));
    for (address, kind, setting) in clear.chain(trust) {
        let bound = bind_one(address, kind, &config.http);
        all.sockets.push(bound.map_err(|error| {
            ServeError::Failed(format!("{setting}: cannot listen on {address}: {error}{}", hint(address, &error)))
        })?);
    }
    Ok(all)
}

/// Whether this is every IPv6 address of a kernel that has none, with every IPv4 address asked for beside it: who writes
/// both means "all that there are".
fn can_do_without(address: SocketAddr, error: &io::Error, asked: &[SocketAddr]) -> bool {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    address.is_ipv6()
        && address.ip().is_unspecified()
        && error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
        && asked.contains(&v4)
}

fn hint(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(" (ports below 1024 need root or CAP_NET_BIND_SERVICE; try port {})", 8000 + address.port())
        }
        io::ErrorKind::AddrInUse => format!(" (what has it? ss -ltnp 'sport = :{}')", address.port()),
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has that address)".to_owned(),
        _ => String::new(),
    }
}

/// 443 where this process may, else 8443, on every address.
fn bind_usual_port(all: &mut AllBound) -> Result<(), ServeError> {
    let mut reasons = Vec::new();
    for port in [443, 8443] {
        let dual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        // A kernel without IPv6 has no dual-stack socket.
        match bind_one(dual, Kind::Tls, &[]).or_else(|_| bind_one(v4, Kind::Tls, &[])) {
            Ok(bound) => {
                if let Some(reason) = reasons.pop() {
                    all.notices
                        .push(format!("port 443 cannot be used ({reason}), so it is {port}; --listen chooses another"));
                }
                all.sockets.push(bound);
                return Ok(());
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(ServeError::Failed(format!(
        "neither port 443 ({}) nor 8443 ({}) can be used; choose one with --listen 0.0.0.0:PORT",
        reasons[0], reasons[1]
    )))
}

/// Binds one address. `others` are those that are bound beside it: where the same port is asked for on IPv4 too, the
/// IPv6 socket keeps to IPv6.
fn bind_one(address: SocketAddr, kind: Kind, others: &[SocketAddr]) -> io::Result<Bound> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        let v4_beside = others.iter().any(|other| other.is_ipv4() && other.port() == address.port());
        sockopt::set_ipv6_v6only(&socket, v4_beside)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok(Bound { socket, kind, address })
}

/// The sockets that systemd passed in (`LISTEN_FDS`); `FileDescriptorName=trust` marks the one for trust scripts.
fn passed_in() -> Result<Vec<Bound>, ServeError> {
    let failed = |error: io::Error| ServeError::Failed(format!("a socket passed in by systemd: {error}"));
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let kind = match names.next() {
            Some("trust") => Kind::Trust,
            Some("http") => Kind::Clear,
            _ => Kind::Tls,
        };
        if let Some(socket) = passed.take_tcp_listener(index).map_err(failed)? {
            let address = socket.local_addr().map_err(failed)?;
            sockets.push(Bound { socket, kind, address });
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_of_one_port_can_be_bound() {
        let v4 = bind_one("127.0.0.1:0".parse().unwrap(), Kind::Tls, &[]).unwrap();
        let port = v4.address.port();
        let Ok(v6) = bind_one(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), Kind::Tls, &[v4.address]) else {
            eprintln!("skipped: this machine has no IPv6");
            return;
        };
        assert_eq!(v6.address.port(), port);
    }

    #[test]
    fn a_kernel_without_ipv6_is_no_reason_not_to_serve() {
        let both: Vec<SocketAddr> = vec!["0.0.0.0:8443".parse().unwrap(), "[::]:8443".parse().unwrap()];
        let none = io::Error::from(rustix::io::Errno::AFNOSUPPORT);
        assert!(can_do_without(both[1], &none, &both));
        assert!(!can_do_without(both[1], &none, &both[1..]), "nothing else was asked for");
        assert!(!can_do_without(both[0], &none, &both));
        assert!(!can_do_without("[::1]:8443".parse().unwrap(), &none, &both));
        assert!(!can_do_without(both[1], &io::Error::from(rustix::io::Errno::ADDRINUSE), &both));
    }

    #[test]
    fn an_address_in_use_is_told_with_the_way_to_find_out() {
        let taken = bind_one("127.0.0.1:0".parse().unwrap(), Kind::Tls, &[]).unwrap();
        let config = Config { listen: vec![taken.address], ..Config::default() };
        let Err(ServeError::Failed(message)) = bind(&config).map(|_| ()) else { panic!("bound twice") };
        assert!(message.contains("ss -ltnp"), "{message}");
    }
}
