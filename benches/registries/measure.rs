//! From measured spans to figures: samples, medians, and what was asked for.

use std::time::Duration;

use crate::{Error, Result, process};

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    /// Requests; CPU in µs for each.
    Requests,
    /// So many MiB in each operation; CPU in s per GiB.
    Mebibytes(f64),
    /// Pushed blobs; CPU in µs for each.
    Blobs,
    /// Pushed images; CPU in ms for each.
    Images,
}

impl Unit {
    /// What the rate is in.
    pub(crate) fn rate(self) -> &'static str {
        match self {
            Self::Requests => "req/s",
            Self::Mebibytes(_) => "MiB/s",
            Self::Blobs => "blobs/s",
            Self::Images => "images/s",
        }
    }

    /// What the CPU figure is in.
    pub(crate) fn cpu(self) -> &'static str {
        match self {
            Self::Requests | Self::Blobs => "µs",
            Self::Mebibytes(_) => "s/GiB",
            Self::Images => "ms",
        }
    }

    /// Things in one operation, and CPU seconds of one thing times this are the CPU figure.
    fn factors(self) -> (f64, f64) {
        match self {
            Self::Requests | Self::Blobs => (1.0, 1e6),
            Self::Mebibytes(mebibytes) => (mebibytes, 1024.0),
            Self::Images => (1.0, 1e3),
        }
    }
}

/// What one target did in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Things per second.
    pub(crate) rate: f64,
    /// CPU of the server for one thing, in the unit's unit; `None` when its process is not known.
    pub(crate) cpu: Option<f64>,
    /// Median and 99th percentile of the time of one operation, in ms.
    pub(crate) p50: f64,
    /// See `p50`.
    pub(crate) p99: f64,
    /// The most memory that the server had meanwhile, in MiB, the pages of its program included.
    pub(crate) peak: Option<f64>,
    /// What it had of its own in the end, in MiB.
    pub(crate) own: Option<f64>,
}

/// Watches a server while it is measured.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: Option<u32>,
    before: Duration,
}

impl Meter {
    /// A meter on a process, if it is known.
    pub(crate) fn on(pid: Option<u32>) -> Self {
        Self { pid, before: Duration::ZERO }
    }

    /// From now on it counts.
    pub(crate) fn start(&mut self) {
        if let Some(pid) = self.pid {
            process::reset_peak(pid);
            self.before = process::cpu(pid);
        }
    }

    /// Until now it counted; `latencies` are those of the operations, which took so long altogether.
    pub(crate) fn stop(&self, unit: Unit, mut latencies: Vec<Duration>, took: Duration) -> Result<Sample> {
        if latencies.is_empty() {
            return Err(Error::from("nothing was answered in time"));
        }
        latencies.sort_unstable();
        let (each, scale) = unit.factors();
        let things = latencies.len() as f64 * each;
        let spent = self.pid.map(|pid| process::cpu(pid).saturating_sub(self.before));
        let at = |share: f64| millis(latencies[((latencies.len() - 1) as f64 * share).round() as usize]);
        Ok(Sample {
            rate: things / took.as_secs_f64(),
            cpu: spent.map(|spent| spent.as_secs_f64() * scale / things),
            p50: at(0.5),
            p99: at(0.99),
            peak: self.pid.map(process::peak),
            own: self.pid.map(process::own),
        })
    }
}

/// Milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The median; `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

/// What the samples of one target come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// The target.
    pub(crate) target: String,
    /// By round; `None` where it failed.
    pub(crate) samples: Vec<Option<Sample>>,
    /// Why it failed, if it did.
    pub(crate) failed: Option<String>,
}

impl Cell {
    fn middle(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().flatten().filter_map(of))
    }

    /// The median rate.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.middle(|sample| Some(sample.rate))
    }

    /// The median CPU of one thing.
    pub(crate) fn cpu(&self) -> Option<f64> {
        self.middle(|sample| sample.cpu)
    }

    /// The medians of p50 and p99, in ms.
    pub(crate) fn latency(&self) -> Option<(f64, f64)> {
        Some((self.middle(|sample| Some(sample.p50))?, self.middle(|sample| Some(sample.p99))?))
    }

    /// The highest peak, in MiB.
    pub(crate) fn peak(&self) -> Option<f64> {
        self.highest(|sample| sample.peak)
    }

    /// The most that the server had of its own at the end of a round, in MiB.
    pub(crate) fn own(&self) -> Option<f64> {
        self.highest(|sample| sample.own)
    }

    fn highest(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.samples.iter().flatten().filter_map(of).reduce(f64::max)
    }
}

/// A row that has been measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Its name.
    pub(crate) name: String,
    /// What its rate counts.
    pub(crate) unit: Unit,
    /// One for each target that took part; the first is ours.
    pub(crate) cells: Vec<Cell>,
    /// What was asked for.
    pub(crate) asked: Vec<Asked>,
}

impl Measured {
    /// The cell of a target.
    pub(crate) fn cell(&self, target: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.target == target)
    }

    /// The median over the rounds of what `of` says of ours and of another's sample.
    pub(crate) fn paired(&self, other: &Cell, of: impl Fn(&Sample, &Sample) -> Option<f64>) -> Option<f64> {
        let ours = &self.cells.first()?.samples;
        let pairs = ours.iter().zip(&other.samples).filter_map(|(ours, other)| Some((ours.as_ref()?, other.as_ref()?)));
        median(pairs.filter_map(|(ours, other)| of(ours, other)))
    }

    /// Our rate divided by another's.
    pub(crate) fn rate_over(&self, other: &str) -> Option<f64> {
        self.paired(self.cell(other)?, |ours, other| Some(ours.rate / other.rate))
    }

    /// Another's CPU divided by ours: how many times cheaper we are.
    pub(crate) fn cpu_under(&self, other: &str) -> Option<f64> {
        self.paired(self.cell(other)?, |ours, other| Some(other.cpu? / ours.cpu?))
    }
}

/// What issue a row is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asked {
    /// CPU of at most 1/this of a peer's.
    CpuUnder(&'static str, f64),
    /// CPU of at most this.
    CpuAtMost(f64),
    /// At least this many times the rate of a peer or limit.
    RateOver(&'static str, f64),
    /// At least this many times the rate of the slower of two limits.
    RateOverSlower([&'static str; 2], f64),
    /// At most this much memory, in MiB.
    PeakAtMost(f64),
    /// 99 of 100 operations take at most this, in ms.
    P99AtMost(f64),
}

impl Asked {
    /// What is asked, what came out, and whether that will do; `None` when it could not be compared.
    pub(crate) fn judge(self, row: &Measured) -> (String, Option<(String, bool)>) {
        let ours = row.cells.first();
        match self {
            Self::CpuUnder(peer, times) => {
                let is = row.cpu_under(peer).map(|is| (format!("1/{}", figure(is)), is >= times));
                (format!("CPU ≤ 1/{times} of {peer}"), is)
            }
            Self::CpuAtMost(limit) => {
                let is = ours.and_then(Cell::cpu).map(|is| (figure(is), is <= limit));
                (format!("CPU ≤ {limit} {}", row.unit.cpu()), is)
            }
            Self::RateOver(other, share) => {
                let is = row.rate_over(other).map(|is| (figure(is), is >= share));
                (format!("rate ≥ {share} × {other}"), is)
            }
            Self::RateOverSlower([one, other], share) => {
                let is = [one, other].into_iter().filter_map(|limit| row.rate_over(limit)).reduce(f64::max);
                let is = is.map(|is| (figure(is), is >= share));
                (format!("rate ≥ {share} × slower of {one}, {other}"), is)
            }
            Self::PeakAtMost(limit) => {
                let is = ours.and_then(Cell::peak).map(|is| (figure(is), is <= limit));
                (format!("peak ≤ {limit} MiB"), is)
            }
            Self::P99AtMost(limit) => {
                let is = ours.and_then(Cell::latency).map(|(_, is)| (figure(is), is <= limit));
                (format!("p99 ≤ {limit} ms"), is)
            }
        }
    }
}

/// A number with about three digits.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A single value of ours, perhaps with those of peers: memory, times, growth.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    /// What it is.
    pub(crate) name: String,
    /// What it is in.
    pub(crate) unit: &'static str,
    /// By target; ours is the first.
    pub(crate) values: Vec<(String, f64)>,
    /// At most this.
    pub(crate) at_most: Option<f64>,
    /// The same in words.
    pub(crate) asked: String,
}

impl Fact {
    /// Whether ours is what was asked for, if anything was.
    pub(crate) fn met(&self) -> Option<bool> {
        Some(self.values.first()?.1 <= self.at_most?)
    }
}

/// A part of the report.
#[derive(Clone, Debug)]
pub(crate) enum Section {
    /// Rows against peers.
    Rows(&'static str, Vec<Measured>),
    /// Rows of ours alone on stores that grow; the targets are the stores.
    Growth(&'static str, Vec<Measured>),
    /// Single values.
    Facts(&'static str, Vec<Fact>),
}
