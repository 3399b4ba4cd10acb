//! What the command line and `make bench` ask for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::Result;

/// How the names of work directories begin; the number of the process follows.
const PREFIX: &str = "bench-";

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Every row, 10⁶ tags; at most 25 minutes.
    Full,
    /// Fewer rounds, connections and tags (10⁵); at most 4 minutes.
    Short,
}

/// Measure this build against other registries and against what the machine can do
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How much is measured
    #[arg(long, env = "BENCH", default_value = "full")]
    pub(crate) form: Form,
    /// The peers: debian, distribution, zot, and `name=URL` for any that runs already (`#PID` behind the URL adds its
    /// CPU and memory, `user:password@` before the host signs in)
    #[arg(long, env = "PEERS", default_value = "debian distribution zot", value_delimiter = ' ')]
    pub(crate) peers: Vec<String>,
    /// A PEM file with the certificates of peers at https URLs
    #[arg(long, value_name = "FILE")]
    pub(crate) peer_ca: Option<PathBuf>,
    /// Only the rows whose name contains one of these words (separated by |); the documents stay as they are
    #[arg(long, value_name = "FILTER")]
    pub(crate) rows: Option<String>,
    /// Rounds of each row [default: 5, short: 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds for one target in one round of a row that is a rate [default: 1, short: 0.4]
    #[arg(long)]
    seconds: Option<f64>,
    /// Write every figure here, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where the registries keep their data while they are measured: on the disk that is meant [default: target/]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the client and the servers to the scheduler instead of giving each half of the cores
    #[arg(long)]
    pub(crate) no_pin: bool,
    /// Another binary of this program than the one that this build made
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Said by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether it is the short form.
    pub(crate) fn short(&self) -> bool {
        self.form == Form::Short
    }

    /// Rounds of each row, at least one.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.short() { 2 } else { 5 }).max(1)
    }

    /// How long one target is loaded in one round.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.short() { 0.4 } else { 1.0 }).clamp(0.05, 600.0))
    }

    /// Whether a row of this name is wanted.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.as_ref().is_none_or(|filter| filter.split('|').any(|word| row.contains(word.trim())))
    }

    /// The binary of this program.
    pub(crate) fn binary(&self) -> PathBuf {
        self.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_msr-lite").into())
    }

    /// A directory for everything; gone when dropped. What a killed run left behind goes first.
    pub(crate) fn work_dir(&self) -> Result<tempfile::TempDir> {
        let parent = self.dir.clone().unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
        fs::create_dir_all(&parent)?;
        for entry in fs::read_dir(&parent)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(parent)?)
    }
}
