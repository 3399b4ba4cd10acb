//! How a command ends: exit codes, and errors in words.

use std::process::ExitCode;

/// The program's exit codes. Scripts rely on them: add to them, never renumber. `--help` and the manual page list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed; standard error says why.
    Failed = 1,
    /// The command line is wrong (clap's own code).
    Usage = 2,
    /// The configuration or the data directory is wrong or missing.
    Setup = 3,
    /// A check ran and found something that needs attention.
    Found = 4,
    /// No server is running, and the command needs one.
    NotRunning = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do its work: a message for a person, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong and what to do about it.
    pub message: String,
}

#[allow(clippy::needless_pass_by_value, reason = "by value they fit into map_err")]
impl CliError {
    /// The work failed.
    pub fn failed(message: impl ToString) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }

    /// The configuration or the data directory does not do.
    pub fn setup(message: impl ToString) -> Self {
        Self { exit: Exit::Setup, message: message.to_string() }
    }

    /// The command line is wrong, in a way that only the verb can tell.
    pub fn usage(message: impl ToString) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// No server is running.
    pub fn not_running(message: impl ToString) -> Self {
        Self { exit: Exit::NotRunning, message: message.to_string() }
    }
}
