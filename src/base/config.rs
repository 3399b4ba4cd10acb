//! Settings as types: every key once, with its meaning, its default, its range and an example.
//!
//! The table below is the only place that knows a setting. From it come the types, the example file
//! (`msr-lite config example`), the names of the `MSR_LITE_*` variables and every complaint about a value. Precedence,
//! files and variables are the front door's business (`cli::config`).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line per event; with priorities for the journal when it reads along.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What those may who do not sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anonymous {
    /// Nothing.
    #[default]
    None,
    /// Pull from public repositories, and see that they are there.
    PublicRepositories,
}

/// What a key holds, as far as a person who writes a file or a variable must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// `text` or `json`.
    LogFormat,
    /// `none` or `public-repositories`.
    Anonymous,
    /// A directory.
    Path,
    /// An address with its port.
    Address,
    /// A list of addresses with their ports.
    Addresses,
    /// A list of texts.
    Texts,
}

impl Kind {
    /// What is expected, as the rest of a sentence that begins with "must be".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Number => "a whole number",
            Self::Text => "text in quotes",
            Self::LogFormat => "\"text\" or \"json\"",
            Self::Anonymous => "\"none\" or \"public-repositories\"",
            Self::Path => "a directory in quotes",
            Self::Address => "an IP address and a port, such as \"0.0.0.0:8080\" or \"[::]:8080\"",
            Self::Addresses => "a list of IP addresses with ports, such as [\"0.0.0.0:443\", \"[::]:443\"]",
            Self::Texts => "a list of texts, such as [\"a\", \"b\"]",
        }
    }

    /// Whether a variable may hold several values, separated by commas.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Addresses | Self::Texts)
    }
}

/// A Rust type that can stand in the table.
trait Setting {
    const KIND: Kind;
}

macro_rules! kinds {
    ($($type:ty => $kind:ident),* $(,)?) => { $(impl Setting for $type { const KIND: Kind = Kind::$kind; })* };
}

kinds! {
    bool => Switch, usize => Number, u64 => Number, u32 => Number, String => Text, Option<String> => Text,
    LogFormat => LogFormat, Anonymous => Anonymous, Option<PathBuf> => Path, Option<SocketAddr> => Address, Vec<SocketAddr> => Addresses,
    Vec<String> => Texts,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table of the file that it stands in; empty at the top.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it means, line by line.
    pub about: &'static [&'static str],
    /// What it holds.
    pub kind: Kind,
    /// The least and the greatest number that it may be.
    pub range: Option<(u64, u64)>,
    /// A value as the file writes it, for keys whose default is "nothing".
    pub example: Option<&'static str>,
}

impl Key {
    /// The name with its section: `listen`, `limits.manifest_bytes`.
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// The variable that sets it: `MSR_LITE_` and the path in capitals, `__` for the dot.
    pub fn variable(&self) -> String {
        format!("MSR_LITE_{}", self.path().replace('.', "__").to_uppercase())
    }
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name; empty for the top of the file.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static [&'static str],
    /// Its keys.
    pub keys: &'static [Key],
}

/// A value that does not do, in words that say what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The key's path.
    pub key: String,
    /// What is wrong and what would be right; a sentence without its full stop.
    pub message: String,
}

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:expr
                    $(, from $min:literal to $max:literal)? $(, such as $example:literal)?;
            )*
        }
        $(and { $($(#[doc = $inner_doc:literal])+ $inner:ident: $inner_type:ty;)* })?
    ) => {
        $(#[doc = $about])+
        #[allow(clippy::doc_markdown, reason = "these comments are the example file too")]
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
            $($($(#[doc = $inner_doc])+ pub $inner: $inner_type,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* $($($inner: <$inner_type>::default(),)*)? }
            }
        }

        impl $name {
            /// The section of the file that holds these settings.
            pub const SECTION: Section = Section {
                name: $section,
                about: &[$($about),+],
                keys: &[$(Key {
                    section: $section,
                    name: stringify!($field),
                    about: &[$($doc),+],
                    kind: <$type as Setting>::KIND,
                    range: optional!($(($min, $max))?),
                    example: optional!($($example)?),
                }),*],
            };

            /// Numbers outside their range.
            fn out_of_range(&self) -> Vec<Complaint> {
                #[allow(unused_mut, reason = "a section may have no numbers")]
                let mut complaints = Vec::new();
                $($(
                    if !($min..=$max).contains(&self.$field) {
                        let (least, most): (u64, u64) = ($min, $max);
                        let dot = if $section.is_empty() { "" } else { "." };
                        complaints.push(Complaint {
                            key: format!("{}{dot}{}", $section, stringify!($field)),
                            message: format!("must be between {least} and {most}, not {}", self.$field),
                        });
                    }
                )?)*
                complaints
            }
        }
    };
}

settings! {
    /// Everything that can be set. The defaults are those of a fresh installation.
    Config in "" {
        /// Where everything is kept: metadata, blobs, certificates, the administration socket.
        /// Without this key: /var/lib/msr-lite if it exists.
        data_dir: Option<PathBuf> = None, such as "\"/var/lib/msr-lite\"";
        /// Addresses that serve the registry over TLS.
        /// Empty: port 443 where this process may bind it, else 8443.
        listen: Vec<SocketAddr> = Vec::new(), such as "[\"0.0.0.0:443\", \"[::]:443\"]";
        /// Addresses that serve the full API in clear, for a reverse proxy on the same machine. Empty: none.
        http: Vec<SocketAddr> = Vec::new(), such as "[\"127.0.0.1:5000\"]";
        /// An address that serves, in clear, only the CA's certificate, the trust scripts and a redirect.
        trust_http: Option<SocketAddr> = None, such as "\"0.0.0.0:80\"";
        /// The registry's full name. Without this key it is guessed from the system.
        fqdn: Option<String> = None, such as "\"registry.lab\"";
        /// More names and addresses for the certificate, such as a NAT or floating address.
        san: Vec<String> = Vec::new(), such as "[\"images.lab\", \"192.0.2.10\"]";
        /// The URL under which a reverse proxy shows this registry (scheme, host and port only).
        external_url: Option<String> = None, such as "\"https://registry.lab\"";
        /// Addresses or networks (CIDR) of the proxies whose X-Forwarded-* headers count. Empty: nobody's.
        trusted_proxies: Vec<String> = Vec::new(), such as "[\"127.0.0.1\", \"10.0.0.0/8\"]";
        /// What those may who do not sign in: "none", or "public-repositories" (pull from public repositories).
        anonymous: Anonymous = Anonymous::None;
        /// Whether a push makes its repository, for those who may make one there: administrators, users in their own
        /// namespace, owners of an organization, and teams with read-write on its whole namespace.
        create_on_push: bool = true;
        /// Whether a manifest may refer to content that is not here (OCI "sparse" indexes and images).
        accept_incomplete: bool = true;
        /// Page cache of the metadata store, in MiB.
        metadata_cache_mib: usize = 16, from 8 to 1024;
        /// What is logged: error, warn, info, debug or trace; also per module, as in "info,msr_lite::http=debug".
        log: String = "info".to_owned();
        /// How it is logged: "text" or "json" (one object per line).
        log_format: LogFormat = LogFormat::Text;
    }
    and {
        /// Limits on what one client, one request or one manifest may take.
        limits: Limits;
        /// Upload sessions.
        uploads: Uploads;
        /// Room on the disk.
        storage: Storage;
        /// Garbage collection.
        gc: Gc;
        /// The record of what happened: activity, events, audit.
        audit: Audit;
    }
}

settings! {
    /// Limits on what one client, one request or one manifest may take.
    Limits in "limits" {
        /// Bytes of a request's head (request line and headers).
        header_bytes: usize = 32_768, from 4_096 to 1_048_576;
        /// Bytes of a manifest. The distribution specification asks registries for at least 4 MiB.
        manifest_bytes: usize = 4_194_304, from 65_536 to 67_108_864;
        /// References of one manifest.
        manifest_references: usize = 5_000, from 16 to 100_000;
        /// Depth of a manifest's JSON.
        json_depth: usize = 32, from 8 to 120;
        /// Bytes of a blob.
        blob_bytes: u64 = 1_099_511_627_776, from 1_024 to 1_125_899_906_842_624;
        /// Connections at once.
        connections: usize = 4_096, from 16 to 1_000_000;
        /// Connections at once from one address (an IPv6 /64 counts as one).
        connections_per_address: usize = 1_024, from 4 to 1_000_000;
        /// Seconds for a TLS handshake.
        handshake_seconds: u64 = 10, from 1 to 300;
        /// Seconds that a connection may be idle between requests, and for a request's head to arrive.
        idle_seconds: u64 = 75, from 1 to 3_600;
        /// Seconds in which a body in transfer, either way, must make some progress.
        progress_seconds: u64 = 60, from 1 to 3_600;
        /// Concurrent streams of one HTTP/2 connection.
        h2_streams: u32 = 128, from 1 to 10_000;
        /// Seconds that running requests get when the server stops.
        shutdown_seconds: u64 = 30, from 0 to 3_600;
    }
}

settings! {
    /// Upload sessions.
    Uploads in "uploads" {
        /// Hours after which a session that received nothing expires.
        expire_hours: u64 = 24, from 1 to 720;
    }
}

settings! {
    /// Room on the disk.
    Storage in "storage" {
        /// MiB that must be free on the filesystem of the data directory: with less, pushes are refused, while pulls,
        /// deletions and garbage collection go on.
        /// 0: 2 % of the filesystem, at least 1 GiB and at most 10 GiB, but never more than a tenth of it.
        reserve_mib: u64 = 0, from 0 to 1_073_741_824;
        /// MiB of a file that is given up when the disk is full all the same, so that deletions can still be written
        /// (at most 1/16 of the filesystem). 0: none.
        ballast_mib: u64 = 64, from 0 to 65_536;
    }
}

settings! {
    /// Garbage collection.
    Gc in "gc" {
        /// Seconds for which an acknowledged blob or manifest is kept although nothing refers to it yet.
        lease_seconds: u64 = 86_400, from 1 to 2_592_000;
        /// Days without a push or a pull after which a manifest goes that has no tag and that nothing refers to.
        /// Only days on which the registry runs count. 0: never.
        untagged_days: u64 = 30, from 0 to 36_500;
        /// Minutes from one collection to the next.
        every_minutes: u64 = 60, from 1 to 10_080;
    }
}

settings! {
    /// The record of what happened: activity, events, audit.
    Audit in "audit" {
        /// Days for which events are kept. What is older is removed, and a signed checkpoint stands in its place.
        /// 0: whatever their age.
        keep_days: u64 = 400, from 0 to 36_500;
        /// How many events of each repository are kept, and of what belongs to none: the newest. A million take some
        /// 700 MB. 0: however many.
        keep_events: u64 = 1_000_000, from 0 to 1_000_000_000_000;
    }
}

impl Audit {
    /// For how long events are kept; `None` when for ever.
    pub fn time(&self) -> Option<Duration> {
        (self.keep_days > 0).then(|| Duration::from_secs(self.keep_days.saturating_mul(86_400)))
    }

    /// How many events of each chain are kept; `None` when all.
    pub fn events(&self) -> Option<u64> {
        (self.keep_events > 0).then_some(self.keep_events)
    }
}

impl Gc {
    /// The lease as a duration.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// After how long without use an untagged manifest goes; `None` when never.
    pub fn untagged(&self) -> Option<Duration> {
        (self.untagged_days > 0).then(|| Duration::from_secs(self.untagged_days.saturating_mul(86_400)))
    }

    /// From one collection to the next.
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.every_minutes.saturating_mul(60))
    }
}

impl Config {
    /// The file's sections in its order; the first is its top.
    pub const SECTIONS: [Section; 6] =
        [Self::SECTION, Limits::SECTION, Uploads::SECTION, Storage::SECTION, Gc::SECTION, Audit::SECTION];

    /// Every key, in the file's order.
    pub fn keys() -> impl Iterator<Item = &'static Key> {
        const SECTIONS: &[Section] = &Config::SECTIONS;
        SECTIONS.iter().flat_map(|section| section.keys)
    }

    /// Everything that is wrong with these values, all at once, so that one round of corrections is enough.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = self.out_of_range();
        complaints.extend(self.limits.out_of_range());
        complaints.extend(self.uploads.out_of_range());
        complaints.extend(self.storage.out_of_range());
        complaints.extend(self.gc.out_of_range());
        complaints.extend(self.audit.out_of_range());
        let mut complain = |key: &str, message: String| complaints.push(Complaint { key: key.to_owned(), message });
        if let Some(fqdn) = &self.fqdn
            && !is_dns_name(fqdn)
        {
            complain(
                "fqdn",
                format!("must be a DNS name such as \"registry.lab\", without scheme and port, not {fqdn:?}"),
            );
        }
        for name in &self.san {
            if name.parse::<IpAddr>().is_err() && !is_dns_name(name.strip_prefix("*.").unwrap_or(name)) {
                complain(
                    "san",
                    format!("must hold DNS names and IP addresses, without scheme and port; {name:?} is neither"),
                );
            }
        }
        if let Some(url) = &self.external_url
            && !is_origin(url)
        {
            complain(
                "external_url",
                format!("must be scheme, host and port only, such as \"https://registry.lab\", not {url:?}"),
            );
        }
        for proxy in &self.trusted_proxies {
            if !is_network(proxy) {
                complain(
                    "trusted_proxies",
                    format!("must hold IP addresses and networks such as \"10.0.0.0/8\"; {proxy:?} is neither"),
                );
            }
        }
        complaints
    }
}

/// RFC 1123 host name, with underscores, which certificates and every client accept too.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label) && text.parse::<IpAddr>().is_err()
}

/// Scheme, host and port: what RFC 6454 calls an origin. The distribution API has no room for a path before `/v2/`.
fn is_origin(url: &str) -> bool {
    let Some(authority) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.parse::<SocketAddr>().is_ok() || authority.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) {
        return true;
    }
    if let Some(v6) = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<std::net::Ipv6Addr>().is_ok();
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => is_dns_name(host) && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => is_dns_name(authority),
    }
}

/// An address, or a network in CIDR notation (RFC 4632).
fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let width = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().complaints(), []);
    }

    #[test]
    fn every_key_explains_itself_and_has_an_own_variable() {
        let variables: std::collections::BTreeSet<_> = Config::keys().map(Key::variable).collect();
        assert_eq!(variables.len(), Config::keys().count());
        assert!(variables.contains("MSR_LITE_LIMITS__MANIFEST_BYTES"));
        for key in Config::keys() {
            assert!(key.about[0].len() > 10, "{}", key.path());
        }
    }

    #[test]
    fn a_number_out_of_range_is_told_with_the_range() {
        let mut config = Config::default();
        config.limits.json_depth = 4;
        config.metadata_cache_mib = 4096;
        let complaints = config.complaints();
        assert_eq!(complaints.len(), 2);
        assert_eq!(complaints[0].key, "metadata_cache_mib");
        assert_eq!(complaints[1].key, "limits.json_depth");
        assert_eq!(complaints[1].message, "must be between 8 and 120, not 4");
    }

    #[test]
    fn names_urls_and_networks_are_checked() {
        let good = Config {
            fqdn: Some("registry.lab".into()),
            san: vec!["*.lab".into(), "192.0.2.7".into(), "2001:db8::7".into(), "build_1".into()],
            external_url: Some("https://registry.lab:8443".into()),
            trusted_proxies: vec!["127.0.0.1".into(), "10.0.0.0/8".into(), "2001:db8::/32".into()],
            ..Config::default()
        };
        assert_eq!(good.complaints(), []);
        for url in ["http://192.0.2.7", "https://[2001:db8::7]:8443", "https://[2001:db8::7]", "https://registry.lab/"]
        {
            assert!(is_origin(url), "{url}");
        }
        for url in
            ["registry.lab", "https://registry.lab/sub", "ftp://registry.lab", "https://", "https://a:0", "https://a:b"]
        {
            assert!(!is_origin(url), "{url}");
        }
        let bad = Config {
            fqdn: Some("https://registry.lab".into()),
            san: vec!["a b".into()],
            external_url: Some("registry.lab".into()),
            trusted_proxies: vec!["10.0.0.0/33".into()],
            ..Config::default()
        };
        let keys: Vec<_> = bad.complaints().into_iter().map(|complaint| complaint.key).collect();
        assert_eq!(keys, ["fqdn", "san", "external_url", "trusted_proxies"]);
    }
}
