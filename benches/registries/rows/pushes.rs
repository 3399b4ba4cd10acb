//! Pushing blobs and images.

use std::fs;
use std::process::Command;
use std::time::Instant;

use super::{APP, Bench, Fixture, LARGE, Row, SMALL, is_registry, place_of};
use crate::content::{Blob, MIB};
use crate::load;
use crate::measure::{Asked, Meter, Sample, Unit};
use crate::targets::{DEBIAN, DISK, NGINX, Role, Scheme, Target};
use crate::{Error, Result};

const CHUNK: usize = 16 * MIB;
const PEAK: Asked = Asked::PeakAtMost(64.0);

/// Images in the last row, their layers, and how many of these all images have.
const IMAGES: usize = 16;
const LAYERS: usize = 8;
const SHARED: usize = 4;

pub(super) fn rows<'r>(bench: &'r Bench<'_>, fixture: &'r Fixture) -> Vec<Row<'r>> {
    let fast = vec![Asked::RateOverSlower([DISK, NGINX], 0.9), Asked::CpuAtMost(1.9), PEAK];
    let mut rows = vec![
        large(bench, fixture, "push 256 MiB in one stream".to_owned(), Scheme::Http, None, fast),
        large(bench, fixture, "push 256 MiB in chunks of 16 MiB".to_owned(), Scheme::Http, Some(CHUNK), vec![PEAK]),
        large(bench, fixture, "push 256 MiB in one stream, https".to_owned(), Scheme::Https, None, vec![PEAK]),
    ];
    for (connections, count, asked) in [(1, 50, Some(4.0)), (8, 200, None), (32, 400, Some(6.0))] {
        let count = if bench.options.short() { count / 2 } else { count };
        let asked = asked.map(|times| Asked::RateOver(DEBIAN, times)).into_iter().chain([PEAK]).collect();
        rows.push(small(bench, connections, count, asked));
    }
    rows.push(images(bench));
    rows
}

/// A number that no other round, target and row has.
fn seed(target: &Target, row: &str, round: usize) -> u64 {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one((&target.name, row, round))
}

fn large<'r>(
    bench: &'r Bench<'_>,
    fixture: &'r Fixture,
    name: String,
    scheme: Scheme,
    chunk: Option<usize>,
    asked: Vec<Asked>,
) -> Row<'r> {
    let unit = Unit::Mebibytes((LARGE / MIB) as f64);
    let row = name.clone();
    let run = move |target: &Target, round| {
        let whole = chunk.is_none();
        let blob = Blob::random(seed(target, &row, round), LARGE);
        bench.settle()?;
        match target.role {
            Role::Disk if whole && scheme == Scheme::Http => disk(bench, fixture, unit).map(Some),
            Role::Files if whole => put(bench, target, scheme, &blob, unit),
            Role::Ours | Role::Peer => {
                let Some(place) = target.place(scheme) else { return Ok(None) };
                let headers = target.sign_in(&["repository:bench/push:pull,push"])?;
                let (endpoint, meter) = (&place.endpoint, &mut Meter::on(place.pid));
                let pushed = load::jobs(endpoint, 1, 1, &[&blob], unit, meter, async |connection, blob| {
                    connection.push_blob(endpoint, &headers, "bench/push", blob, chunk).await
                });
                pushed.map(Some)
            }
            _ => Ok(None),
        }
    };
    Row { name, unit, asked, run: Box::new(run) }
}

/// The same bytes by nginx, which writes them without hashing or syncing.
fn put(bench: &Bench<'_>, target: &Target, scheme: Scheme, blob: &Blob, unit: Unit) -> Result<Option<Sample>> {
    let Some(place) = target.place(scheme) else { return Ok(None) };
    let file = format!("put/{}", blob.digest);
    let head = place.endpoint.head("PUT", &format!("/{file}"), "", Some(blob.bytes.len()));
    let meter = &mut Meter::on(place.pid);
    let written = load::jobs(&place.endpoint, 1, 1, &[head], unit, meter, async |connection, head| {
        connection.ask(head, &blob.bytes, false).await?.expect(&[201, 204])?;
        Ok(())
    });
    fs::remove_file(bench.www().join(file))?;
    written.map(Some)
}

/// `dd` with fsync, from a file that is in memory: what the disk takes.
fn disk(bench: &Bench<'_>, fixture: &Fixture, unit: Unit) -> Result<Sample> {
    let from = bench.www().join("v2").join(APP).join("blobs").join(&fixture.large.digest);
    let to = bench.dir.join("dd");
    let mut command = Command::new("dd");
    command.args(["bs=1M", "conv=fsync", "status=none"]);
    command.arg(format!("if={}", from.display())).arg(format!("of={}", to.display()));
    let begun = Instant::now();
    let run = command.status()?;
    let took = begun.elapsed();
    fs::remove_file(to)?;
    if !run.success() {
        return Err(Error::from("dd failed"));
    }
    Meter::on(None).stop(unit, vec![took], took)
}

fn small<'r>(bench: &'r Bench<'_>, connections: usize, count: usize, asked: Vec<Asked>) -> Row<'r> {
    let name = format!("push 4 KiB blobs, c={connections}");
    let row = name.clone();
    let run = move |target: &Target, round| {
        let Some(place) = place_of(target, Scheme::Http, is_registry) else { return Ok(None) };
        let first = seed(target, &row, round);
        let blobs: Vec<Blob> =
            (0..count as u64).map(|number| Blob::random(first.wrapping_add(number), SMALL)).collect();
        let headers = target.sign_in(&["repository:bench/small:pull,push"])?;
        let (endpoint, meter) = (&place.endpoint, &mut Meter::on(place.pid));
        bench.settle()?;
        let push = async |connection: &mut crate::client::Connection, blob: &Blob| {
            connection.push_blob(endpoint, &headers, "bench/small", blob, None).await
        };
        load::jobs(endpoint, connections, bench.threads(), &blobs, Unit::Blobs, meter, push).map(Some)
    };
    Row { name, unit: Unit::Blobs, asked, run: Box::new(run) }
}

/// Many images at once, each into a repository of its own, as a build server pushes them: half of the layers are the
/// same in all of them. Each layer is looked for first.
fn images<'r>(bench: &'r Bench<'_>) -> Row<'r> {
    let name = format!("push {IMAGES} images at once, {SHARED} of {LAYERS} layers of 1 MiB shared");
    let row = name.clone();
    let run = move |target: &Target, round| {
        let Some(place) = place_of(target, Scheme::Http, is_registry) else { return Ok(None) };
        let first = seed(target, &row, round);
        let layer = |number: usize| Blob::random(first.wrapping_add(number as u64), MIB);
        let shared: Vec<Blob> = (0..SHARED).map(layer).collect();
        let mut images = Vec::new();
        for number in 0..IMAGES {
            let own = (SHARED..LAYERS).map(|own| layer(number * LAYERS + own + LAYERS));
            let layers: Vec<Blob> = shared.iter().cloned().chain(own).collect();
            let repo = format!("bench/image{number}");
            let headers = target.sign_in(&[&format!("repository:{repo}:pull,push")])?;
            images.push((repo, headers, layers));
        }
        let (endpoint, config, tag) = (&place.endpoint, Blob::config(), format!("r{round}"));
        bench.settle()?;
        let push = async |connection: &mut crate::client::Connection, image: &(String, String, Vec<Blob>)| {
            let (repo, headers, layers) = image;
            for blob in layers.iter().chain([&config]) {
                let head = endpoint.head("HEAD", &format!("/v2/{repo}/blobs/{}", blob.digest), headers, None);
                if connection.probe(&head, true).await?.0 != 200 {
                    connection.push_blob(endpoint, headers, repo, blob, None).await?;
                }
            }
            let manifest = Blob::manifest(layers, first);
            connection.push_manifest(endpoint, headers, repo, &tag, &manifest).await
        };
        let meter = &mut Meter::on(place.pid);
        load::jobs(endpoint, IMAGES, bench.threads(), &images, Unit::Images, meter, push).map(Some)
    };
    Row { name, unit: Unit::Images, asked: vec![PEAK], run: Box::new(run) }
}
