//! What every verb shares: the global flags, the settings, the data directory, and a way to print.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use toml::Value;

use super::config::{FlagValue, Loaded, Sources, load};
use super::instance::{self, Instance};
use super::{CliError, data_dir};
use crate::serve::STORE;
use crate::serve::ServeOptions;
use crate::serve::admin::{self, AdminAnswer, AdminRequest, Way};

/// Flags that every verb takes, before or after it.
#[allow(clippy::doc_markdown, reason = "these comments are the help text")]
#[derive(Clone, Debug, Default, Args)]
pub struct Globals {
    /// The registry's data directory [variable: MSR_LITE_DATA_DIR] [default: /var/lib/msr-lite if it exists]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data_dir: Option<PathBuf>,
    /// The configuration file [default: /etc/msr-lite/config.toml if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// How to log [variable: MSR_LITE_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Everywhere")]
    pub log_format: Option<Format>,
    /// What to log: error, warn, info, debug, trace, or per module [variable: MSR_LITE_LOG] [default: info]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Everywhere")]
    pub log_level: Option<String>,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One readable line per event
    Text,
    /// One JSON object per line
    Json,
}

/// The global flags, and what follows from them.
#[derive(Debug)]
pub struct Context {
    globals: Globals,
    flags: Vec<FlagValue>,
    instance_file: PathBuf,
    loaded: OnceCell<Loaded>,
}

impl Context {
    /// From the global flags, and the flags of a verb that set configuration keys.
    pub fn new(globals: Globals, mut flags: Vec<FlagValue>) -> Self {
        if let Some(dir) = &globals.data_dir {
            flags.push(("data_dir", "--data-dir", Value::String(dir.to_string_lossy().into_owned())));
        }
        if let Some(format) = globals.log_format {
            let name = if format == Format::Json { "json" } else { "text" };
            flags.push(("log_format", "--log-format", Value::String(name.to_owned())));
        }
        if let Some(level) = &globals.log_level {
            flags.push(("log", "--log-level", Value::String(level.clone())));
        }
        Self { globals, flags, instance_file: PathBuf::from(instance::SYSTEM_FILE), loaded: OnceCell::new() }
    }

    /// Whether `--json` was given.
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// This program as it was called, with the global flags that lead to the same registry: what a person can paste.
    pub fn program(&self) -> String {
        let mut words = vec![called(std::env::args().next(), std::env::var_os("PATH").as_deref())];
        let data_dir = self.globals.data_dir.as_ref().filter(|dir| *dir != Path::new(data_dir::SYSTEM_DIR));
        for (flag, value) in [("--config", self.globals.config.as_ref()), ("--data-dir", data_dir)] {
            words.extend(value.iter().flat_map(|path| [flag.to_owned(), path.display().to_string()]));
        }
        let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
        let quoted = words
            .into_iter()
            .map(|word| if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) });
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// The settings; read once, their warnings printed once.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn config(&self) -> Result<&Loaded, CliError> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = load(Sources::of_process(self.globals.config.clone(), self.flags.clone()))?;
        for warning in &loaded.warnings {
            self.note(format!("warning: {warning}"));
        }
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// The data directory, absolute; it may not exist.
    ///
    /// # Errors
    /// When nothing names one; the message has the three ways.
    pub fn data_dir(&self) -> Result<PathBuf, CliError> {
        let config = &self.config()?.config;
        data_dir::resolve(config, Path::new(data_dir::SYSTEM_DIR), Instance::read(&self.instance_file)?.as_ref())
    }

    /// The file that names this machine's registry.
    pub fn instance_file(&self) -> &Path {
        &self.instance_file
    }

    /// The data directory of a registry that was initialised, for verbs that open the store themselves.
    ///
    /// # Errors
    /// When there is no registry in it.
    pub fn existing_data_dir(&self) -> Result<PathBuf, CliError> {
        let dir = self.data_dir()?;
        if dir.join(STORE).exists() {
            return Ok(dir);
        }
        Err(CliError::setup(format!(
            "there is no registry in {0}. Another directory? --data-dir DIR. A new one? msr-lite init --data-dir {0}",
            dir.display()
        )))
    }

    /// What `serve` and `init` need: settings, a directory that exists, the instance it must be.
    ///
    /// # Errors
    /// When the settings are wrong, the directory cannot be used, or this machine's registry is missing from it.
    pub fn serve_options(&self, admin_password_file: Option<PathBuf>) -> Result<ServeOptions, CliError> {
        let dir = self.data_dir()?;
        let instance = Instance::read(&self.instance_file)?;
        // Before the directory is made: where a mount is missing, nothing is to be left behind.
        let expected = instance::check(instance.as_ref(), &self.instance_file, &dir)?;
        let data_dir = data_dir::prepare(&dir)?;
        let config = self.config()?.config.clone();
        Ok(ServeOptions { config, data_dir, admin_password_file, instance: expected })
    }

    /// Asks the running server, and says so; `None` when none runs on the data directory.
    ///
    /// # Errors
    /// When the server cannot be asked, or says that it did not do it.
    pub fn ask(&self, request: &AdminRequest) -> Result<Option<AdminAnswer>, CliError> {
        match admin::ask(&self.data_dir()?, request).map_err(CliError::failed)? {
            None => Ok(None),
            Some(AdminAnswer::Failed { message }) => Err(CliError::failed(message)),
            Some(answer) => {
                self.say(Way::Server);
                Ok(Some(answer))
            }
        }
    }

    /// Says which way a verb took; on standard error, so that it stays out of pipes, and not to scripts.
    pub fn say(&self, way: Way) {
        if !self.json() {
            self.note(format!("({way})"));
        }
    }

    /// A line on standard error.
    #[allow(clippy::unused_self, reason = "printing belongs to the context")]
    pub fn note(&self, line: impl Display) {
        // If standard error is gone there is nobody to tell.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Text on standard output. A reader that went away (`| head`) is no error.
    ///
    /// # Errors
    /// When standard output cannot be written.
    #[allow(clippy::unused_self, reason = "printing belongs to the context")]
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(CliError::failed(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// JSON on standard output, indented.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(CliError::failed)?;
        self.print(&format!("{text}\n"))
    }
}

/// The name that a shell would find the same program by.
fn called(name: Option<String>, path: Option<&OsStr>) -> String {
    let on_path = |dir: &Path| path.is_some_and(|path| std::env::split_paths(path).any(|entry| entry == dir));
    let elsewhere = |name: &String| Path::new(name).parent().is_some_and(|dir| dir != Path::new("") && !on_path(dir));
    name.filter(elsewhere).unwrap_or_else(|| "msr-lite".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_pasted() {
        let globals = |data: &str| Globals { data_dir: Some(data.into()), ..Globals::default() };
        let program = |data: &str| Context::new(globals(data), Vec::new()).program();
        assert!(program("./data").ends_with(" --data-dir ./data"));
        assert!(program("/srv/my data").ends_with(" --data-dir '/srv/my data'"));
        assert!(!program(data_dir::SYSTEM_DIR).contains("--data-dir"), "it is found without");
        assert!(program("it's").ends_with(r" --data-dir 'it'\''s'"));
        let called = |name: &str| called(Some(name.to_owned()), Some(OsStr::new("/usr/bin:/usr/local/bin")));
        for installed in ["msr-lite", "/usr/local/bin/msr-lite"] {
            assert_eq!(called(installed), "msr-lite");
        }
        assert_eq!(called("target/release/msr-lite"), "target/release/msr-lite");
    }
}
