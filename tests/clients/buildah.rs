//! buildah.

use crate::client::{self, Client, Place};
use crate::sentences;
use crate::support::lab::Lab;
use crate::support::process::Run;
use crate::support::server::NAME;
use crate::support::tally::needs;

/// buildah as the laboratory's client runs it, with a store of its own.
pub(crate) struct Buildah<'lab>(pub(crate) &'lab Lab);

impl Buildah<'_> {
    fn run(&self, words: &[&str]) -> Run {
        self.0.client_with(&[("BUILDAH_ISOLATION", "chroot")], &[&["buildah"], words].concat())
    }
}

impl Client for Buildah<'_> {
    fn name(&self) -> &'static str {
        "buildah"
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
        let container = self.run(&["from", "scratch"]).ok();
        self.run(&["add", container.text(), &client::archive(self.0, content), "/"]).ok();
        self.run(&["commit", "--rm", container.text(), &reference]).ok();
        self.run(&["push", &reference])
    }

    fn pull(&self, place: &Place, image: &str) -> Run {
        let reference = place.reference(image);
        // There may be none to remove.
        let _ = self.run(&["rmi", "--force", &reference]);
        self.run(&["pull", &reference])
    }

    fn digest(&self, place: &Place, image: &str) -> String {
        self.run(&["images", "--format", "{{.Digest}}", &place.reference(image)]).ok().text().to_owned()
    }
}

#[test]
fn buildah_works_by_name_address_and_nat() {
    let _running = needs!("buildah");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::works_everywhere(&Buildah(&lab), &server);
}

#[test]
fn buildah_without_our_ca_is_refused_and_named() {
    let _running = needs!("buildah");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::refuses_without_our_ca(&Buildah(&lab), &server);
}

#[test]
fn buildah_works_behind_nginx() {
    let _running = needs!("buildah", "nginx", "openssl");
    let lab = Lab::new();
    let (server, proxy) = crate::proxy::in_front_of_a_server(&lab, client::SMALL_BLOBS);
    let place = proxy.place(&server);
    client::round_trip(&Buildah(&lab), &server, &place, "lab/buildah:proxied");
    client::prints_our_sentence(&Buildah(&lab), &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
}

#[test]
fn buildah_builds_from_an_image_here() {
    let _running = needs!("buildah");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let buildah = Buildah(&lab);
    let place = Place::of(&server, NAME);
    client::round_trip(&buildah, &server, &place, "lab/base:1");
    buildah.run(&["rmi", "--force", &place.reference("lab/base:1")]).ok();
    let container = buildah.run(&["from", "--pull", &place.reference("lab/base:1")]).ok();
    buildah.run(&["config", "--label", "words=many", container.text()]).ok();
    let built = place.reference("lab/built:1");
    buildah.run(&["commit", container.text(), &built]).ok();
    buildah.run(&["push", &built]).ok();
    client::digest_at(&server, "lab/built:1");
}
