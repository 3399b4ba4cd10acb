//! What ran and what was skipped. A test that cannot run here is skipped by name, aloud, and counted; with `CI=true`
//! it fails instead, so that a green run there has run everything.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use super::process::{Run, find, words};

#[derive(Default)]
struct Tally {
    running: usize,
    ran: usize,
    skipped: usize,
    reasons: BTreeMap<String, usize>,
}

static TALLY: Mutex<Option<Tally>> = Mutex::new(None);

fn with_tally<R>(change: impl FnOnce(&mut Tally) -> R) -> R {
    let mut tally = TALLY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    change(tally.get_or_insert_default())
}

/// Held by a test while it runs; the last one to end prints the count.
pub(crate) struct Running(());

impl Drop for Running {
    fn drop(&mut self) {
        let line = with_tally(|tally| {
            tally.running -= 1;
            tally.ran += 1;
            (tally.running == 0).then(|| tally.line())
        });
        if let Some(line) = line {
            say(&line);
        }
    }
}

impl Tally {
    fn line(&self) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(|(reason, tests)| format!("{reason} ({tests})")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
        format!("clients: {} ran, {} skipped{reasons}", self.ran, self.skipped)
    }
}

/// Registers the calling test, which needs these programs and a laboratory of namespaces. `None`: it is to return at
/// once, the skip is recorded. Only a program of `luxury` may be missing with `CI=true`.
pub(crate) fn begin(programs: &[&str], luxury: &[&str]) -> Option<Running> {
    let needed = hindrance(programs);
    let must = needed.is_some();
    let Some(reason) = needed.or_else(|| missing(luxury)) else {
        with_tally(|tally| tally.running += 1);
        return Some(Running(()));
    };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        !must || std::env::var("CI").as_deref() != Ok("true"),
        "{test} cannot run here: {reason}, and CI=true skips nothing"
    );
    let line = with_tally(|tally| {
        tally.skipped += 1;
        *tally.reasons.entry(reason.clone()).or_default() += 1;
        (tally.running == 0).then(|| tally.line())
    });
    say(&format!("skipped {test}: {reason}"));
    if let Some(line) = line {
        say(&line);
    }
    None
}

/// Whether namespaces may be made here: a container may keep its root from it.
static NAMESPACES: OnceLock<bool> = OnceLock::new();

/// Why a test that needs these programs cannot run here.
fn hindrance(programs: &[&str]) -> Option<String> {
    let laboratory = ["ip", "iptables", "nsenter", "unshare", "setpriv", "mount", "timeout", "curl"];
    if let Some(reason) = missing(&laboratory).or_else(|| missing(programs)) {
        return Some(reason);
    }
    if !rustix::process::geteuid().is_root() {
        return Some("not root: no network namespaces".to_owned());
    }
    let namespaces = *NAMESPACES.get_or_init(|| Run::of(&words(&["unshare", "--net", "--mount", "true"])).success);
    (!namespaces).then(|| "no namespaces may be made here".to_owned())
}

fn missing(programs: &[&str]) -> Option<String> {
    programs.iter().find_map(|program| match program.strip_prefix('$') {
        Some(variable) => given(variable).is_none().then(|| format!("{variable}: names no program")),
        None => find(program).is_none().then(|| format!("{program}: not installed")),
    })
}

/// A program that no package has, at the place that this variable names.
pub(crate) fn given(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .and_then(|path| path.canonicalize().ok())
        .filter(|path| path.is_file())
}

/// Past the test harness's capture, which keeps the output of passing tests to itself.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says what a test needs besides root and namespaces; ends the test, counted as skipped, where it is missing.
///
/// The value is to be held to the end of the test: `let _running = needs!("docker", "dockerd");`. Programs that Debian
/// does not have may be missing in CI too: `needs!("openssl"; luxury "crane")`; those that nobody packages are named by
/// a variable: `needs!("docker"; luxury "$DOCKER_APP")`.
macro_rules! needs {
    ($($program:literal),* $(; luxury $($rare:literal),*)?) => {
        match $crate::support::tally::begin(&[$($program),*], &[$($($rare),*)?]) {
            Some(running) => running,
            None => return,
        }
    };
}
pub(crate) use needs;
