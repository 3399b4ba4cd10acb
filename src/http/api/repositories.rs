//! Repositories: the lists, one of them, making, changing and deleting one.

use std::collections::HashMap;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{BY_ID, Call, Outcome, namespace, page};
use super::error::{Code, Failure};
use super::path;
use crate::access::rights::Visible;
use crate::base::Page;
use crate::http::reply;
use crate::http::v2::read_list;
use crate::model::operation::Requirement;
use crate::model::permission::Action;
use crate::oci::RepoName;
use crate::registry::RegistryError;
use crate::registry::listing::{Cursor, Sort};
use crate::registry::repos::{RepoChange, RepoDetails, RepoQuery, Visibility};

/// Repositories that are read at once for a page.
const CHUNK: usize = 100;
/// Bytes of READMEs after which a page ends early.
const LONG: usize = 4 * 1024 * 1024;

/// `GET /repositories`.
pub(super) async fn list(call: Call<'_>) -> Outcome {
    listed(call, None).await
}

/// `GET /repositories/{namespace}`.
pub(super) async fn list_namespace(call: Call<'_>) -> Outcome {
    let namespace = match call.parameter("namespace") {
        path::NO_NAMESPACE => "",
        namespace => namespace,
    };
    let namespace = namespace.to_owned();
    listed(call, Some(namespace)).await
}

async fn listed(call: Call<'_>, of: Option<String>) -> Outcome {
    let paging = call.query.page()?;
    let (registry, access, caller) = (call.app.registry.clone(), call.app.access.clone(), call.caller.clone());
    // What the caller may not see is passed over, and there may be much of it.
    let (found, next, count) = read_list(usize::MAX, move || {
        let visible = access.visible(&caller).unwrap_or(Visible::Ask);
        let readable = |name: &RepoName| access.decide(&caller, Requirement::Repository(name, Action::Pull)).allowed();
        let mut query = RepoQuery {
            namespace: of.clone(),
            sort: Sort::Name,
            after: paging.start.map(Cursor),
            ..RepoQuery::default()
        };
        let (mut found, mut long) = (Vec::new(), 0);
        let (next, total) = loop {
            query.limit = CHUNK.min(paging.size - found.len());
            let page = registry.repositories_visible(&query, &visible, readable)?;
            let details = registry.described(page.entries)?;
            long += details.iter().map(|details| details.long_description.len()).sum::<usize>();
            found.extend(details);
            query.after = page.next;
            if query.after.is_none() || found.len() >= paging.size || long > LONG {
                break (query.after, page.total);
            }
        };
        let count = match total {
            _ if !paging.count => None,
            // More than a page counts on its way.
            None => Some(count(&registry, of.as_deref(), &visible, readable)?),
            total => total,
        };
        Ok((found, next, count))
    })
    .await?;
    let rows = shown(&call, &found)?;
    Ok(page(&json!({ "repositories": rows }), next.as_ref().map(|Cursor(next)| next.as_str()), count))
}

/// Repositories as lists show them.
pub(super) fn shown(call: &Call<'_>, found: &[RepoDetails]) -> Result<Vec<Value>, Failure> {
    let mut types = NamespaceTypes::default();
    found.iter().map(|details| repository(call, &mut types, details)).collect()
}

fn count(
    registry: &crate::registry::Registry,
    of: Option<&str>,
    visible: &Visible,
    readable: impl Fn(&RepoName) -> bool,
) -> Result<u64, RegistryError> {
    let wanted = |name: &RepoName| of.is_none_or(|of| name.namespace() == of) && readable(name);
    let (mut count, mut page) = (0, Page::default());
    loop {
        let names = registry.catalog(&page, visible, wanted)?;
        count += names.entries.len() as u64;
        page.last = names.entries.into_iter().next_back();
        if !names.more {
            return Ok(count);
        }
    }
}

/// `GET /repositories/{repository}`.
pub(super) fn get(call: &Call<'_>) -> Outcome {
    let details = call.app.registry.repository(call.repo())?;
    Ok(reply::json(StatusCode::OK, &repository(call, &mut NamespaceTypes::default(), &details)?))
}

/// `POST /repositories/{namespace}`.
pub(super) async fn create(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    let Some(name) = asked.name.as_deref().filter(|name| !name.is_empty()) else {
        return Err(Failure::said(Code::InvalidParameters, "name the repository: {\"name\": \"…\"}"));
    };
    let namespace = call.parameter("namespace");
    if namespace.starts_with(BY_ID) {
        return Err(Failure::Said(Code::NoSuchAccount, format!("there is no account {namespace}; check the id")));
    }
    let repo = path::repository(namespace, name)
        .map_err(|error| Failure::Said(Code::InvalidRepositoryName, error.to_string()))?;
    call.need(Requirement::Namespace(repo.namespace()))?;
    let details = call.app.registry.create_repository(call.actor(), &repo, asked.change()?).await?;
    Ok(reply::json(StatusCode::CREATED, &repository(&call, &mut NamespaceTypes::default(), &details)?))
}

/// `PATCH /repositories/{repository}`.
pub(super) async fn change(mut call: Call<'_>) -> Outcome {
    let asked: Asked = call.object().await?;
    let change = asked.change()?;
    let details = call.app.registry.change_repository(call.actor(), call.repo(), change).await?;
    Ok(reply::json(StatusCode::OK, &repository(&call, &mut NamespaceTypes::default(), &details)?))
}

/// `DELETE /repositories/{repository}`.
pub(super) async fn delete(call: Call<'_>) -> Outcome {
    match call.app.registry.delete_repository(call.actor(), call.repo()).await {
        Ok(()) | Err(RegistryError::NameUnknown(_)) => Ok(reply::empty(StatusCode::NO_CONTENT)),
        Err(error) => Err(error.into()),
    }
}

/// What may be said of a repository. Clients send their whole structures: what is not here is passed over, what is
/// missing stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    name: Option<String>,
    short_description: Option<String>,
    long_description: Option<String>,
    visibility: Option<String>,
    scan_on_push: Option<bool>,
    immutable_tags: Option<bool>,
    tag_limit: Option<i64>,
}

impl Asked {
    /// What is to change. What is asked for and is not built yet is refused: somebody would rely on it.
    fn change(self) -> Result<RepoChange, Failure> {
        if self.scan_on_push == Some(true) {
            let message = "this version of msr-lite does not scan; send \"scanOnPush\": false";
            return Err(Failure::said(Code::ScanningNotEnabled, message));
        }
        if self.immutable_tags == Some(true) {
            let message = "this version of msr-lite cannot keep tags from being moved; send \"immutableTags\": false";
            return Err(Failure::said(Code::InvalidParameters, message));
        }
        if self.tag_limit.is_some_and(|limit| limit != 0) {
            let message = "this version of msr-lite limits no tags; send \"tagLimit\": 0";
            return Err(Failure::said(Code::InvalidParameters, message));
        }
        let visibility = match self.visibility.as_deref() {
            None => None,
            Some("public") => Some(Visibility::Public),
            Some("private") => Some(Visibility::Private),
            Some(_) => {
                return Err(Failure::said(Code::InvalidRepositoryVisibility, "visibility is public or private"));
            }
        };
        Ok(RepoChange {
            short_description: self.short_description,
            long_description: self.long_description,
            visibility,
        })
    }
}

/// Whose namespaces are, as far as they were looked up.
#[derive(Default)]
struct NamespaceTypes(HashMap<String, &'static str>);

impl NamespaceTypes {
    /// `user` for an account's own namespace, else `organization`.
    fn of(&mut self, call: &Call<'_>, namespace: &str) -> Result<&'static str, Failure> {
        if let Some(known) = self.0.get(namespace) {
            return Ok(known);
        }
        let is_user = call.app.access.account(namespace)?.is_some_and(|account| !account.is_organization());
        let kind = if is_user { "user" } else { "organization" };
        self.0.insert(namespace.to_owned(), kind);
        Ok(kind)
    }
}

/// MSR's `Repository`. The settings are what holds: nothing is scanned at a push, tags move, lists are taken.
fn repository(call: &Call<'_>, types: &mut NamespaceTypes, details: &RepoDetails) -> Result<Value, Failure> {
    let RepoDetails { entry, long_description, pulls, pushes, .. } = details;
    let namespace = namespace(&entry.name);
    Ok(json!({
        "id": format!("{:016x}", entry.id.0),
        "namespace": namespace,
        "namespaceType": types.of(call, namespace)?,
        "name": entry.name.name(),
        "shortDescription": entry.short_description,
        "longDescription": long_description,
        "visibility": entry.visibility,
        "scanOnPush": false,
        "immutableTags": false,
        "enableManifestLists": true,
        "tagLimit": 0,
        "pulls": pulls,
        "pushes": pushes,
    }))
}
