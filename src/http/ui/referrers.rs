//! What refers to a manifest: signatures, attestations, bills of materials, and what refers to those (ui-design, S7).

use askama::Template;
use hyper::StatusCode;

use super::manifest::{Link, NAME, digest_link, tag_link};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::{Failure, shown};
use crate::http::reply::Reply;
use crate::meta::manifest::ManifestRow;
use crate::oci::kind::Kind;
use crate::oci::{Digest, RepoName};
use crate::registry::Registry;
use crate::registry::apps::{Member, MemberRole};
use crate::registry::manifests::{Details, ReferrerNode, What};

/// Parts of an application whose referrers are shown with it.
const PARTS: usize = 100;
/// Annotations that say what a referrer states.
const PREDICATES: [&str; 3] = ["in-toto.io/predicate-type", "dev.sigstore.bundle.predicateType", "predicateType"];

#[derive(Template)]
#[template(path = "referrers.html")]
struct ReferrersPage {
    frame: Frame,
    header: Header,
    label: String,
    nodes: Vec<Node>,
    parts: Vec<Part>,
}

/// A node of the tree, in the order in which it is written down.
struct Node {
    kind: Kind,
    label: &'static str,
    link: Option<Link>,
    digest: Digest,
    artifact_type: Option<String>,
    predicate: Option<String>,
    size: u64,
    tag: Option<Link>,
    /// Whether a list of what refers to it follows.
    opens: bool,
    /// Lists that end behind it.
    closes: usize,
}

/// A part of an application, with what refers to it.
pub(super) struct Part {
    name: String,
    link: Link,
    nodes: Vec<Node>,
}

/// What refers to the parts of an application; nothing for everything else.
pub(super) fn of_parts(registry: &Registry, repo: &RepoName, what: &What) -> Result<Vec<Part>, Failure> {
    let What::Application(application) = what else { return Ok(Vec::new()) };
    let mut parts = Vec::new();
    for member in application.members.iter().filter(|member| member.kind.is_some()).take(PARTS) {
        let Some(digest) = member.digest else { continue };
        let tree = registry.referrer_tree(repo, &digest)?;
        if !tree.is_empty() {
            let nodes = flat(repo, &tree);
            parts.push(Part { name: part_name(member), link: digest_link(repo, &digest), nodes });
        }
    }
    Ok(parts)
}

fn part_name(member: &Member) -> String {
    match member.role {
        MemberRole::Component => shown::line(&format!("component {}", member.name), NAME),
        MemberRole::Invocation => "invocation image".to_owned(),
        role => role.as_str().to_owned(),
    }
}

/// The page of the tree.
pub(super) fn page(frame: Frame, header: Header, details: &Details, tree: &[ReferrerNode], parts: Vec<Part>) -> Reply {
    let label = details.row.kind().label().to_owned();
    let nodes = flat(&details.repo, tree);
    render(StatusCode::OK, &ReferrersPage { frame, header, label, nodes, parts })
}

/// A tree in the order of its elements' tags: templates do not call themselves.
fn flat(repo: &RepoName, tree: &[ReferrerNode]) -> Vec<Node> {
    fn add(repo: &RepoName, nodes: &[ReferrerNode], to: &mut Vec<Node>) {
        for node in nodes {
            to.push(Node::of(repo, node));
            if !node.referrers.is_empty() {
                add(repo, &node.referrers, to);
                if let Some(last) = to.last_mut() {
                    last.closes += 1;
                }
            }
        }
    }
    let mut flat = Vec::new();
    add(repo, tree, &mut flat);
    flat
}

impl Node {
    fn of(repo: &RepoName, node: &ReferrerNode) -> Self {
        let ReferrerNode { descriptor, row, tag, referrers } = node;
        let kind = row.as_ref().map_or(Kind::Unknown, ManifestRow::kind);
        let summary = row.as_ref().and_then(|row| row.summary.as_ref());
        Self {
            kind,
            label: summary.map_or(kind.label(), |summary| summary.about().label),
            link: row.as_ref().map(|_| digest_link(repo, &descriptor.digest)),
            digest: descriptor.digest,
            artifact_type: descriptor.artifact_type.as_deref().map(|text| shown::line(text, NAME)),
            predicate: PREDICATES.iter().find_map(|key| descriptor.annotation(key)).map(|text| shown::line(text, NAME)),
            size: descriptor.size,
            tag: tag.as_ref().map(|tag| tag_link(repo, tag)),
            opens: !referrers.is_empty(),
            closes: 0,
        }
    }
}
