//! The names that the certificate covers: where they come from, how they are read and how they are matched.
//!
//! Names come from settings, from the machine itself and from an administrator, never from what a client asks for
//! (GHSA-m4hf-6vgr-75r2 shows why). Nothing here calls the system's name service: in a static binary `getaddrinfo`
//! and its kin load foreign modules.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;

use nix::ifaddrs::getifaddrs;

use super::{PkiError, SubjectName};

/// Interfaces whose addresses come and go with containers and overlay networks, by the beginning of their names.
/// Who wants such an address covered adds it by hand.
const SKIPPED_INTERFACES: &[&str] = &[
    "br-",
    "cali",
    "cilium",
    "cni",
    "docker",
    "flannel",
    "kube-",
    "lxc",
    "nodelocaldns",
    "podman",
    "tailscale",
    "veth",
    "virbr",
    "vnet",
    "weave",
    "zt",
];

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Reads a DNS name (RFC 1123 letters, digits, hyphens and, as every client accepts them, underscores; made lower
/// case; `*.` in front of at least two labels) or an address (IPv6 with or without brackets).
impl FromStr for SubjectName {
    type Err = PkiError;

    fn from_str(text: &str) -> Result<Self, PkiError> {
        let text = text.trim();
        let refuse = |why: &str| Err(PkiError::Unusable(format!("{text:?} is no name for a certificate: {why}")));
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_unspecified() || address.is_multicast() {
                return refuse("no client can dial this address");
            }
            return Ok(Self::Ip(address));
        }
        if text.contains("://") || text.contains('/') {
            return refuse("give the host alone, without https:// and path");
        }
        if text.contains(':') {
            return refuse("give the host alone, without a port");
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let labels = name.strip_prefix("*.").unwrap_or(&name);
        let good_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > 253 || !labels.split('.').all(good_label) {
            return refuse("a DNS name has labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all");
        }
        if labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return refuse("it ends in a number as an address does, but is no address");
        }
        if labels.len() != name.len() && !labels.contains('.') {
            return refuse("a wildcard needs at least two labels behind it, as in *.registry.lab");
        }
        Ok(Self::Dns(name))
    }
}

/// The names of a certificate, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    exact: HashSet<Box<str>>,
    /// What stands behind `*.`.
    wildcards: HashSet<Box<str>>,
    addresses: HashSet<IpAddr>,
}

impl Coverage {
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a SubjectName>) -> Self {
        let mut coverage = Self::default();
        for name in names {
            match name {
                SubjectName::Ip(address) => {
                    coverage.addresses.insert(*address);
                }
                SubjectName::Dns(name) => match name.strip_prefix("*.") {
                    Some(rest) => {
                        coverage.wildcards.insert(rest.into());
                    }
                    None => {
                        coverage.exact.insert(name.as_str().into());
                    }
                },
            }
        }
        coverage
    }

    /// Whether a client that dials `host` accepts the certificate (RFC 9525 §6.3: a wildcard is one whole label;
    /// addresses match iPAddress entries only). Asked for every request: no allocation for lower-case names.
    pub(super) fn covers(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address.to_canonical());
        }
        let lowered;
        let mut name = host.strip_suffix('.').unwrap_or(host);
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            lowered = name.to_ascii_lowercase();
            name = &lowered;
        }
        self.exact.contains(name)
            || name.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && self.wildcards.contains(rest))
    }
}

/// All names that the certificate shall have: the full name first in meaning, its first label, `localhost`, the
/// loopback addresses, the machine's addresses and what was added.
pub(super) fn wanted(
    fqdn: &SubjectName,
    addresses: impl IntoIterator<Item = IpAddr>,
    extra: impl IntoIterator<Item = SubjectName>,
) -> BTreeSet<SubjectName> {
    let mut names = BTreeSet::from([
        fqdn.clone(),
        SubjectName::Dns("localhost".into()),
        SubjectName::Ip(Ipv4Addr::LOCALHOST.into()),
        SubjectName::Ip(Ipv6Addr::LOCALHOST.into()),
    ]);
    if let SubjectName::Dns(name) = fqdn
        && let Some((short, _)) = name.split_once('.')
    {
        names.insert(SubjectName::Dns(short.into()));
    }
    names.extend(addresses.into_iter().map(SubjectName::Ip));
    names.extend(extra);
    names
}

/// The machine's full name from `etc/hostname`, `etc/hosts` and `etc/resolv.conf` under `root`; `None` when it has
/// none but `localhost`.
pub(super) fn guess_fqdn(root: &Path) -> Option<String> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let usable = |name: &str| match name.parse() {
        Ok(SubjectName::Dns(name)) if !name.starts_with("localhost") && !name.starts_with("*.") => Some(name),
        _ => None,
    };
    let host = ["etc/hostname", "proc/sys/kernel/hostname"].iter().find_map(|path| {
        let text = text(path);
        text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).and_then(usable)
    })?;
    if host.contains('.') {
        return Some(host);
    }
    let hosts = text("etc/hosts");
    let full = hosts_entries(&hosts).filter(|(_, names)| names.iter().any(|n| n.eq_ignore_ascii_case(&host))).find_map(
        |(_, names)| names.iter().find_map(|n| usable(n).filter(|n| n.split_once('.').is_some_and(|(s, _)| s == host))),
    );
    if full.is_some() {
        return full;
    }
    let resolv = text("etc/resolv.conf");
    let domain = resolv.lines().rev().find_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("search" | "domain")).then(|| words.find(|d| usable(d).is_some())).flatten()
    });
    match domain.and_then(|domain| usable(&format!("{host}.{domain}"))) {
        Some(full) => Some(full),
        None => Some(host),
    }
}

/// The lines of a hosts(5) file: an address and its names. Lines that are none are passed over.
pub(crate) fn hosts_entries(text: &str) -> impl Iterator<Item = (IpAddr, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next()?.parse().ok()?;
        Some((address, words.collect()))
    })
}

/// The stable addresses of this machine: no loopback and link-local ones, none of [`SKIPPED_INTERFACES`], no IPv6
/// addresses that are temporary (they change daily, RFC 8981), deprecated or not yet proved unique.
pub(super) fn interface_addresses() -> Result<BTreeSet<IpAddr>, PkiError> {
    let found = getifaddrs()
        .map_err(|errno| PkiError::Unusable(format!("the addresses of this machine cannot be listed: {errno}")))?;
    let unstable = unstable_ipv6(&fs::read_to_string("/proc/net/if_inet6").unwrap_or_default());
    Ok(found
        .filter(|entry| !skipped_interface(&entry.interface_name))
        .filter_map(|entry| {
            let address = entry.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .filter(|address| is_stable(*address, &unstable))
        .collect())
}

fn skipped_interface(name: &str) -> bool {
    SKIPPED_INTERFACES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_stable(address: IpAddr, unstable: &HashSet<Ipv6Addr>) -> bool {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || unstable.contains(&v6),
    };
    !local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

/// Addresses that `/proc/net/if_inet6` (address, index, prefix length, scope, flags, name; all but the name in hex)
/// marks as temporary (0x01), optimistic (0x04), failed (0x08), deprecated (0x20) or tentative (0x40)
/// (`linux/if_addr.h`).
fn unstable_ipv6(if_inet6: &str) -> HashSet<Ipv6Addr> {
    const UNSTABLE: u8 = 0x01 | 0x04 | 0x08 | 0x20 | 0x40;
    let parse = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = u128::from_str_radix(words.first()?, 16).ok()?;
        let flags = u32::from_str_radix(words.get(4)?, 16).ok()?;
        (flags & u32::from(UNSTABLE) != 0).then(|| Ipv6Addr::from_bits(address))
    };
    if_inet6.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> SubjectName {
        text.parse().unwrap()
    }

    #[test]
    fn reads_names_and_addresses() {
        assert_eq!(name("Registry.LAB."), SubjectName::Dns("registry.lab".into()));
        assert_eq!(name("*.registry.lab"), SubjectName::Dns("*.registry.lab".into()));
        assert_eq!(name("host_1"), SubjectName::Dns("host_1".into()));
        assert_eq!(name("192.0.2.7"), SubjectName::Ip("192.0.2.7".parse().unwrap()));
        assert_eq!(name("[2001:db8::7]"), SubjectName::Ip("2001:db8::7".parse().unwrap()));
        assert_eq!(name("::ffff:192.0.2.7"), SubjectName::Ip("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn refuses_what_no_certificate_should_say() {
        for bad in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "registry.lab:443",
            "https://registry.lab",
            "192.0.2",
            "192.0.2.300",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "*",
            "*.lab",
            "a.*.lab",
            "x;id",
            "$(id)",
            "\u{fc}ber.lab",
            "a\nb",
        ] {
            assert!(bad.parse::<SubjectName>().is_err(), "{bad:?}");
        }
        assert!("registry.lab:443".parse::<SubjectName>().unwrap_err().to_string().contains("without a port"));
    }

    #[test]
    fn covers_what_clients_would_accept() {
        let names = ["registry.lab", "*.apps.lab", "192.0.2.7", "2001:db8::7"].map(name);
        let coverage = Coverage::of(&names);
        for yes in [
            "registry.lab",
            "REGISTRY.lab",
            "registry.lab.",
            "x.apps.lab",
            "192.0.2.7",
            "2001:db8::7",
            "[2001:db8::7]",
            "[2001:DB8:0::7]",
            "::ffff:192.0.2.7",
        ] {
            assert!(coverage.covers(yes), "{yes}");
        }
        for no in [
            "lab",
            "x.registry.lab",
            "apps.lab",
            "a.b.apps.lab",
            ".apps.lab",
            "192.0.2.8",
            "2001:db8::8",
            "",
            "registry.lab:443",
            "[registry.lab]",
        ] {
            assert!(!coverage.covers(no), "{no}");
        }
    }

    #[test]
    fn guesses_the_full_name_from_files_alone() {
        let guess = |files: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            guess_fqdn(root.path())
        };
        assert_eq!(guess(&[("etc/hostname", "registry.lab\n")]).as_deref(), Some("registry.lab"));
        let hosts = ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 vm1.lab vm1 # here\n");
        assert_eq!(guess(&[("etc/hostname", "VM1\n"), hosts]).as_deref(), Some("vm1.lab"));
        let resolv = ("etc/resolv.conf", "nameserver 192.0.2.1\nsearch . corp.lab other.lab\n");
        assert_eq!(guess(&[("etc/hostname", "vm2"), hosts, resolv]).as_deref(), Some("vm2.corp.lab"));
        assert_eq!(guess(&[("etc/hostname", "vm2")]).as_deref(), Some("vm2"));
        assert_eq!(guess(&[("proc/sys/kernel/hostname", "vm3.lab\n")]).as_deref(), Some("vm3.lab"));
        assert_eq!(guess(&[("etc/hostname", "localhost.localdomain\n")]), None);
        assert_eq!(guess(&[]), None);
    }

    #[test]
    fn leaves_unstable_addresses_out() {
        let unstable = unstable_ipv6(
            "20010db8000000000000000000000001 02 40 00 80 eth0\n\
             20010db8000000000000000000000002 02 40 00 01 eth0\n\
             20010db8000000000000000000000003 02 40 00 40 eth0\n",
        );
        let stable = |text: &str| is_stable(text.parse().unwrap(), &unstable);
        assert!(stable("2001:db8::1") && stable("192.0.2.7") && stable("fd00::1"));
        for no in ["2001:db8::2", "2001:db8::3", "fe80::1", "169.254.1.1", "127.0.0.1", "::1"] {
            assert!(!stable(no), "{no}");
        }
        assert!(skipped_interface("docker0") && skipped_interface("veth12ab") && !skipped_interface("eth0"));
    }

    proptest! {
        #[test]
        fn every_name_that_is_read_is_covered_and_shell_safe(text in "\\PC{0,40}|[a-zA-Z0-9._*-]{1,40}") {
            if let Ok(name) = text.parse::<SubjectName>() {
                let shown = name.to_string();
                prop_assert_eq!(&shown.parse::<SubjectName>().unwrap(), &name);
                prop_assert!(shown.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:*".contains(&b)));
                prop_assert!(shown.starts_with("*.") || Coverage::of([&name]).covers(&shown.to_ascii_uppercase()));
            }
        }
    }
}
