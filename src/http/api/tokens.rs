//! Personal access tokens: a user's own, and for administrators everybody's.
//!
//! Beside MSR's keys a token has `scope` (`all`, `read-only`, or places such as `lab/*:read-write,lab/app:read-only`, which
//! may also be sent as a list) and `expires` (a time; `expiresInDays` says it in days).

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Outcome, page};
use super::error::{Code, Failure};
use super::people::{cut, refused, user};
use super::table::{COUNT, Endpoint, Need, PAGE_SIZE, PAGE_START, Parameter, at_once, parameter, row};
use super::tags::{NEVER, time};
use crate::access::personal_tokens::{NewToken, TokenChange, TokenEntry, TokenFilter};
use crate::base::Timestamp;
use crate::http::reply;
use crate::http::request::user_agent;
use crate::model::operation::{AccountAction, Requirement};
use crate::model::personal_token::{GeneratedBy, TokenHash, TokenScope};

/// For whoever is signed in, not by a bearer token: handlers ask for the account whose tokens they are.
const SIGNED_IN: Need = Need::Account(AccountAction::See);

const USERNAME: Parameter = parameter("username", "string", "whose tokens; the caller's own by default");
const GENERATED_BY: Parameter = parameter("generatedby", "string", "auto (the default), manual or any");
const USED_BEFORE: Parameter = parameter("usedbefore", "string", "only those that were not used since, as in RFC 3339");

const LIST: &str = "/api_tokens";
const ONE: &str = "/api_tokens/{hashedtoken}";

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        LIST,
        "api_list_tokens",
        SIGNED_IN,
        "Access tokens",
        &[USERNAME, PAGE_START, PAGE_SIZE, COUNT],
        |call| at_once(list(&call)),
    ),
    row(
        Method::POST,
        LIST,
        "api_create_token",
        SIGNED_IN,
        "Makes an access token, whose text is shown in this answer and never again",
        &[USERNAME],
        |call| Box::pin(create(call)),
    ),
    row(
        Method::DELETE,
        LIST,
        "api_delete_tokens",
        SIGNED_IN,
        "Deletes access tokens",
        &[USERNAME, GENERATED_BY, USED_BEFORE],
        |call| Box::pin(delete_some(call)),
    ),
    row(Method::GET, ONE, "api_get_token", SIGNED_IN, "One access token", &[], |call| at_once(get(&call))),
    row(
        Method::PATCH,
        ONE,
        "api_change_token",
        SIGNED_IN,
        "Changes its label, or switches it off or on",
        &[],
        |call| Box::pin(change(call)),
    ),
    row(Method::DELETE, ONE, "api_delete_token", SIGNED_IN, "Deletes it; it stops at once", &[], |call| {
        Box::pin(delete(call))
    }),
];

/// Whose tokens are meant, if the caller may manage them.
fn owner(call: &Call<'_>) -> Result<String, Failure> {
    let name = match call.query.text("username") {
        // Whether there is such a user is not said to those who may not ask.
        Some(text) => {
            let name = call.namespace_named(text)?;
            call.need(Requirement::Account(&name, AccountAction::Manage))?;
            user(call, &name)?.name
        }
        None => call.caller.principal.name().to_owned(),
    };
    call.need(Requirement::Account(&name, AccountAction::Manage))?;
    Ok(name)
}

/// Whose the token in the path must be: an administrator may name anybody's.
fn whose(call: &Call<'_>) -> Result<(Option<String>, TokenHash), Failure> {
    let name = call.caller.principal.name().to_owned();
    call.need(Requirement::Account(&name, AccountAction::Manage))?;
    let no_such = || Failure::said(Code::NoSuchApiToken, "there is no such access token; hashedToken names one");
    let hash = TokenHash::parse(call.parameter("hashedtoken")).ok_or_else(no_such)?;
    Ok((if call.may(Requirement::Admin) { None } else { Some(name) }, hash))
}

fn shown(entry: &TokenEntry) -> Value {
    let TokenEntry { hash, token, used, .. } = entry;
    json!({
        "hashedToken": hash,
        "tokenLabel": token.label,
        "isActive": token.active,
        "lastUsed": used.as_ref().map_or_else(|| NEVER.to_owned(), |used| time(used.at)),
        "createdAt": time(token.created),
        "generatedBy": match token.generated_by { GeneratedBy::Manual => "manual", GeneratedBy::Auto => "auto" },
        "creatorUa": token.creator_client,
        "owner": token.owner,
        "scope": token.scope.to_string(),
        "expires": token.expires.map(time),
    })
}

fn list(call: &Call<'_>) -> Outcome {
    let (paging, owner) = (call.query.page()?, owner(call)?);
    let after = paging.start.as_deref().map(hex::decode).transpose();
    let after = after.map_err(|_| {
        Failure::said(Code::InvalidParameters, "pageStart is none that a page of this list gave; begin without it")
    })?;
    let filter = TokenFilter { owner: Some(owner.clone()), ..TokenFilter::default() };
    let mut found = call.app.access.tokens(&filter, after.as_deref(), paging.size + 1)?;
    let next = cut(&mut found, paging.size, |entry| hex::encode(&entry.mark));
    let count = if paging.count { Some(call.app.access.count_tokens(&owner)? as u64) } else { None };
    let rows: Vec<Value> = found.iter().map(shown).collect();
    Ok(page(&Value::Array(rows), next.as_deref(), count))
}

/// What may be said of a token.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    token_label: Option<String>,
    is_active: Option<bool>,
    scope: Option<Value>,
    expires: Option<String>,
    expires_in_days: Option<u32>,
}

/// What is asked for: as replies show it, or the places as a list. Nothing is all.
fn scope(asked: Option<&Value>) -> Result<TokenScope, Failure> {
    let text = match asked {
        None | Some(Value::Null) => return Ok(TokenScope::All),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(places)) => {
            places.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|places| places.join(","))
        }
        Some(_) => None,
    };
    text.and_then(|text| TokenScope::parse(&text)).ok_or_else(|| {
        let message =
            "scope is \"all\", \"read-only\", or a list such as [\"lab/*:read-write\", \"lab/app:read-only\"]";
        Failure::said(Code::InvalidParameters, message)
    })
}

/// When the token is to end: after days, or at a time as replies show it.
fn expires(call: &Call<'_>, asked: &Asked) -> Result<Option<Timestamp>, Failure> {
    match (asked.expires_in_days, asked.expires.as_deref()) {
        (None, None) => Ok(None),
        (None, Some(text)) => moment("expires", text).map(Some),
        (Some(days), None) => {
            let days = Duration::from_secs(u64::from(days) * 86_400);
            Ok(Some(call.app.clock.now().plus(days)))
        }
        (Some(_), Some(_)) => {
            Err(Failure::said(Code::InvalidParameters, "say when the token ends once: expires or expiresInDays"))
        }
    }
}

async fn create(mut call: Call<'_>) -> Outcome {
    let owner = owner(&call)?;
    let asked: Asked = call.object().await?;
    let expires = expires(&call, &asked)?;
    let new = NewToken {
        scope: scope(asked.scope.as_ref())?,
        label: asked.token_label.unwrap_or_default(),
        expires,
        generated_by: GeneratedBy::Manual,
        client: user_agent(call.headers).to_owned(),
    };
    let made = call.app.access.create_token(&call.actor(), Some(&call.caller), &owner, new).await;
    let (token, entry) = made.map_err(refused(Code::NoSuchUser))?;
    let mut body = shown(&entry);
    body["token"] = json!(token.reveal());
    Ok(reply::json(StatusCode::OK, &body))
}

async fn delete_some(call: Call<'_>) -> Outcome {
    let owner = owner(&call)?;
    let generated_by = match call.query.text("generatedby") {
        None | Some("auto") => Some(GeneratedBy::Auto),
        Some("manual") => Some(GeneratedBy::Manual),
        Some("any" | "all") => None,
        Some(_) => return Err(Failure::said(Code::InvalidParameters, "generatedby is auto, manual or any")),
    };
    let used_before = call.query.text("usedbefore").map(|text| moment("usedbefore", text)).transpose()?;
    let filter = TokenFilter { owner: Some(owner), generated_by, used_before };
    let deleted = call.app.access.delete_tokens(&call.actor(), &filter).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "deleted": deleted })))
}

fn moment(parameter: &str, text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).ok_or_else(|| {
        Failure::Said(Code::InvalidParameters, format!("{parameter} is a time such as 2026-01-31T00:00:00Z"))
    })
}

fn get(call: &Call<'_>) -> Outcome {
    let (owner, hash) = whose(call)?;
    let found = call.app.access.personal_token(owner.as_deref(), &hash).map_err(refused(Code::NoSuchApiToken))?;
    Ok(reply::json(StatusCode::OK, &shown(&found)))
}

async fn change(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    let (owner, hash) = whose(&call)?;
    let access = &call.app.access;
    let before = access.personal_token(owner.as_deref(), &hash).map_err(refused(Code::NoSuchApiToken))?;
    // Clients send back what they have read.
    let same_scope = match &asked.scope {
        None => true,
        some => scope(some.as_ref())? == before.token.scope,
    };
    let ends = asked.expires.as_deref().map(|text| moment("expires", text)).transpose()?;
    let same_end = ends.is_none_or(|ends| Some(ends) == before.token.expires) && asked.expires_in_days.is_none();
    if !same_scope || !same_end {
        let message = "what a token gives, and until when, stays as it was made; make another one";
        return Err(Failure::said(Code::InvalidParameters, message));
    }
    let change = TokenChange { label: asked.token_label, active: asked.is_active };
    let changed = access.change_token(&call.actor(), owner.as_deref(), &hash, change).await;
    Ok(reply::json(StatusCode::OK, &shown(&changed.map_err(refused(Code::NoSuchApiToken))?)))
}

async fn delete(call: Call<'_>) -> Outcome {
    let (owner, hash) = whose(&call)?;
    let deleted = call.app.access.delete_token(&call.actor(), owner.as_deref(), &hash).await;
    deleted.map_err(refused(Code::NoSuchApiToken))?;
    Ok(reply::empty(StatusCode::OK))
}
