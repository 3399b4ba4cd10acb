//! `msr-lite user reset-password`

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::{CliError, Context, Exit};
use crate::access::{Access, AccessSettings};
use crate::base::{Clock, Secret};
use crate::meta::{Engine, EngineOptions, MetaError};
use crate::serve::admin::{AdminAnswer, AdminRequest, Way};
use crate::serve::{INITIAL_PASSWORD, STORE};

/// `msr-lite user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
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
}

/// Runs the verb.
///
/// # Errors
/// When there is no such account, or neither server nor store can be reached.
pub fn run(context: &Context, command: &UserCommand) -> Result<Exit, CliError> {
    let UserCommand::ResetPassword { account } = command;
    let password = match context.ask(&AdminRequest::ResetPassword { account: account.clone() })? {
        Some(AdminAnswer::Password { password }) => password,
        Some(_) => return Err(CliError::failed("the running server did not give a password")),
        None => offline(context, account)?,
    };
    if context.json() {
        context.print_json(&json!({ "account": account, "password": password.reveal() }))?;
    } else {
        context.print(&format!("The new password of {account} is: {}\n", password.reveal()))?;
    }
    Ok(Exit::Done)
}

fn offline(context: &Context, account: &str) -> Result<Secret, CliError> {
    let dir = context.existing_data_dir()?;
    context.say(Way::Store);
    let config = &context.config()?.config;
    let options = EngineOptions { cache: config.metadata_cache_mib << 20, ..EngineOptions::default() };
    let engine = Engine::open(&dir.join(STORE), options).map_err(|error| match error {
        MetaError::InUse => CliError::failed(format!(
            "a server has {} open but does not answer on its administration socket; is it starting or stopping?",
            dir.display()
        )),
        error => CliError::failed(error),
    })?;
    let settings = AccessSettings { anonymous: config.anonymous, token_ttl: Duration::from_mins(5) };
    let access = Access::open(engine, Clock::system(), settings).map_err(CliError::failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    let password = runtime.block_on(access.reset_password(account)).map_err(CliError::failed)?;
    if account == "admin" {
        // It does not work any more; a file that says otherwise would only mislead.
        let _ = std::fs::remove_file(dir.join(INITIAL_PASSWORD));
    }
    Ok(password)
}
