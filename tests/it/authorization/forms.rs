//! The liberal forms of MSR's clients, on every endpoint of the REST interface: each is answered as the plain form is. The
//! requests are those of [`expected::API`], by an administrator, about what exists.

use std::collections::BTreeSet;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request};
use serde_json::{Value, json};

use super::callers::{Class, Stage, look};
use super::expected;
use super::table::{Row, parse};

/// Names in paths and the ids that stand for them.
struct Ids(Vec<(&'static str, String)>);

impl Ids {
    async fn of(stage: &Stage) -> Self {
        let mut ids = Vec::new();
        for (name, path) in [
            ("alice", "/accounts/alice"),
            ("org-here", "/accounts/org-here"),
            ("mia-here", "/accounts/mia-here"),
            ("usr-here", "/accounts/usr-here"),
            ("team-here", "/accounts/org-here/teams/team-here"),
        ] {
            let found = stage.lab.done(Method::GET, path, None, 200).await;
            ids.push((name, found["id"].as_str().unwrap().to_owned()));
        }
        Self(ids)
    }

    /// The path with each of the names written as `write` says.
    fn replace(&self, path: &str, write: impl Fn(&str, &str) -> String) -> String {
        let segment = |segment: &str| match self.0.iter().find(|(name, _)| *name == segment) {
            Some((name, id)) => write(name, id),
            None => segment.to_owned(),
        };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }
}

/// Writes a request in a form; false where the form does not apply to it.
type Write = fn(&Ids, &mut Request) -> bool;

/// The forms, each with what it is compared with (`None`: the plain form).
const FORMS: &[(&str, Option<Write>, Write)] = &[
    ("a slash at the end", None, |_, request| path(request, |path| format!("{path}/"))),
    ("names in percent", None, |ids, request| {
        path(request, |path| ids.replace(path, |name, _| format!("%{:02x}{}", name.as_bytes()[0], &name[1..])))
    }),
    ("a repository's slash as %2F", None, |_, request| {
        path(request, |path| path.replace("alice/app-here", "alice%2Fapp-here"))
    }),
    ("ids", None, |ids, request| path(request, |path| ids.replace(path, |_, id| id.to_owned()))),
    ("ids behind id:", None, |ids, request| path(request, |path| ids.replace(path, |_, id| format!("id:{id}")))),
    ("ids behind id%3A", None, |ids, request| path(request, |path| ids.replace(path, |_, id| format!("id%3A{id}")))),
    ("unknown and empty parameters", None, |_, request| {
        let mut query = request.url_mut().query_pairs_mut();
        query.append_pair("unknown", "1");
        for empty in ["pageStart", "pageSize", "count", "start", "limit", "offset", "domain", "filter", "os", "arch"] {
            query.append_pair(empty, "");
        }
        drop(query);
        true
    }),
    ("HEAD", None, |_, request| {
        let get = request.method() == Method::GET;
        *request.method_mut() = Method::HEAD;
        get
    }),
    ("unknown keys, and keys without a value", None, |_, request| {
        let Some(body) = request.body().and_then(|body| body.as_bytes()) else { return false };
        let Ok(Value::Object(mut keys)) = serde_json::from_slice(body) else { return false };
        keys.insert("unknownKey".into(), json!({ "a": [1, null] }));
        for nothing in
            ["fullName", "isAdmin", "isActive", "password", "visibility", "tagLimit", "schedule", "tokenLabel"]
        {
            keys.entry(nothing).or_insert(Value::Null);
        }
        *request.body_mut() = Some(Value::Object(keys).to_string().into());
        true
    }),
    ("a type with a parameter", None, |_, request| declared(request, Some("application/json; charset=UTF-8"))),
    ("a body without a type", None, |_, request| declared(request, None)),
    (
        "no body instead of an empty object",
        Some(|_, request| changes(request) && body(request, Some("{}"))),
        |_, request| changes(request) && body(request, None),
    ),
    ("a body where none is read", None, |_, request| request.method() == Method::DELETE && body(request, Some("{}"))),
];

/// A repository with a name of three components.
const DEEP: &str = "alice/in/app-here";

fn plain(_: &Ids, _: &mut Request) -> bool {
    true
}

fn path(request: &mut Request, write: impl Fn(&str) -> String) -> bool {
    let (prefix, rest) = request.url().path().split_at("/api/v0".len());
    let written = format!("{prefix}{}", write(rest));
    let other = written != request.url().path();
    request.url_mut().set_path(&written);
    other
}

fn changes(request: &Request) -> bool {
    matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH)
}

fn body(request: &mut Request, text: Option<&'static str>) -> bool {
    *request.body_mut() = text.map(Into::into);
    declared(request, text.map(|_| "application/json"));
    true
}

fn declared(request: &mut Request, kind: Option<&'static str>) -> bool {
    request.headers_mut().remove(CONTENT_TYPE);
    if let Some(kind) = kind {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    request.body().is_some()
}

struct Run {
    stage: Stage,
    client: Client,
    ids: Ids,
    /// The forms that applied to some endpoint.
    tried: BTreeSet<&'static str>,
    wrong: Vec<String>,
}

impl Run {
    /// What is answered to a row in a form; `None` where the form does not apply.
    async fn ask(
        &mut self,
        row: &Row,
        write: impl Fn(&Ids, &mut Request) -> bool,
    ) -> Option<(u16, Vec<String>, String)> {
        let shown = self.stage.shown(Class::Admin).await.remove(0);
        let request = self.stage.request(&row.method, &row.path, Class::Admin, &shown, true);
        let mut request = request.build().unwrap();
        if !write(&self.ids, &mut request) {
            return None;
        }
        let (status, headers, text) = look(self.client.execute(request).await.unwrap()).await;
        if !row.only_reads() && status < 400 {
            self.stage.restore().await;
        }
        let text =
            self.ids.0.iter().fold(text, |text, (name, id)| text.replace(&format!("id:{id}"), name).replace(id, name));
        // Its length may follow from what is new each time.
        let headers = headers.into_iter().filter(|header| row.only_reads() || !header.starts_with("content-length"));
        Some((status, headers.collect(), without_chance(&text)))
    }

    async fn row(&mut self, row: &Row) {
        let plainly = self.ask(row, plain).await.unwrap();
        for (name, with, form) in FORMS {
            let wanted = match with {
                None => plainly.clone(),
                Some(with) => match self.ask(row, with).await {
                    Some(wanted) => wanted,
                    None => continue,
                },
            };
            let Some(mut found) = self.ask(row, form).await else { continue };
            self.tried.insert(name);
            if *name == "HEAD" {
                assert_eq!(found.2, "", "HEAD has no body");
                found.2.clone_from(&wanted.2);
            }
            if found != wanted {
                self.wrong.push(format!("{}, {name}:\n  {found:?}\n  is not\n  {wanted:?}", row.name()));
            }
        }
        if row.path.contains("{repo}") {
            self.stage.push_again(DEEP).await;
            let deep = |_: &Ids, request: &mut Request| path(request, |path| path.replace("alice/app-here", DEEP));
            let found = self.ask(row, deep).await.unwrap();
            if (found.0, shape(&found.2)) != (plainly.0, shape(&plainly.2)) {
                self.wrong.push(format!("{}, slashes in the name:\n  {found:?}\n  is not\n  {plainly:?}", row.name()));
            }
        }
    }
}

/// A text without ids, digests and tokens, which are new each time.
fn without_chance(text: &str) -> String {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-';
    let (mut plain, mut run) = (String::new(), String::new());
    for c in text.chars().chain(['\0']) {
        if is_hex(c) {
            run.push(c);
            continue;
        }
        plain += if run.len() >= 16 { "ID" } else { &run };
        run.clear();
        plain.push(c);
    }
    plain.trim_end_matches('\0').to_owned()
}

/// The keys of an answer, whatever their values.
fn shape(text: &str) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(keys) => keys.iter().for_each(|(key, value)| walk(value, &format!("{at}.{key}"), found)),
            Value::Array(values) => values.iter().for_each(|value| walk(value, &format!("{at}[]"), found)),
            _ => _ = found.insert(at.to_owned()),
        }
    }
    let mut found = BTreeSet::new();
    walk(&serde_json::from_str(text).unwrap_or_default(), "", &mut found);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_takes_the_forms_of_real_clients() {
    let stage = Stage::new().await;
    let (client, ids) = (stage.lab.strict_client(), Ids::of(&stage).await);
    let mut run = Run { stage, client, ids, tried: BTreeSet::new(), wrong: Vec::new() };
    for row in parse(expected::API) {
        run.row(&row).await;
    }
    assert_eq!(run.tried.len(), FORMS.len());
    assert!(run.wrong.is_empty(), "{}", run.wrong.join("\n"));
}
