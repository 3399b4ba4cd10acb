//! Where verbs about accounts and rights are answered: by the running server, or by the store of a stopped one.

use std::fmt::Write as _;

use tokio::runtime::Runtime;

use super::{CliError, Context};
use crate::access::Access;
use crate::ops::accounts::{AccessReply, AccessRequest, perform};
use crate::serve::admin::{AdminAnswer, AdminRequest, Way};
use crate::serve::{INITIAL_PASSWORD, Stopped};

/// Answers requests; which way it takes is found out with the first, and said once.
pub(super) struct Desk<'c> {
    context: &'c Context,
    way: Option<Found>,
}

enum Found {
    Server,
    Store(Box<Opened>),
}

struct Opened {
    stopped: Stopped,
    access: Access,
    runtime: Runtime,
}

impl<'c> Desk<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self { context, way: None }
    }

    /// Asks.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) fn ask(&mut self, request: AccessRequest) -> Result<AccessReply, CliError> {
        if self.way.is_none() {
            // A request is not told apart from a server's absence by its answer, so the first one shows both.
            if let Some(reply) = self.ask_server(&request)? {
                self.context.say(Way::Server);
                self.way = Some(Found::Server);
                return Ok(reply);
            }
            let opened = Opened::new(self.context)?;
            self.context.say(Way::Store);
            self.way = Some(Found::Store(Box::new(opened)));
        }
        match &self.way {
            Some(Found::Store(opened)) => opened.ask(self.context, request),
            _ => self.ask_server(&request)?.ok_or_else(|| CliError::failed("the server has stopped; run it again")),
        }
    }

    fn ask_server(&self, request: &AccessRequest) -> Result<Option<AccessReply>, CliError> {
        let request = AdminRequest::Access(Box::new(request.clone()));
        let dir = self.context.data_dir()?;
        match crate::serve::admin::ask(&dir, &request).map_err(CliError::failed)? {
            None => Ok(None),
            Some(AdminAnswer::Access(reply)) => Ok(Some(*reply)),
            Some(AdminAnswer::Failed { message }) => Err(CliError::failed(message)),
            Some(_) => Err(unexpected()),
        }
    }

    /// Asks for something of which nothing is to be shown but the sentence that is answered.
    ///
    /// # Errors
    /// As [`Desk::ask`].
    pub(super) fn done(&mut self, request: AccessRequest) -> Result<(), CliError> {
        let AccessReply::Done(text) = self.ask(request)? else { return Err(unexpected()) };
        if self.context.json() {
            return self.context.print_json(&serde_json::json!({ "done": text }));
        }
        self.context.print(&format!("{}.\n", capital(&text)))
    }

    /// Asks page by page; `ask` makes a request from the mark of the page before, `take` takes a page in and gives the
    /// next mark.
    ///
    /// # Errors
    /// As [`Desk::ask`].
    pub(super) fn pages<M: Clone>(
        &mut self,
        ask: impl Fn(Option<M>) -> AccessRequest,
        mut take: impl FnMut(AccessReply) -> Result<Option<M>, CliError>,
    ) -> Result<(), CliError> {
        let mut mark = None;
        loop {
            mark = take(self.ask(ask(mark.clone()))?)?;
            if mark.is_none() {
                return Ok(());
            }
        }
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        if let Some(Found::Store(opened)) = self.way.take() {
            let Opened { stopped, access, runtime } = *opened;
            drop((access, runtime));
            stopped.close();
        }
    }
}

impl Opened {
    fn new(context: &Context) -> Result<Self, CliError> {
        let dir = context.existing_data_dir()?;
        let config = &context.config()?.config;
        let stopped = Stopped::open(config, &dir)?;
        let access = stopped.access(config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { stopped, access, runtime: runtime.map_err(CliError::failed)? })
    }

    fn ask(&self, context: &Context, request: AccessRequest) -> Result<AccessReply, CliError> {
        let resets_admin = request.resets_admin();
        let reply = self.runtime.block_on(perform(&self.access, self.stopped.registry(), request));
        let reply = reply.map_err(CliError::failed)?;
        if resets_admin {
            // It does not work any more; a file that says otherwise would only mislead.
            let _ = std::fs::remove_file(context.existing_data_dir()?.join(INITIAL_PASSWORD));
        }
        Ok(reply)
    }
}

/// What a server of another version would say.
pub(super) fn unexpected() -> CliError {
    CliError::failed("the running server answered something else than what was asked")
}

/// A sentence begins with a capital, unless it begins with a name.
fn capital(text: &str) -> String {
    match text.strip_prefix("there ").or_else(|| text.strip_prefix("the ")) {
        Some(_) => format!("T{}", &text[1..]),
        None => text.to_owned(),
    }
}

/// A table for people: columns as wide as their longest cell, two spaces apart.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// `lab/dev` as organization and team.
///
/// # Errors
/// When it is not of that form.
pub(super) fn team(text: &str) -> Result<(String, String), CliError> {
    match text.split_once('/') {
        Some((organization, team)) if !organization.is_empty() && !team.is_empty() => {
            Ok((organization.to_owned(), team.to_owned()))
        }
        _ => Err(CliError::usage(format!("name the team as ORGANIZATION/TEAM, such as lab/dev, not {text:?}"))),
    }
}

/// `lab/*` as a namespace, anything else as a repository.
///
/// # Errors
/// When it is neither.
pub(super) fn place(text: &str) -> Result<crate::model::permission::Place, CliError> {
    crate::model::permission::Place::parse(text).ok_or_else(|| {
        CliError::usage(format!("name a repository, such as lab/web, or a namespace, such as 'lab/*', not {text:?}"))
    })
}

/// `read-only`, `read-write` or `admin`.
///
/// # Errors
/// For any other word.
pub(super) fn level(text: &str) -> Result<crate::model::Level, CliError> {
    let level = crate::model::Level::parse(text);
    level.ok_or_else(|| CliError::usage(format!("a level is read-only, read-write or admin, not {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [vec!["alice".to_owned(), "yes".to_owned()], vec!["b".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "ADMIN"], &rows), "NAME   ADMIN\nalice  yes\nb\n");
    }

    #[test]
    fn places_and_teams_are_read() {
        assert_eq!(place("lab/*").unwrap().to_string(), "lab/*");
        assert_eq!(place("lab/web/ui").unwrap().to_string(), "lab/web/ui");
        for bad in ["", "*", "/*", "a/b/*", "Lab/*", "lab/"] {
            assert!(place(bad).is_err(), "{bad}");
        }
        assert_eq!(team("lab/dev").unwrap(), ("lab".to_owned(), "dev".to_owned()));
        assert!(team("lab").is_err() && team("/dev").is_err());
    }
}
