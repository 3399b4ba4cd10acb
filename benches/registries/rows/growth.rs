//! Ours alone on stores that grow: what a request costs must not follow the number of tags and manifests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Bench, Row, quiet};
use crate::content::Blob;
use crate::load::{self, Load, Request, Way};
use crate::measure::{Asked, Fact, Measured, Meter, Unit, figure, median, millis};
use crate::process::{self, Process};
use crate::seed::{self, TAGS, TAGS_EACH, manifest_of, tag};
use crate::targets::{FirstStart, Launcher, OURS, Scheme, Target, two_ports};
use crate::{Error, Result};

const NAMES: &[&str] = &[
    "growth: manifest GET by tag",
    "growth: manifest HEAD by digest",
    "growth: tags page, n=100",
    "growth: tags page, n=50, from the middle",
    "growth: tags page, n=100, from anywhere",
    "growth: manifest push to a new tag, c=8",
];
const START: &str = "start-up";

/// Measures growth, and how long the largest store takes to start.
pub(super) fn run(bench: &mut Bench<'_>, launcher: &Launcher<'_>) -> Result<(Vec<Measured>, Vec<Fact>)> {
    if !bench.want(NAMES) && !bench.options.wants(START) {
        return Ok((Vec::new(), Vec::new()));
    }
    let sizes: &[usize] = if bench.options.short() { &[100, 100_000] } else { &[100, 10_000, 1_000_000] };
    let (mut stores, mut first) = (Vec::new(), FirstStart::default());
    for &size in sizes {
        let name = format!("10{}", superscript(size.ilog10()));
        let data = bench.dir.join(format!("ours-{name}"));
        launcher.initialise(&data)?;
        let begun = Instant::now();
        let store = seed::Store::open(&data)?;
        store.tags(size)?;
        store.close();
        bench.say(&format!("{size} tags written in {:.1} s", begun.elapsed().as_secs_f64()));
        let (target, took) = launcher.settled(&name)?;
        bench.say(&format!("its first start took {} s of CPU", figure(took.cpu)));
        first = took;
        stores.push((target, size));
    }
    let targets: Vec<&Target> = stores.iter().map(|(target, _)| target).collect();
    let measured = bench.measure(rows(bench, &stores), &targets);
    drop(targets);
    let Some((largest, size)) = stores.pop() else { return Ok((measured, Vec::new())) };
    drop(stores);
    let pid = largest.pid();
    let (resident, own) = (pid.map_or(0.0, process::resident), pid.map_or(0.0, process::own));
    let data = largest.dir.clone();
    drop(largest);
    let mut facts = vec![Fact {
        name: format!("memory after the rows, {size} tags ({} MiB its own)", figure(own)),
        unit: "MiB",
        values: vec![(OURS.to_owned(), resident)],
        at_most: Some(64.0),
        asked: "≤ 64 MiB in every row".to_owned(),
    }];
    facts.push(quiet::first_start(&format!("memory while {size} tags are collected and verified, at most"), first));
    let told = format!("{START} with {} manifests", size / TAGS_EACH);
    let killed = format!("{told} after SIGKILL");
    for (how, name, at_most) in [(End::Told, told, Some(100.0)), (End::Killed, killed, Some(1000.0))] {
        let mut times = Vec::new();
        for _ in 0..bench.options.rounds() {
            times.push(millis(start(launcher, &data, how)?));
        }
        facts.push(Fact {
            name,
            unit: "ms",
            values: vec![(OURS.to_owned(), median(times).unwrap_or(f64::NAN))],
            at_most,
            asked: at_most.map_or(String::new(), |most| format!("≤ {most} ms")),
        });
    }
    Ok((measured, facts))
}

fn rows<'r>(bench: &'r Bench<'_>, stores: &'r [(Target, usize)]) -> Vec<Row<'r>> {
    let size_of = |target: &Target| {
        stores.iter().find(|(store, _)| store.name == target.name).map_or(TAGS_EACH, |(_, size)| *size)
    };
    // Spread over the whole store, more than any cache of hot ones is meant for.
    let spread = |size: usize| (0..size.min(4000)).map(move |number| number * (size / size.min(4000)));
    let get = |name: &str, requests: Box<dyn Fn(usize) -> Vec<Request>>, asked: Vec<Asked>| {
        let run = move |target: &Target, _| {
            let Some(place) = target.place(Scheme::Http) else { return Ok(None) };
            let load = Load {
                connections: 1,
                duration: bench.options.duration(),
                requests: requests(size_of(target)),
                headers: target.sign_in(&["repository:bench/tags:pull"])?,
                way: Way::Kept,
            };
            load::requests(&place.endpoint, &load, 1, &mut Meter::on(place.pid)).map(Some)
        };
        Row { name: name.to_owned(), unit: Unit::Requests, asked, run: Box::new(run) }
    };
    let at =
        |method: &'static str, reference: &str| Request { method, path: format!("/v2/{TAGS}/manifests/{reference}") };
    let page = |n: usize, last: &str| Request { method: "GET", path: format!("/v2/{TAGS}/tags/list?n={n}{last}") };
    let push = move |target: &Target, round: usize| {
        let Some(place) = target.place(Scheme::Http) else { return Ok(None) };
        let headers = target.sign_in(&["repository:bench/tags:pull,push"])?;
        let manifests: Vec<(String, Blob)> = (0..if bench.options.short() { 100 } else { 400 })
            .map(|number| {
                (format!("new-{round}-{number}"), Blob::manifest(&[], (1 << 40) + (round * 1000 + number) as u64))
            })
            .collect();
        let (endpoint, meter) = (&place.endpoint, &mut Meter::on(place.pid));
        bench.settle()?;
        let push = async |connection: &mut crate::client::Connection, pushed: &(String, Blob)| {
            connection.push_manifest(endpoint, &headers, TAGS, &pushed.0, &pushed.1).await
        };
        load::jobs(endpoint, 8, bench.threads(), &manifests, Unit::Blobs, meter, push).map(Some)
    };
    let peak = || vec![Asked::PeakAtMost(64.0)];
    let page_asked = || vec![Asked::CpuAtMost(100.0), Asked::PeakAtMost(64.0)];
    vec![
        get(NAMES[0], Box::new(move |size| spread(size).map(|number| at("GET", &tag(number))).collect()), peak()),
        get(
            NAMES[1],
            Box::new(move |size| spread(size).map(|number| at("HEAD", &manifest_of(number).digest)).collect()),
            peak(),
        ),
        get(NAMES[2], Box::new(move |_| vec![page(100, "")]), page_asked()),
        // The smallest store has no full page of 100 behind its middle, and half a page costs half.
        get(NAMES[3], Box::new(move |size| vec![page(50, &format!("&last={}", tag(size / 2 - 1)))]), page_asked()),
        // What has no place in the smallest store begins behind its first tag there.
        get(
            NAMES[4],
            Box::new(move |size| {
                let last = |number: usize| page(100, &format!("&last={}", tag(number.min(size.saturating_sub(101)))));
                spread(size).map(last).collect()
            }),
            page_asked(),
        ),
        Row { name: NAMES[5].to_owned(), unit: Unit::Blobs, asked: peak(), run: Box::new(push) },
    ]
}

/// How a server that is to be started again was ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Told,
    Killed,
}

/// Starts it after it ended so, and measures from the start of the program to its first answer.
fn start(launcher: &Launcher<'_>, data: &Path, how: End) -> Result<Duration> {
    let (http, https) = two_ports()?;
    let launch = || -> Result<(Process, Duration)> {
        let begun = Instant::now();
        let mut process = Process::start(&mut launcher.serve(data, http, https), &data.join("start.log"))?;
        while !first_answer(http) {
            process.alive()?;
            if begun.elapsed() > Duration::from_mins(1) {
                return Err(Error::from("it does not start"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok((process, begun.elapsed()))
    };
    if how == End::Killed {
        launch()?.0.kill();
    }
    let (process, took) = launch()?;
    drop(process);
    Ok(took)
}

fn first_answer(port: u16) -> bool {
    let asked = || -> std::io::Result<[u8; 12]> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        socket.read_exact(&mut status)?;
        Ok(status)
    };
    asked().is_ok_and(|status| matches!(&status[9..], b"200" | b"401"))
}

fn superscript(number: u32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}
