//! Reaction: what follows from what happened, written in the same transaction (transactional outbox).

use super::Registry;
use super::commit::Stamp;
use crate::base::{JobId, RepoId};
use crate::meta::{MetaError, WriteTx, event, job};
use crate::model::event::Happening;
use crate::model::job::{JobState, Task};
use crate::model::{Event, Job};

/// The one table of what must be done after something has happened. Scans, promotion and webhooks will be its rows;
/// today nothing follows from a push but its event.
fn follow_ups(what: &Happening) -> &'static [Task] {
    match what {
        Happening::RepositoryDeleted { .. } => &[Task::RepositoryRemoval],
        Happening::RepositoryCreated { .. }
        | Happening::RepositoryChanged { .. }
        | Happening::ManifestPushed { .. }
        | Happening::TagPushed { .. }
        | Happening::TagDeleted { .. }
        | Happening::ManifestDeleted { .. }
        | Happening::ManifestCollected { .. }
        | Happening::BlobDeleted { .. }
        | Happening::SignedIn { .. }
        | Happening::SessionsEnded { .. }
        | Happening::Pulled { .. }
        | Happening::Refused { .. }
        | Happening::VisibilityChanged { .. }
        | Happening::JobStarted { .. }
        | Happening::JobRemoved { .. }
        | Happening::SettingsChanged { .. }
        | Happening::PasswordChanged { .. }
        | Happening::AccountCreated { .. }
        | Happening::AccountChanged { .. }
        | Happening::AccountDeleted { .. }
        | Happening::TeamCreated { .. }
        | Happening::TeamChanged { .. }
        | Happening::TeamDeleted { .. }
        | Happening::MemberAdded { .. }
        | Happening::MemberRemoved { .. }
        | Happening::GrantSet { .. }
        | Happening::GrantRemoved { .. }
        | Happening::TokenCreated { .. }
        | Happening::TokenChanged { .. }
        | Happening::TokenDeleted { .. } => &[],
    }
}

/// Writes the events and the jobs that follow from them.
///
/// # Errors
/// When the store fails.
pub(super) fn write(
    tx: &mut WriteTx,
    registry: &Registry,
    repo: RepoId,
    events: &[Event],
    stamp: &Stamp,
) -> Result<(), MetaError> {
    event::append(tx, Some(repo), events)?;
    let mut jobs = 0;
    for happened in events {
        for task in follow_ups(&happened.what) {
            let id = JobId(stamp.id(events.len() + jobs).0);
            let work =
                Job { id, task: task.clone(), state: JobState::Waiting, due: stamp.now, attempts: 0, last_error: None };
            job::put(tx, None, &work);
            jobs += 1;
        }
    }
    if jobs > 0 {
        let bell = registry.jobs_bell();
        tx.on_commit(move || bell.notify_one());
    }
    Ok(())
}
