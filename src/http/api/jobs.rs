//! Work in the background: jobs, what makes them (MSR's crons), and starting a collection.
//!
//! A job that is done is forgotten; `msr-lite gc status` tells of the last collection.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome};
use super::error::{Code, Failure};
use super::table::{Endpoint, Need, Parameter, at_once, parameter, row};
use super::tags::{NEVER, time};
use crate::base::{JobId, Timestamp};
use crate::http::reply;
use crate::meta::{MetaError, WriteError, job};
use crate::model::Job;
use crate::model::job::{JobState, Schedule, Task};
use crate::registry::RegistryError;

/// Jobs that are looked at: there are a handful.
const JOBS: usize = 10_000;
/// Entries of a page that names no number, and the most.
const USUAL: usize = 10;
const MOST: usize = 1_000;

/// MSR's names for what [`Task::GarbageCollection`] does: blobs and metadata at once, beside pushes.
const COLLECT: [&str; 3] = ["onlinegc", "gc", "onlinegc_metadata"];

/// MSR's other actions, and why there is none of each here.
const OTHERS: [(&str, &str); 16] = [
    ("onlinegc_joblogs", "jobs that are done leave no logs here"),
    ("metadatastoremigration", "there is nothing to migrate here"),
    ("tagmigration", "there is nothing to migrate here"),
    ("bloblinkmigration", "there is nothing to migrate here"),
    ("scannedlayermigration", "there is nothing to migrate here"),
    ("license_update", "this registry needs no licence"),
    ("scan_check", "this version of msr-lite does not scan"),
    ("scan_check_single", "this version of msr-lite does not scan"),
    ("scan_check_all", "this version of msr-lite does not scan"),
    ("update_vuln_db", "this version of msr-lite does not scan"),
    ("nautilus_update_db", "this version of msr-lite does not scan"),
    ("push_mirror_tag", "this version of msr-lite has no mirrors yet"),
    ("poll_mirror", "this version of msr-lite has no mirrors yet"),
    ("webhook", "this version of msr-lite has no webhooks yet"),
    ("tag_pruning", "this version of msr-lite has no pruning policies yet"),
    ("ro_registry", "send {\"readOnlyRegistry\": true} to /api/v0/meta/settings instead"),
];

const LIST: &[Parameter] = &[
    parameter("action", "string", "only jobs of this action; any for all"),
    parameter("worker", "string", "only jobs of this worker; any for all"),
    parameter("running", "string", "true or false; any for all"),
    parameter("start", "integer", "how many to pass over"),
    parameter("limit", "integer", "entries of a page: 10 by default"),
];

const LOGS: &[Parameter] = &[
    parameter("stream", "string", "passed over: there is one"),
    parameter("offset", "integer", "how many lines to pass over"),
    parameter("limit", "integer", "lines of a page: 10 by default"),
];

pub(super) static ROWS: &[Endpoint] = &[
    row(Method::GET, "/jobs", "api_list_jobs", Need::Admin, "Jobs that wait, run or failed", LIST, |call| {
        at_once(list(&call))
    }),
    row(
        Method::POST,
        "/jobs",
        "api_create_job",
        Need::Admin,
        "Starts a job; the action gc (or onlinegc) collects garbage",
        &[],
        |call| Box::pin(create(call)),
    ),
    row(Method::GET, "/jobs/{id}", "api_get_job", Need::Admin, "One job", &[], |call| at_once(get(&call))),
    row(
        Method::DELETE,
        "/jobs/{id}",
        "api_delete_job",
        Need::Admin,
        "Forgets a job that failed for good, or a collection that waits",
        &[],
        |call| Box::pin(remove(call)),
    ),
    row(
        Method::POST,
        "/jobs/{id}/cancel",
        "api_cancel_job",
        Need::Admin,
        "Takes back a collection that waits",
        &[],
        |call| Box::pin(remove(call)),
    ),
    row(
        Method::GET,
        "/jobs/{id}/logs",
        "api_get_job_logs",
        Need::Admin,
        "What a job's last failure said",
        LOGS,
        |call| at_once(logs(&call)),
    ),
    row(Method::GET, "/crons", "api_list_crons", Need::Admin, "What is done again and again", &[], |call| {
        at_once(crons(&call))
    }),
    row(
        Method::POST,
        "/crons",
        "api_create_cron",
        Need::Admin,
        "Schedules are settings here: what holds is taken, what would change one is refused",
        &[],
        |call| Box::pin(create_cron(call)),
    ),
    row(Method::GET, "/crons/{action}", "api_get_cron", Need::Admin, "One of them", &[], |call| at_once(cron(&call))),
    row(
        Method::DELETE,
        "/crons/{action}",
        "api_delete_cron",
        Need::Admin,
        "Schedules are settings here: refused",
        &[],
        |call| at_once(find_cron(&call, call.parameter("action")).and(Err(fixed()))),
    ),
    row(
        Method::GET,
        "/action_configs",
        "api_list_action_configs",
        Need::Admin,
        "Parameters of actions; none has any",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!({ "actionConfigs": [] })))),
    ),
    row(
        Method::GET,
        "/workers",
        "api_list_workers",
        Need::Admin,
        "Workers; jobs are done by the registry itself",
        &[],
        |_| at_once(Ok(reply::json(StatusCode::OK, &json!({ "workers": [] })))),
    ),
];

fn action(task: &Task) -> &'static str {
    match task {
        Task::GarbageCollection => COLLECT[0],
        task => task.name(),
    }
}

fn status(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Dead => "errored",
    }
}

/// When a job was made: its id says so.
fn made(id: JobId) -> Timestamp {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&id.0[..6]);
    Timestamp(u64::from_be_bytes(millis))
}

fn shown(call: &Call<'_>, job: &Job) -> Value {
    let worker = if job.state == JobState::Running { call.app.access.instance() } else { "" };
    json!({
        "id": job.id,
        "retryFromID": job.id,
        "workerID": worker,
        "status": status(job.state),
        "scheduledAt": time(made(job.id)),
        "lastUpdated": time(made(job.id)),
        "action": action(&job.task),
        "retriesLeft": 0,
        "retriesTotal": job.attempts,
        "capacityMap": {},
        "parameters": {},
        "deadline": "",
        "stopTimeout": "",
    })
}

fn number(call: &Call<'_>, name: &str, usual: usize) -> Result<usize, Failure> {
    let wrong = |_| Failure::Said(Code::InvalidParameters, format!("{name} is a number"));
    call.query.text(name).map_or(Ok(usual), |text| text.parse().map_err(wrong))
}

fn list(call: &Call<'_>) -> Outcome {
    let (start, limit) = (number(call, "start", 0)?, number(call, "limit", USUAL)?.min(MOST));
    let filter = |name: &str| call.query.text(name).filter(|value| *value != "any");
    let (of, worker, running) = (filter("action"), filter("worker"), filter("running"));
    let fits = |job: &Job| {
        let runs = job.state == JobState::Running;
        of.is_none_or(|of| of == action(&job.task) || (job.task == Task::GarbageCollection && COLLECT.contains(&of)))
            && worker.is_none_or(|worker| runs && worker == call.app.access.instance())
            && running.is_none_or(|running| (running == "true") == runs)
    };
    let mut jobs = call.app.registry.meta().read(|tx| job::list(tx, JOBS)).map_err(RegistryError::Store)?;
    // The latest first.
    jobs.reverse();
    let jobs: Vec<Value> =
        jobs.iter().filter(|job| fits(job)).skip(start).take(limit).map(|job| shown(call, job)).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "jobs": jobs })))
}

fn no_such() -> Failure {
    Failure::said(Code::NoSuchJob, "no such job waits, runs or failed; jobs that are done are forgotten")
}

fn find(call: &Call<'_>) -> Result<Job, Failure> {
    let id = JobId::parse(call.parameter("id")).ok_or_else(no_such)?;
    let job = call.app.registry.meta().read(|tx| job::get(tx, id)).map_err(RegistryError::Store)?;
    job.ok_or_else(no_such)
}

fn get(call: &Call<'_>) -> Outcome {
    Ok(reply::json(StatusCode::OK, &shown(call, &find(call)?)))
}

fn logs(call: &Call<'_>) -> Outcome {
    let job = find(call)?;
    let (offset, limit) = (number(call, "offset", 0)?, number(call, "limit", USUAL)?.min(MOST));
    let lines = job.last_error.iter().map(|error| json!({ "data": error, "lineNum": 1 }));
    let lines: Vec<Value> = lines.skip(offset).take(limit).collect();
    Ok(reply::json(StatusCode::OK, &Value::Array(lines)))
}

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    action: Option<String>,
    schedule: Option<String>,
}

async fn create(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    let asked = asked.action.unwrap_or_default();
    if !COLLECT.contains(&asked.as_str()) {
        known_elsewhere(&asked)?;
        let message = "name an action that this registry has: {\"action\": \"gc\"}";
        return Err(Failure::said(Code::InvalidParameters, message));
    }
    let registry = &call.app.registry;
    let now = registry.clock().now();
    let (task, state) = (Task::GarbageCollection, JobState::Waiting);
    let job = Job { id: JobId::at(now), task, state, due: now, attempts: 0, last_error: None };
    let row = job.clone();
    write(&call, move |tx| {
        job::put(tx, None, &row);
        Ok(())
    })
    .await?;
    registry.jobs_bell().notify_one();
    tracing::info!(by = %call.caller.principal, "a collection was asked for");
    Ok(reply::json(StatusCode::ACCEPTED, &shown(&call, &job)))
}

/// Fails with the reason for an action of MSR that there is not here.
fn known_elsewhere(action: &str) -> Result<(), Failure> {
    match OTHERS.iter().find(|(name, _)| *name == action) {
        Some((_, why)) => Err(Failure::Said(Code::NotImplemented, format!("there is no job {action}: {why}"))),
        None => Ok(()),
    }
}

/// Takes a row away where nothing relies on its work: what the registry owes to itself stays.
async fn remove(call: Call<'_>) -> Outcome {
    let id = find(&call)?.id;
    let removed = write(&call, move |tx| {
        let Some(job) = job::get(tx, id)? else { return Ok(true) };
        let may = match job.state {
            JobState::Dead => true,
            JobState::Waiting => job.task == Task::GarbageCollection,
            JobState::Running => false,
        };
        if may {
            job::remove(tx, &job);
        }
        Ok(may)
    })
    .await?;
    if removed {
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    let message = "this job runs, or the registry needs what it does: it cannot be taken back; it ends by itself";
    Err(Failure::said(Code::Conflict, message))
}

async fn write<T: Send + 'static>(
    call: &Call<'_>,
    work: impl FnMut(&mut crate::meta::WriteTx) -> Result<T, MetaError> + Send + 'static,
) -> Result<T, Failure> {
    let written = call.app.registry.meta().write(work).await;
    written.map_err(|(WriteError::Refused(error) | WriteError::Store(error))| RegistryError::Store(error).into())
}

/// How often, as MSR's scheduler writes it.
fn every(schedule: &Schedule) -> String {
    format!("@every {}s", schedule.every.as_secs())
}

fn cron_shown(schedule: &Schedule) -> Value {
    let action = action(&schedule.task);
    json!({
        "id": action,
        "action": action,
        "schedule": every(schedule),
        "retries": 0,
        "capacityMap": {},
        "parameters": {},
        "deadline": "",
        "stopTimeout": "",
        "nextRun": if schedule.next == Timestamp::default() { NEVER.to_owned() } else { time(schedule.next) },
    })
}

fn schedules(call: &Call<'_>) -> Result<Vec<Schedule>, Failure> {
    Ok(call.app.registry.meta().read(job::schedules).map_err(RegistryError::Store)?)
}

fn crons(call: &Call<'_>) -> Outcome {
    let crons: Vec<Value> = schedules(call)?.iter().map(cron_shown).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "crons": crons })))
}

fn cron(call: &Call<'_>) -> Outcome {
    Ok(reply::json(StatusCode::OK, &cron_shown(&find_cron(call, call.parameter("action"))?)))
}

fn find_cron(call: &Call<'_>, wanted: &str) -> Result<Schedule, Failure> {
    let collects = COLLECT.contains(&wanted);
    let fits = |task: &Task| action(task) == wanted || (collects && *task == Task::GarbageCollection);
    schedules(call)?.into_iter().find(|schedule| fits(&schedule.task)).ok_or_else(|| {
        Failure::said(Code::NoSuchJob, "nothing of this name is done again and again; GET /api/v0/crons lists what is")
    })
}

/// Scripts set the schedule that they want whether it holds or not: to set what holds is no change.
async fn create_cron(mut call: Call<'_>) -> Outcome {
    let Asked { action, schedule } = call.object().await?;
    let Some(action) = action.filter(|action| !action.is_empty()) else {
        return Err(Failure::said(Code::InvalidParameters, "name the action: {\"action\": \"gc\"}"));
    };
    known_elsewhere(&action)?;
    let found = find_cron(&call, &action)?;
    if schedule.is_some_and(|wanted| !wanted.is_empty() && wanted != every(&found)) {
        return Err(fixed());
    }
    Ok(reply::json(StatusCode::ACCEPTED, &cron_shown(&found)))
}

fn fixed() -> Failure {
    let message = "schedules are settings of this registry: set gc.every_minutes in the configuration file and restart";
    Failure::said(Code::NotImplemented, message)
}
