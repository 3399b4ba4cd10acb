//! Programs run to their end, and programs that run until they are dropped.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The longest that one program may run. A hang is a failure with a name, not a stuck suite.
const PATIENCE: &str = "120";

/// What a program said and how it ended.
pub(crate) struct Run {
    command: String,
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs the program to its end, for at most two minutes. Both streams are captured.
    pub(crate) fn of(words: &[String]) -> Self {
        let command = words.join(" ");
        let output: Output = Command::new("timeout")
            .args(["--kill-after=5", PATIENCE])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {command}: {error}"));
        Self {
            command,
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The program must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.success, "this should have worked:\n{}", self.transcript());
        self
    }

    /// The program must have failed.
    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        assert!(!self.success, "this should have failed:\n{}", self.transcript());
        self
    }

    /// A person at the terminal must have seen this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text) || self.stdout.contains(text),
            "this should have said {text:?}:\n{}",
            self.transcript()
        );
        self
    }

    /// Standard output without the white space around it.
    pub(crate) fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// The command and everything it said, for failures.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::new();
        let _ = write!(text, "$ {}\n{}{}", self.command, self.stdout, self.stderr);
        text
    }
}

/// A program that runs beside the test. Ends with the value: SIGTERM, ten seconds, SIGKILL; and with the test process,
/// however that ends (parent-death signal).
pub(crate) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts `words` with both streams appended to `log`.
    pub(crate) fn start(name: &str, words: &[String], log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log file in our own directory");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle of the log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Waits until `ready` says so; panics with the log when the program ends before or half a minute has gone.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready() {
            let name = &self.name;
            if let Some(status) = self.child.try_wait().expect("our own child") {
                panic!("{name} ended ({status}) before {what}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "{name} runs, but not {what}:\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Everything it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and SIGKILL after `patience`. Tells whether the program ended by itself.
    pub(crate) fn terminate(&mut self, patience: Duration) -> bool {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            sleep(Duration::from_millis(20));
        }
        self.kill();
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate(Duration::from_secs(10));
        }
    }
}

/// Owned words of a command line.
pub(crate) fn words<S: AsRef<str>>(parts: &[S]) -> Vec<String> {
    parts.iter().map(|part| part.as_ref().to_owned()).collect()
}

/// A path as a word of a command line. Ours are all UTF-8.
pub(crate) fn word(path: &Path) -> String {
    path.to_str().expect("our temporary paths are UTF-8").to_owned()
}

/// The program's place, if it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    places.push("/usr/sbin".into());
    if let Some(home) = std::env::var_os("HOME") {
        places.push(Path::new(&home).join("go/bin"));
    }
    places.into_iter().map(|place| place.join(program)).find(|path| path.is_file())
}
