//! A multi-arch image: its platforms, and apart from them what describes them.

use std::collections::{BTreeMap, HashSet};

use askama::Template;
use hyper::StatusCode;

use super::manifest::{NAME, ROWS, digest_link, title};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::shown::{self, Room};
use crate::http::reply::Reply;
use crate::oci::{Descriptor, Digest, RepoName};
use crate::registry::manifests::{Attestation, Details, Platform};

#[derive(Template)]
#[template(path = "platforms.html")]
struct PlatformsPage {
    frame: Frame,
    header: Header,
    platforms: Vec<PlatformRow>,
    attestations: Vec<AttestationRow>,
    others: Vec<OtherRow>,
    /// Rows that are not shown.
    more: usize,
}

struct Child {
    digest: Digest,
    /// Its page, when it is here.
    path: Option<String>,
    media_type: String,
}

struct PlatformRow {
    name: String,
    child: Child,
    size: Option<u64>,
}

struct AttestationRow {
    child: Child,
    /// The platform that it describes, or the digest of that.
    of: Option<String>,
    predicates: Vec<String>,
}

struct OtherRow {
    name: String,
    child: Child,
    size: u64,
}

/// The page of platforms.
pub(super) fn page(
    frame: Frame,
    header: Header,
    details: &Details,
    platforms: &[Platform],
    attestations: &[Attestation],
    others: &[Descriptor],
) -> Reply {
    let missing: HashSet<&Digest> = details.missing.iter().collect();
    let child = |descriptor: &Descriptor| Child::of(&details.repo, descriptor, !missing.contains(&descriptor.digest));
    let names: BTreeMap<&Digest, &str> =
        platforms.iter().map(|platform| (&platform.descriptor.digest, platform.name.as_str())).collect();
    let described = |of: &Digest| match names.get(of) {
        Some(name) => shown::line(name, NAME),
        None => super::words::short(of),
    };
    let over = |all: usize| all.saturating_sub(ROWS);
    let mut room = Room::new();
    let page = PlatformsPage {
        frame,
        header,
        platforms: (platforms.iter().take(ROWS))
            .map(|platform| PlatformRow {
                name: platform_name(platform),
                child: Child::of(&details.repo, &platform.descriptor, platform.size.is_some()),
                size: platform.size,
            })
            .collect(),
        attestations: (attestations.iter().take(ROWS))
            .map(|attestation| AttestationRow {
                child: child(&attestation.descriptor),
                of: attestation.of.as_ref().map(described),
                predicates: attestation.predicates.iter().map(|text| room.line(text, NAME)).collect(),
            })
            .collect(),
        others: (others.iter().take(ROWS))
            .map(|other| OtherRow {
                name: title(other).unwrap_or_else(|| "–".to_owned()),
                child: child(other),
                size: other.size,
            })
            .collect(),
        more: over(platforms.len()) + over(attestations.len()) + over(others.len()),
    };
    render(StatusCode::OK, &page)
}

/// A platform with the version that Windows needs beside it.
fn platform_name(platform: &Platform) -> String {
    let version = platform.descriptor.platform.as_ref().and_then(|platform| platform.os_version.as_deref());
    match version.filter(|version| !version.is_empty()) {
        Some(version) => shown::line(&format!("{} ({version})", platform.name), NAME),
        None => shown::line(&platform.name, NAME),
    }
}

impl Child {
    fn of(repo: &RepoName, descriptor: &Descriptor, here: bool) -> Self {
        Self {
            digest: descriptor.digest,
            path: here.then(|| digest_link(repo, &descriptor.digest).path),
            media_type: descriptor.media_type.to_string(),
        }
    }
}
