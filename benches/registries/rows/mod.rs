//! What is measured: the rows, grouped by what they need, and the fixture that they share.

mod growth;
mod lists;
mod pages;
mod pulls;
mod pushes;
mod quiet;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::content::{Blob, MIB};
use crate::machine::Machine;
use crate::measure::{Asked, Cell, Fact, Measured, Meter, Sample, Section, Unit, figure};
use crate::options::Options;
use crate::targets::{Launcher, OURS, Place, Role, Scheme, Target};
use crate::{Error, Result, load, seed};

/// The repository that pulls come from.
const APP: &str = "bench/app";
/// Bytes of the small blobs.
const SMALL: usize = 4096;
/// Bytes of the large blob.
const LARGE: usize = 256 * MIB;

/// Measures a target in a round; `None` when the row is nothing for it.
type Measure<'r> = Box<dyn Fn(&Target, usize) -> Result<Option<Sample>> + 'r>;

/// A row before it is measured.
struct Row<'r> {
    name: String,
    unit: Unit,
    asked: Vec<Asked>,
    run: Measure<'r>,
}

/// The whole run.
pub(crate) struct Bench<'b> {
    options: &'b Options,
    machine: &'b Machine,
    dir: &'b Path,
    notes: Vec<String>,
    /// What was seen before the first row.
    facts: Vec<Fact>,
    begun: Instant,
}

/// What is pushed to every registry, and laid out for nginx, before anything is measured.
struct Fixture {
    small: Vec<Blob>,
    manifest: Blob,
    large: Blob,
}

impl Fixture {
    fn new(short: bool) -> Self {
        let small: Vec<Blob> = (0..if short { 64 } else { 256 }).map(|seed| Blob::random(seed, SMALL)).collect();
        let manifest = Blob::manifest(&small[..8], 0);
        Self { small, manifest, large: Blob::random(u64::MAX, LARGE) }
    }

    /// As files, under the URLs that a registry has them under.
    fn lay_out(&self, www: &Path) -> Result<()> {
        let (blobs, manifests) = (www.join("v2").join(APP).join("blobs"), www.join("v2").join(APP).join("manifests"));
        fs::create_dir_all(&blobs)?;
        fs::create_dir_all(&manifests)?;
        for blob in self.small.iter().chain([&self.large]) {
            fs::write(blobs.join(&blob.digest), &blob.bytes)?;
        }
        fs::write(manifests.join("v1"), &self.manifest.bytes)?;
        Ok(fs::write(manifests.join(&self.manifest.digest), &self.manifest.bytes)?)
    }

    fn push(&self, target: &Target, place: &Place) -> Result<()> {
        let headers = target.sign_in(&["repository:bench/app:pull,push"])?;
        let config = Blob::config();
        let blobs: Vec<&Blob> = self.small.iter().chain([&self.large, &config]).collect();
        let endpoint = &place.endpoint;
        let mut idle = Meter::on(None);
        load::jobs(endpoint, 16, 2, &blobs, Unit::Blobs, &mut idle, async |connection, blob| {
            connection.push_blob(endpoint, &headers, APP, blob, None).await
        })?;
        load::jobs(endpoint, 1, 1, &[&self.manifest], Unit::Blobs, &mut idle, async |connection, manifest| {
            connection.push_manifest(endpoint, &headers, APP, "v1", manifest).await
        })?;
        Ok(())
    }
}

impl<'b> Bench<'b> {
    /// A run whose data are in `dir`.
    pub(crate) fn new(options: &'b Options, machine: &'b Machine, dir: &'b Path) -> Self {
        Self { options, machine, dir, notes: Vec::new(), facts: Vec::new(), begun: Instant::now() }
    }

    /// What the reader of the report must know besides the figures.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// Measures everything.
    pub(crate) fn run(&mut self) -> Result<Vec<Section>> {
        let launcher = Launcher::new(self.options, self.machine, self.dir)?;
        let fixture = Fixture::new(self.options.short());
        let targets = self.targets(&launcher, &fixture)?;
        let versions = targets.iter().map(|target| format!("{} {}", target.name, target.version));
        self.notes.push(format!("Versions: {}.", versions.collect::<Vec<_>>().join(", ")));
        let all: Vec<&Target> = targets.iter().collect();

        let mut facts = std::mem::take(&mut self.facts);
        let mut sections = vec![
            Section::Rows("Pulls", self.measure(pulls::rows(self, &fixture), &all)),
            Section::Rows("Pushes", self.measure(pushes::rows(self, &fixture), &all)),
            Section::Rows("Lists", self.measure(lists::rows(self, &all), &all)),
        ];
        if let Some(pages) = pages::prepare(self, &all)? {
            sections.push(Section::Rows("Pages", self.measure(pages.rows(self), &all)));
            facts.push(pages.cold());
        }
        if self.want(quiet::NAMES) {
            facts.extend(quiet::loaded(self, &all));
        }
        drop(all);
        drop(targets);
        let (grown, started) = growth::run(self, &launcher)?;
        sections.push(Section::Growth("Growth", grown));
        facts.extend(started);
        facts.retain(|fact: &Fact| self.options.wants(&fact.name));
        sections.push(Section::Facts("At rest", facts));
        Ok(sections)
    }

    /// Whether any row of these names is wanted.
    fn want(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.options.wants(name))
    }

    /// Starts everybody and gives them the fixture. A peer that cannot be had is noted and left out.
    fn targets(&mut self, launcher: &Launcher<'_>, fixture: &Fixture) -> Result<Vec<Target>> {
        let listed = if self.want(lists::NAMES) || self.want(pages::NAMES) { lists::size(self.options) } else { 0 };
        let ours = self.dir.join(format!("ours-{OURS}"));
        launcher.initialise(&ours)?;
        if listed > 0 {
            let store = seed::Store::open(&ours)?;
            store.tags(listed)?;
            store.repositories(listed)?;
            store.close();
        }
        let (ours, first) = launcher.settled(OURS)?;
        let mut targets = vec![ours];
        for word in self.options.peers.iter().filter(|word| !word.is_empty()) {
            self.say(&format!("starting {word}"));
            let prepare = |layout: &str, root: &Path| match layout {
                _ if listed == 0 => Ok(()),
                "zot" => seed::zot(root, listed, listed),
                _ => seed::distribution(root, listed, listed),
            };
            match launcher.peer(word, &prepare) {
                Ok(target) => targets.push(target),
                Err(error) => self.leave_out(word, &error),
            }
        }
        match launcher.nginx(&self.www()) {
            Ok(target) => targets.push(target),
            Err(error) => self.leave_out("nginx", &error),
        }
        targets.push(launcher.disk());
        if self.want(quiet::NAMES) {
            self.facts = quiet::fresh(self, launcher, &targets, first)?;
        }
        fixture.lay_out(&self.www())?;
        self.say("pushing what will be pulled");
        let pushed = |target: &Target| target.stores().into_iter().try_for_each(|place| fixture.push(target, place));
        let mut ready = Vec::new();
        for target in targets {
            if !matches!(target.role, Role::Ours | Role::Peer) {
                ready.push(target);
                continue;
            }
            match pushed(&target) {
                Ok(()) => ready.push(target),
                Err(error) if target.role == Role::Ours => return Err(error),
                Err(error) => self.leave_out(&target.name.clone(), &error),
            }
        }
        Ok(ready)
    }

    fn leave_out(&mut self, name: &str, error: &Error) {
        self.say(&format!("{name} is left out: {error}"));
        self.notes.push(format!("{name} is left out: {error}."));
    }

    /// What nginx serves.
    fn www(&self) -> PathBuf {
        self.dir.join("www")
    }

    fn say(&self, what: &str) {
        eprintln!("[{:4} s] {what}", self.begun.elapsed().as_secs());
    }

    /// How many threads the client may keep busy.
    fn threads(&self) -> usize {
        self.machine.client_cores().len()
    }

    /// Lets what was written reach the disk, so that nobody waits for what another wrote.
    fn settle(&self) -> Result<()> {
        Ok(rustix::fs::syncfs(fs::File::open(self.dir)?)?)
    }

    /// Measures the wanted rows: in each round all targets in turn, in an order that moves on, so that nobody always
    /// follows the same one.
    fn measure(&self, rows: Vec<Row<'_>>, targets: &[&Target]) -> Vec<Measured> {
        rows.into_iter()
            .filter(|row| self.options.wants(&row.name))
            .map(|row| {
                let mut cells: Vec<Cell> =
                    targets.iter().map(|target| Cell { target: target.name.clone(), ..Cell::default() }).collect();
                let mut takes_part = vec![true; targets.len()];
                for round in 0..self.options.rounds() {
                    for turn in 0..targets.len() {
                        let number = (turn + round) % targets.len();
                        let cell = &mut cells[number];
                        if !takes_part[number] || cell.failed.is_some() {
                            cell.samples.push(None);
                            continue;
                        }
                        match (row.run)(targets[number], round) {
                            Ok(Some(sample)) => cell.samples.push(Some(sample)),
                            Ok(None) => takes_part[number] = false,
                            Err(error) => {
                                cell.failed = Some(error.to_string());
                                cell.samples.push(None);
                            }
                        }
                    }
                }
                let mut takes_part = takes_part.into_iter();
                cells.retain(|_| takes_part.next().unwrap_or(false));
                let measured = Measured { name: row.name, unit: row.unit, cells, asked: row.asked };
                self.say(&one_line(&measured));
                measured
            })
            .collect()
    }
}

/// A row for the eyes of somebody who waits.
fn one_line(row: &Measured) -> String {
    let cells = row.cells.iter().map(|cell| match (cell.rate(), cell.cpu()) {
        (Some(rate), Some(cpu)) => format!("{} {} ({} {})", cell.target, figure(rate), figure(cpu), row.unit.cpu()),
        (Some(rate), None) => format!("{} {}", cell.target, figure(rate)),
        _ => format!("{} failed: {}", cell.target, cell.failed.as_deref().unwrap_or("?")),
    });
    format!("{}, {}: {}", row.name, row.unit.rate(), cells.collect::<Vec<_>>().join(", "))
}

/// Files and registries, not the disk.
fn serves(target: &Target) -> bool {
    target.role != Role::Disk
}

/// Registries alone.
fn is_registry(target: &Target) -> bool {
    matches!(target.role, Role::Ours | Role::Peer)
}

/// The place of a target, if it takes part.
fn place_of(target: &Target, scheme: Scheme, takes_part: impl Fn(&Target) -> bool) -> Option<&Place> {
    if takes_part(target) { target.place(scheme) } else { None }
}
