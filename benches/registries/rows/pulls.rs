//! Pulling manifests and blobs.

use super::{APP, Bench, Fixture, LARGE, Row, place_of, serves};
use crate::content::MIB;
use crate::load::{self, Load, Request, Way};
use crate::measure::{Asked, Meter, Unit};
use crate::targets::{DEBIAN, NGINX, Role, Scheme};

const SCOPE: &str = "repository:bench/app:pull";
/// Without it Debian's registry answers 404 for an OCI manifest.
const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
const PEAK: Asked = Asked::PeakAtMost(64.0);

/// How a row signs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignIn {
    /// With a token, as docker does.
    Token,
    /// With name and password in every request; ours alone.
    Basic,
}

pub(super) fn rows<'r>(bench: &'r Bench<'_>, fixture: &'r Fixture) -> Vec<Row<'r>> {
    let manifest = |method: &'static str, reference: &str| {
        vec![Request { method, path: format!("/v2/{APP}/manifests/{reference}") }]
    };
    let blobs = |method: &'static str| -> Vec<Request> {
        let paths = fixture.small.iter().map(|blob| format!("/v2/{APP}/blobs/{}", blob.digest));
        paths.map(|path| Request { method, path }).collect()
    };
    let by_tag = || manifest("GET", "v1");
    let mut rows = Vec::new();
    for connections in [1, 16, 64] {
        if connections == 64 && bench.options.short() {
            continue;
        }
        let asked = match connections {
            1 => vec![Asked::CpuUnder(DEBIAN, 30.0), PEAK],
            16 => vec![Asked::CpuUnder(DEBIAN, 60.0), Asked::RateOver(NGINX, 0.5), PEAK],
            _ => vec![PEAK],
        };
        let digest = &fixture.manifest.digest;
        let kept = |name: &str, requests, asked| {
            let row = (format!("{name}, c={connections}"), Scheme::Http, connections);
            small(bench, row, requests, (Way::Kept, SignIn::Token), asked)
        };
        rows.push(kept("manifest GET by tag", by_tag(), asked.clone()));
        rows.push(kept("manifest GET by digest", manifest("GET", digest), asked.clone()));
        rows.push(kept("manifest HEAD by tag", manifest("HEAD", "v1"), asked));
        rows.push(kept("blob 4 KiB GET", blobs("GET"), vec![Asked::CpuUnder(DEBIAN, 100.0), PEAK]));
        rows.push(kept("blob 4 KiB HEAD", blobs("HEAD"), vec![PEAK]));
    }
    let https = |name: &str, connections, requests, how, asked| {
        small(bench, (name.to_owned(), Scheme::Https, connections), requests, how, asked)
    };
    let token = |way| (way, SignIn::Token);
    rows.push(https("manifest GET by tag, https, c=16", 16, by_tag(), token(Way::Kept), vec![PEAK]));
    rows.push(https("manifest GET by tag, https, Basic, c=16", 16, by_tag(), (Way::Kept, SignIn::Basic), vec![PEAK]));
    rows.push(https("manifest GET by tag, h2, 16 streams", 16, by_tag(), token(Way::Http2), vec![PEAK]));
    rows.push(https("blob 4 KiB GET, https, c=16", 16, blobs("GET"), token(Way::Kept), vec![PEAK]));
    let fresh = vec![Asked::CpuAtMost(450.0), PEAK];
    for connections in [1, 16] {
        let name = format!("new TLS connection per request, c={connections}");
        rows.push(https(&name, connections, by_tag(), token(Way::Fresh), fresh.clone()));
    }
    for (scheme, word, cpu) in [(Scheme::Http, "http", 0.5), (Scheme::Https, "https", 0.65)] {
        rows.push(large(bench, fixture, scheme, format!("pull 256 MiB, {word}"), 1, cpu));
        rows.push(large(bench, fixture, scheme, format!("pull 256 MiB, {word}, 8 at once"), 8, cpu));
    }
    rows
}

fn small<'r>(
    bench: &'r Bench<'_>,
    (name, scheme, connections): (String, Scheme, usize),
    requests: Vec<Request>,
    (way, sign_in): (Way, SignIn),
    asked: Vec<Asked>,
) -> Row<'r> {
    let run = move |target: &crate::targets::Target, _| {
        let Some(place) = place_of(target, scheme, serves) else { return Ok(None) };
        if sign_in == SignIn::Basic && target.role != Role::Ours {
            return Ok(None);
        }
        let headers = match sign_in {
            SignIn::Token => target.sign_in(&[SCOPE])?,
            SignIn::Basic => target.basic(),
        } + ACCEPT;
        let load = Load { connections, duration: bench.options.duration(), requests: requests.clone(), headers, way };
        load::requests(&place.endpoint, &load, bench.threads(), &mut Meter::on(place.pid)).map(Some)
    };
    Row { name, unit: Unit::Requests, asked, run: Box::new(run) }
}

fn large<'r>(
    bench: &'r Bench<'_>,
    fixture: &'r Fixture,
    scheme: Scheme,
    name: String,
    connections: usize,
    cpu: f64,
) -> Row<'r> {
    let unit = Unit::Mebibytes((LARGE / MIB) as f64);
    // Long enough for the kernel's 10 ms of CPU to be fine.
    let pulls = if connections == 1 { 2 } else { connections };
    let run = move |target: &crate::targets::Target, _| {
        let Some(place) = place_of(target, scheme, serves) else { return Ok(None) };
        let path = format!("/v2/{APP}/blobs/{}", fixture.large.digest);
        let head = place.endpoint.head("GET", &path, &target.sign_in(&[SCOPE])?, None);
        let jobs = vec![head; pulls];
        let meter = &mut Meter::on(place.pid);
        let pulled =
            load::jobs(&place.endpoint, connections, bench.threads(), &jobs, unit, meter, async |connection, head| {
                match connection.probe(head, false).await? {
                    (200, length) if length == LARGE as u64 => Ok(()),
                    (status, length) => Err(format!("status {status}, {length} bytes").into()),
                }
            });
        pulled.map(Some)
    };
    let asked = vec![Asked::CpuAtMost(cpu), PEAK];
    Row { name, unit, asked, run: Box::new(run) }
}
