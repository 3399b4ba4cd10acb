//! What the clients of applications ask, request by request, as it was seen on the wire: docker app 0.8.0 and 0.9.1,
//! cnab-to-oci, Porter. Each trace is a table ([`player`] says how to read it) that is played over real TLS sockets by
//! its actors: docker's engine over HTTP/1.1 with a connection for each request, the command line over HTTP/1.1 or
//! HTTP/2, each signed in as it would be ([`sign_in`]).
//!
//! These clients have fallbacks for registries that refuse their documents or forget a header, and they take them
//! silently: an application then becomes a Docker manifest list, or its configuration a fake image, and the last line
//! still says "Successfully pushed". So the player holds every answer against all that could set off a fallback
//! ([`player::Player::play`]), not only against its status.

mod cast;
mod cnab_to_oci;
mod docker_app_08;
mod docker_app_09;
mod fallbacks;
mod player;
mod porter;
mod sign_in;
mod wire;

use msr_lite::registry::apps::MemberState;

use crate::harness::Lab;
use cast::{Cast, component};
use player::{Generation, Player};
use sign_in::SignIn;
use wire::Line;

/// Every way in which the command line reaches us. Over HTTP/1.1 it has `--insecure-registries` or a TLS configuration
/// of its own, otherwise HTTP/2.
const WAYS: [(Line, SignIn); 4] = [
    (Line::Http1, SignIn::Basic),
    (Line::Http1, SignIn::Password),
    (Line::Http2, SignIn::Password),
    (Line::Http2, SignIn::RefreshToken),
];

/// A repository of its own for each way.
fn repository(name: &str, line: Line, sign_in: SignIn) -> String {
    format!("admin/{name}-{line:?}-{sign_in:?}").to_lowercase()
}

/// The images that applications are made of, each in a repository of its own: `lib/web` and `lib/db` for one
/// architecture, `lib/multi` for both.
async fn library(lab: &Lab) -> Cast {
    let mut cast = Cast::default();
    for name in ["web", "db"] {
        cast.image(name, &[format!("{name}-layer").leak()]);
        cast.store(lab, &format!("lib/{name}"), "1.0", name).await;
    }
    cast.list("multi", &[("web", "amd64"), ("db", "arm64")]);
    for name in ["web", "db", "multi"] {
        cast.store(lab, "lib/multi", "1.0", name).await;
    }
    cast
}

/// What must be true of a repository after a push, whoever pushed: these tags and no others; the application under
/// `0.1.0` is the index that was sent, byte by byte, with everything that it names; and the registry sees in it one unit
/// of which nothing is missing, with its invocation image's tag where there is one.
async fn holds(player: &mut Player<'_>, index: &str, tags: &[&str]) {
    let lab = player.lab();
    let repo = player.target().to_owned();
    let list: serde_json::Value = lab.get(&format!("/v2/{repo}/tags/list")).await.json().await.unwrap();
    assert_eq!(list["tags"], serde_json::json!(tags), "{repo}");
    player.play(&format!("looker GET app/manifests/0.1.0 as {index} -> 200 {index}")).await;
    let children = player.cast().children(index);
    let application = crate::apps::application(lab, &repo, "0.1.0").await.expect("it is an application");
    assert_eq!(application.members.len(), children.len(), "{repo}");
    assert!(application.members.iter().all(|member| member.state == MemberState::Present), "{application:?}");
    assert!(!application.incomplete, "{application:?}");
    let paired = application.invocation_tag.map(|tag| tag.to_string());
    assert_eq!(paired.as_deref(), tags.iter().find(|tag| **tag == "0.1.0-invoc").copied(), "{repo}");
    for child in children {
        player.play(&format!("looker GET app/manifests/{{{child}}} -> 200 {child}")).await;
    }
}
