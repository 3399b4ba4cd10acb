//! Server processes: started, watched from `/proc`, ended by their number.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

/// The unit of CPU times in `/proc`: the kernel's `USER_HZ`, 100 on every architecture that matters here.
const TICK: Duration = Duration::from_millis(10);

/// A server that we started; ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts it; what it says goes to a file.
    pub(crate) fn start(command: &mut Command, log: &std::path::Path) -> Result<Self> {
        let file = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error when it has ended, with what it said last.
    pub(crate) fn alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                let last = said.lines().rev().take(5).collect::<Vec<_>>().join(" / ");
                let signal = status.signal().map_or(String::new(), |signal| format!(" by signal {signal}"));
                Err(Error::from(format!("it ended{signal}: {last}")))
            }
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    /// SIGTERM, and SIGKILL if that is not enough.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill_process(pid, Signal::TERM);
            let deadline = Instant::now() + Duration::from_secs(10);
            while Instant::now() < deadline {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until a process has done what it does by itself after its start: until it takes less than a fiftieth of a core
/// for two seconds, but two minutes at most.
pub(crate) fn await_quiet(pid: u32) {
    let deadline = Instant::now() + Duration::from_mins(2);
    let (mut spent, mut quiet) = (cpu(pid), 0);
    while quiet < 4 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(500));
        let now = cpu(pid);
        quiet = if now.saturating_sub(spent) <= TICK { quiet + 1 } else { 0 };
        spent = now;
    }
}

/// A process and all that come from it (nginx's workers).
fn tree(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        next += 1;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    all
}

/// The CPU time that a process and its children have taken.
pub(crate) fn cpu(root: u32) -> Duration {
    let ticks = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field may contain anything; the fields behind it are counted from its closing bracket.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        Some(fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?)
    };
    TICK * tree(root).into_iter().filter_map(ticks).sum::<u32>()
}

fn status_mib(root: u32, field: &str) -> f64 {
    let kib = |pid: u32| -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with(field))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    tree(root).into_iter().filter_map(kib).sum::<f64>() / 1024.0
}

/// Resident memory in MiB.
pub(crate) fn resident(root: u32) -> f64 {
    status_mib(root, "VmRSS:")
}

/// Resident memory that no file backs, in MiB: what the process has made, without the pages of its program.
pub(crate) fn own(root: u32) -> f64 {
    status_mib(root, "RssAnon:")
}

/// The most resident memory, in MiB, since [`reset_peak`].
pub(crate) fn peak(root: u32) -> f64 {
    status_mib(root, "VmHWM:")
}

/// Begins a new peak (`proc(5)`: writing 5 to `clear_refs`).
pub(crate) fn reset_peak(root: u32) {
    for pid in tree(root) {
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}
