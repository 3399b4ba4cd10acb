//! Every endpoint of the REST interface, once: what answers, what it needs, and what its page of documentation says.

use std::pin::Pin;

use hyper::Method;

use super::PREFIX;
use super::call::{Call, Outcome};
use super::path::{self, Parameters};
use super::{
    enzi, events, grants, imagescan, index, jobs, manifests, openapi, policies, repositories, settings, tags, teams,
    tokens, version,
};
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::permission::Action;
use crate::oci::RepoName;

/// What an endpoint answers with.
pub type Answer<'r> = Pin<Box<dyn Future<Output = Outcome> + Send + 'r>>;

/// One endpoint.
pub struct Endpoint {
    /// The method; `HEAD` is `GET` without the body.
    pub method: Method,
    /// The path behind `/api/v0` ([`path`]).
    pub path: &'static str,
    /// Its name in the access log, the metrics and `openapi.json` (`operationId`).
    pub name: &'static str,
    /// What the caller must be allowed.
    pub needs: Need,
    /// What it does, in one line.
    pub about: &'static str,
    /// The query parameters that it reads.
    pub query: &'static [Parameter],
    /// What answers.
    pub handler: for<'r> fn(Call<'r>) -> Answer<'r>,
}

/// What a caller must be allowed for an endpoint. Where the body says what exactly is asked, its handler asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: signing in and out.
    Nothing,
    /// Somebody signed in.
    SignedIn,
    /// Signed in, or nobody where everybody may pull; entries are asked for one by one.
    Browse,
    /// Administering the registry.
    Admin,
    /// This action on the repository in the path.
    Repository(Action),
    /// This about the organization in the path (`{organization}`).
    Organization(OrganizationAction),
    /// This about the account in the path (`{account}`), or about no one in particular: whoever is signed in may see.
    Account(AccountAction),
}

impl Need {
    /// What the caller must be allowed, for the repository or the account in the path; `None` for nothing.
    pub fn requirement<'r>(self, repo: Option<&'r RepoName>, account: &'r str) -> Option<Requirement<'r>> {
        Some(match (self, repo) {
            (Self::Nothing, _) => return None,
            (Self::Repository(action), Some(repo)) => Requirement::Repository(repo, action),
            (Self::Browse, _) => Requirement::Browse,
            (Self::SignedIn, _) => Requirement::SignedIn,
            (Self::Organization(action), _) => Requirement::Organization(account, action),
            (Self::Account(action), _) => Requirement::Account(account, action),
            // No row has the second (tests); nobody but an administrator could reach it.
            (Self::Admin, _) | (Self::Repository(_), None) => Requirement::Admin,
        })
    }
}

/// A query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// `string`, `integer` or `boolean`, as JSON Schema says it.
    pub kind: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
}

pub(super) const fn parameter(name: &'static str, kind: &'static str, about: &'static str) -> Parameter {
    Parameter { name, kind, about }
}

pub(super) const PAGE_START: Parameter = parameter("pageStart", "string", "X-Next-Page-Start of the page before");
pub(super) const PAGE_SIZE: Parameter =
    parameter("pageSize", "integer", "entries of a page: 10 by default, at most 1000");
pub(super) const COUNT: Parameter = parameter("count", "boolean", "whether X-Resource-Count is wanted");
pub(super) const OS: Parameter = parameter("os", "string", "only manifests for this operating system");
pub(super) const ARCH: Parameter = parameter("arch", "string", "only manifests for this architecture");
const DOMAIN: Parameter =
    parameter("domain", "string", "MSR's name of the registry in signatures; passed over, for there are none");
const INCLUDE_MANIFESTS: Parameter = parameter("includeManifests", "boolean", "whether each tag shows its manifest");
const FORCE: Parameter =
    parameter("force", "boolean", "although an application needs it; for administrators, and on record");
const WITH_INVOCATION: Parameter =
    parameter("withInvocation", "boolean", "with an application, its invocation image's tag as well");

pub(super) const PAGING: &[Parameter] = &[PAGE_START, PAGE_SIZE, COUNT];
/// A repository.
pub const REPOSITORY: &str = "/repositories/{repository}";
/// The webhooks of a namespace.
pub(super) const NAMESPACE_WEBHOOKS: &str = "/repositories/{account}/webhooks";
/// Of lists that MSR gives whole.
pub(super) const WHOLE: &[Parameter] =
    &[PAGE_START, parameter("pageSize", "integer", "entries of a page: 1000 by default and at most"), COUNT];

const EVENTS: &[Parameter] = &[
    PAGE_START,
    PAGE_SIZE,
    parameter("publishedBefore", "string", "only events before this time (RFC 3339)"),
    parameter("publishedAfter", "string", "only events from this time on (RFC 3339)"),
    parameter("actorId", "string", "only events by, or about, this account"),
    parameter("eventType", "string", "only CREATE, GET, UPDATE, DELETE, SEND, FAIL or SCAN; any for all"),
    parameter(
        "objectType",
        "string",
        "only about a REPOSITORY, TAG, MANIFEST, BLOB, ACCOUNT, TEAM, TOKEN or the REGISTRY",
    ),
    parameter("excludePull", "boolean", "false: pulls too; they are left out otherwise"),
    parameter("result", "string", "only what was done, or what was refused"),
];

pub(super) const PULL: Need = Need::Repository(Action::Pull);
pub(super) const PUSH: Need = Need::Repository(Action::Push);
const DELETE: Need = Need::Repository(Action::Delete);
pub(super) const ADMINISTER: Need = Need::Repository(Action::Administer);

/// One row.
pub(super) const fn row(
    method: Method,
    path: &'static str,
    name: &'static str,
    needs: Need,
    about: &'static str,
    query: &'static [Parameter],
    handler: for<'r> fn(Call<'r>) -> Answer<'r>,
) -> Endpoint {
    Endpoint { method, path, name, needs, about, query, handler }
}

/// An answer that waits for nothing.
pub(super) fn at_once<'r>(outcome: Outcome) -> Answer<'r> {
    Box::pin(std::future::ready(outcome))
}

/// The whole table: every part with the prefix that its paths stand behind. The parts stand beside what answers them.
pub static PARTS: &[(&str, &[Endpoint])] = &[
    (PREFIX, TABLE),
    (PREFIX, index::ROWS),
    (PREFIX, settings::ROWS),
    (PREFIX, jobs::ROWS),
    (PREFIX, grants::ROWS),
    (PREFIX, tokens::ROWS),
    (enzi::PREFIX, enzi::ROWS),
    (enzi::PREFIX, teams::ROWS),
    (PREFIX, imagescan::ROWS),
    (PREFIX, policies::ROWS),
    (PREFIX, policies::PROMOTION),
    (PREFIX, policies::PRUNING),
    (PREFIX, policies::PUSH_MIRRORING),
    (PREFIX, policies::POLL_MIRRORING),
];

/// Every endpoint with its prefix.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static Endpoint)> {
    PARTS.iter().flat_map(|(prefix, rows)| rows.iter().map(|row| (*prefix, row)))
}

/// Repositories and what is in them.
static TABLE: &[Endpoint] = &[
    Endpoint {
        method: Method::GET,
        path: "/openapi.json",
        name: "api_get_openapi",
        needs: Need::SignedIn,
        about: "This interface as OpenAPI describes it",
        query: &[],
        handler: |_| at_once(Ok(openapi::get())),
    },
    Endpoint {
        method: Method::GET,
        path: "/admin/version",
        name: "api_get_version",
        needs: Need::SignedIn,
        about: "The version of this registry",
        query: &[],
        handler: |_| at_once(Ok(version::get())),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories",
        name: "api_list_repositories",
        needs: Need::Browse,
        about: "The repositories that the caller may see, by name",
        query: PAGING,
        handler: |call| Box::pin(repositories::list(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories/{namespace}",
        name: "api_list_namespace",
        needs: Need::Browse,
        about: "Those of one namespace; `-` for names of one component",
        query: PAGING,
        handler: |call| Box::pin(repositories::list_namespace(call)),
    },
    Endpoint {
        method: Method::POST,
        path: "/repositories/{namespace}",
        name: "api_create_repository",
        // And push to the repository that the body names.
        needs: Need::SignedIn,
        about: "Creates an empty repository",
        query: &[],
        handler: |call| Box::pin(repositories::create(call)),
    },
    Endpoint {
        method: Method::GET,
        path: REPOSITORY,
        name: "api_get_repository",
        needs: PULL,
        about: "One repository",
        query: &[DOMAIN],
        handler: |call| at_once(repositories::get(&call)),
    },
    Endpoint {
        method: Method::PATCH,
        path: REPOSITORY,
        name: "api_change_repository",
        needs: ADMINISTER,
        about: "Changes descriptions and visibility; what is not sent stays",
        query: &[DOMAIN],
        handler: |call| Box::pin(repositories::change(call)),
    },
    Endpoint {
        method: Method::DELETE,
        path: REPOSITORY,
        name: "api_delete_repository",
        needs: ADMINISTER,
        about: "Deletes a repository with all that it holds; 204 also when there is none",
        query: &[DOMAIN],
        handler: |call| Box::pin(repositories::delete(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories/{repository}/tags",
        name: "api_list_tags",
        needs: PULL,
        about: "The tags of a repository, by name",
        query: &[PAGE_START, PAGE_SIZE, COUNT, INCLUDE_MANIFESTS, DOMAIN],
        handler: |call| Box::pin(tags::list(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories/{repository}/tags/{reference}",
        name: "api_get_tag",
        needs: PULL,
        about: "A tag, or every tag of a digest: one entry for each manifest that an index lists",
        query: &[OS, ARCH, DOMAIN],
        handler: |call| Box::pin(tags::get(call)),
    },
    Endpoint {
        method: Method::DELETE,
        path: "/repositories/{repository}/tags/{reference}",
        name: "api_delete_tag",
        needs: DELETE,
        about: "Deletes a tag, and what belonged to it and nothing else needs",
        query: &[WITH_INVOCATION, FORCE, DOMAIN],
        handler: |call| Box::pin(tags::delete(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories/{repository}/manifests",
        name: "api_list_manifests",
        needs: PULL,
        about: "The manifests of a repository, tagged or not, by digest",
        query: WHOLE,
        handler: |call| Box::pin(manifests::list(call)),
    },
    Endpoint {
        method: Method::DELETE,
        path: "/repositories/{repository}/manifests/{reference}",
        name: "api_delete_manifest",
        needs: DELETE,
        about: "Deletes a manifest with its tags, and what belonged to it and nothing else needs",
        query: &[WITH_INVOCATION, FORCE],
        handler: |call| Box::pin(manifests::delete(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/repositories/{repository}/events",
        name: "api_list_repository_events",
        needs: PULL,
        about: "What happened in a repository, the latest first; pulls only when they are asked for",
        query: EVENTS,
        handler: |call| Box::pin(events::of_repository(call)),
    },
    Endpoint {
        method: Method::GET,
        path: "/events",
        name: "api_list_events",
        needs: Need::SignedIn,
        about: "What happened in the repositories that the caller may see, the latest first",
        query: EVENTS,
        handler: |call| Box::pin(events::list(call)),
    },
];

/// What a method and a path stand for.
pub enum Found {
    /// This endpoint, with what the path says.
    Endpoint(&'static Endpoint, Parameters),
    /// A path of the table, which takes these methods.
    Method(String),
    /// Nothing.
    Nothing,
}

/// Finds the endpoint for a method and a path behind its prefix.
pub fn find(prefix: &str, method: &Method, path: &str) -> Found {
    let path = path::segments(path);
    let rows = endpoints().filter(|(of, _)| *of == prefix);
    let fitting = rows.filter_map(|(_, endpoint)| Some((endpoint, path::fit(endpoint.path, &path)?)));
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    // A repository may be called so: but for being read, the path is the repository's.
    let fitting = fitting.filter(|(endpoint, _)| endpoint.path != NAMESPACE_WEBHOOKS || wanted == Method::GET);
    let mut fitting: Vec<_> = fitting.collect();
    let length = |endpoint: &Endpoint| endpoint.path.split('/').count();
    let longest = fitting.iter().map(|(endpoint, _)| length(endpoint)).max().unwrap_or_default();
    fitting.retain(|(endpoint, _)| length(endpoint) == longest);
    if let Some(at) = fitting.iter().position(|(endpoint, _)| endpoint.method == wanted) {
        let (endpoint, parameters) = fitting.swap_remove(at);
        return Found::Endpoint(endpoint, parameters);
    }
    let methods: Vec<&str> = fitting
        .iter()
        .map(|(endpoint, _)| if endpoint.method == Method::GET { "GET, HEAD" } else { endpoint.method.as_str() })
        .collect();
    if methods.is_empty() { Found::Nothing } else { Found::Method(methods.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn found(method: &Method, path: &str) -> String {
        match find(PREFIX, method, path) {
            Found::Endpoint(endpoint, _) => endpoint.name.to_owned(),
            Found::Method(allowed) => allowed,
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn rows_are_whole_and_each_stands_once() {
        let (mut names, mut places) = (HashSet::new(), HashSet::new());
        for (prefix, Endpoint { method, path, name, needs, about, query, .. }) in endpoints() {
            assert!(names.insert(name) && places.insert((prefix, method, path)), "{name}");
            let family = if prefix == PREFIX { "api_" } else { "enzi_" };
            assert!(name.starts_with(family) && path.starts_with('/') && !path.ends_with('/'), "{name}");
            assert!(!about.is_empty() && !about.ends_with('.'), "{name}");
            let has_repository = path.contains(path::REPOSITORY);
            assert_eq!(has_repository, matches!(needs, Need::Repository(_)), "{name}: right and path go together");
            let names = |parameter: &str| path.split('/').any(|segment| segment == parameter);
            assert_eq!(
                names("{organization}"),
                matches!(needs, Need::Organization(_)),
                "{name}: right and path go together"
            );
            assert!(!matches!(needs, Need::Account(AccountAction::Manage)) || names("{account}"), "{name}: whose");
            assert!(query.iter().all(|parameter| ["string", "integer", "boolean"].contains(&parameter.kind)), "{name}");
            let reads = [Method::GET].contains(method);
            assert!(
                reads || !matches!(needs, Need::Browse | Need::Repository(Action::Pull)),
                "{name} changes something"
            );
        }
    }

    #[test]
    fn paths_lead_to_endpoints() {
        let get = |path| found(&Method::GET, path);
        assert_eq!(get("/repositories"), "api_list_repositories");
        assert_eq!(get("/repositories/"), "api_list_repositories", "real clients send the slash");
        assert_eq!(get("/repositories/lab"), "api_list_namespace");
        assert_eq!(get("/repositories/-"), "api_list_namespace");
        assert_eq!(get("/repositories/lab/app"), "api_get_repository");
        assert_eq!(get("/repositories/lab%2Fapp"), "api_get_repository");
        assert_eq!(get("/repositories/-/app"), "api_get_repository");
        assert_eq!(get("/repositories/lab/tags"), "api_get_repository", "a repository may be called so");
        assert_eq!(get("/repositories/lab/webhooks"), "api_list_namespace_webhooks");
        assert_eq!(get("/repositories/lab%2Fwebhooks"), "api_get_repository");
        assert_eq!(found(&Method::DELETE, "/repositories/lab/webhooks"), "api_delete_repository");
        assert_eq!(get("/repositories/lab/app/tags"), "api_list_tags");
        assert_eq!(get("/repositories/lab/app/web/tags/1.0/"), "api_get_tag");
        assert_eq!(get("/repositories/lab/app/tags/tags"), "api_get_tag", "the longer one is meant");
        assert_eq!(get("/repositories/lab/app%2Ftags%2Ftags"), "api_get_repository");
        assert_eq!(found(&Method::HEAD, "/repositories/lab/app/tags"), "api_list_tags");
        assert_eq!(get("/"), "nothing");
        assert_eq!(get(""), "nothing");
        assert_eq!(get("/nothing"), "nothing");
        assert_eq!(found(&Method::PUT, "/repositories/lab"), "GET, HEAD, POST");
        assert_eq!(found(&Method::POST, "/repositories/lab/app/tags/x"), "GET, HEAD, DELETE");
        assert_eq!(get("/repositories/lab/app/manifests/x"), "DELETE");
    }
}
