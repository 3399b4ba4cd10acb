//! What the wire knows about a request besides its head and body, and how the world sees this registry.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::header::{HOST, HeaderMap, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Uri, Version};

use crate::base::Config;
use crate::model::Event;
use crate::pki::Pki;

/// Context of one request, made by `http::service` before anything is parsed.
#[derive(Clone, Debug)]
pub struct Context {
    /// The request's id, shown in `X-Request-Id`, in 5xx bodies and in the log.
    pub id: String,
    /// The peer of the connection.
    pub peer: SocketAddr,
    /// The client: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// `https` or `http`, as the client sees it.
    pub scheme: &'static str,
    /// The authority under which the client may be told to come back: `external_url`'s, or the one it used when our
    /// certificate covers it, else our full name and port.
    pub authority: String,
    /// The registry host that a client may put before a repository name in `from=`: the authority that it used, if
    /// that is ours (with the port, if it wrote one).
    pub own_host: Option<String>,
}

impl Context {
    /// The URL under which the client reaches us, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

/// What a client calls itself, as far as events keep it.
pub fn agent(headers: &HeaderMap) -> Option<&str> {
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(&agent[..agent.floor_char_boundary(Event::AGENT)]).filter(|agent| !agent.is_empty())
}

/// The ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Theirs.
    pub peer: SocketAddr,
    /// The one of ours that the packets came to (behind DNAT not the one that the client dialled).
    pub local: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A network in CIDR notation; a bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` is in it; IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(host)) => {
                let shift = 32 - u32::from(self.prefix);
                net.to_bits().checked_shr(shift) == host.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(net), IpAddr::V6(host)) => {
                let shift = 128 - u32::from(self.prefix);
                net.to_bits().checked_shr(shift) == host.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither an address nor a network such as 192.0.2.0/24");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

/// How the world sees this registry: names, the reverse proxy in front, whom to believe. Parsed once at start.
pub struct Front {
    pki: Pki,
    external: Option<(&'static str, String)>,
    proxies: Vec<Network>,
}

/// A host and its port as a client wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Name or address, an IPv6 address without its brackets.
    pub host: &'a str,
    /// The port, if one was written.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; `None` when it is none that could stand in a URL or in a
    /// shell command: letters, digits, `-`, `.`, `_` and addresses only.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        } else {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let plausible = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if host.is_empty() || host.len() > 253 || !host.bytes().all(plausible) {
                return None;
            }
            (host, port)
        };
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { host, port })
    }
}

/// `host:port` as a URL of `scheme` writes it: brackets around IPv6, no default port.
pub fn authority(scheme: &str, host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match (scheme, port) {
        ("https", 443) | ("http", 80) => host,
        _ => format!("{host}:{port}"),
    }
}

/// Who asked and by which name; the outcome of believing (or not) what the headers say.
struct Claim<'h> {
    client: IpAddr,
    scheme: &'static str,
    host: Option<&'h str>,
    /// Whether a trusted proxy passed the host on.
    vouched: bool,
}

impl Front {
    /// Reads the settings.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn new(config: &Config, pki: Pki) -> Result<Self, String> {
        let external = config.external_url.as_deref().map(external).transpose()?;
        let proxies = config
            .trusted_proxies
            .iter()
            .map(|text| text.parse().map_err(|error| format!("trusted_proxies: {error}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { pki, external, proxies })
    }

    /// Our certificate and its authority.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The URL of the reverse proxy in front, if there is one.
    pub fn external_url(&self) -> Option<String> {
        self.external.as_ref().map(|(scheme, authority)| format!("{scheme}://{authority}"))
    }

    /// Works out a request's context.
    ///
    /// # Errors
    /// A sentence for a 400 when the request does not say for whom it is (RFC 9112, 3.2).
    pub fn context(&self, id: String, ends: Ends, head: &Parts) -> Result<Context, &'static str> {
        let used = used_authority(head)?;
        let claim = self.believe(ends, &head.headers, used);
        let ours = claim.host.filter(|host| self.is_ours(host, &claim, ends));
        let (scheme, authority) = match (&self.external, ours) {
            (Some((scheme, authority)), _) => (*scheme, authority.clone()),
            (None, Some(host)) => (claim.scheme, host.to_owned()),
            (None, None) => (claim.scheme, authority(claim.scheme, &self.pki.fqdn(), ends.local.port())),
        };
        let own_host = ours.map(str::to_owned);
        Ok(Context { id, peer: ends.peer, client: claim.client, scheme, authority, own_host })
    }

    /// Whether `address` is a proxy whose headers count.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }

    fn believe<'h>(&self, ends: Ends, headers: &'h HeaderMap, used: Option<&'h str>) -> Claim<'h> {
        let scheme = if ends.tls { "https" } else { "http" };
        let peer = ends.peer.ip().to_canonical();
        let mut claim = Claim { client: peer, scheme, host: used, vouched: false };
        if !self.trusts(peer) {
            return claim;
        }
        claim.vouched = true;
        // Each proxy appends the peer it saw: read from the right, and stop at the first that is not ours.
        let forwarded: Vec<&str> = list(headers, "x-forwarded-for").collect();
        for entry in forwarded.iter().rev() {
            let Some(address) = forwarded_address(entry) else { break };
            claim.client = address;
            if !self.trusts(address) {
                break;
            }
        }
        claim.scheme = match list(headers, "x-forwarded-proto").last() {
            Some("https") => "https",
            Some("http") => "http",
            _ => scheme,
        };
        if let Some(host) = list(headers, "x-forwarded-host").last() {
            claim.host = Some(host);
        }
        claim
    }

    /// Whether the client may be told to come back under this host: our certificate covers it, a trusted proxy passed
    /// it on, or it came in clear, where no certificate could contradict it.
    fn is_ours(&self, host: &str, claim: &Claim<'_>, ends: Ends) -> bool {
        Authority::parse(host).is_some_and(|authority| {
            claim.vouched
                || (!ends.tls && claim.scheme == "http")
                || self.pki.covers(authority.host)
                || self.external.as_ref().is_some_and(|(_, external)| external == host)
        })
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("external", &self.external)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

fn external(text: &str) -> Result<(&'static str, String), String> {
    let wrong =
        || format!("external_url: `{text}` is not of the form https://registry.lab or https://registry.lab:8443");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = match uri.scheme_str() {
        Some("https") => "https",
        Some("http") => "http",
        _ => return Err(wrong()),
    };
    let authority = uri.authority().map(hyper::http::uri::Authority::as_str).ok_or_else(wrong)?;
    if Authority::parse(authority).is_none() || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong());
    }
    Ok((scheme, authority.to_owned()))
}

/// The comma-separated entries of all headers of this name, from left to right.
fn list<'h>(headers: &'h HeaderMap, name: &'static str) -> impl DoubleEndedIterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect::<Vec<_>>()
        .into_iter()
}

/// An entry of `X-Forwarded-For`: an address, some proxies add the port.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bare).map(|address| address.to_canonical())
}

/// The authority that the request names: HTTP/2's `:authority` and the absolute form go before `Host` (RFC 9112,
/// 3.2.2), which HTTP/1.1 must carry exactly once.
pub(super) fn used_authority(head: &Parts) -> Result<Option<&str>, &'static str> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err("the request has more than one Host header"),
        (Some(host), None) => Some(host.to_str().map_err(|_| "the Host header is not a name")?),
        (None, _) if head.version == Version::HTTP_11 => return Err("the request has no Host header"),
        (None, _) => None,
    };
    let in_target = (head.method != Method::CONNECT).then(|| head.uri.authority()).flatten();
    Ok(in_target.map(hyper::http::uri::Authority::as_str).or(host))
}

/// What the client calls itself; empty when it does not say, or not in ASCII.
pub fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
