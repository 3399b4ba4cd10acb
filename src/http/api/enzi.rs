//! eNZi's part of the interface, `/enzi/v0`: accounts, and signing in.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, Outcome};
use super::error::{Code, Failure};
use super::people::{self, account, account_shown, cut, listed, refused, span};
use super::table::{Endpoint, Need, Parameter, at_once, parameter, row};
use crate::access::accounts::{AccountChange, AccountFilter, NewAccount};
use crate::access::{Access, AccessError};
use crate::base::Secret;
use crate::http::reply;
use crate::http::request::user_agent;
use crate::model::account::{Account, AccountKind};
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};

/// Where it begins.
pub const PREFIX: &str = "/enzi/v0";

/// Pages of accounts that are counted for the totals of a list that is longer than one page.
const COUNTED: usize = 20;

pub(super) const START: Parameter = parameter("start", "string", "nextPageStart of the page before");
pub(super) const LIMIT: Parameter = parameter("limit", "integer", "entries of a page: 100 by default, at most 1000");
pub(super) const SPAN: &[Parameter] = &[START, LIMIT];
const FILTER: Parameter =
    parameter("filter", "string", "users, orgs, admins, non-admins, active-users, inactive-users or all");

/// For whoever is signed in, not by a bearer token.
const SEE: Need = Need::Account(AccountAction::See);

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        "/accounts",
        "enzi_list_accounts",
        SEE,
        "Users and organizations, by name",
        &[FILTER, START, LIMIT],
        |call| Box::pin(list(call)),
    ),
    row(
        Method::POST,
        "/accounts",
        "enzi_create_account",
        Need::Admin,
        "Makes a user or an organization",
        &[],
        |call| Box::pin(create(call)),
    ),
    row(Method::GET, "/accounts/{account}", "enzi_get_account", SEE, "One account", &[], |call| at_once(get(&call))),
    row(
        Method::PATCH,
        "/accounts/{account}",
        "enzi_change_account",
        SEE,
        "Changes an account; its own full name, or for administrators whether it is active and administers",
        &[],
        |call| Box::pin(change(call)),
    ),
    row(
        Method::DELETE,
        "/accounts/{account}",
        "enzi_delete_account",
        Need::Admin,
        "Deletes an account whose namespace is empty",
        &[],
        |call| Box::pin(delete(call)),
    ),
    row(
        Method::GET,
        "/accounts/{account}/organizations",
        "enzi_list_organizations",
        Need::Account(AccountAction::Manage),
        "The organizations that a user is a member of",
        SPAN,
        |call| at_once(organizations(&call)),
    ),
    row(
        Method::POST,
        "/id/login",
        "enzi_sign_in",
        Need::Nothing,
        "Signs in with name and password; the session's token is sent along as a bearer token",
        &[],
        |call| Box::pin(sign_in(call)),
    ),
    row(
        Method::POST,
        "/id/logout",
        "enzi_sign_out",
        Need::Nothing,
        "Ends the session whose token is sent along",
        &[],
        |call| Box::pin(sign_out(call)),
    ),
];

fn filter(text: Option<&str>) -> AccountFilter {
    match text {
        Some("users" | "user") => AccountFilter::Users,
        Some("orgs") => AccountFilter::Organizations,
        Some("admins") => AccountFilter::Admins,
        Some("non-admins") => AccountFilter::NonAdmins,
        Some("active-users") => AccountFilter::ActiveUsers,
        Some("inactive-users") => AccountFilter::InactiveUsers,
        // Clients send words that eNZi never had, and mean all.
        _ => AccountFilter::All,
    }
}

async fn list(call: Call<'_>) -> Outcome {
    let (filter, page) = (filter(call.query.text("filter")), span(&call)?);
    // What an account is allowed is not for everybody, not even by way of a list of those who are.
    if !matches!(filter, AccountFilter::All | AccountFilter::Users | AccountFilter::Organizations) {
        call.need(Requirement::Admin)?;
    }
    let access = call.app.access.clone();
    let (found, next, counts) = people::read(move || {
        let mut found = access.accounts(filter, page.start.as_deref(), page.limit + 1)?;
        let next = cut(&mut found, page.limit, |account: &Account| account.name.clone());
        let counts = if page.start.is_none() && next.is_none() {
            let organizations = found.iter().filter(|account| account.is_organization()).count() as u64;
            (Some(found.len() as u64 - organizations), Some(organizations))
        } else {
            let (users, organizations) = match filter {
                AccountFilter::Organizations => (Some(0), count(&access, AccountFilter::Organizations)?),
                AccountFilter::All => {
                    (count(&access, AccountFilter::Users)?, count(&access, AccountFilter::Organizations)?)
                }
                filter => (count(&access, filter)?, Some(0)),
            };
            (users, organizations)
        };
        Ok((found, next, counts))
    })
    .await?;
    let counted = found.len() <= people::MOST_COUNTED;
    let accounts = found.iter().map(|found| account_shown(&call, found, counted)).collect::<Result<Vec<_>, _>>()?;
    let (users, organizations) = counts;
    let total = users.zip(organizations).map(|(users, organizations)| users + organizations);
    let mut body = json!({ "accounts": accounts });
    for (key, count) in [("usersCount", users), ("orgsCount", organizations), ("resourceCount", total)] {
        if let Some(count) = count {
            body[key] = json!(count);
        }
    }
    Ok(listed(body, next.as_deref()))
}

/// How many there are; `None` where there are more than are counted for one page.
fn count(access: &Access, filter: AccountFilter) -> Result<Option<u64>, AccessError> {
    let (mut count, mut last) = (0, None::<String>);
    for _ in 0..COUNTED {
        let page = access.accounts(filter, last.as_deref(), people::MOST)?;
        count += page.len() as u64;
        if page.len() < people::MOST {
            return Ok(Some(count));
        }
        last = page.last().map(|account| account.name.clone());
    }
    Ok(None)
}

/// What may be said of an account. Clients send their whole structures, with empty texts for what they do not know.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    name: Option<String>,
    full_name: Option<String>,
    #[serde(deserialize_with = "people::secret")]
    password: Option<Secret>,
    is_org: Option<bool>,
    is_admin: Option<bool>,
    is_active: Option<bool>,
    #[serde(rename = "searchLDAP")]
    search_ldap: Option<bool>,
}

impl Asked {
    /// The password, if one was sent.
    fn password(&mut self) -> Option<Secret> {
        self.password.take().filter(|password| !password.reveal().is_empty())
    }
}

async fn create(mut call: Call<'_>) -> Outcome {
    let mut asked: Asked = call.object().await?;
    if asked.search_ldap == Some(true) {
        let message = "this version of msr-lite knows no LDAP; leave \"searchLDAP\" out";
        return Err(Failure::said(Code::NotImplemented, message));
    }
    let Some(name) = asked.name.take().filter(|name| !name.is_empty()) else {
        return Err(Failure::said(Code::InvalidParameters, "name the account: {\"name\": \"…\"}"));
    };
    let organization = asked.is_org == Some(true);
    let new = NewAccount {
        name,
        kind: if organization { AccountKind::Organization } else { AccountKind::User },
        full_name: asked.full_name.take().unwrap_or_default(),
        password: asked.password(),
        admin: asked.is_admin.unwrap_or(false),
        active: asked.is_active.unwrap_or(true) || organization,
    };
    let made = call.app.access.create_account(&call.actor(), new).await.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::json(StatusCode::CREATED, &account_shown(&call, &made, true)?))
}

fn get(call: &Call<'_>) -> Outcome {
    let account = account(call, call.parameter("account"))?;
    Ok(reply::json(StatusCode::OK, &account_shown(call, &account, true)?))
}

async fn change(mut call: Call<'_>) -> Outcome {
    let before = account(&call, call.parameter("account"))?;
    call.need(if before.is_organization() {
        Requirement::Organization(&before.name, OrganizationAction::Manage)
    } else {
        Requirement::Account(&before.name, AccountAction::Manage)
    })?;
    let mut asked: Asked = call.object().await?;
    if asked.name.as_deref().is_some_and(|name| !name.is_empty() && name != before.name)
        || asked.is_org.is_some_and(|is| is != before.is_organization())
    {
        let message = "an account keeps its name, and stays a user or an organization; make another one";
        return Err(Failure::said(Code::InvalidParameters, message));
    }
    // Clients send back what they have read: only what differs is asked for. What an account may is never its own to say
    // (Harbor's CVE-2019-16097).
    let active = asked.is_active.filter(|active| *active != before.active);
    let admin = asked.is_admin.filter(|admin| *admin != before.admin);
    let password = asked.password();
    if active.is_some() || admin.is_some() || password.is_some() {
        call.need(Requirement::Admin)?;
    }
    let (access, actor) = (&call.app.access, call.actor());
    if let Some(password) = password {
        access.set_password_by(&actor, &before.name, password).await.map_err(refused(Code::NoSuchAccount))?;
    }
    let change = AccountChange { full_name: asked.full_name.take(), active, admin };
    let changed = access.change_account(&actor, &before.name, change).await.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::json(StatusCode::OK, &account_shown(&call, &changed, true)?))
}

async fn delete(call: Call<'_>) -> Outcome {
    let name = account(&call, call.parameter("account"))?.name;
    call.app.access.delete_account(&call.actor(), &name).await.map_err(refused(Code::NoSuchAccount))?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn organizations(call: &Call<'_>) -> Outcome {
    let (name, page) = (call.account(), span(call)?);
    let mut found = call.app.access.organizations_of(name, page.start.as_deref(), page.limit + 1)?;
    let next = cut(&mut found, page.limit, |(account, _)| account.name.clone());
    let counted = found.len() <= people::MOST_COUNTED;
    let shown = found.iter().map(|(account, member)| {
        Ok(json!({ "isAdmin": member.owner, "isPublic": false, "org": account_shown(call, account, counted)? }))
    });
    let shown = shown.collect::<Result<Vec<_>, Failure>>()?;
    Ok(listed(json!({ "memberOrgs": shown }), next.as_deref()))
}

/// A name and a password.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SignIn {
    username: Option<String>,
    #[serde(deserialize_with = "people::secret")]
    password: Option<Secret>,
}

async fn sign_in(mut call: Call<'_>) -> Outcome {
    let SignIn { username, password } = call.object().await?;
    let (username, password) = (username.unwrap_or_default(), password.unwrap_or_else(|| Secret::new(String::new())));
    let agent = user_agent(call.headers);
    let access = Arc::clone(call.app);
    let opened = access.access.open_session(&username, password, call.ctx.client, agent).await?;
    call.caller = opened.session.caller;
    let account = account(&call, &username)?;
    let body = json!({ "account": account_shown(&call, &account, false)?, "sessionToken": opened.token.reveal() });
    Ok(reply::json(StatusCode::OK, &body))
}

async fn sign_out(call: Call<'_>) -> Outcome {
    if let Some(token) = super::session_token(call.headers) {
        call.app.access.close_session(token).await?;
    }
    Ok(reply::empty(StatusCode::NO_CONTENT))
}
