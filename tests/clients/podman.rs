//! podman.

use crate::client::{self, Client, Place};
use crate::sentences;
use crate::support::lab::Lab;
use crate::support::process::Run;
use crate::support::server::NAME;
use crate::support::tally::needs;

/// podman as the laboratory's client runs it, with a store of its own.
pub(crate) struct Podman<'lab>(pub(crate) &'lab Lab);

impl Podman<'_> {
    fn run(&self, words: &[&str]) -> Run {
        self.0.client(&[&["podman"], words].concat())
    }
}

impl Client for Podman<'_> {
    fn name(&self) -> &'static str {
        "podman"
    }

    fn trust(&self, place: &Place) {
        self.0.trust("containers", &place.authority, &place.ca);
    }

    fn login(&self, place: &Place, user: &str, password: &str) -> Run {
        self.run(&["login", "--username", user, "--password", password, &place.authority])
    }

    fn logout(&self, place: &Place) -> Run {
        self.run(&["logout", &place.authority])
    }

    fn push(&self, place: &Place, image: &str, content: &[u8]) -> Run {
        let reference = place.reference(image);
        self.run(&["import", &client::archive(self.0, content), &reference]).ok();
        self.run(&["push", &reference])
    }

    fn pull(&self, place: &Place, image: &str) -> Run {
        let reference = place.reference(image);
        self.run(&["rmi", "--force", "--ignore", &reference]).ok();
        self.run(&["pull", &reference])
    }

    fn digest(&self, place: &Place, image: &str) -> String {
        let format = "{{.Digest}}";
        self.run(&["image", "inspect", "--format", format, &place.reference(image)]).ok().text().to_owned()
    }
}

#[test]
fn podman_works_by_name_address_and_nat() {
    let _running = needs!("podman");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::works_everywhere(&Podman(&lab), &server);
}

#[test]
fn podman_without_our_ca_is_refused_and_named() {
    let _running = needs!("podman");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::refuses_without_our_ca(&Podman(&lab), &server);
}

#[test]
fn podman_prints_why_a_push_was_refused() {
    let _running = needs!("podman");
    let lab = Lab::new();
    let server = lab.server(|options| options.config(client::SMALL_BLOBS));
    let place = Place::of(&server, NAME);
    client::prints_our_sentence(&Podman(&lab), &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
    client::wrong_password_is_explained(&Podman(&lab), &place, sentences::INVALID_PASSWORD);
}

#[test]
fn podman_pushes_a_manifest_list() {
    let _running = needs!("podman");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let podman = Podman(&lab);
    let place = Place::of(&server, NAME);
    client::round_trip(&podman, &server, &place, "lab/podman:one");
    let list = place.reference("lab/podman:list");
    podman.run(&["manifest", "create", &list]).ok();
    podman.run(&["manifest", "add", &list, &format!("docker://{}", place.reference("lab/podman:one"))]).ok();
    podman.run(&["manifest", "push", "--all", &list, &format!("docker://{list}")]).ok();
    client::digest_at(&server, "lab/podman:list");
}

#[test]
fn podman_works_behind_nginx() {
    let _running = needs!("podman", "nginx", "openssl");
    let lab = Lab::new();
    let (server, proxy) = crate::proxy::in_front_of_a_server(&lab, client::SMALL_BLOBS);
    let place = proxy.place(&server);
    client::round_trip(&Podman(&lab), &server, &place, "lab/podman:proxied");
    client::prints_our_sentence(&Podman(&lab), &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
}
