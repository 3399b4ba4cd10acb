//! `msr-lite token …`

use clap::Subcommand;
use serde_json::json;

use super::desk::{Desk, table, unexpected};
use super::{CliError, Context, Exit};
use crate::base::Clock;
use crate::model::personal_token::{TokenHash, TokenScope};
use crate::ops::accounts::{AccessReply, AccessRequest, TokenShown};

/// `msr-lite token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List access tokens: whose, what for, what they give, when they were last used
    #[command(after_help = "\
Examples:
  msr-lite token ls --user ci
  msr-lite token ls --unused-days 90")]
    Ls {
        /// Only those of this user
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Only those that were not used for so many days
        #[arg(long, value_name = "DAYS")]
        unused_days: Option<u64>,
    },
    /// Make an access token for a user, and print it once
    #[command(after_help = "\
The token works wherever the user's password does, but in the pages: docker login takes it as the password, with the \
user's name.

Examples:
  sudo msr-lite token add ci --label 'nightly build' --days 365
  sudo msr-lite token add ci --label pull --scope read-only
  sudo msr-lite token add ci --label web --scope 'lab/web:read-write,lab/base:read-only,tools/*:read-only'")]
    Add {
        /// Whose token it is
        #[arg(value_name = "USER")]
        user: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// What it gives at most: all, read-only, or a list of PLACE:LEVEL, where a place is a repository or NAMESPACE/*
        #[arg(long, default_value = "all", value_name = "SCOPE")]
        scope: String,
        /// After how many days it stops working
        #[arg(long, value_name = "DAYS")]
        days: Option<u64>,
    },
    /// Switch a token on or off, or label it anew
    #[command(after_help = "Example:\n  sudo msr-lite token set 2f6c… --active false")]
    Set {
        /// The token's id, as `token ls` shows it
        #[arg(value_name = "ID")]
        id: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", required_unless_present = "active")]
        label: Option<String>,
        /// Whether it works: true or false
        #[arg(long, value_name = "BOOL")]
        active: Option<bool>,
    },
    /// Delete a token, or all that were not used for long
    #[command(after_help = "\
Examples:
  sudo msr-lite token rm 2f6c…
  sudo msr-lite token rm --unused-days 180")]
    Rm {
        /// The token's id
        #[arg(value_name = "ID", required_unless_present = "unused_days", conflicts_with = "unused_days")]
        id: Option<String>,
        /// All that were not used for so many days
        #[arg(long, value_name = "DAYS")]
        unused_days: Option<u64>,
        /// Of these, only those of this user
        #[arg(long, value_name = "USER", requires = "unused_days")]
        user: Option<String>,
    },
}

/// Runs the verb.
///
/// # Errors
/// In words, when it cannot be done, or neither server nor store can be reached.
pub fn run(context: &Context, command: &TokenCommand) -> Result<Exit, CliError> {
    let mut desk = Desk::new(context);
    match command {
        TokenCommand::Ls { user, unused_days } => list(context, &mut desk, user.as_ref(), *unused_days)?,
        TokenCommand::Add { user, label, scope, days } => {
            let (user, label, scope, days) = (user.clone(), label.clone(), read_scope(scope)?, *days);
            let reply = desk.ask(AccessRequest::AddToken { user, label, scope, days })?;
            let AccessReply::Token { text, token } = reply else { return Err(unexpected()) };
            if context.json() {
                context.print_json(&json!({ "token": text.reveal(), "about": token }))?;
            } else {
                context.print(&format!(
                    "{}\n\nIt is not shown again. To sign in with it as the password, and for pods in Kubernetes:\n  docker login -u \
                     {owner} HOST\n  kubectl create secret docker-registry msr-lite --docker-server=HOST \
                     --docker-username={owner} --docker-password=TOKEN\n",
                    text.reveal(),
                    owner = token.token.owner,
                ))?;
            }
        }
        TokenCommand::Set { id, label, active } => {
            let (token, label, active) = (hash(id)?, label.clone(), *active);
            desk.done(AccessRequest::SetToken { token, label, active })?;
        }
        TokenCommand::Rm { id: Some(id), .. } => desk.done(AccessRequest::DeleteToken(hash(id)?))?,
        TokenCommand::Rm { id: None, unused_days, user } => {
            let unused_days = unused_days.unwrap_or(u64::MAX);
            desk.done(AccessRequest::DeleteTokens { user: user.clone(), unused_days })?;
        }
    }
    Ok(Exit::Done)
}

fn hash(id: &str) -> Result<TokenHash, CliError> {
    TokenHash::parse(id)
        .ok_or_else(|| CliError::usage("a token's id has 64 hexadecimal digits; msr-lite token ls shows it".to_owned()))
}

fn read_scope(text: &str) -> Result<TokenScope, CliError> {
    TokenScope::parse(text).ok_or_else(|| {
        CliError::usage(format!(
            "a scope is all, read-only, or a list of PLACE:LEVEL such as 'lab/web:read-write,lab/*:read-only', not {text:?}"
        ))
    })
}

fn list(
    context: &Context,
    desk: &mut Desk<'_>,
    user: Option<&String>,
    unused_days: Option<u64>,
) -> Result<(), CliError> {
    let mut tokens: Vec<TokenShown> = Vec::new();
    desk.pages(
        |after| AccessRequest::Tokens { user: user.cloned(), unused_days, after },
        |reply| {
            let AccessReply::Tokens(page, next) = reply else { return Err(unexpected()) };
            tokens.extend(page);
            Ok(next)
        },
    )?;
    if context.json() {
        return context.print_json(&tokens);
    }
    let now = Clock::system().now();
    let row = |TokenShown { id, token, used }: TokenShown| {
        let state = token.state(now).as_str().to_owned();
        let expires = token.expires.map_or_else(String::new, |end| end.to_string());
        let last = used.map_or_else(|| "never".to_owned(), |used| format!("{} from {}", used.at, used.address));
        vec![token.owner, token.label, token.scope.to_string(), state, expires, last, id.to_string()]
    };
    let headings = ["USER", "LABEL", "SCOPE", "STATE", "EXPIRES", "LAST USED", "ID"];
    context.print(&table(&headings, &tokens.into_iter().map(row).collect::<Vec<_>>()))
}
