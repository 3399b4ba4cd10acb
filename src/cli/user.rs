//! `msr-lite user …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::desk::{Desk, table, unexpected};
use super::{CliError, Context, Exit};
use crate::access::htpasswd::Imported;
use crate::base::Secret;
use crate::ops::accounts::{AccessReply, AccessRequest, AccountShown, NewPassword};

/// `msr-lite user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List the users
    #[command(after_help = "\
Example:
  msr-lite user ls --json | jq -r '.[] | select(.admin) | .name'")]
    Ls,
    /// Show one user or organization
    #[command(after_help = "Example:\n  msr-lite user show alice")]
    Show {
        /// The name, or the id
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make a user, and print the password once
    #[command(after_help = "\
Examples:
  sudo msr-lite user add alice --full-name 'Alice Example'
  sudo msr-lite user add ci --no-password        # for a robot: it signs in by access tokens alone
  sudo msr-lite user add bob --admin --password-file ./bob.txt")]
    Add {
        /// The name: lower-case letters and digits, with single . _ or - between them; the user's namespace
        #[arg(value_name = "NAME")]
        name: String,
        /// How people call the user
        #[arg(long, default_value = "", value_name = "TEXT")]
        full_name: String,
        /// Make the user an administrator of the registry
        #[arg(long)]
        admin: bool,
        /// Read the password from the first line of a file instead of making one up
        #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
        password_file: Option<PathBuf>,
        /// Give no password: access tokens alone
        #[arg(long)]
        no_password: bool,
    },
    /// Change a user
    #[command(after_help = "\
A user who is switched off is signed out everywhere at once, and keeps memberships and access tokens for later. The last active \
administrator cannot be switched off, demoted or deleted.

Examples:
  sudo msr-lite user set alice --active false
  sudo msr-lite user set alice --admin true")]
    Set {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// What is changed
        #[command(flatten)]
        change: Change,
    },
    /// Delete a user
    #[command(after_help = "Example:\n  sudo msr-lite user rm alice --with-repositories")]
    Rm {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// Delete the user's repositories as well
        #[arg(long)]
        with_repositories: bool,
    },
    /// Give an account a new random password, and print it once
    #[command(after_help = "\
Everything that the old password gave ends at once: tokens, sessions, cached sign-ins. Works with the server \
running (for root and the registry's own user) and without.

Examples:
  sudo msr-lite user reset-password admin
  sudo msr-lite user reset-password admin --json | jq -r .password")]
    ResetPassword {
        /// The account's name
        #[arg(value_name = "NAME")]
        account: String,
    },
    /// Make users of an htpasswd file with bcrypt hashes
    #[command(after_help = "\
Users who are there already are left as they are. Hashes are renewed (argon2id) at each user's first sign-in. Other \
kinds of hashes than bcrypt (htpasswd -B) are refused by name. Exit code 4 when lines were refused.

Example:
  sudo msr-lite user import-htpasswd /etc/docker/registry/htpasswd")]
    ImportHtpasswd {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What may be changed about an account.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// How people call the account
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// Whether it may be used: true or false
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
    /// Whether it administers the registry: true or false
    #[arg(long, value_name = "BOOL")]
    admin: Option<bool>,
}

/// Runs the verb.
///
/// # Errors
/// In words, when it cannot be done, or neither server nor store can be reached.
pub fn run(context: &Context, command: &UserCommand) -> Result<Exit, CliError> {
    let mut desk = Desk::new(context);
    match command {
        UserCommand::Ls => list(context, &mut desk, false)?,
        UserCommand::Show { name } => show(context, &mut desk, name)?,
        UserCommand::Add { name, full_name, admin, password_file, no_password } => {
            let password = match password_file {
                Some(file) => NewPassword::Given(first_line(file)?),
                None if *no_password => NewPassword::None,
                None => NewPassword::Generated,
            };
            let (name, full_name) = (name.clone(), full_name.clone());
            let generated = matches!(password, NewPassword::Generated);
            let request = AccessRequest::AddUser { name, full_name, admin: *admin, password };
            if generated { password_of(context, &mut desk, request)? } else { desk.done(request)? }
        }
        UserCommand::Set { name, change } => {
            let Change { full_name, active, admin } = change;
            let (active, admin) = (*active, *admin);
            desk.done(AccessRequest::Set { name: name.clone(), full_name: full_name.clone(), active, admin })?;
        }
        UserCommand::Rm { name, with_repositories } => {
            let with_repositories = *with_repositories;
            desk.done(AccessRequest::Delete { name: name.clone(), with_repositories })?;
        }
        UserCommand::ResetPassword { account } => {
            password_of(context, &mut desk, AccessRequest::ResetPassword(account.clone()))?;
        }
        UserCommand::ImportHtpasswd { file } => return import(context, &mut desk, file),
    }
    Ok(Exit::Done)
}

/// Lists users, or organizations.
pub(super) fn list(context: &Context, desk: &mut Desk<'_>, organizations: bool) -> Result<(), CliError> {
    let mut accounts: Vec<AccountShown> = Vec::new();
    desk.pages(
        |after| AccessRequest::Accounts { organizations, after },
        |reply| {
            let AccessReply::Accounts(page, more) = reply else { return Err(unexpected()) };
            accounts.extend(page);
            Ok(accounts.last().filter(|_| more).map(|last| last.name.clone()))
        },
    )?;
    if context.json() {
        return context.print_json(&accounts);
    }
    let word = |says: bool, word: &str| if says { word.to_owned() } else { String::new() };
    let rows: Vec<Vec<String>> = accounts
        .into_iter()
        .map(|account| {
            let state = if account.active { "active" } else { "inactive" }.to_owned();
            vec![account.name, account.full_name, word(account.admin, "admin"), state]
        })
        .collect();
    let headings: &[&str] =
        if organizations { &["NAME", "FULL NAME"] } else { &["NAME", "FULL NAME", "ADMIN", "STATE"] };
    context.print(&table(headings, &rows))
}

/// Shows an account.
pub(super) fn show(context: &Context, desk: &mut Desk<'_>, name: &str) -> Result<(), CliError> {
    let AccessReply::Account(account) = desk.ask(AccessRequest::Account(name.to_owned()))? else {
        return Err(unexpected());
    };
    if context.json() {
        return context.print_json(&account);
    }
    let yes = |says| if says { "yes" } else { "no" }.to_owned();
    let organizations: Vec<String> = account
        .organizations
        .iter()
        .map(|(name, owner)| if *owner { format!("{name} (owner)") } else { name.clone() })
        .collect();
    let rows = [
        ("name", account.name.clone()),
        ("id", account.id.to_string()),
        ("full name", account.full_name.clone()),
        ("active", yes(account.active)),
        ("administrator", yes(account.admin)),
        ("password", yes(account.password)),
        ("made", account.created.to_string()),
        ("organizations", organizations.join(", ")),
    ];
    let lines: Vec<String> = rows.iter().map(|(what, value)| format!("{what:<15}{value}\n")).collect();
    context.print(&lines.concat())
}

fn password_of(context: &Context, desk: &mut Desk<'_>, request: AccessRequest) -> Result<(), CliError> {
    let AccessReply::Password { account, password } = desk.ask(request)? else { return Err(unexpected()) };
    if context.json() {
        return context.print_json(&json!({ "account": account, "password": password.reveal() }));
    }
    context.print(&format!("The new password of {account} is: {}\n", password.reveal()))
}

fn first_line(file: &PathBuf) -> Result<Secret, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::failed(format!("cannot read {}: {error}", file.display())))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn import(context: &Context, desk: &mut Desk<'_>, file: &PathBuf) -> Result<Exit, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::failed(format!("cannot read {}: {error}", file.display())))?;
    // Few enough for one answer each; the running server has a bound on messages.
    let lines: Vec<&str> = text.lines().collect();
    let (mut outcome, mut before) = (Vec::new(), 0);
    for part in lines.chunks(2000) {
        let request = AccessRequest::ImportHtpasswd(Secret::new(part.join("\n")));
        let AccessReply::Imported(imported) = desk.ask(request)? else { return Err(unexpected()) };
        outcome.extend(imported.into_iter().map(|imported| match imported {
            Imported::Refused { line, reason } => Imported::Refused { line: line + before, reason },
            other => other,
        }));
        before += part.len();
    }
    let refused = outcome.iter().any(|imported| matches!(imported, Imported::Refused { .. }));
    if context.json() {
        context.print_json(&outcome)?;
    } else {
        let lines = outcome.iter().map(|imported| match imported {
            Imported::Created { account } => format!("{account}: made\n"),
            Imported::Kept { account } => format!("{account}: was there already, and was left as it is\n"),
            Imported::Refused { line, reason } => format!("line {line}: refused: {reason}\n"),
        });
        context.print(&lines.collect::<String>())?;
    }
    Ok(if refused { Exit::Found } else { Exit::Done })
}
