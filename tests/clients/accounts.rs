//! Accounts, teams and access tokens as people with real clients meet them: what they may, the words with which they are
//! refused, and that a right that is taken away is gone at the next request, without a new sign-in.
//!
//! Each client has a laboratory, and so a home, to itself: where docker keeps a refresh token, podman and skopeo refuse
//! to sign in.

use std::time::Duration;

use msr_lite::access::personal_tokens::NewToken;
use msr_lite::access::{Access, AccessSettings};
use msr_lite::base::Clock;
use msr_lite::meta::{Engine, EngineOptions};
use msr_lite::model::Actor;
use serde_json::Value;

use crate::buildah::Buildah;
use crate::client::{Client, Place};
use crate::crane::Crane;
use crate::docker::Docker;
use crate::podman::Podman;
use crate::sentences;
use crate::skopeo::Skopeo;
use crate::support::lab::Lab;
use crate::support::server::{ADMIN, NAME, Server};
use crate::support::tally::needs;

/// What differs between clients.
struct Words {
    /// A token that does not work, at the sign-in; none of a client that only writes down what it is given.
    wrong: Option<&'static str>,
    /// A token that worked at the sign-in and has ended since.
    ended: &'static str,
}

/// `alice` of the team `lab/dev`, which may write to `lab/web` and read `lab/base`; `hall/attic` is none of hers.
struct House {
    server: Server,
    place: Place,
    password: String,
}

const WEB: &str = "lab/web:1";
const BASE: &str = "lab/base:1";
const ATTIC: &str = "hall/attic:1";
const REASON: &str = "moving to a larger disk";

impl House {
    /// Fills a registry by this client, which is signed in to it as nobody afterwards.
    #[track_caller]
    fn of(lab: &Lab, client: &dyn Client, config: &str) -> Self {
        let server = lab.server(|options| options.config(config));
        let place = Place::of(&server, NAME);
        client.trust(&place);
        client.login(&place, ADMIN, &place.password).ok();
        for image in [WEB, BASE, ATTIC] {
            client.push(&place, image, image.as_bytes()).ok();
        }
        client.logout(&place).ok();
        for words in [
            &["team", "add", "lab/dev"][..],
            &["user", "add", "alice"],
            &["team", "add-member", "lab/dev", "alice"],
            &["access", "grant", "lab/web", "lab/dev", "read-write"],
            &["access", "grant", "lab/base", "lab/dev", "read-only"],
        ] {
            server.cli(words).ok();
        }
        let mut house = Self { server, place, password: String::new() };
        house.password =
            house.json(&["user", "reset-password", "alice"])["password"].as_str().unwrap_or_default().into();
        house
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let said = self.server.cli(&[words, &["--json"]].concat()).ok();
        serde_json::from_str(&said.stdout).expect("--json prints JSON")
    }

    /// A token of alice's, and its id.
    #[track_caller]
    fn token(&self, scope: &str) -> (String, String) {
        let made = self.json(&["token", "add", "alice", "--label", "build", "--scope", scope]);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&made["token"]), text(&made["about"]["id"]))
    }

    /// A token of alice's whose time was over a day ago: made in the past, while the server is away.
    #[track_caller]
    fn expired_token(&mut self) -> String {
        self.server.terminate(Duration::from_secs(40));
        let now = Clock::system().now();
        let then = Clock::manual(now.minus(Duration::from_hours(48)));
        let store = Engine::open(&self.server.data().join("metadata.redb"), EngineOptions::default());
        let access = Access::open(store.expect("the server has let go of it"), then, AccessSettings::default());
        let access = access.expect("a store that was just served");
        let expires = Some(now.minus(Duration::from_hours(24)));
        let new = NewToken { label: "last year's".into(), expires, ..NewToken::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let made = runtime.block_on(access.create_token(&Actor::system(), None, "alice", new));
        drop(access);
        self.server.start_again();
        made.expect("it had not expired then").0.reveal().clone()
    }
}

/// Everything that an account, its tokens and their ends mean for one client.
#[track_caller]
fn rights_are_seen(lab: &Lab, client: &dyn Client, words: &Words) {
    let mut house = House::of(lab, client, "");
    let expired = house.expired_token();
    let House { server, place, password } = &house;
    let login = |password: &str| client.login(place, "alice", password);

    // By password: what the teams say.
    client.pull(place, WEB).fails().says(sentences::NOT_SIGNED_IN);
    login(password).ok();
    client.pull(place, WEB).ok();
    client.push(place, WEB, b"by alice").ok();
    client.pull(place, BASE).ok();
    client.push(place, BASE, b"by alice").fails().says(sentences::MAY_NOT_PUSH);
    client.pull(place, ATTIC).fails().says(sentences::NO_REPOSITORY);
    client.logout(place).ok();
    client.pull(place, WEB).fails().says(sentences::NOT_SIGNED_IN);

    // By a token: of that, what the token says.
    let (token, id) = house.token("lab/web:read-only,hall/attic:read-write");
    login(&token).ok();
    client.pull(place, WEB).ok();
    client.push(place, WEB, b"by a token").fails().says(sentences::TOKEN_TOO_NARROW);
    client.pull(place, BASE).fails().says(sentences::NO_REPOSITORY);
    client.pull(place, ATTIC).fails().says(sentences::NO_REPOSITORY);

    // Revoked while the client is signed in; and then it signs nobody in.
    server.cli(&["token", "set", &id, "--active", "false"]).ok();
    client.pull(place, WEB).fails().says(words.ended);
    server.cli(&["token", "set", &id, "--active", "true"]).ok();
    client.pull(place, WEB).ok();
    server.cli(&["token", "rm", &id]).ok();
    client.pull(place, WEB).fails().says(words.ended);
    client.logout(place).ok();
    for dead in [&token, &expired] {
        if let Some(wrong) = words.wrong {
            login(dead).fails().says(wrong);
        } else {
            login(dead).ok();
            client.pull(place, WEB).fails().says(words.ended);
        }
    }

    // Read-only, and the reason reaches who pushes.
    let (token, _) = house.token("all");
    login(&token).ok();
    server.cli(&["access", "read-only", "on", "--reason", REASON]).ok();
    client.pull(place, WEB).ok();
    client.push(place, WEB, b"too late").fails().says(REASON);
    server.cli(&["access", "read-only", "off"]).ok();
    client.push(place, WEB, b"just in time").ok();

    // Out of the team, in the middle of the session.
    server.cli(&["team", "rm-member", "lab/dev", "alice"]).ok();
    client.pull(place, WEB).fails().says(sentences::NO_REPOSITORY);
    server.cli(&["team", "add-member", "lab/dev", "alice"]).ok();
    client.pull(place, WEB).ok();

    // And out of the registry.
    server.cli(&["user", "set", "alice", "--active", "false"]).ok();
    client.pull(place, WEB).fails().says(words.ended);
}

/// Who does not sign in pulls what is public where `anonymous` says so, and nothing elsewhere.
#[track_caller]
fn public_is_what_anonymous_says(lab: &Lab, client: &dyn Client) {
    for (config, open) in [("anonymous = \"public-repositories\"\n", true), ("anonymous = \"none\"\n", false)] {
        let House { server, place, .. } = House::of(lab, client, config);
        server.cli(&["access", "publish", "lab/web"]).ok();
        let pulled = client.pull(&place, WEB);
        if open {
            pulled.ok();
            client.pull(&place, BASE).fails().says(sentences::NOT_SIGNED_IN);
            client.push(&place, WEB, b"by nobody").fails();
        } else {
            pulled.fails().says(sentences::NOT_SIGNED_IN);
        }
    }
}

const DOCKER: Words = Words { wrong: Some(sentences::DEAD_TOKEN), ended: sentences::DEAD_REFRESH_TOKEN };
const PODMAN: Words = Words { wrong: Some(sentences::INVALID_PASSWORD), ended: sentences::DEAD_TOKEN };
const CRANE: Words = Words { wrong: None, ended: sentences::DEAD_TOKEN };

#[test]
fn docker_sees_what_alice_may() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let docker = Docker::start(&lab);
    rights_are_seen(&lab, &docker, &DOCKER);
    // The access token itself is not kept: what docker got for it is.
    let kept = docker.kept();
    assert!(kept.contains("identitytoken") && !kept.contains("mslt_"), "{kept}");
}

/// By what `docker login` keeps, an identity token: dockerd gets a bearer token for the search alone with it.
#[test]
fn docker_search_finds_what_alice_may_see() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let docker = Docker::start(&lab);
    let House { place, password, .. } = &House::of(&lab, &docker, "");
    let search = |term: &str| docker.run(&["search", "--format", "{{.Name}}", &place.reference(term)]);
    search("lab").fails();
    docker.login(place, "alice", password).ok();
    let names = search("lab").ok().stdout.clone();
    assert_eq!(names.split_whitespace().collect::<Vec<_>>(), ["lab/base", "lab/web"]);
    let names = search("attic").ok().stdout.clone();
    assert_eq!(names.trim(), "", "what she may not see is not found");
}

#[test]
fn podman_sees_what_alice_may() {
    let _running = needs!("podman");
    let lab = Lab::new();
    rights_are_seen(&lab, &Podman(&lab), &PODMAN);
}

#[test]
fn skopeo_sees_what_alice_may() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    rights_are_seen(&lab, &Skopeo(&lab), &PODMAN);
}

#[test]
fn buildah_sees_what_alice_may() {
    let _running = needs!("buildah");
    let lab = Lab::new();
    rights_are_seen(&lab, &Buildah(&lab), &PODMAN);
}

#[test]
fn crane_sees_what_alice_may() {
    let _running = needs!(; luxury "crane");
    let lab = Lab::new();
    rights_are_seen(&lab, &Crane { lab: &lab, trusting: true }, &CRANE);
}

#[test]
fn docker_pulls_what_is_public() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let docker = Docker::start(&lab);
    public_is_what_anonymous_says(&lab, &docker);
}

#[test]
fn podman_pulls_what_is_public() {
    let _running = needs!("podman");
    let lab = Lab::new();
    public_is_what_anonymous_says(&lab, &Podman(&lab));
}

#[test]
fn skopeo_pulls_what_is_public() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    public_is_what_anonymous_says(&lab, &Skopeo(&lab));
}
