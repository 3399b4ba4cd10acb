//! What systemd is told (`Type=notify`, `sd_notify(3)`). Where nobody listens, nothing happens.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sd_notify::NotifyState;

use super::Server;
use crate::meta::lease;

/// For a connection to our own socket, and for a read of the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything listens.
pub(super) fn ready(url: &str) {
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&format!("serves {url}"))]);
}

/// The end has begun.
pub(super) fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Feeds the watchdog, if systemd runs one, for as long as our own socket takes connections and the store reads.
pub(super) fn watchdog(server: &Server) -> Option<impl Future<Output = ()> + Send + use<>> {
    let every = sd_notify::watchdog_enabled()? / 2;
    let meta = server.house.meta.clone();
    let address = server.addresses.first().map(|(address, _)| reachable(*address))?;
    Some(async move {
        loop {
            tokio::time::sleep(every).await;
            let store = meta.clone();
            let reads = tokio::task::spawn_blocking(move || store.read(lease::remembered_steady).is_ok());
            let reads = tokio::time::timeout(PATIENCE, reads).await.is_ok_and(|read| read.unwrap_or(false));
            let accepts = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(address)).await;
            let accepts = accepts.is_ok_and(|connected| connected.is_ok());
            if reads && accepts {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            } else {
                tracing::error!(reads, accepts, "this server does not answer itself; systemd will restart it");
            }
        }
    })
}

/// Where a wildcard socket can be reached from here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}
