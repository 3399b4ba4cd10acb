//! What happened, in MSR's words ([`crate::model::event::msr`]) and, beside them, ours: result and reason, client, how
//! often.

use serde_json::{Value, json};

use super::call::{Call, Outcome, page};
use super::error::{Code, Failure};
use super::tags::time;
use crate::base::Timestamp;
use crate::http::v2::read_list;
use crate::model::event::chain::Recorded;
use crate::model::event::msr::{self, ObjectType, Verb};
use crate::model::event::{Happening, Outcome as Ending};
use crate::model::operation::Requirement;
use crate::model::permission::Action;
use crate::model::{Caller, Principal};
use crate::oci::RepoName;
use crate::registry::audit::activity::{ActivityQuery, Sight, Viewer};
use crate::registry::listing::Cursor;

/// `GET /events`.
pub(super) async fn list(call: Call<'_>) -> Outcome {
    events(call, None).await
}

/// `GET /repositories/{repository}/events`.
pub(super) async fn of_repository(call: Call<'_>) -> Outcome {
    let repo = call.repo().clone();
    events(call, Some(repo)).await
}

async fn events(call: Call<'_>, repo: Option<RepoName>) -> Outcome {
    let query = &call.query;
    let paging = query.page()?;
    let wrong = |name: &str, is: &str| Failure::Said(Code::InvalidParameters, format!("{name} is {is}"));
    let moment = |name: &str| {
        let read = |text| Timestamp::parse(text).ok_or_else(|| wrong(name, "a time such as 2026-11-22T10:00:00Z"));
        query.text(name).map(read).transpose()
    };
    let any = |text: Option<&str>| text.filter(|text| !text.eq_ignore_ascii_case("any")).map(str::to_owned);
    let verb = any(query.text("eventType")).map(|text| {
        Verb::parse(&text).ok_or_else(|| wrong("eventType", "CREATE, GET, UPDATE, DELETE, SEND, FAIL or SCAN"))
    });
    let object = any(query.text("objectType")).map(|text| {
        ObjectType::parse(&text)
            .ok_or_else(|| wrong("objectType", "REPOSITORY, TAG, MANIFEST, BLOB, ACCOUNT, TEAM, TOKEN or REGISTRY"))
    });
    let result =
        any(query.text("result")).map(|text| Ending::parse(&text).ok_or_else(|| wrong("result", "done or refused")));
    let wanted = ActivityQuery {
        repo,
        // By name or by id, as accounts are named everywhere here.
        actor: query
            .text("actorId")
            .map(|text| call.app.access.resolve(text).map_or_else(|_| text.to_owned(), |account| account.name)),
        verb: verb.transpose()?,
        object: object.transpose()?,
        result: result.transpose()?,
        since: moment("publishedAfter")?,
        until: moment("publishedBefore")?,
        pulls: query.text("excludePull").is_some() && !query.flag("excludePull")?,
        after: paging.start.map(Cursor),
        limit: paging.size,
    };
    let (app, caller) = (call.app.clone(), call.caller.clone());
    // A page may have to look at many events: not on the thread that serves.
    let found = read_list(usize::MAX, move || {
        let sight = |name: &RepoName| {
            let may = |action| app.access.may(&caller, Requirement::Repository(name, action));
            sight(may(Action::Pull), may(Action::Administer))
        };
        app.registry.activity(&wanted, &viewer(&caller, app.access.may(&caller, Requirement::Admin), &sight))
    })
    .await?;
    let events: Vec<Value> = found.entries.iter().map(event).collect();
    Ok(page(&json!({ "events": events }), found.next.as_ref().map(|Cursor(mark)| mark.as_str()), None))
}

/// How much of a repository's events somebody may see who may pull from it, or administer it.
pub(in crate::http) const fn sight(pull: bool, administer: bool) -> Sight {
    match (pull, administer) {
        (_, true) => Sight::Everything,
        (true, false) => Sight::Changes,
        (false, false) => Sight::Nothing,
    }
}

/// The caller as one who looks at events.
pub(in crate::http) fn viewer<'v>(
    caller: &'v Caller,
    admin: bool,
    sight: &'v dyn Fn(&RepoName) -> Sight,
) -> Viewer<'v> {
    // A token for some places, or for pulling, tells nothing of its owner's account.
    let whole = caller.token.is_none() && caller.through.as_ref().is_none_or(|through| through.scope.is_all());
    let name = match &caller.principal {
        Principal::User { name, .. } if whole => Some(name.as_str()),
        Principal::User { .. } | Principal::Anonymous | Principal::System => None,
    };
    Viewer { name, admin, sight }
}

/// MSR's `Event`, and ours beside it.
fn event(read: &Recorded) -> Value {
    let event = &read.event;
    let words = msr::words(event);
    let actor_type = match &event.actor {
        Principal::User { .. } => "user",
        Principal::System => "system",
        Principal::Anonymous => "anonymous",
    };
    let mut value = json!({
        "id": event.id,
        "publishedAt": time(event.time),
        "actor": event.actor.name(),
        "actorType": actor_type,
        "type": words.verb.as_str(),
        "object": { "id": words.id, "type": words.object.as_str(), "name": words.label },
        "repository": event.what.repository().map_or("", RepoName::as_str),
        "name": words.name,
        "result": event.result.as_str(),
        "count": event.what.times(),
        "chain": read.chain,
        "sequence": read.seq,
    });
    let ours = [
        ("reason", &event.reason),
        ("clientAddress", &event.address),
        ("userAgent", &event.agent),
        ("via", &event.via),
    ];
    for (key, text) in ours {
        if let Some(text) = text {
            value[key] = text.as_str().into();
        }
    }
    match &event.what {
        Happening::TagPushed { digest, .. } => {
            value["target"] = json!({ "id": digest, "type": ObjectType::Manifest.as_str() });
        }
        Happening::Refused { operation, .. } => value["operation"] = operation.as_str().into(),
        _ => {}
    }
    value
}
