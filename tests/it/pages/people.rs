//! Who is who in the tests of the pages about people: `alice` owns the organization `acme`, `bob` is in its team `web`,
//! `mallory` is outside.

use msr_lite::access::accounts::NewAccount;
use msr_lite::access::personal_tokens::NewToken;
use msr_lite::model::Actor;
use msr_lite::model::account::AccountKind;
use msr_lite::model::permission::{Level, Place};
use msr_lite::oci::RepoName;
use reqwest::{Method, StatusCode};

use super::{Browser, Page, add_user, encoded};
use crate::harness::Lab;

/// The users, the organization with the team `web`, and two repositories: `acme/site`, on which the team has
/// read-only, and `acme/vault`, on which it has nothing.
pub(super) async fn acme(lab: &Lab) {
    for user in ["alice", "bob", "mallory"] {
        add_user(lab, user).await;
    }
    let (access, system) = (lab.server.access(), Actor::system());
    let acme = NewAccount { name: "acme".into(), kind: AccountKind::Organization, ..NewAccount::default() };
    access.create_account(&system, acme).await.unwrap();
    access.set_member(&system, "acme", "alice", true).await.unwrap();
    access.create_team(&system, "acme", "web", "Those who make the site").await.unwrap();
    access.add_team_member(&system, "acme", "web", "bob").await.unwrap();
    lab.push_image("acme/site", "1", b"site").await;
    lab.push_image("acme/vault", "1", b"vault").await;
    give(lab, "acme/site", Level::ReadOnly).await;
}

/// Gives the team `web` a right.
pub(super) async fn give(lab: &Lab, place: &str, level: Level) {
    let place = match place.strip_suffix("/*") {
        Some(namespace) => Place::Namespace(namespace.to_owned()),
        None => Place::Repository(RepoName::parse(place).unwrap()),
    };
    lab.server.access().set_grant(&Actor::system(), &place, "acme", "web", level).await.unwrap();
}

/// An access token of a user.
pub(super) async fn token(lab: &Lab, user: &str, label: &str) -> String {
    let new = NewToken { label: label.into(), ..NewToken::default() };
    let (text, _) = lab.server.access().create_token(&Actor::system(), None, user, new).await.unwrap();
    text.reveal().clone()
}

/// What `/v2` answers to a user's pull and push.
pub(super) async fn pull_and_push(lab: &Lab, user: &str, repo: &str) -> [u16; 2] {
    let status = async |method, path: String| {
        let request = lab.anonymous(method, &path).basic_auth(user, Some(&lab.password));
        request.send().await.unwrap().status().as_u16()
    };
    [
        status(Method::GET, format!("/v2/{repo}/manifests/1")).await,
        status(Method::POST, format!("/v2/{repo}/blobs/uploads/")).await,
    ]
}

/// Sends a form of a page, expects to be led on, and answers the page there.
pub(super) async fn done(browser: &mut Browser<'_>, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
    let sent = browser.send(from, to, fields).await;
    let path = sent.location().to_owned();
    let page = browser.get(&path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
    page
}

/// Fails unless a form is refused without its text, with a wrong one, and from another site.
pub(super) async fn refused_from_elsewhere(browser: &mut Browser<'_>, from: &str, to: &str, fields: &[(&str, &str)]) {
    let csrf = browser.get(from).await.csrf();
    for (site, text) in [("same-origin", ""), ("same-origin", "wrong"), ("cross-site", &*csrf), ("same-site", &csrf)] {
        let mut all = vec![("csrf", text)];
        all.extend(fields);
        let page = browser.request(Method::POST, to, &[("sec-fetch-site", site)], &encoded(&all)).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{to} {site} {text}: {}", page.text);
    }
}

/// What is on record of what was done by somebody, the latest first.
pub(super) async fn on_record(lab: &Lab, actor: &str) -> Vec<String> {
    let page = Browser::signed_in(lab, "admin").await.get(&format!("/activity?actor={actor}")).await;
    page.text.split("<tr>").skip(1).map(str::to_owned).collect()
}
