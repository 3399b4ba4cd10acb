//! `msr-lite gc run|status`

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, Context, Exit};
use crate::base::Timestamp;
use crate::model::Actor;
use crate::model::gc::{Amount, Freed, Progress, Report, Status, Survey, Trigger, Waiting, Why};
use crate::ops::gc::{GcReply, GcRequest, GcTask, perform};
use crate::serve::Stopped;
use crate::serve::admin::{self, AdminAnswer, AdminRequest, Way};

/// Between two questions how far the work is.
const ASK_EVERY: Duration = Duration::from_millis(100);

const RISK: &str = "\
--now takes also what was pushed within the last hours and nothing refers to yet. A push that is running right now may
fail with MANIFEST_BLOB_UNKNOWN and must be repeated; what a manifest refers to is never taken.";

/// `msr-lite gc …`
#[allow(clippy::doc_markdown, reason = "these comments are the help text")]
#[derive(Debug, Subcommand)]
pub enum GcCommand {
    /// Free the space of what nothing refers to any more
    ///
    /// The registry does this by itself every hour (gc.every_minutes), while pushes and pulls go on. Blobs that no
    /// manifest refers to go when they were not asked for within gc.lease_seconds, untagged manifests when they were
    /// neither pushed nor pulled for gc.untagged_days.
    #[command(after_help = "\
Works with the server running (for root and the registry's own user) and without. With a server, the run goes on when \
this command is interrupted; where a collection works already, the run begins when that one is over.

Examples:
  msr-lite gc run --dry-run
  sudo msr-lite gc run
  sudo msr-lite gc run --now --yes --json | jq .freed.files.bytes")]
    Run {
        /// Only tell what would go
        #[arg(long)]
        dry_run: bool,
        /// Take also what was pushed just now and nothing refers to yet; asks first
        #[arg(long)]
        now: bool,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Say what the last run did, what the next will free, and what waits until when and why
    #[command(after_help = "\
Examples:
  msr-lite gc status
  msr-lite gc status --json | jq .survey.untagged.latest")]
    Status,
}

/// Runs the verb.
///
/// # Errors
/// When neither server nor store can be reached, another run waits for its turn already, or it failed.
pub fn run(context: &Context, command: &GcCommand) -> Result<Exit, CliError> {
    let task = match *command {
        GcCommand::Status => GcTask::Status,
        GcCommand::Run { dry_run: true, now, .. } => GcTask::DryRun { ignore_leases: now },
        GcCommand::Run { now, yes, .. } => {
            if now && !yes && !confirm()? {
                return Err(CliError::failed("nothing was done"));
            }
            GcTask::Run { ignore_leases: now }
        }
    };
    let reply = match ask_server(context, task)? {
        Some(reply) => reply,
        None => offline(context, task)?,
    };
    match reply {
        GcReply::Report(report) if context.json() => context.print_json(&report)?,
        GcReply::Survey(survey) if context.json() => context.print_json(&survey)?,
        GcReply::Status(status) if context.json() => context.print_json(&status)?,
        GcReply::Report(report) => context.print(&done(&report))?,
        GcReply::Survey(survey) => context.print(&would(&survey))?,
        GcReply::Status(status) => context.print(&screen(&status))?,
        GcReply::Ticket(_) | GcReply::Running(_) => {
            return Err(CliError::failed("the running server answered something else than what was asked"));
        }
    }
    Ok(Exit::Done)
}

/// Asks on the terminal; where there is none, `--yes` must say it.
fn confirm() -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError { exit: Exit::Usage, message: format!("{RISK}\nIf you mean it, add --yes.") });
    }
    let _ = write!(io::stderr(), "{RISK}\nGo on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(CliError::failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Lets the running server do it and waits; `None` when none runs.
fn ask_server(context: &Context, task: GcTask) -> Result<Option<GcReply>, CliError> {
    let dir = context.data_dir()?;
    let ask = |request| match admin::ask(&dir, &AdminRequest::Gc(request)).map_err(CliError::failed)? {
        None => Ok(None),
        Some(AdminAnswer::Gc(reply)) => Ok(Some(*reply)),
        Some(AdminAnswer::Failed { message }) => Err(CliError::failed(message)),
        Some(_) => Err(CliError::failed("the running server answered something else than what was asked")),
    };
    let Some(GcReply::Ticket(ticket)) = ask(GcRequest::Begin(task))? else { return Ok(None) };
    context.say(Way::Server);
    let bar = Bar::new(context);
    loop {
        match ask(GcRequest::Ask(ticket))? {
            None => return Err(CliError::failed("the server has stopped; the next collection goes on")),
            Some(GcReply::Running(progress)) => {
                bar.show(progress.as_ref());
                std::thread::sleep(ASK_EVERY);
            }
            Some(reply) => return Ok(Some(reply)),
        }
    }
}

fn offline(context: &Context, task: GcTask) -> Result<GcReply, CliError> {
    let dir = context.existing_data_dir()?;
    let stopped = Stopped::open(&context.config()?.config, &dir)?;
    context.say(Way::Store);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(CliError::failed)?;
    let registry = stopped.registry().clone();
    let bar = Bar::new(context);
    let reply = runtime.block_on(async {
        let actor = Actor::system();
        let work = perform(&registry, &actor, task);
        tokio::pin!(work);
        loop {
            tokio::select! {
                reply = &mut work => return reply,
                () = tokio::time::sleep(ASK_EVERY) => bar.show(registry.collector().progress().as_ref()),
            }
        }
    });
    drop((bar, registry));
    stopped.close();
    reply.map_err(CliError::failed)
}

/// A line that moves while the work goes on; nothing where standard error is no terminal (indicatif sees to that).
struct Bar(ProgressBar);

impl Bar {
    fn new(context: &Context) -> Self {
        let bar = if context.json() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, progress: Option<&Progress>) {
        if let Some(Progress { phase, seen, freed }) = progress {
            let bytes = size(freed.file_bytes());
            self.0.set_message(format!("{}: {seen} looked at, {bytes} freed so far", phase.in_words()));
        }
        self.0.tick();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A number of bytes for people, in the units that `df -h` uses.
fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn rows(text: &mut String, freed: &Freed) {
    let amount = |amount: &Amount| format!("{:>10}  {}", amount.count, size(amount.bytes));
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<34}{value}");
    };
    row("untagged manifests", amount(&freed.manifests));
    row("blobs unused in their repository", format!("{:>10}", freed.links));
    row("blobs unused everywhere", amount(&freed.blobs));
    row("files of such blobs", amount(&freed.files));
    row("files that nothing named", amount(&freed.orphans));
}

fn missing(text: &mut String, missing: u64) {
    if missing > 0 {
        let _ = writeln!(
            text,
            "WARNING: the files of {} are missing; the log names them. Push them again.",
            count(missing, "blob", "blobs")
        );
    }
}

fn done(report: &Report) -> String {
    let mut text = format!("Freed {} on disk in {}.\n", size(report.freed.file_bytes()), span(report.took()));
    if !report.freed.is_nothing() {
        rows(&mut text, &report.freed);
    }
    missing(&mut text, report.missing_files);
    text
}

fn would(survey: &Survey) -> String {
    let mut text = format!("A run would free {} on disk. Nothing was changed.\n", size(survey.goes.file_bytes()));
    if !survey.goes.is_nothing() {
        rows(&mut text, &survey.goes);
    }
    missing(&mut text, survey.missing_files);
    text
}

fn screen(status: &Status) -> String {
    let mut text = String::new();
    match &status.last {
        None => text.push_str("Last run      none yet\n"),
        Some(last) => {
            let by = match last.trigger {
                Trigger::Schedule => "by schedule",
                Trigger::Hand => "by hand",
            };
            let freed = size(last.freed.file_bytes());
            let (when, took) = (moment(last.started), span(last.took()));
            let _ = writeln!(text, "Last run      {when}, {by}: freed {freed} on disk in {took}");
        }
    }
    if let Some(Progress { phase, seen, .. }) = &status.running {
        let _ = writeln!(text, "Running now   {}: {seen} looked at", phase.in_words());
    }
    if let Some(next) = status.next {
        let _ = writeln!(text, "Next run      {}", moment(next));
    }
    let _ = writeln!(text, "Goes then     {} on disk", size(status.survey.goes.file_bytes()));
    if !status.survey.goes.is_nothing() {
        rows(&mut text, &status.survey.goes);
    }
    for waiting in [&status.survey.leased, &status.survey.untagged] {
        if !waiting.is_nothing() {
            text.push_str(&waits(waiting, status));
        }
    }
    if status.survey.leased.is_nothing() && status.survey.untagged.is_nothing() {
        text.push_str("Waits         nothing\n");
    }
    missing(&mut text, status.survey.missing_files);
    text
}

fn waits(waiting: &Waiting, status: &Status) -> String {
    let why = match waiting.why {
        Why::Lease => {
            let lease = span(Duration::from_secs(status.lease_seconds));
            format!("pushed or asked for within {lease}, nothing refers to it yet (gc.lease_seconds)")
        }
        Why::Untagged => {
            let days = status.untagged_days.unwrap_or_default();
            format!("untagged, but used within {} (gc.untagged_days)", count(days, "day", "days"))
        }
    };
    let mut text = format!("Waits         {why}\n");
    let (manifests, blobs) = (waiting.manifests.count, waiting.blobs.count);
    let _ = writeln!(
        text,
        "              {}, {}, {}",
        count(manifests, "manifest", "manifests"),
        count(blobs, "blob", "blobs"),
        size(waiting.manifests.bytes + waiting.blobs.bytes)
    );
    if let (Some(earliest), Some(latest)) = (waiting.earliest, waiting.latest) {
        let _ = writeln!(text, "              from {} until {}", moment(earliest), moment(latest));
    }
    text
}

/// A time to the minute, in UTC.
fn moment(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(16).collect();
    format!("{} UTC", text.replace('T', " "))
}

/// A span of time in the unit that fits.
fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let now = Timestamp(1_795_305_600_000);
        let mut leased = Waiting::new(Why::Lease);
        leased.links = 2;
        leased.blobs.add(5 << 20);
        leased.until(now.plus(Duration::from_hours(3)));
        let mut untagged = Waiting::new(Why::Untagged);
        untagged.manifests.add(1024);
        untagged.until(now.plus(Duration::from_hours(48)));
        untagged.until(now.plus(Duration::from_hours(72)));
        let freed = Freed { files: Amount { count: 3, bytes: 3 << 20 }, ..Freed::default() };
        Status {
            now,
            last: Some(Report {
                started: now.minus(Duration::from_mins(30)),
                took_ms: 1_500,
                trigger: Trigger::Schedule,
                ignored_leases: false,
                freed,
                missing_files: 0,
            }),
            running: None,
            next: Some(now.plus(Duration::from_mins(30))),
            lease_seconds: 86_400,
            untagged_days: Some(30),
            survey: Survey { goes: Freed::default(), leased, untagged, missing_files: 1 },
        }
    }

    #[test]
    fn the_screen_says_what_waits_until_when_and_why() {
        let text = screen(&status());
        for line in [
            "Last run      2026-11-21 23:30 UTC, by schedule: freed 3.00 MiB on disk in 1 s",
            "Next run      2026-11-22 00:30 UTC",
            "within 24 h",
            "0 manifests, 1 blob, 5.00 MiB",
            "from 2026-11-22 03:00 UTC until 2026-11-22 03:00 UTC",
            "used within 30 days (gc.untagged_days)",
            "1 manifest, 0 blobs, 1.00 KiB",
            "from 2026-11-24 00:00 UTC until 2026-11-25 00:00 UTC",
            "the files of 1 blob are missing",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn a_run_that_freed_nothing_is_one_line() {
        let report = Report { freed: Freed::default(), took_ms: 12, ..status().last.unwrap() };
        assert_eq!(done(&report), "Freed 0 B on disk in 12 ms.\n");
        let survey = Survey { missing_files: 0, ..status().survey };
        assert_eq!(would(&survey), "A run would free 0 B on disk. Nothing was changed.\n");
    }
}
