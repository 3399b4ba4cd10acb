//! Lists: tags, repositories, referrers.

use super::{Bench, Row, is_registry, place_of};
use crate::Result;
use crate::content::Blob;
use crate::load::{self, Load, Request, Way};
use crate::measure::{Asked, Meter, Unit};
use crate::options::Options;
use crate::seed::{TAGS, repository, tag};
use crate::targets::{Place, Scheme, Target};

/// What the rows here are called, for the question whether anybody wants them.
pub(super) const NAMES: &[&str] = &["tags page, n=100", "catalog page, n=100", "referrers, 100 of them"];

const REFERRERS: &str = "bench/referrers";
const PEAK: Asked = Asked::PeakAtMost(64.0);

/// Tags in one repository, and repositories.
pub(super) fn size(options: &Options) -> usize {
    if options.short() { 2_000 } else { 10_000 }
}

pub(super) fn rows<'r>(bench: &'r Bench<'_>, targets: &[&Target]) -> Vec<Row<'r>> {
    if !bench.want(NAMES) {
        return Vec::new();
    }
    let count = size(bench.options);
    let subject = Blob::manifest(&[], 77);
    for target in targets.iter().filter(|target| is_registry(target)) {
        // Peers without referrers take the artifacts all the same, or leave the row.
        let place = target.place(Scheme::Http);
        if let Some(place) = place
            && let Err(error) = push_referrers(target, place, &subject)
        {
            bench.say(&format!("{}: {error}", target.name));
        }
    }
    let tags_scope = "repository:bench/tags:pull";
    let list = |name: String, path: String, scope: &'static str| row(bench, name, path, scope);
    let (middle_tag, middle_repo) = (tag(count / 2), repository(count / 2));
    vec![
        list(format!("tags page, n=100 of {count}"), format!("/v2/{TAGS}/tags/list?n=100"), tags_scope),
        list(
            format!("tags page, n=100 of {count}, from the middle"),
            format!("/v2/{TAGS}/tags/list?n=100&last={middle_tag}"),
            tags_scope,
        ),
        list(format!("catalog page, n=100 of {count}"), "/v2/_catalog?n=100".to_owned(), "registry:catalog:*"),
        list(
            format!("catalog page, n=100 of {count}, from the middle"),
            format!("/v2/_catalog?n=100&last={middle_repo}"),
            "registry:catalog:*",
        ),
        list(
            "referrers, 100 of them".to_owned(),
            format!("/v2/{REFERRERS}/referrers/{}", subject.digest),
            "repository:bench/referrers:pull",
        ),
    ]
}

fn row<'r>(bench: &'r Bench<'_>, name: String, path: String, scope: &'static str) -> Row<'r> {
    let run = move |target: &Target, _| {
        let Some(place) = place_of(target, Scheme::Http, is_registry) else { return Ok(None) };
        if target.external {
            return Ok(None);
        }
        let load = Load {
            connections: 1,
            duration: bench.options.duration(),
            requests: vec![Request { method: "GET", path: path.clone() }],
            headers: target.sign_in(&[scope])?,
            way: Way::Kept,
        };
        load::requests(&place.endpoint, &load, 1, &mut Meter::on(place.pid)).map(Some)
    };
    Row { name, unit: Unit::Requests, asked: vec![PEAK], run: Box::new(run) }
}

fn push_referrers(target: &Target, place: &Place, subject: &Blob) -> Result<()> {
    let headers = target.sign_in(&["repository:bench/referrers:pull,push"])?;
    let endpoint = &place.endpoint;
    let blobs = [Blob::config(), Blob::of(bytes::Bytes::from_static(b"{}"))];
    let manifests: Vec<Blob> =
        std::iter::once(subject.clone()).chain((0..100).map(|number| Blob::artifact(subject, number))).collect();
    let mut idle = Meter::on(None);
    load::jobs(endpoint, 1, 1, &blobs, Unit::Blobs, &mut idle, async |connection, blob| {
        connection.push_blob(endpoint, &headers, REFERRERS, blob, None).await
    })?;
    load::jobs(endpoint, 8, 2, &manifests, Unit::Blobs, &mut idle, async |connection, manifest| {
        connection.push_manifest(endpoint, &headers, REFERRERS, &manifest.digest, manifest).await
    })?;
    Ok(())
}
