//! Names for outbound calls, from this machine's own configuration only.
//!
//! `getaddrinfo` is never called: in a static binary it loads foreign modules. Public name servers are never asked,
//! also when `/etc/resolv.conf` is missing, where libraries fall back to them: then `/etc/hosts` is all there is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::pki::names::hosts_entries;

/// A name without an address, in words that say where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} has no address here: {why}")]
pub struct Unresolved {
    name: String,
    why: String,
}

/// Resolves names by `/etc/hosts` and the name servers of `/etc/resolv.conf`; follows changes of both files.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    /// Where `etc/hosts` and `etc/resolv.conf` stand.
    root: PathBuf,
    /// The name servers of `etc/resolv.conf`, with the text that they were read from.
    servers: Mutex<Option<(Vec<u8>, TokioResolver)>>,
}

impl Names {
    /// As this machine is configured.
    pub fn system() -> Self {
        Self::below(Path::new("/"))
    }

    /// As the machine whose file system stands below `root` is configured.
    pub fn below(root: &Path) -> Self {
        Self(Arc::new(Inner { root: root.into(), servers: Mutex::new(None) }))
    }

    /// The addresses of a name, at least one.
    ///
    /// # Errors
    /// [`Unresolved`], with the files that were looked at.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let plain = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        // RFC 6761 §6.3: never a question for a name server.
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let hosts = std::fs::read(self.0.root.join("etc/hosts")).unwrap_or_default();
        let hosts = String::from_utf8_lossy(&hosts);
        let known: Vec<IpAddr> = hosts_entries(&hosts)
            .filter(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(&plain)))
            .map(|(address, _)| address)
            .collect();
        if !known.is_empty() {
            return Ok(known);
        }
        let unresolved = |why: String| Unresolved { name: name.into(), why };
        let servers = self.servers().map_err(|why| {
            unresolved(format!("it is not in /etc/hosts, and no name server is configured (/etc/resolv.conf: {why})"))
        })?;
        let nobody_knows = || "it is not in /etc/hosts, and the name server knows no address of it".into();
        match servers.lookup_ip(name).await {
            Ok(found) if found.iter().next().is_some() => Ok(found.iter().collect()),
            Ok(_) => Err(unresolved(nobody_knows())),
            Err(error) if error.is_no_records_found() => Err(unresolved(nobody_knows())),
            Err(error) => Err(unresolved(format!("it is not in /etc/hosts, and the name server says: {error}"))),
        }
    }

    /// Whether there is anything that could send a packet.
    #[cfg(test)]
    pub(super) fn has_servers(&self) -> bool {
        self.0.servers.lock().is_some()
    }

    fn servers(&self) -> Result<TokioResolver, String> {
        let text = std::fs::read(self.0.root.join("etc/resolv.conf")).map_err(|error| error.to_string())?;
        let mut cached = self.0.servers.lock();
        if let Some((read, servers)) = &*cached
            && *read == text
        {
            return Ok(servers.clone());
        }
        let (config, mut options) = parse_resolv_conf(&text).map_err(|error| error.to_string())?;
        // Our own look into the file above has answered already.
        options.use_hosts_file = ResolveHosts::Never;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let servers = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| error.to_string())?;
        *cached = Some((text, servers.clone()));
        Ok(servers)
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Names({})", self.0.root.display())
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.lookup(name.as_str()).await?;
            // Port 0 stands for the URL's.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
