//! Floor 5: the command line, one file per verb.
//!
//! [`main`] parses, [`run`] dispatches. A verb gets a [`Context`] (global flags, settings, data directory, printing) and
//! returns an [`Exit`] or a [`CliError`] in words. Verbs that concern a running registry ask it over its socket
//! (`serve::admin`) and open the store only when no server runs; they say which they did.

pub mod access;
mod allocator;
pub mod audit;
pub mod ca;
pub mod cert;
pub mod config;
pub mod context;
pub mod data_dir;
mod desk;
mod error;
pub mod gc;
pub mod init;
pub mod instance;
#[cfg(test)]
mod licenses;
pub mod logging;
pub mod org;
pub mod reindex;
pub mod serve;
pub mod status;
pub mod texts;
pub mod token;
pub mod trust;
pub mod user;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use context::{Context, Globals};
pub use error::{CliError, Exit};

const AFTER_HELP: &str = "\
First steps:
  msr-lite serve --data-dir ./data        # start a registry; it prints what to do next
  msr-lite status --data-dir ./data       # how it is
  msr-lite trust show --data-dir ./data   # how clients come to trust it

A setting comes from a flag, else a variable (MSR_LITE_LISTEN, MSR_LITE_LIMITS__MANIFEST_BYTES, …), else the file, \
else its default; `msr-lite config show --origin` tells which. `msr-lite VERB --help` has examples.

Exit codes:
  0  done
  1  it failed; the message says why
  2  the command line is wrong
  3  the configuration or the data directory is wrong or missing
  4  a check ran and found something that needs attention
  5  no server is running, and the command needs one";

/// A secure registry for container images and applications in one program
///
/// It makes its own certificate authority and a certificate for every name and address of this machine, so that docker,
/// podman and the rest push and pull over TLS once they trust that authority. The server names each client that does
/// not yet, and the cure.
#[derive(Debug, Parser)]
#[command(name = "msr-lite", version, after_help = AFTER_HELP, disable_help_subcommand = true, max_term_width = 110)]
pub struct Cli {
    /// Global flags.
    #[command(flatten)]
    pub globals: Globals,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the registry
    #[command(after_help = serve::AFTER_HELP)]
    Serve(serve::ServeArgs),
    /// Prepare the data directory without serving
    #[command(after_help = init::AFTER_HELP)]
    Init(serve::NameArgs),
    /// Say how the running registry is, on one screen
    #[command(after_help = status::AFTER_HELP)]
    Status,
    /// Show, check or explain the settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The certificate authority: what clients must trust
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// The server's certificate: names, renewal, one of your own
    #[command(subcommand)]
    Cert(cert::CertCommand),
    /// Make this machine trust a registry
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Free the space of what nothing refers to, and see what waits
    #[command(subcommand)]
    Gc(gc::GcCommand),
    /// The record of what happened: write it out, verify it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Derive again from the stored content what lists show of it
    ///
    /// Every manifest is read, and what it is (an image, an application, a chart, …) and what it runs on is decided by
    /// the rules of this version. Nothing that was pushed changes. The registry does the same for each manifest that it
    /// shows when a version before this one wrote its row; this makes it last.
    #[command(after_help = reindex::AFTER_HELP)]
    Reindex,
    /// Users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Organizations and their members
    #[command(subcommand)]
    Org(org::OrgCommand),
    /// Teams of organizations, and their members
    #[command(subcommand)]
    Team(org::TeamCommand),
    /// Access tokens: passwords for machines
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who may do what: rights of teams, public repositories, read-only mode, the report
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Print completions for a shell
    #[command(after_help = "\
Example:
  msr-lite completions bash | sudo tee /etc/bash_completion.d/msr-lite > /dev/null")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per verb
    #[command(after_help = "\
Examples:
  msr-lite man | man -l -
  msr-lite man --out /usr/local/share/man/man1")]
    Man {
        /// Write a page for each verb into this directory instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print this program's licence and those of everything linked into it
    Licenses,
}

/// Parses this process's command line and runs it. Errors go to standard error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Serve(_) = cli.command {
        allocator::share_one_arena();
    }
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // If standard error is gone there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            error.exit.into()
        }
    }
}

/// Runs a parsed command line.
///
/// # Errors
/// In words, with the exit code.
pub fn run(cli: Cli) -> Result<Exit, CliError> {
    let flags = match &cli.command {
        Command::Serve(args) => args.values(),
        Command::Init(args) => args.values(),
        _ => Vec::new(),
    };
    let context = Context::new(cli.globals, flags);
    match &cli.command {
        Command::Serve(args) => serve::run(&context, args),
        Command::Init(args) => init::run(&context, args),
        Command::Status => status::run(&context),
        Command::Config(command) => config::run(&context, command),
        Command::Ca(command) => ca::run(&context, command),
        Command::Cert(command) => cert::run(&context, command),
        Command::Trust(command) => trust::run(&context, command),
        Command::Gc(command) => gc::run(&context, command),
        Command::Audit(command) => audit::run(&context, command),
        Command::Reindex => reindex::run(&context),
        Command::User(command) => user::run(&context, command),
        Command::Org(command) => org::run(&context, command),
        Command::Team(command) => org::run_team(&context, command),
        Command::Token(command) => token::run(&context, command),
        Command::Access(command) => access::run(&context, command),
        Command::Completions { shell } => texts::completions(&context, *shell),
        Command::Man { out } => texts::man(&context, out.as_ref()),
        Command::Licenses => texts::licenses(&context),
    }
}

#[cfg(test)]
mod tests;
