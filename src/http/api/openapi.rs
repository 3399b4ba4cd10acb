//! The interface as `OpenAPI` 3.1 describes it, made of the table and nothing else. `assets/openapi.json` is its text;
//! `make bless` writes it anew.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::path;
use super::table::{Endpoint, Need, endpoints};
use crate::http::reply::{self, Reply};
use crate::model::operation::{AccountAction, OrganizationAction};
use crate::model::permission::Action;

/// The text that is checked in and served.
pub const TEXT: &str = include_str!("../../../assets/openapi.json");

/// `GET /openapi.json`.
pub(super) fn get() -> Reply {
    reply::typed(StatusCode::OK, "application/json", TEXT)
}

/// What a caller must be allowed, in words.
pub fn need(needs: Need) -> &'static str {
    match needs {
        Need::Nothing => "nothing",
        Need::SignedIn => "signed in",
        Need::Browse => "signed in, or anybody where public repositories are open to all",
        Need::Admin => "administrator",
        Need::Organization(OrganizationAction::See) => "member of the organization",
        Need::Organization(OrganizationAction::Manage) => "owner of the organization",
        Need::Account(AccountAction::See) => "signed in, not by a bearer token",
        Need::Account(AccountAction::Manage) => "the account itself",
        Need::Repository(Action::Pull) => "read-only on the repository",
        Need::Repository(Action::Push | Action::Delete) => "read-write on the repository",
        Need::Repository(Action::Administer) => "admin on the repository",
    }
}

/// A path as the description writes it: a repository is its namespace and its name.
pub fn path(prefix: &str, endpoint: &Endpoint) -> String {
    format!("{prefix}{}", endpoint.path.replace(path::REPOSITORY, "{namespace}/{name}"))
}

/// The whole description.
pub fn describe() -> Value {
    let mut paths = Map::new();
    for (prefix, endpoint) in endpoints() {
        let path = path(prefix, endpoint);
        let at = paths.entry(path.clone()).or_insert_with(|| json!({}));
        at[endpoint.method.as_str().to_ascii_lowercase()] = operation(&path, endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "msr-lite",
            "version": "v0",
            "description": "The REST interface of MSR (formerly DTR). A namespace of - stands for repositories of one \
                            component; names may contain slashes, raw or as %2F. Lists say in X-Next-Page-Start where \
                            the next page begins.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "basic": [] }, { "bearer": [] }],
        "components": {
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic", "description": "A password or an access token" },
                "bearer": { "type": "http", "scheme": "bearer", "description": "A token of /auth/token, or of a session that /enzi/v0/id/login opened" },
            },
            "schemas": { "Errors": errors() },
        },
        "paths": paths,
    })
}

/// The text as it is checked in.
pub fn text() -> String {
    format!("{:#}\n", describe())
}

fn errors() -> Value {
    let text = json!({ "type": "string" });
    let one =
        json!({ "type": "object", "required": ["code", "message"], "properties": { "code": text, "message": text } });
    json!({ "type": "object", "required": ["errors"], "properties": { "errors": { "type": "array", "items": one } } })
}

fn operation(path: &str, endpoint: &Endpoint) -> Value {
    let in_path = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = endpoint.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "schema": { "type": parameter.kind },
        })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let failed = json!({ "$ref": "#/components/schemas/Errors" });
    json!({
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "description": format!("Needs: {}.", need(endpoint.needs)),
        "parameters": parameters,
        "responses": {
            "2XX": { "description": "Done" },
            "4XX": { "description": "Refused", "content": { "application/json": { "schema": failed } } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_described_once() {
        let description = describe();
        let paths = description["paths"].as_object().unwrap();
        let described: usize = paths.values().map(|methods| methods.as_object().unwrap().len()).sum();
        assert_eq!(described, endpoints().count());
        let tag = &paths["/api/v0/repositories/{namespace}/{name}/tags/{reference}"]["delete"];
        assert_eq!(tag["operationId"], "api_delete_tag");
        assert_eq!(tag["parameters"][1]["name"], "name");
    }
}
