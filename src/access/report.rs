//! Who can do what by which path: every account's rights as a list, for audits.

use super::paths::rights_of;
use super::{Access, AccessError, Anonymous};
use crate::meta::{Read, account, repo};
use crate::model::account::Account;
use crate::oci::RepoName;

/// One line: this account has this right in this place by this path. An account may have several paths to a place; the
/// greatest counts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// The account, or `(everybody)`, or `(signed in)`.
    pub account: String,
    /// Whether it may be used.
    pub active: bool,
    /// `*` for everywhere, `lab/*` for a namespace, else a repository.
    pub place: String,
    /// `read-only`, `read-write` or `admin`.
    pub level: String,
    /// The path.
    pub path: String,
}

/// A part of the report, and where the next one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Ask for the next part with this; `None` at the end.
    pub next: Option<From>,
}

/// Where a part of the report begins.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// Behind this account; empty for the first.
    Account(String),
    /// Behind this repository, among the public ones; empty for the first.
    Public(String),
}

/// Accounts, or names of repositories, that one part looks at.
const ACCOUNTS: usize = 50;
const NAMES: usize = 500;

/// The most lines of one account; a line says when there are more.
const MAX_LINES: usize = 1000;

impl Access {
    /// A part of the report: first the accounts by name, then the public repositories.
    ///
    /// # Errors
    /// When the store fails.
    pub fn report(&self, from: Option<&From>) -> Result<Part, AccessError> {
        let first = From::Account(String::new());
        match from.unwrap_or(&first) {
            From::Account(last) => self.report_accounts(Some(last.as_str()).filter(|last| !last.is_empty())),
            From::Public(last) => self.report_public(Some(last.as_str()).filter(|last| !last.is_empty())),
        }
    }

    /// The lines of one user, apart from public repositories; those of an organization's name are none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn report_of(&self, name: &str) -> Result<Vec<Line>, AccessError> {
        self.0.meta.read(|tx| {
            let mut lines = Vec::new();
            if let Some(account) = account::get(tx, name)?.filter(|account| !account.is_organization()) {
                lines_of(tx, &account, &mut lines)?;
            }
            Ok(lines)
        })
    }

    fn report_accounts(&self, last: Option<&str>) -> Result<Part, AccessError> {
        self.0.meta.read(|tx| {
            let accounts = account::list(tx, Some(account::List::Users), last, ACCOUNTS)?;
            let next = match accounts.last() {
                Some(end) if accounts.len() == ACCOUNTS => From::Account(end.name.clone()),
                _ => From::Public(String::new()),
            };
            let mut part = Part { lines: Vec::new(), next: Some(next) };
            for account in &accounts {
                lines_of(tx, account, &mut part.lines)?;
            }
            Ok(part)
        })
    }

    fn report_public(&self, last: Option<&str>) -> Result<Part, AccessError> {
        let who = match self.0.settings.anonymous {
            Anonymous::None => "(signed in)",
            Anonymous::PublicRepositories => "(everybody)",
        };
        self.0.meta.read(|tx| {
            let names = repo::names(tx, last, NAMES)?;
            let next = names.last().filter(|_| names.len() == NAMES).map(|end| From::Public(end.to_string()));
            let mut part = Part { lines: Vec::new(), next };
            for name in names {
                if is_public(tx, &name)? {
                    let path = "the repository is public".to_owned();
                    let (place, level) = (name.to_string(), "read-only".to_owned());
                    part.lines.push(Line { account: who.to_owned(), active: true, place, level, path });
                }
            }
            Ok(part)
        })
    }
}

fn is_public(tx: &impl Read, name: &RepoName) -> Result<bool, AccessError> {
    let Some(id) = repo::id_of(tx, name)? else { return Ok(false) };
    Ok(repo::get(tx, id)?.is_some_and(|row| row.visibility == repo::Visibility::Public))
}

fn lines_of(tx: &impl Read, account: &Account, lines: &mut Vec<Line>) -> Result<(), AccessError> {
    for (n, held) in rights_of(tx, account, None, MAX_LINES + 1)?.into_iter().enumerate() {
        let path = match n {
            MAX_LINES => format!("and more, of which {} is the first", held.path),
            _ => held.path.to_string(),
        };
        let place = held.place.map_or_else(|| "*".to_owned(), |place| place.to_string());
        let (name, level) = (account.name.clone(), held.level.as_str().to_owned());
        lines.push(Line { account: name, active: account.active, place, level, path });
    }
    Ok(())
}
