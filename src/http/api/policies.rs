//! What comes later: promotion, pruning, mirrors and webhooks. Their lists are empty, and true; making one is refused.
//!
//! They are rows of the table all the same: a path such as `…/lab/app/webhooks` must never be read as the name of a
//! repository, which a `DELETE` would then delete.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::call::{Call, Outcome, page};
use super::error::{Code, Failure};
use super::table::{
    ADMINISTER, Answer, Endpoint, NAMESPACE_WEBHOOKS, Need, PAGING, Parameter, at_once, parameter, row,
};
use crate::http::reply;
use crate::model::operation::AccountAction;

const SOURCE: &[Parameter] = &[parameter("source", "boolean", "as source, or (false) as target")];
const INITIAL: &[Parameter] = &[parameter("initialEvaluation", "boolean", "whether what is there now is looked at")];
const HOOKS: &[Parameter] = &[parameter("webhookType", "string", "only those of this type; any for all")];

/// The rows of one collection of policies: its list, making one, and one of them.
macro_rules! policies {
    ($collection:literal, $one:literal, $what:literal, $none:expr, $list:expr) => {
        [
            row(
                Method::GET,
                concat!("/repositories/{repository}/", $collection),
                concat!("api_list_", $one, "s"),
                ADMINISTER,
                concat!($what, " of a repository; not built yet, so there are none"),
                $list,
                |call| at_once(none(&call)),
            ),
            row(
                Method::POST,
                concat!("/repositories/{repository}/", $collection),
                concat!("api_create_", $one),
                ADMINISTER,
                concat!($what, ": makes one; not built yet"),
                INITIAL,
                |call| later(&call, $what),
            ),
            row(
                Method::GET,
                concat!("/repositories/{repository}/", $collection, "/{id}"),
                concat!("api_get_", $one),
                ADMINISTER,
                concat!($what, ": one of them; not built yet, so there is none"),
                &[],
                |call| no_such(&call, $none, $what),
            ),
            row(
                Method::PUT,
                concat!("/repositories/{repository}/", $collection, "/{id}"),
                concat!("api_change_", $one),
                ADMINISTER,
                concat!($what, ": changes one; not built yet, so there is none"),
                INITIAL,
                |call| no_such(&call, $none, $what),
            ),
            row(
                Method::DELETE,
                concat!("/repositories/{repository}/", $collection, "/{id}"),
                concat!("api_delete_", $one),
                ADMINISTER,
                concat!($what, ": deletes one; not built yet, so there is none"),
                &[],
                |call| no_such(&call, $none, $what),
            ),
        ]
    };
}

pub(super) static PROMOTION: &[Endpoint] =
    &policies!("promotionPolicies", "promotion_policy", "promotion policies", Code::NoSuchPromotionPolicy, SOURCE);
pub(super) static PRUNING: &[Endpoint] =
    &policies!("pruningPolicies", "pruning_policy", "pruning policies", Code::NoSuchPruningPolicy, PAGING);
pub(super) static PUSH_MIRRORING: &[Endpoint] = &policies!(
    "pushMirroringPolicies",
    "push_mirroring_policy",
    "mirrors to another registry",
    Code::NoSuchPushMirroringPolicy,
    PAGING
);
pub(super) static POLL_MIRRORING: &[Endpoint] = &policies!(
    "pollMirroringPolicies",
    "poll_mirroring_policy",
    "mirrors from another registry",
    Code::NoSuchPollMirroringPolicy,
    PAGING
);

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::POST,
        "/repositories/{repository}/pruningPolicies/test",
        "api_test_pruning_policy",
        ADMINISTER,
        "What a pruning policy would take; not built yet",
        PAGING,
        |call| later(&call, "pruning policies"),
    ),
    row(
        Method::GET,
        "/repositories/{repository}/pruningPolicies/test",
        "api_show_pruning_test",
        ADMINISTER,
        "The same; MSR's documents know it by both methods",
        &[],
        |call| later(&call, "pruning policies"),
    ),
    row(
        Method::GET,
        "/repositories/{repository}/mirroringPolicies",
        "api_list_mirroring_policies",
        ADMINISTER,
        "Mirrors of a repository in both directions; not built yet, so there are none",
        PAGING,
        |call| at_once(none(&call)),
    ),
    row(
        Method::DELETE,
        "/repositories/{repository}/mirroringPolicies",
        "api_delete_mirroring_policies",
        ADMINISTER,
        "Deletes mirrors; not built yet, so there is none",
        &[],
        |call| no_such(&call, Code::NoSuchPushMirroringPolicy, "mirrors"),
    ),
    row(
        Method::POST,
        "/repositories/{repository}/tags/{tag}/promotion",
        "api_promote_tag",
        ADMINISTER,
        "Copies a tag to another repository; not built yet",
        &[],
        |call| later(&call, "promotion"),
    ),
    row(
        Method::POST,
        "/repositories/{repository}/tags/{tag}/pushMirroring",
        "api_mirror_tag",
        ADMINISTER,
        "Copies a tag to another registry; not built yet",
        &[],
        |call| later(&call, "mirrors to another registry"),
    ),
    row(
        Method::POST,
        "/remote/registry",
        "api_check_remote",
        Need::SignedIn,
        "Tries credentials at another registry; not built yet",
        &[],
        |call| later(&call, "mirrors"),
    ),
    row(
        Method::GET,
        "/repositories/{repository}/webhooks",
        "api_list_repository_webhooks",
        ADMINISTER,
        "Webhooks of a repository; not built yet, so there are none",
        PAGING,
        |call| at_once(none(&call)),
    ),
    row(
        Method::GET,
        NAMESPACE_WEBHOOKS,
        "api_list_namespace_webhooks",
        Need::Account(AccountAction::Manage),
        "Webhooks of a namespace, as MSR's documents name them; not built yet, so there are none",
        PAGING,
        |call| at_once(none(&call)),
    ),
    row(
        Method::GET,
        "/webhooks",
        "api_list_webhooks",
        Need::SignedIn,
        "Webhooks; not built yet, so there are none",
        HOOKS,
        |call| at_once(none(&call)),
    ),
    row(
        Method::POST,
        "/webhooks",
        "api_create_webhook",
        Need::SignedIn,
        "Makes a webhook; not built yet",
        &[],
        |call| later(&call, "webhooks"),
    ),
    row(
        Method::POST,
        "/webhooks/update",
        "api_change_webhook",
        Need::SignedIn,
        "Changes a webhook; not built yet",
        &[],
        |call| later(&call, "webhooks"),
    ),
    row(
        Method::POST,
        "/webhooks/test",
        "api_test_webhook",
        Need::SignedIn,
        "Tries a webhook; not built yet",
        &[],
        |call| later(&call, "webhooks"),
    ),
    row(
        Method::DELETE,
        "/webhooks/{id}",
        "api_delete_webhook",
        Need::SignedIn,
        "Deletes a webhook; not built yet, so there is none",
        &[],
        |call| no_such(&call, Code::NoSuchWebhook, "webhooks"),
    ),
    row(
        Method::POST,
        "/workers/{id}/capacity",
        "api_change_worker_capacity",
        Need::Admin,
        "How much a worker does at once; this registry has none",
        &[],
        |call| later(&call, "workers"),
    ),
    row(
        Method::GET,
        "/content_caches",
        "api_list_content_caches",
        Need::Admin,
        "Caches of this registry elsewhere; it has none",
        &[],
        |call| at_once(none(&call)),
    ),
    row(
        Method::POST,
        "/content_caches",
        "api_create_content_cache",
        Need::Admin,
        "Registers a cache; this registry has none",
        &[],
        |call| later(&call, "content caches"),
    ),
    row(
        Method::DELETE,
        "/content_caches/{id}",
        "api_delete_content_cache",
        Need::Admin,
        "Forgets a cache; this registry has none",
        &[],
        |call| no_such(&call, Code::NoSuchContentCache, "content caches"),
    ),
];

/// The repository in the path, if there is one, is there.
fn check(call: &Call<'_>) -> Result<(), Failure> {
    if call.repo.is_some() {
        call.app.registry.counts(call.repo())?;
    }
    Ok(())
}

fn none(call: &Call<'_>) -> Outcome {
    check(call)?;
    let paging = call.query.page()?;
    Ok(if paging.count { page(&json!([]), None, Some(0)) } else { reply::json(StatusCode::OK, &json!([])) })
}

fn later<'r>(call: &Call<'_>, what: &str) -> Answer<'r> {
    let message = format!("this version of msr-lite has no {what} yet; nothing was changed");
    at_once(check(call).and(Err(Failure::Said(Code::NotImplemented, message))))
}

fn no_such<'r>(call: &Call<'_>, code: Code, what: &str) -> Answer<'r> {
    let message = format!("there is none of this id, for this version of msr-lite has no {what} yet");
    at_once(check(call).and(Err(Failure::Said(code, message))))
}
