//! What the endpoints about accounts, teams and rights have in common: how each is shown, pages as eNZi counts them, and
//! errors.

use hyper::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::call::{Call, page};
use super::error::{Code, Failure};
use crate::access::AccessError;
use crate::base::Secret;
use crate::http::reply::Reply;
use crate::meta::MetaError;
use crate::model::account::Account;
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::organization::Team;

/// Entries of a page that names no number. eNZi has 10; some clients read one page and no more.
const USUAL: usize = 100;
/// The most entries of a page, as of every list here.
pub(super) const MOST: usize = crate::registry::listing::MAX_PAGE;
/// The most entries of a page that says of each how many members (or teams) it has.
pub(super) const MOST_COUNTED: usize = 100;

/// Puts an error of the accounts into the words of this interface; `code` says what is not found.
pub(super) fn refused(code: Code) -> impl Fn(AccessError) -> Failure {
    move |error| match error {
        AccessError::NotFound(message) => Failure::Said(code, message),
        AccessError::UnknownAccount(name) => {
            let code = if code == Code::NoSuchAccount { code } else { Code::NoSuchUser };
            Failure::Said(code, format!("there is no account {name}; check the name"))
        }
        AccessError::Malformed(message) => Failure::Said(Code::InvalidParameters, message),
        AccessError::Conflict(message) => Failure::Said(Code::Conflict, message),
        other => Failure::Access(other),
    }
}

/// The account of this name, of this id, or of this id behind `id:`.
pub(super) fn account(call: &Call<'_>, text: &str) -> Result<Account, Failure> {
    call.app.access.resolve(text).map_err(refused(Code::NoSuchAccount))
}

/// The same, which must be a user's.
pub(super) fn user(call: &Call<'_>, text: &str) -> Result<Account, Failure> {
    let user = call.app.access.resolve(text).map_err(refused(Code::NoSuchUser))?;
    if user.is_organization() {
        return Err(Failure::Said(Code::NoSuchUser, format!("{} is an organization, and no user", user.name)));
    }
    Ok(user)
}

/// Whether the caller may know more of an account than its name.
fn knows(call: &Call<'_>, account: &Account) -> bool {
    if account.is_organization() {
        call.may(Requirement::Organization(&account.name, OrganizationAction::See))
    } else {
        call.may(Requirement::Account(&account.name, AccountAction::Manage))
    }
}

/// eNZi's `Account`. What the caller may not know is left out. `counted`: with the numbers of an organization.
pub(super) fn account_shown(call: &Call<'_>, account: &Account, counted: bool) -> Result<Value, Failure> {
    let mut shown = json!({
        "name": account.name,
        "id": account.id,
        "fullName": account.full_name,
        "isOrg": account.is_organization(),
        "isImported": false,
        "onDemand": false,
        "otpEnabled": false,
    });
    if knows(call, account) {
        shown["isActive"] = json!(account.active);
        shown["isAdmin"] = json!(account.admin);
        if counted && account.is_organization() {
            let sizes = call.app.access.organization_sizes(&account.name)?;
            // Beyond what is counted, no number is better than a wrong one.
            shown["membersCount"] = json!(sizes.members);
            shown["teamsCount"] = json!(sizes.teams);
        }
    }
    Ok(shown)
}

/// eNZi's `Team`.
pub(super) fn team_shown(call: &Call<'_>, organization: &Account, team: &Team) -> Result<Value, Failure> {
    let mut shown = team_brief(call, organization, team)?;
    shown["membersCount"] = json!(call.app.access.team_sizes(team.id)?.members);
    Ok(shown)
}

/// A team beside a right.
pub(super) fn team_brief(call: &Call<'_>, organization: &Account, team: &Team) -> Result<Value, Failure> {
    let name = call.caller.principal.name();
    Ok(json!({
        "id": team.id,
        "orgID": organization.id,
        "name": team.name,
        "description": team.description,
        "type": "managed",
        "clientUserIsMember": call.caller.is_signed_in() && call.app.access.is_in_team(team.id, name)?,
    }))
}

/// Reads much of the accounts, off the threads that drive connections.
pub(super) async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, AccessError> + Send + 'static,
) -> Result<T, Failure> {
    let reading = tokio::task::spawn_blocking(read).await;
    Ok(reading.map_err(|error| AccessError::Store(MetaError::Storage(error.to_string())))??)
}

/// For serde's `deserialize_with`: a secret that may be missing.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

/// Which page of one of eNZi's lists is asked for.
pub(super) struct Span {
    /// The name behind which it begins.
    pub(super) start: Option<String>,
    /// At most so many entries.
    pub(super) limit: usize,
}

pub(super) fn span(call: &Call<'_>) -> Result<Span, Failure> {
    let limit = call.query.text("limit").map(str::parse::<usize>).transpose();
    let limit = limit.map_err(|_| Failure::said(Code::InvalidParameters, "limit is the number of entries wanted"))?;
    Ok(Span {
        start: call.query.text("start").map(str::to_owned),
        limit: limit.filter(|limit| *limit > 0).unwrap_or(USUAL).min(MOST),
    })
}

/// Cuts what was read with one entry too many to the page; where the next one begins.
pub(super) fn cut<T>(found: &mut Vec<T>, limit: usize, name: impl Fn(&T) -> String) -> Option<String> {
    if found.len() <= limit {
        return None;
    }
    found.truncate(limit);
    found.last().map(name)
}

/// A page of one of eNZi's lists, which says twice where the next one begins.
pub(super) fn listed(mut body: Value, next: Option<&str>) -> Reply {
    body["nextPageStart"] = json!(next.unwrap_or_default());
    let mut reply = page(&body, next, None);
    *reply.status_mut() = StatusCode::OK;
    reply
}
