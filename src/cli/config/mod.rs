//! `msr-lite config show|check|example`, and the merging of settings ([`load`]).

mod example;
mod load;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::json;
use toml::Table;

pub use example::example;
pub use load::{FlagValue, Loaded, Origin, SYSTEM_FILE, Sources, load};

use super::{CliError, Context, Exit};
use crate::base::Config;

/// `msr-lite config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings that would be used, all of them
    #[command(after_help = "\
Examples:
  msr-lite config show
  msr-lite config show --origin      # where each value comes from
  msr-lite config show --json | jq '.[\"limits.manifest_bytes\"].value'")]
    Show {
        /// Also print where each value comes from: default, a line of the file, a variable or a flag
        #[arg(long)]
        origin: bool,
    },
    /// Read the configuration and say whether it is right, without starting anything
    #[command(after_help = "\
Exit codes: 0 all is well, 3 it would not start, 4 it would start but something should be read.

Example:
  msr-lite config check --config ./new.toml && sudo cp new.toml /etc/msr-lite/config.toml")]
    Check,
    /// Print a configuration file with every setting, its meaning, range and default
    #[command(after_help = "\
Example:
  msr-lite config example | sudo tee /etc/msr-lite/config.toml")]
    Example,
}

/// Runs the verb.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn run(context: &Context, command: &ConfigCommand) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Example => context.print(&example())?,
        ConfigCommand::Show { origin } => {
            let loaded = context.config()?;
            if context.json() {
                context.print_json(&as_json(loaded))?;
            } else {
                context.print(&as_toml(loaded, *origin))?;
            }
        }
        ConfigCommand::Check => return check(context),
    }
    Ok(Exit::Done)
}

fn check(context: &Context) -> Result<Exit, CliError> {
    let loaded = context.config()?;
    let file = loaded.file.as_ref().map(|path| path.display().to_string());
    if context.json() {
        context.print_json(&json!({ "file": file, "warnings": loaded.warnings }))?;
    } else {
        let read = file.unwrap_or_else(|| format!("no file ({SYSTEM_FILE} does not exist)"));
        context.print(&format!("The configuration is right. Read: {read}, variables, defaults.\n"))?;
    }
    // The warnings themselves were printed when the configuration was loaded.
    Ok(if loaded.warnings.is_empty() { Exit::Done } else { Exit::Found })
}

fn values(config: &Config) -> Table {
    Table::try_from(config).expect("settings are numbers, texts, switches and lists of them")
}

fn as_toml(loaded: &Loaded, origin: bool) -> String {
    let values = values(&loaded.config);
    let mut lines = Vec::new();
    for key in Config::keys() {
        let line = match example::value_at(&values, key) {
            Some(value) => format!("{} = {value}", key.path()),
            None => format!("# {} is not set", key.path()),
        };
        lines.push((line, loaded.origin(&key.path()).to_string()));
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for (line, from) in lines {
        let _ = if origin { writeln!(text, "{line:width$}  # {from}") } else { writeln!(text, "{line}") };
    }
    text
}

fn as_json(loaded: &Loaded) -> serde_json::Value {
    let values = values(&loaded.config);
    let entry = |key: &crate::base::config::Key| {
        let origin = loaded.origin(&key.path()).to_string();
        (key.path(), json!({ "value": example::value_at(&values, key), "origin": origin }))
    };
    Config::keys().map(entry).collect::<serde_json::Map<_, _>>().into()
}
