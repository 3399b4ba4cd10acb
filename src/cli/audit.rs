//! `msr-lite audit export|verify`

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{CliError, Context, Exit};
use crate::base::Timestamp;
use crate::model::event::chain::Chain;
use crate::oci::RepoName;
use crate::registry::audit::export::{ExportPage, Mark, Wanted};
use crate::registry::audit::key::PublicKey;
use crate::registry::audit::verify::{ChainReport, Report, Verifier};
use crate::serve::Stopped;
use crate::serve::admin::{self, AdminAnswer, AdminRequest, Way};

/// `msr-lite audit …`
#[allow(clippy::doc_markdown, reason = "these comments are the help text")]
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write the record of what happened as JSON lines
    ///
    /// Each event is one line, as it is stored; the SHA-256 of a line stands in the next one of its chain. The first line
    /// has the public key that signs where chains end and what was removed, so that the file can be verified anywhere.
    #[command(after_help = "\
Works with the server running (for root and the registry's own user) and without. Keep exports on another machine: a \
later one is compared with them.

Examples:
  sudo msr-lite audit export --out audit.jsonl
  sudo msr-lite audit export --repo lab/app --since 2026-11-01 | jq .event.what")]
    Export {
        /// Only of this repository: its name, or the id of its chain
        #[arg(long, value_name = "REPO")]
        repo: Option<String>,
        /// Only from this time on: a date, or RFC 3339 such as 2026-11-22T10:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Write into this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say of each chain of events whether it is whole, or where it breaks
    ///
    /// Finds events that were changed, left out, moved, added, or cut off at the end. A file is verified without the
    /// registry. Ends with 1 when anything is amiss.
    #[command(after_help = "\
Examples:
  msr-lite audit verify audit.jsonl
  msr-lite audit verify audit.jsonl --against last-month.jsonl --key registry.pem
  sudo msr-lite audit verify --json | jq .chains")]
    Verify {
        /// An export; without it, the registry of the data directory
        file: Option<PathBuf>,
        /// An earlier export, with which it must agree
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// The registry's public audit key (PEM), instead of the one in the export
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

/// Runs the verb.
///
/// # Errors
/// When neither server nor store can be reached, or a file cannot be read or written.
pub fn run(context: &Context, command: &AuditCommand) -> Result<Exit, CliError> {
    match command {
        AuditCommand::Export { repo, since, out } => {
            let since = since.as_deref().map(time).transpose()?;
            if let Some(repo) = repo
                && Chain::parse(repo).is_none()
                && let Err(error) = RepoName::parse(repo)
            {
                return Err(CliError { exit: Exit::Usage, message: format!("--repo {repo}: {error}") });
            }
            export(context, &Wanted { repo: repo.clone(), since }, out.as_deref())
        }
        AuditCommand::Verify { file, against, key } => {
            let mut verifier = Verifier::new();
            if let Some(file) = key {
                let pem = std::fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
                let key = PublicKey::parse(&pem);
                let key =
                    key.ok_or_else(|| CliError::failed(format!("{} holds no P-256 public key", file.display())))?;
                verifier = verifier.with_key(key);
            }
            if let Some(file) = against {
                let earlier = verify_file(file, Verifier::new())?;
                if !earlier.is_whole() {
                    let message = format!("{} is not whole itself: verify it first", file.display());
                    return Err(CliError::failed(message));
                }
                verifier = verifier.against(&earlier);
            }
            let report = match file {
                Some(file) => verify_file(file, verifier)?,
                None => verify_registry(context, verifier)?,
            };
            if context.json() {
                context.print_json(&report)?;
            } else {
                context.print(&in_words(&report))?;
            }
            Ok(if report.is_whole() { Exit::Done } else { Exit::Failed })
        }
    }
}

fn time(text: &str) -> Result<Timestamp, CliError> {
    let message = format!("--since takes a date or a time such as 2026-11-22T10:00:00Z, not {text}");
    Timestamp::parse(text).ok_or(CliError { exit: Exit::Usage, message })
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!("cannot {what} {}: {error}", file.display()))
}

/// Hands over every page of an export: of the running server, or else of the store.
fn pages(
    context: &Context,
    wanted: &Wanted,
    mut take: impl FnMut(&ExportPage) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let dir = context.data_dir()?;
    let ask = |mark: Option<Mark>| {
        let request = AdminRequest::Events { wanted: wanted.clone(), mark };
        match admin::ask(&dir, &request).map_err(CliError::failed)? {
            None => Ok(None),
            Some(AdminAnswer::Events(page)) => Ok(Some(page)),
            Some(AdminAnswer::Failed { message }) => Err(CliError::failed(message)),
            Some(_) => Err(CliError::failed("the running server answered something else than what was asked")),
        }
    };
    if let Some(mut page) = ask(None)? {
        context.say(Way::Server);
        loop {
            take(&page)?;
            let Some(mark) = page.next else { return Ok(()) };
            page = ask(Some(mark))?.ok_or_else(|| CliError::failed("the server has stopped; run it again"))?;
        }
    }
    let dir = context.existing_data_dir()?;
    let stopped = Stopped::open(&context.config()?.config, &dir)?;
    context.say(Way::Store);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(CliError::failed)?;
    let registry = stopped.registry().clone();
    let mut mark = None;
    let done = loop {
        let page = runtime.block_on(registry.export_events(wanted, mark)).map_err(CliError::failed);
        let taken = page.and_then(|page| take(&page).map(|()| page.next));
        match taken {
            Ok(Some(next)) => mark = Some(next),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop((registry, runtime));
    stopped.close();
    done
}

fn export(context: &Context, wanted: &Wanted, out: Option<&Path>) -> Result<Exit, CliError> {
    let Some(file) = out else {
        pages(context, wanted, |page| context.print(&(page.lines.join("\n") + "\n")))?;
        return Ok(Exit::Done);
    };
    // It gets its name when it is whole.
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let failed = |error: io::Error| cannot("write", &unfinished, &error);
    let mut writer = BufWriter::new(File::create(&unfinished).map_err(failed)?);
    let written = pages(context, wanted, |page| {
        page.lines.iter().try_for_each(|line| writeln!(writer, "{line}")).map_err(failed)
    });
    let written = written.and_then(|()| {
        writer.flush().and_then(|()| writer.get_ref().sync_all()).map_err(failed)?;
        std::fs::rename(&unfinished, file).map_err(|error| cannot("write", file, &error))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written?;
    Ok(Exit::Done)
}

fn verify_file(file: &Path, mut verifier: Verifier) -> Result<Report, CliError> {
    let failed = |error: io::Error| cannot("read", file, &error);
    let mut reader = BufReader::new(File::open(file).map_err(failed)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(verifier.finish());
        }
        line.pop_if(|last| *last == b'\n');
        verifier.line(&String::from_utf8_lossy(&line));
    }
}

fn verify_registry(context: &Context, mut verifier: Verifier) -> Result<Report, CliError> {
    pages(context, &Wanted::default(), |page| {
        for line in &page.lines {
            verifier.line(line);
        }
        Ok(())
    })?;
    Ok(verifier.finish())
}

fn name(chain: &ChainReport) -> String {
    match (&chain.name, chain.chain.0) {
        (Some(name), _) => format!("{name} (chain {})", chain.chain),
        (None, Some(_)) => format!("a repository that is gone (chain {})", chain.chain),
        (None, None) => "what belongs to no repository (chain registry)".to_owned(),
    }
}

/// The report as people read it: what is amiss first, and everything about it.
fn in_words(report: &Report) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        let _ = writeln!(text, "BROKEN  {}", problem.words);
    }
    for chain in report.chains.iter().filter(|chain| !chain.is_whole()) {
        let _ = writeln!(text, "BROKEN  {}", name(chain));
        for problem in &chain.problems {
            let _ = writeln!(text, "        {}", problem.words);
        }
        if chain.more > 0 {
            let _ = writeln!(text, "        and {} more", chain.more);
        }
    }
    for chain in report.chains.iter().filter(|chain| chain.is_whole()) {
        let _ = write!(text, "whole   {}: {} events", name(chain), chain.events);
        if chain.removed > 0 {
            let _ = write!(text, ", {} older ones removed with a signed checkpoint", chain.removed);
        } else if chain.first > 1 {
            let _ = write!(text, ", from event {} on", chain.first);
        }
        text.push('\n');
    }
    let (chains, whole) = (report.chains.len(), report.whole_chains());
    let _ = writeln!(text, "{whole} of {chains} chains verified, {} events.", report.events());
    if !report.key.is_empty() {
        let _ = writeln!(text, "Registry {}, key {}", report.registry, report.key);
    }
    text
}
