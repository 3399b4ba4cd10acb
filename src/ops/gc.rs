//! Garbage collection as people ask for it: by the command line, on a running server and on a stopped one alike.

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::meta::{MetaError, gc, job};
use crate::model::gc::{Progress, Report, Status, Survey};
use crate::model::job::Task;
use crate::registry::gc::{GcError, Options};
use crate::registry::{Actor, Registry};

/// What is asked for. Each may take long on a large registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GcTask {
    /// Collect. Answered by [`GcReply::Report`].
    Run {
        /// Leases keep nothing.
        ignore_leases: bool,
    },
    /// Tell what a run would free. Answered by [`GcReply::Survey`].
    DryRun {
        /// As if leases kept nothing.
        ignore_leases: bool,
    },
    /// Tell how things stand. Answered by [`GcReply::Status`].
    Status,
}

/// A request to the running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GcRequest {
    /// Begin. Answered by [`GcReply::Ticket`]; the work goes to its end whether or not anybody waits for it.
    Begin(GcTask),
    /// How far is it? Answered by [`GcReply::Running`], or once by the task's own reply.
    Ask(u64),
}

/// The server's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GcReply {
    /// What to ask with.
    Ticket(u64),
    /// It goes on; of a run with how far it is.
    Running(Option<Progress>),
    /// What a run did.
    Report(Box<Report>),
    /// What a run would do.
    Survey(Box<Survey>),
    /// How things stand.
    Status(Box<Status>),
}

/// How collection stands, without a look at what a run would find: that looks at every row, this at three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The last run that came to its end.
    pub last: Option<Report>,
    /// The run that is going on.
    pub running: Option<Progress>,
    /// When the next one begins by itself.
    pub next: Option<Timestamp>,
}

/// Tells how collection stands.
///
/// # Errors
/// When the store fails.
pub fn outlook(registry: &Registry) -> Result<Outlook, MetaError> {
    let (last, schedule) =
        registry.meta().read(|tx| Ok((gc::report(tx)?, job::schedule(tx, &Task::GarbageCollection)?)))?;
    Ok(Outlook { last, running: registry.collector().progress(), next: schedule.map(|schedule| schedule.next) })
}

/// Does what is asked by somebody.
///
/// # Errors
/// [`GcError`].
pub async fn perform(registry: &Registry, actor: &Actor, task: GcTask) -> Result<GcReply, GcError> {
    Ok(match task {
        GcTask::Run { ignore_leases } => {
            GcReply::Report(Box::new(registry.collect_garbage_by(actor, Options { ignore_leases }).await?))
        }
        GcTask::DryRun { ignore_leases } => {
            GcReply::Survey(Box::new(registry.survey_garbage(Options { ignore_leases }).await?))
        }
        GcTask::Status => GcReply::Status(Box::new(registry.garbage_status().await?)),
    })
}
