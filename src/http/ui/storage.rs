//! Room on the disk, and what collection frees of it (ui-design, S13).

use std::time::Duration;

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::{Failure, Outcome, Visit, redirect};
use crate::http::reply::Reply;
use crate::model::gc::{Survey, Trigger};
use crate::ops::gc::{GcTask, Outlook, outlook, perform};
use crate::registry::gc::Options;
use crate::space::Report;

#[derive(Template)]
#[template(path = "storage.html")]
struct StoragePage {
    frame: Frame,
    data_dir: String,
    space: Report,
    lease: Duration,
    untagged_days: Option<u64>,
    every: Duration,
    uploads: u64,
    collection: Outlook,
    survey: Option<Survey>,
    /// A survey was asked for while another is being made.
    busy: bool,
    begun: bool,
}

/// `/system/storage`; with `survey=1` it also says what collection would find, which takes a look at every row.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    let registry = &visit.app.registry;
    let settings = registry.settings();
    let (mut survey, mut busy) = (None, false);
    if visit.query.ticked("survey") {
        match visit.app.survey.try_lock() {
            Ok(_one) => survey = Some(registry.survey_garbage(Options::default()).await.map_err(Failure::from)?),
            Err(_) => busy = true,
        }
    }
    let page = StoragePage {
        frame: visit.frame("Storage", Nav::System),
        data_dir: visit.app.data_dir.display().to_string(),
        space: registry.space().current(),
        lease: settings.lease,
        untagged_days: settings.untagged.map(|after| after.as_secs() / 86_400),
        every: settings.collect_every,
        uploads: registry.blobs().open_sessions() as u64,
        collection: outlook(registry)?,
        survey,
        busy,
        begun: visit.query.get("done") == Some("begun"),
    };
    Ok(render(StatusCode::OK, &page))
}

/// `/system/storage/collect`: begins a run, which goes to its end whether or not anybody looks.
pub(super) fn collect(visit: &Visit<'_>) -> Reply {
    let registry = visit.app.registry.clone();
    let actor = visit.actor();
    tokio::spawn(async move {
        if let Err(error) = perform(&registry, &actor, GcTask::Run { ignore_leases: false }).await {
            tracing::warn!(%error, "the collection that was begun from the pages did not run to its end");
        }
    });
    redirect("/system/storage?done=begun")
}
