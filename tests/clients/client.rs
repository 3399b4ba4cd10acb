//! What every client can do, and what must be true of each of them.

use std::path::PathBuf;
use std::time::Duration;

use crate::sentences;
use crate::support::lab::{self, Lab};
use crate::support::process::Run;
use crate::support::server::{ADMIN, NAME, Server};

/// Where a registry is reached, by which CA, and the administrator's password there.
#[derive(Clone)]
pub(crate) struct Place {
    /// `host:port` as it stands in references.
    pub(crate) authority: String,
    /// The CA to trust, and nothing else.
    pub(crate) ca: PathBuf,
    /// The password of [`ADMIN`].
    pub(crate) password: String,
}

impl Place {
    /// The server by one of its names or addresses.
    pub(crate) fn of(server: &Server, host: &str) -> Self {
        Self { authority: lab::authority(host), ca: server.ca(), password: server.password().to_owned() }
    }

    /// A full reference.
    pub(crate) fn reference(&self, image: &str) -> String {
        format!("{}/{image}", self.authority)
    }
}

/// A client program, as a person uses it.
pub(crate) trait Client {
    /// Its name, also as a repository's.
    fn name(&self) -> &'static str;
    /// Puts the CA where this client looks for it.
    fn trust(&self, place: &Place);
    /// Signs in.
    fn login(&self, place: &Place, user: &str, password: &str) -> Run;
    /// Signs out.
    fn logout(&self, place: &Place) -> Run;
    /// Makes an image with this content by the client's own means and pushes it.
    fn push(&self, place: &Place, image: &str, content: &[u8]) -> Run;
    /// Pulls an image of which the client keeps nothing.
    fn pull(&self, place: &Place, image: &str) -> Run;
    /// The digest that the client names for an image after pulling it.
    fn digest(&self, place: &Place, image: &str) -> String;
}

/// Trust, sign-in, push, pull and the same digest on both sides, at one place. Answers the digest.
#[track_caller]
pub(crate) fn round_trip(client: &dyn Client, server: &Server, place: &Place, image: &str) -> String {
    client.trust(place);
    client.login(place, ADMIN, &place.password).ok();
    client.push(place, image, place.reference(image).as_bytes()).ok();
    client.pull(place, image).ok();
    let seen = client.digest(place, image);
    assert_eq!(seen, digest_at(server, image), "{} names another digest than the server", client.name());
    seen
}

/// By name, by address, and by an address that no interface bears once the certificate covers it.
#[track_caller]
pub(crate) fn works_everywhere(client: &dyn Client, server: &Server) {
    server.cli(&["cert", "add", lab::NAT]).ok();
    for (host, tag) in [(NAME, "by-name"), (lab::SERVER, "by-address"), (lab::NAT, "by-nat")] {
        round_trip(client, server, &Place::of(server, host), &format!("lab/{}:{tag}", client.name()));
    }
}

/// Without our CA the client refuses, and the server notices who it was, what was asked for, and what helps.
#[track_caller]
pub(crate) fn refuses_without_our_ca(client: &dyn Client, server: &Server) {
    for (host, asked) in [(NAME, NAME), (lab::SERVER, "address")] {
        let image = format!("lab/{}:untrusted", client.name());
        let before = server.log().len();
        client.push(&Place::of(server, host), &image, b"words").fails().says(sentences::UNKNOWN_AUTHORITY);
        let line = server.await_log(before, Duration::from_secs(2), |line| {
            line.contains(lab::CLIENT) && line.contains(asked) && line.contains(sentences::CURE)
        });
        assert!(
            line.is_some(),
            "no line within 2 s that names {}, {asked} and {}:\n{}",
            lab::CLIENT,
            sentences::CURE,
            &server.log()[before..]
        );
    }
}

/// A push that the server refuses makes the client print the server's own sentence.
#[track_caller]
pub(crate) fn prints_our_sentence(client: &dyn Client, place: &Place, content: &[u8], sentence: &str) {
    client.trust(place);
    client.login(place, ADMIN, &place.password).ok();
    client.push(place, &format!("lab/{}:refused", client.name()), content).fails().says(sentence);
}

/// A sign-in with a wrong password fails with this sentence, and the right one works after it.
#[track_caller]
pub(crate) fn wrong_password_is_explained(client: &dyn Client, place: &Place, sentence: &str) {
    client.trust(place);
    client.login(place, ADMIN, "not the password of anybody").fails().says(sentence);
    client.login(place, ADMIN, &place.password).ok();
}

/// The digest that the server itself names for `repository:tag`.
#[track_caller]
pub(crate) fn digest_at(server: &Server, image: &str) -> String {
    let (repository, tag) = image.rsplit_once(':').expect("images of these tests have a tag");
    let answer = server
        .signed_in("HEAD", &format!("/v2/{repository}/manifests/{tag}"))
        .header("Accept", "application/vnd.oci.image.manifest.v1+json")
        .header("Accept", "application/vnd.oci.image.index.v1+json")
        .header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
        .header("Accept", "application/vnd.docker.distribution.manifest.list.v2+json")
        .send()
        .is(200);
    answer.header("Docker-Content-Digest").expect("every manifest answer carries its digest").to_owned()
}

/// A settings file under which a blob of more than 64 KiB is refused.
pub(crate) const SMALL_BLOBS: &str = "[limits]\nblob_bytes = 65536\n";

/// More than [`SMALL_BLOBS`] allows, also compressed.
pub(crate) fn too_large() -> Vec<u8> {
    crate::support::image::noise(7, 300 * 1024)
}

/// Writes a tar archive with this content into the laboratory and answers its path.
pub(crate) fn archive(lab: &Lab, content: &[u8]) -> String {
    let path = lab.scratch("archives").join(format!("{}.tar", crate::support::server::random_word()));
    std::fs::write(&path, crate::support::image::tar("words", content)).expect("a file of our own");
    crate::support::process::word(&path)
}
