//! Finding repositories: what completes a name, and what `docker search` asks.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::{Call, Outcome};
use super::error::{Code, Failure};
use super::path;
use super::people::{self, account_shown};
use super::repositories;
use super::table::{Endpoint, Need, Parameter, parameter, row};
use crate::access::accounts::AccountFilter;
use crate::access::rights::Visible;
use crate::http::reply;
use crate::http::v2::read_list;
use crate::model::account::Account;
use crate::model::operation::{AccountAction, Requirement};
use crate::model::permission::Action;
use crate::oci::RepoName;
use crate::registry::Registry;
use crate::registry::repos::RepoEntry;

/// Entries of an answer that names no number, and the most there are (MSR's and Docker's).
const USUAL: usize = 25;
const MOST: usize = 100;
/// Accounts that are read at once, and how often one request does.
const MOST_ACCOUNTS: usize = 500;
const PAGES_OF_ACCOUNTS: usize = 20;

/// Where `docker search` is answered.
pub(super) const SEARCH: &str = "/index/dockersearch";

const LIMIT: Parameter = parameter("limit", "integer", "entries of each list: 25 by default, at most 100");
const AUTOCOMPLETE_QUERY: &[Parameter] = &[
    parameter("query", "string", "what the names contain"),
    parameter("namespace", "string", "only repositories of this namespace"),
    parameter("includeRepositories", "boolean", "whether repositories are wanted; they are by default"),
    parameter("includeAccounts", "boolean", "whether accounts are wanted; they are by default"),
    LIMIT,
];
const SEARCH_QUERY: &[Parameter] = &[
    parameter("q", "string", "what the names contain"),
    parameter("n", "integer", "entries: 25 by default, at most 100"),
];

pub(super) static ROWS: &[Endpoint] = &[
    row(
        Method::GET,
        "/index/autocomplete",
        "api_autocomplete",
        Need::Browse,
        "Repositories and accounts whose names contain a text",
        AUTOCOMPLETE_QUERY,
        |call| Box::pin(autocomplete(call)),
    ),
    row(
        Method::GET,
        SEARCH,
        "api_docker_search",
        Need::Browse,
        "What `docker search` shows; also at /v1/search, where it asks",
        SEARCH_QUERY,
        |call| Box::pin(docker_search(call)),
    ),
];

/// What is looked for, and how many are wanted.
fn asked(call: &Call<'_>, text: &str, number: &str) -> Result<(String, usize), Failure> {
    let limit = call
        .query
        .text(number)
        .map(str::parse::<usize>)
        .transpose()
        .map_err(|_| Failure::Said(Code::InvalidParameters, format!("{number} is the number of entries wanted")))?;
    let text = call.query.text(text).unwrap_or_default().trim().to_owned();
    Ok((text, limit.filter(|limit| *limit > 0).unwrap_or(USUAL).min(MOST)))
}

/// Repositories whose name contains the text and that the caller may see; by a bearer token for the catalog, which
/// dockerd gets for `docker search`, all that the account may see. One request looks at a bounded number of names, as every
/// search here.
async fn find(
    call: &Call<'_>,
    text: String,
    namespace: Option<String>,
    limit: usize,
) -> Result<Vec<RepoEntry>, Failure> {
    let access = call.app.access.clone();
    let caller = if call.may(Requirement::Catalog) { call.caller.without_token() } else { call.caller.clone() };
    let find = move |registry: &Registry| {
        let visible = access.visible(&caller).unwrap_or(Visible::Ask);
        let readable = |name: &RepoName| access.decide(&caller, Requirement::Repository(name, Action::Pull)).allowed();
        registry.repositories_with(&text, namespace.as_deref(), limit, &visible, readable)
    };
    Ok(call.app.registry.search_aside(find).await?)
}

/// Accounts whose name contains the text, among as many as one request looks at.
async fn accounts_with(call: &Call<'_>, text: &str, limit: usize) -> Result<Vec<Account>, Failure> {
    let (access, text) = (call.app.access.clone(), text.to_ascii_lowercase());
    let found = people::read(move || {
        let (mut found, mut last) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_OF_ACCOUNTS {
            let page = access.accounts(AccountFilter::All, last.as_deref(), MOST_ACCOUNTS)?;
            let whole = page.len() < MOST_ACCOUNTS;
            last = page.last().map(|account| account.name.clone());
            found.extend(page.into_iter().filter(|account| account.name.contains(&text)));
            if whole || found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    });
    found.await
}

/// A flag that is true unless it says otherwise.
fn wanted(call: &Call<'_>, name: &str) -> Result<bool, Failure> {
    if call.query.text(name).is_none() { Ok(true) } else { call.query.flag(name) }
}

async fn autocomplete(call: Call<'_>) -> Outcome {
    let (text, limit) = asked(&call, "query", "limit")?;
    let namespace = call.query.text("namespace").map(|text| match text {
        path::NO_NAMESPACE => Ok(String::new()),
        text => call.namespace_named(text),
    });
    let namespace = namespace.transpose()?;
    let mut found = Vec::new();
    if wanted(&call, "includeRepositories")? {
        let entries = find(&call, text.clone(), namespace, limit).await?;
        let registry = call.app.registry.clone();
        let details = read_list(usize::MAX, move || registry.described(entries)).await?;
        found = repositories::shown(&call, &details)?;
    }
    let mut accounts = Vec::new();
    if wanted(&call, "includeAccounts")? && call.may(Requirement::Account("", AccountAction::See)) {
        for account in accounts_with(&call, &text, limit).await? {
            accounts.push(account_shown(&call, &account, false)?);
        }
    }
    Ok(reply::json(StatusCode::OK, &json!({ "accountResults": accounts, "repositoryResults": found })))
}

async fn docker_search(call: Call<'_>) -> Outcome {
    let (text, limit) = asked(&call, "q", "n")?;
    let found = find(&call, text.clone(), None, limit).await?;
    let results: Vec<Value> = found
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name,
                "description": entry.short_description,
                "star_count": 0,
                "is_official": false,
                "is_trusted": false,
                "is_automated": false,
            })
        })
        .collect();
    let body = json!({ "query": text, "num_results": results.len(), "results": results });
    Ok(reply::json(StatusCode::OK, &body))
}
