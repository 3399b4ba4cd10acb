//! `msr-lite reindex`

use super::{CliError, Context, Exit};
use crate::base::RepoId;
use crate::oci::Digest;
use crate::registry::kinds::Reindexed;
use crate::serve::Stopped;
use crate::serve::admin::{self, AdminAnswer, AdminRequest, Way};

pub(super) const AFTER_HELP: &str = "\
Works with the server running (for root and the registry's own user) and without, while pushes and pulls go on. It may \
be interrupted and run again at any time.

Examples:
  sudo msr-lite reindex
  sudo msr-lite reindex --json | jq .changed";

/// Runs the verb.
///
/// # Errors
/// When neither server nor store can be reached, or the store fails.
pub fn run(context: &Context) -> Result<Exit, CliError> {
    let done = match online(context)? {
        Some(done) => done,
        None => offline(context)?,
    };
    if context.json() {
        context.print_json(&done)?;
    } else {
        context.print(&format!("Looked at {} manifests, and {} rows changed.\n", done.looked, done.changed))?;
    }
    Ok(Exit::Done)
}

/// Goes through all manifests, a step at a time; `None` when the first step finds nobody to do it.
fn all(
    mut step: impl FnMut(Option<(RepoId, Digest)>) -> Result<Option<Reindexed>, CliError>,
) -> Result<Option<Reindexed>, CliError> {
    let Some(mut done) = step(None)? else { return Ok(None) };
    while done.next.is_some() {
        let more = step(done.next)?;
        let more = more.ok_or_else(|| CliError::failed("the server has stopped; run it again"))?;
        done = Reindexed { looked: done.looked + more.looked, changed: done.changed + more.changed, next: more.next };
    }
    Ok(Some(done))
}

fn online(context: &Context) -> Result<Option<Reindexed>, CliError> {
    let dir = context.data_dir()?;
    let done = all(|after| match admin::ask(&dir, &AdminRequest::Reindex { after }).map_err(CliError::failed)? {
        None => Ok(None),
        Some(AdminAnswer::Reindexed(done)) => Ok(Some(done)),
        Some(AdminAnswer::Failed { message }) => Err(CliError::failed(message)),
        Some(_) => Err(CliError::failed("the running server answered something else than what was asked")),
    })?;
    if done.is_some() {
        context.say(Way::Server);
    }
    Ok(done)
}

fn offline(context: &Context) -> Result<Reindexed, CliError> {
    let dir = context.existing_data_dir()?;
    let stopped = Stopped::open(&context.config()?.config, &dir)?;
    context.say(Way::Store);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(CliError::failed)?;
    let registry = stopped.registry().clone();
    let done = all(|after| runtime.block_on(registry.reindex(after)).map(Some).map_err(CliError::failed));
    drop(registry);
    stopped.close();
    Ok(done?.unwrap_or_default())
}
