//! `msr-lite access …`: who may do what.

use clap::Subcommand;

use super::desk::{Desk, level, place, table, team, unexpected};
use super::{CliError, Context, Exit};
use crate::access::report::Line;
use crate::oci::RepoName;
use crate::ops::accounts::{AccessReply, AccessRequest, GrantShown};

/// `msr-lite access …`
#[derive(Debug, Subcommand)]
pub enum AccessCommand {
    /// List who can do what, and by which path: for audits
    #[command(after_help = "\
Examples:
  sudo msr-lite access report --csv > rights.csv
  sudo msr-lite access report --json | jq '.[] | select(.level == \"admin\")'")]
    Report {
        /// Comma-separated values, with a line of headings
        #[arg(long)]
        csv: bool,
    },
    /// Show what a user may do to a repository, and why
    #[command(after_help = "Example:\n  msr-lite access show alice lab/web")]
    Show {
        /// Who
        #[arg(value_name = "USER")]
        user: String,
        /// Where
        #[arg(value_name = "REPOSITORY")]
        repo: String,
    },
    /// List the teams that have rights on a repository, or on a whole namespace
    #[command(after_help = "Example:\n  msr-lite access ls 'lab/*'")]
    Ls {
        /// A repository, or a namespace as 'lab/*'
        #[arg(value_name = "PLACE")]
        place: String,
    },
    /// Give a team a right on a repository, or on a whole namespace
    #[command(after_help = "\
Rights add up: the greatest that any team gives counts.

Examples:
  sudo msr-lite access grant lab/web lab/dev read-write
  sudo msr-lite access grant 'lab/*' lab/ops admin")]
    Grant {
        /// A repository, or a namespace as 'lab/*'
        #[arg(value_name = "PLACE")]
        place: String,
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
        /// read-only, read-write or admin
        #[arg(value_name = "LEVEL")]
        level: String,
    },
    /// Take a team's right away
    #[command(after_help = "Example:\n  sudo msr-lite access revoke lab/web lab/dev")]
    Revoke {
        /// A repository, or a namespace as 'lab/*'
        #[arg(value_name = "PLACE")]
        place: String,
        /// The team
        #[arg(value_name = "ORG/TEAM")]
        team: String,
    },
    /// Make a repository public: everybody who is signed in may pull, and others where the setting `anonymous` says so
    #[command(after_help = "Example:\n  sudo msr-lite access publish lab/web")]
    Publish {
        /// The repository
        #[arg(value_name = "REPOSITORY")]
        repo: String,
    },
    /// Make a repository private
    #[command(after_help = "Example:\n  sudo msr-lite access unpublish lab/web")]
    Unpublish {
        /// The repository
        #[arg(value_name = "REPOSITORY")]
        repo: String,
    },
    /// Show or switch read-only mode: pulls go on, pushes and deletions are refused
    #[command(after_help = "\
Examples:
  msr-lite access read-only
  sudo msr-lite access read-only on --reason 'moving to a larger disk until 18:00'
  sudo msr-lite access read-only off")]
    ReadOnly {
        /// on or off; without: how it is
        #[arg(value_parser = ["on", "off"], value_name = "on|off")]
        switch: Option<String>,
        /// What those are told whose pushes are refused
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
}

/// Runs the verb.
///
/// # Errors
/// In words, when it cannot be done, or neither server nor store can be reached.
pub fn run(context: &Context, command: &AccessCommand) -> Result<Exit, CliError> {
    let mut desk = Desk::new(context);
    match command {
        AccessCommand::Report { csv } => report(context, &mut desk, *csv)?,
        AccessCommand::Show { user, repo } => {
            desk.done(AccessRequest::Right { user: user.clone(), repo: repository(repo)? })?;
        }
        AccessCommand::Ls { place: at } => {
            let (at, mut grants) = (place(at)?, Vec::<GrantShown>::new());
            desk.pages(
                |after| AccessRequest::Grants { place: at.clone(), after },
                |reply| {
                    let AccessReply::Grants(page, next) = reply else { return Err(unexpected()) };
                    grants.extend(page);
                    Ok(next)
                },
            )?;
            if context.json() {
                context.print_json(&grants)?;
            } else {
                let rows: Vec<_> = grants.into_iter().map(|grant| vec![grant.team, grant.level.to_string()]).collect();
                context.print(&table(&["TEAM", "LEVEL"], &rows))?;
            }
        }
        AccessCommand::Grant { place: at, team: name, level: word } => {
            let ((organization, team), level) = (team(name)?, Some(level(word)?));
            desk.done(AccessRequest::Grant { place: place(at)?, organization, team, level })?;
        }
        AccessCommand::Revoke { place: at, team: name } => {
            let (organization, team) = team(name)?;
            desk.done(AccessRequest::Grant { place: place(at)?, organization, team, level: None })?;
        }
        AccessCommand::Publish { repo } => {
            desk.done(AccessRequest::Visibility { repo: repository(repo)?, public: true })?;
        }
        AccessCommand::Unpublish { repo } => {
            desk.done(AccessRequest::Visibility { repo: repository(repo)?, public: false })?;
        }
        AccessCommand::ReadOnly { switch: None, .. } => {
            let AccessReply::ReadOnly(mode) = desk.ask(AccessRequest::ReadOnly)? else { return Err(unexpected()) };
            if context.json() {
                context.print_json(&mode)?;
            } else {
                context.print(&match mode {
                    None => "The registry takes pushes and deletions.\n".to_owned(),
                    Some(mode) => format!("The registry is read-only since {}. {}\n", mode.since, mode.reason),
                })?;
            }
        }
        AccessCommand::ReadOnly { switch: Some(switch), reason } => {
            desk.done(AccessRequest::SetReadOnly((switch == "on").then(|| reason.clone())))?;
        }
    }
    Ok(Exit::Done)
}

fn repository(text: &str) -> Result<RepoName, CliError> {
    RepoName::parse(text).map_err(|error| CliError::usage(error.to_string()))
}

fn report(context: &Context, desk: &mut Desk<'_>, csv: bool) -> Result<(), CliError> {
    let mut lines: Vec<Line> = Vec::new();
    if csv && !context.json() {
        context.print("account,active,place,level,path\r\n")?;
    }
    desk.pages(AccessRequest::Report, |reply| {
        let AccessReply::Report(part) = reply else { return Err(unexpected()) };
        if csv && !context.json() {
            context.print(&part.lines.iter().map(as_csv).collect::<String>())?;
        } else {
            lines.extend(part.lines);
        }
        Ok(part.next)
    })?;
    if context.json() {
        return context.print_json(&lines);
    }
    if csv {
        return Ok(());
    }
    let row = |line: Line| {
        let account = if line.active { line.account } else { format!("{} (inactive)", line.account) };
        vec![account, line.place, line.level, line.path]
    };
    context.print(&table(&["ACCOUNT", "PLACE", "LEVEL", "PATH"], &lines.into_iter().map(row).collect::<Vec<_>>()))
}

/// One line after RFC 4180. (No name here can begin a formula: names begin with letters and digits.)
fn as_csv(line: &Line) -> String {
    let active = if line.active { "yes" } else { "no" };
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let cells = [quoted(&line.account), active.to_owned(), quoted(&line.place), line.level.clone(), quoted(&line.path)];
    format!("{}\r\n", cells.join(","))
}
