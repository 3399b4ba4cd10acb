//! What a registry takes while nobody asks for anything.

use std::time::Duration;

use super::{Bench, is_registry};
use crate::client::Connection;
use crate::load::runtime;
use crate::measure::{Fact, figure, millis};
use crate::targets::{FirstStart, Launcher, OURS, Place, Role, Scheme, Target};
use crate::{Result, process};

const FIRST: &str = "memory while a first start collects and verifies what was there, at most";
const MEMORY: &str = "idle memory after the start";
const SIGNED_IN: &str = "idle memory after a sign-in";
const LATER: &str = "idle memory after all rows";
const CPU: &str = "idle CPU";
const TLS: &str = "memory per idle TLS connection";

/// What the facts here are called.
pub(super) const NAMES: &[&str] = &[FIRST, MEMORY, SIGNED_IN, LATER, CPU, TLS];

/// Before anything was pushed or asked for. Connections are opened to a server of ours that takes no part in the rows,
/// and to the peers' servers for TLS: what is kept of them would be counted with each row.
pub(super) fn fresh(
    bench: &Bench<'_>,
    launcher: &Launcher<'_>,
    targets: &[Target],
    first: FirstStart,
) -> Result<Vec<Fact>> {
    let targets: Vec<&Target> = targets.iter().collect();
    std::thread::sleep(Duration::from_secs(1));
    let mut facts = vec![first_start(FIRST, first)];
    facts.extend(memory(MEMORY, &targets, Some(20.0)));
    let ours: Vec<&Target> = targets.iter().copied().filter(|target| target.role == Role::Ours).collect();
    for target in &ours {
        // What a password costs to check (argon2) must be given back.
        target.sign_in(&[])?;
    }
    std::thread::sleep(Duration::from_secs(1));
    facts.extend(memory(SIGNED_IN, &ours, Some(20.0)));
    let quiet = launcher.ours("quiet")?;
    let peers = targets.iter().copied().filter(|target| target.role == Role::Peer && !target.external);
    let connected: Vec<&Target> = std::iter::once(&quiet).chain(peers).collect();
    facts.push(tls(bench, &connected));
    Ok(facts)
}

/// The most memory that the work of a first start took.
pub(super) fn first_start(name: &str, first: FirstStart) -> Fact {
    Fact {
        name: format!("{name} ({} s CPU, {} MiB its own then)", figure(first.cpu), figure(first.own)),
        unit: "MiB",
        values: vec![(OURS.to_owned(), first.peak)],
        at_most: Some(64.0),
        asked: "≤ 64 MiB".to_owned(),
    }
}

fn tls(bench: &Bench<'_>, targets: &[&Target]) -> Fact {
    let count = if bench.options.short() { 1000 } else { 2000 };
    let mut values = Vec::new();
    for target in targets {
        if let Some(place) = target.place(Scheme::Https) {
            match connections(place, count) {
                Ok(Some(each)) if target.role == Role::Ours => values.push((OURS.to_owned(), each)),
                Ok(Some(each)) => values.push((target.name.clone(), each)),
                Ok(None) => {}
                Err(error) => bench.say(&format!("{TLS}, {}: {error}", target.name)),
            }
        }
    }
    Fact { name: TLS.to_owned(), unit: "KiB", values, at_most: Some(26.0), asked: "≤ 26 KiB".to_owned() }
}

/// After the last row that all take part in.
pub(super) fn loaded(bench: &Bench<'_>, targets: &[&Target]) -> Vec<Fact> {
    let mut facts = memory(LATER, targets, None);
    let pause = Duration::from_secs(if bench.options.short() { 4 } else { 15 });
    bench.say(&format!("watching everybody do nothing for {} s", pause.as_secs()));
    let spent = |target: &Target| target.pid().map(process::cpu);
    let before: Vec<_> = targets.iter().map(|target| spent(target)).collect();
    std::thread::sleep(pause);
    let values = targets.iter().zip(before).filter(|(target, _)| is_registry(target)).filter_map(|(target, before)| {
        let spent = spent(target)?.checked_sub(before?)?;
        Some((target.name.clone(), millis(spent) / pause.as_secs_f64()))
    });
    let cpu =
        Fact { name: CPU.to_owned(), unit: "ms/s", values: values.collect(), at_most: None, asked: String::new() };
    facts.push(cpu);
    facts
}

/// What is resident, and how much of it is the process's own: the rest are pages of its program, which the kernel takes
/// back when it needs them.
fn memory(name: &str, targets: &[&Target], at_most: Option<f64>) -> Vec<Fact> {
    let of = |look: fn(u32) -> f64| -> Vec<(String, f64)> {
        let registries = targets.iter().filter(|target| is_registry(target));
        registries.filter_map(|target| Some((target.name.clone(), look(target.pid()?)))).collect()
    };
    let asked = at_most.map_or(String::new(), |most| format!("≤ {most} MiB"));
    let own = format!("{name}, the process's own part of it");
    vec![
        Fact { name: name.to_owned(), unit: "MiB", values: of(process::resident), at_most, asked },
        Fact { name: own, unit: "MiB", values: of(process::own), at_most: None, asked: String::new() },
    ]
}

/// KiB that one connection adds which has asked once and then keeps quiet.
fn connections(place: &Place, count: usize) -> Result<Option<f64>> {
    let Some(pid) = place.pid else { return Ok(None) };
    let head = place.endpoint.head("GET", "/v2/", "", None);
    runtime()?.block_on(async {
        let open = async || -> Result<Connection> {
            let mut connection = Connection::with_buffer(&place.endpoint, 8 * 1024).await?;
            connection.probe(&head, false).await?;
            Ok(connection)
        };
        // What the first ones bring in is no matter of each.
        let mut kept = Vec::with_capacity(count + 50);
        for _ in 0..50 {
            kept.push(open().await?);
        }
        let before = process::resident(pid);
        for _ in 0..count {
            kept.push(open().await?);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = process::resident(pid);
        drop(kept);
        Ok(Some((after - before) * 1024.0 / count as f64))
    })
}
