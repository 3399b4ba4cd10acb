//! Plays a trace: a table with a line for each request.
//!
//! ```text
//! actor    method target                               [what is sent]   -> status [what comes back]
//! engine   POST   app/blobs/uploads/                                    -> 202 open rootfs
//! engine   PATCH  @rootfs                              stream rootfs    -> 202
//! engine   PUT    @rootfs?digest={rootfs}                               -> 201 rootfs
//! pusher   HEAD   app/manifests/0.1.0                  as index         -> 404
//! pusher   PUT    app/manifests/0.1.0                  send index       -> 201 index
//! ```
//!
//! A target is a path below `/v2/`, `-` for `/v2/` itself; `app/` is the repository that is pushed to, `{host}` the
//! registry's name and port, `{name}` the digest of a thing of the cast, `@name` the upload session that was opened
//! under this name. `send` and `stream` send a thing, with its length in advance or without; `as` says which media type
//! is asked for where the path does not name the thing. The actors are in [`HABITS`].

use std::collections::HashMap;

use hyper::{Method, Request};

use super::cast::{Cast, Thing};
use super::sign_in::{Habit, Papers, SignIn};
use super::wire::{Answer, Line, Wire, stream, whole};
use crate::harness::Lab;

/// What containerd's resolver accepts for a name, in its order; a wildcard follows.
const RESOLVED: &str = "application/vnd.docker.distribution.manifest.v2+json, \
                        application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.oci.image.manifest.v1+json, \
                        application/vnd.oci.image.index.v1+json";

/// The age of the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// docker app 0.8: `Accept: <type>, *`, which is no media range.
    V08,
    /// docker app 0.9 and later, cnab-to-oci: `Accept: <type>, */*`.
    V09,
}

/// The programs that speak in the traces.
const HABITS: [(&str, Accept); 5] = [
    // docker's engine, on a connection of its own for each request.
    ("engine", Accept::Nothing),
    // The command line: what looks names up …
    ("resolver", Accept::Names),
    // … and what copies and pushes. Two objects, each with tokens of its own.
    ("pusher", Accept::Thing),
    // The command line pulling.
    ("puller", Accept::Thing),
    // The test itself, on the command line's connection.
    ("looker", Accept::Thing),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Accept {
    Nothing,
    Names,
    Thing,
}

struct Actor {
    wire: Wire,
    papers: Papers,
    accept: Accept,
}

/// The state of a play.
pub(super) struct Player<'lab> {
    lab: &'lab Lab,
    target: String,
    generation: Generation,
    cast: Cast,
    actors: HashMap<&'static str, Actor>,
    sessions: HashMap<String, String>,
}

/// One line of a table.
struct Step<'t> {
    actor: &'t str,
    method: Method,
    target: &'t str,
    /// `send`, `stream` or `as`, and a thing.
    given: Option<(&'t str, &'t str)>,
    status: u16,
    /// A thing, or `open` and a session's name.
    expected: Option<&'t str>,
    opened: Option<&'t str>,
}

impl<'t> Step<'t> {
    fn parse(line: &'t str) -> Self {
        let (request, answer) = line.split_once("->").unwrap_or_else(|| panic!("no answer in {line:?}"));
        let request: Vec<&str> = request.split_whitespace().collect();
        let answer: Vec<&str> = answer.split_whitespace().collect();
        let (&[actor, method, target, ref given @ ..], &[status, ref expected @ ..]) = (&request[..], &answer[..])
        else {
            panic!("too few words in {line:?}")
        };
        let given = match *given {
            [] => None,
            [how @ ("send" | "stream" | "as"), thing] => Some((how, thing)),
            _ => panic!("what is sent by {line:?}?"),
        };
        let (expected, opened) = match *expected {
            [] => (None, None),
            [thing] => (Some(thing), None),
            ["open", session] => (None, Some(session)),
            _ => panic!("what comes back in {line:?}?"),
        };
        let (method, status) = (method.parse().unwrap(), status.parse().unwrap());
        Self { actor, method, target, given, status, expected, opened }
    }
}

impl<'lab> Player<'lab> {
    /// The engine speaks as it always does; `line` is the command line's.
    pub(super) fn new(
        lab: &'lab Lab,
        target: &str,
        generation: Generation,
        line: Line,
        sign_in: SignIn,
        cast: Cast,
    ) -> Self {
        let actors = HABITS.map(|(name, accept)| {
            let (line, habit) = if name == "engine" { (Line::Hasty, Habit::Engine) } else { (line, Habit::Resolver) };
            let papers = Papers::new(sign_in, habit, &lab.password);
            (name, Actor { wire: Wire::new(lab, line), papers, accept })
        });
        let (target, sessions) = (target.to_owned(), HashMap::new());
        Self { lab, target, generation, cast, actors: actors.into(), sessions }
    }

    pub(super) fn lab(&self) -> &'lab Lab {
        self.lab
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    /// How many tokens an actor has asked for.
    pub(super) fn tokens(&self, actor: &str) -> usize {
        self.actors[actor].papers.fetched
    }

    /// Plays a table. Beside the status that stands there, every answer must have all whose absence sets off a
    /// fallback or breaks one of the clients:
    /// - after a PUT and for every HEAD and GET, `Docker-Content-Digest` of the thing itself;
    /// - for a manifest, its media type as it was sent and nothing behind it;
    /// - for a session, `Location`, `Docker-Upload-UUID` and `Range`;
    /// - for a manifest stored whole, no `Warning`.
    pub(super) async fn play(&mut self, table: &str) {
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let step = Step::parse(line);
            let answer = self.ask(&step).await;
            assert_eq!(answer.status, step.status, "{line}\n{answer:?}");
            self.check(line, &step, &answer);
        }
    }

    async fn ask(&mut self, step: &Step<'_>) -> Answer {
        let path = self.path(step);
        let scopes = scopes(&path);
        let accept = self.accept(step);
        let actor = self.actors.get_mut(step.actor).unwrap_or_else(|| panic!("nobody is called {}", step.actor));
        actor.papers.prepare(&mut actor.wire, &scopes).await;
        let answer = send(actor, step, &path, accept.as_deref(), &self.cast).await;
        if answer.status == 401 && actor.papers.challenged(&mut actor.wire, &answer).await {
            return send(actor, step, &path, accept.as_deref(), &self.cast).await;
        }
        if answer.status == 401 && path == "/v2/" {
            // A ping that is told where to sign in is as good as one that gets in.
            return Answer { status: 200, ..answer };
        }
        answer
    }

    /// The path and query of a step. The engine escapes its parameters, the others do not.
    fn path(&self, step: &Step<'_>) -> String {
        let (path, query) = match step.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (step.target, None),
        };
        let mut full = match path.strip_prefix('@') {
            Some(session) => self.sessions.get(session).expect("the session was opened").clone(),
            None if path == "-" => "/v2/".to_owned(),
            None => match path.strip_prefix("app/") {
                Some(rest) => format!("/v2/{}/{}", self.target, self.expand(rest)),
                None => format!("/v2/{}", self.expand(path)),
            },
        };
        if let Some(query) = query {
            full.push(if full.contains('?') { '&' } else { '?' });
            let query = self.expand(query);
            full += &if step.actor == "engine" { query.replace(':', "%3A").replace('/', "%2F") } else { query };
        }
        full
    }

    /// Digests in the place of names.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap_or_else(|| panic!("an open brace in {text:?}"));
            expanded += before;
            expanded += &match name {
                "host" => self.actors["pusher"].wire.authority(),
                _ => self.cast.get(name).digest.to_string(),
            };
            rest = after;
        }
        expanded + rest
    }

    fn accept(&self, step: &Step<'_>) -> Option<String> {
        if step.method != Method::GET && step.method != Method::HEAD {
            return None;
        }
        let wildcard = if self.generation == Generation::V08 { "*" } else { "*/*" };
        let named = step.target.split_once('{').and_then(|(_, rest)| rest.split('}').next());
        let thing = step.given.map(|(_, thing)| thing).or(named);
        match (self.actors[step.actor].accept, thing) {
            (Accept::Nothing, _) => None,
            (Accept::Names, _) => Some(format!("{RESOLVED}, {wildcard}")),
            (Accept::Thing, Some(thing)) => Some(format!("{}, {wildcard}", self.cast.get(thing).media_type)),
            (Accept::Thing, None) => Some(wildcard.to_owned()),
        }
    }

    fn check(&mut self, line: &str, step: &Step<'_>, answer: &Answer) {
        let digest = answer.header("docker-content-digest");
        match (step.status, step.expected) {
            (202, _) if step.method != Method::DELETE => {
                let location = answer.header("location").to_owned();
                assert!(location.starts_with("/v2/") || location.starts_with("https://"), "{line}\n{answer:?}");
                assert_ne!(answer.header("docker-upload-uuid"), "", "{line}");
                let received = step.given.map_or(0, |(_, thing)| self.cast.get(thing).bytes.len());
                assert_eq!(answer.header("range"), format!("0-{}", received.saturating_sub(1)), "{line}");
                let session = step.opened.or(step.target.strip_prefix('@')).expect("a 202 concerns a session");
                self.sessions.insert(session.to_owned(), location);
            }
            (201, Some(name)) => {
                let thing = self.cast.get(name);
                assert_eq!(digest, thing.digest.to_string(), "{line}");
                assert_ne!(answer.header("location"), "", "{line}");
                assert_eq!(answer.header("warning"), "", "{line}: not stored whole");
            }
            (200, Some(name)) => {
                let thing = self.cast.get(name);
                assert_eq!(digest, thing.digest.to_string(), "{line}");
                assert_eq!(answer.header("content-length"), thing.bytes.len().to_string(), "{line}");
                if step.target.contains("/manifests/") {
                    assert_eq!(answer.header("content-type"), thing.media_type, "{line}");
                }
                assert!(step.method == Method::HEAD || answer.body == thing.bytes, "{line}: other bytes came back");
            }
            (404, _) if step.method == Method::GET => {
                let error: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                assert!(error["errors"][0]["code"].is_string(), "{line}\n{error}");
            }
            (200 | 201, None) => assert_eq!(step.target, "-", "{line}: what comes back?"),
            _ => {}
        }
    }
}

async fn send(actor: &mut Actor, step: &Step<'_>, path: &str, accept: Option<&str>, cast: &Cast) -> Answer {
    let mut request = Request::builder().method(step.method.clone()).uri(path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    if let Some(authorization) = actor.papers.authorization() {
        request = request.header("authorization", authorization);
    }
    let content = match step.given {
        Some((how @ ("send" | "stream"), name)) => {
            let Thing { media_type, bytes, .. } = cast.get(name);
            // Blobs come without a type.
            if step.target.contains("/manifests/") {
                request = request.header("content-type", *media_type);
            }
            if how == "send" { whole(bytes) } else { stream(bytes) }
        }
        _ => whole(b""),
    };
    actor.wire.send(request.body(content).unwrap()).await
}

/// What the engine asks a token for: everything here, and reading there for a mount.
fn scopes(path: &str) -> Vec<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Some((repo, _)) = ["/blobs/", "/manifests/", "/tags/"]
        .iter()
        .find_map(|part| path.strip_prefix("/v2/").and_then(|rest| rest.split_once(part)))
    else {
        return Vec::new();
    };
    let from = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "from");
    let mut scopes = vec![format!("repository:{repo}:push,pull")];
    scopes.extend(from.map(|(_, from)| format!("repository:{from}:pull")));
    scopes
}
