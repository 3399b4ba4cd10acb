//! The machine: what it is, and which of its cores are whose.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::process::Command;

use crate::options::Options;

/// What the figures depend on besides the programs.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) cpu: String,
    /// The kernel's version, major and minor, and the architecture.
    pub(crate) kernel: String,
    /// Bytes of memory, in words.
    pub(crate) memory: String,
    /// Today.
    pub(crate) date: String,
    /// The load average before the first row: other work on the machine.
    pub(crate) load: String,
    /// The cores that this process may use.
    pub(crate) cores: Vec<usize>,
    /// The servers' share of them; `None` when nobody is kept apart.
    servers: Option<Vec<usize>>,
}

impl Machine {
    /// Looks.
    pub(crate) fn look(options: &Options) -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
            line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
        };
        let cores = parse_cores(&field("/proc/self/status", "Cpus_allowed_list").unwrap_or_default());
        let apart = !options.no_pin && has("taskset") && cores.len() >= 2;
        let servers = apart.then(|| cores[..cores.len() / 2].to_vec());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            kernel: format!("Linux {} {}", version(&kernel), std::env::consts::ARCH),
            memory: field("/proc/meminfo", "MemTotal").unwrap_or_default(),
            date: jiff::Timestamp::now().to_string()[..10].to_owned(),
            load: fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("").to_owned(),
            cores,
            servers,
        }
    }

    /// Moves this process, before it has threads, to the cores that are not the servers'.
    pub(crate) fn keep_the_client_apart(&self) {
        if self.servers.is_some() {
            let (cores, own) = (list(self.client_cores()), std::process::id().to_string());
            let moved = Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", &cores, &own]).output();
            if !moved.is_ok_and(|run| run.status.success()) {
                eprintln!("bench: the client could not be moved to cores {cores}");
            }
        }
    }

    /// Raises the number of files that this process and its children may open as far as it may.
    pub(crate) fn raise_open_files() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // If it is refused, the rows with many connections say so themselves.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }

    /// A command that runs on the servers' cores and, where `setpriv` can tell the kernel so, ends with this process
    /// even if that is killed.
    pub(crate) fn server(&self, program: impl AsRef<OsStr>) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if has("setpriv") {
            words.extend(["setpriv", "--pdeathsig", "TERM"].map(OsString::from));
        }
        if let Some(cores) = &self.servers {
            words.extend(["taskset", "--cpu-list", &list(cores)].map(OsString::from));
        }
        words.push(program.as_ref().to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// How many cores the servers have.
    pub(crate) fn server_cores(&self) -> usize {
        self.servers.as_ref().unwrap_or(&self.cores).len()
    }

    /// The cores of the client.
    pub(crate) fn client_cores(&self) -> &[usize] {
        self.servers.as_ref().map_or(&self.cores, |servers| &self.cores[servers.len()..])
    }

    /// Who has which cores, in words.
    pub(crate) fn shares(&self) -> String {
        match &self.servers {
            None => format!("{} cores, shared by client and servers", self.cores.len()),
            Some(servers) => format!(
                "{} cores: {} for the server that is measured, {} for the client",
                self.cores.len(),
                list(servers),
                list(self.client_cores())
            ),
        }
    }
}

/// Whether a program of util-linux is here.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|run| run.status.success())
}

/// `6.18` of `6.18.44-1-cloud`: what follows names a build, and says nothing about speed.
fn version(release: &str) -> String {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    release.trim().split('.').take(2).map(digits).collect::<Vec<_>>().join(".")
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// `0-3,8` as `/proc` writes it.
fn parse_cores(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse()) {
            cores.extend(first..=last);
        }
    }
    if cores.is_empty() { vec![0] } else { cores }
}
