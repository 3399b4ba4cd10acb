//! skopeo.

use crate::client::{self, Client, Place};
use crate::sentences;
use crate::support::image::Layout;
use crate::support::lab::Lab;
use crate::support::process::{Run, word};
use crate::support::server::{NAME, random_word};
use crate::support::tally::needs;

/// skopeo as the laboratory's client runs it.
pub(crate) struct Skopeo<'lab>(pub(crate) &'lab Lab);

impl Skopeo<'_> {
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        self.0.client(&[&["skopeo"], words].concat())
    }

    fn remote(place: &Place, image: &str) -> String {
        format!("docker://{}", place.reference(image))
    }

    /// Copies an entry of a layout with everything below it.
    pub(crate) fn push_layout(&self, layout: &Layout, tag: &str, place: &Place, image: &str) -> Run {
        let from = format!("oci:{}:{tag}", word(layout.dir()));
        self.run(&["copy", "--all", "--preserve-digests", &from, &Self::remote(place, image)])
    }
}

impl Client for Skopeo<'_> {
    fn name(&self) -> &'static str {
        "skopeo"
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
        let mut layout = Layout::create(&self.0.scratch(&random_word()));
        layout.image("it", content);
        self.push_layout(&layout, "it", place, image)
    }

    fn pull(&self, place: &Place, image: &str) -> Run {
        let into = format!("dir:{}", word(&self.0.scratch(&random_word())));
        self.run(&["copy", "--all", &Self::remote(place, image), &into])
    }

    fn digest(&self, place: &Place, image: &str) -> String {
        self.run(&["inspect", "--no-tags", "--format", "{{.Digest}}", &Self::remote(place, image)])
            .ok()
            .text()
            .to_owned()
    }
}

#[test]
fn skopeo_works_by_name_address_and_nat() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::works_everywhere(&Skopeo(&lab), &server);
}

#[test]
fn skopeo_without_our_ca_is_refused_and_named() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::refuses_without_our_ca(&Skopeo(&lab), &server);
}

#[test]
fn skopeo_prints_why_a_push_was_refused() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options.config(client::SMALL_BLOBS));
    let place = Place::of(&server, NAME);
    client::prints_our_sentence(&Skopeo(&lab), &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
    client::wrong_password_is_explained(&Skopeo(&lab), &place, sentences::INVALID_PASSWORD);
}

#[test]
fn skopeo_deletes_and_copies_indexes() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    deletes_and_copies(&lab, &Place::of(&server, NAME));
}

#[test]
fn skopeo_works_behind_nginx() {
    let _running = needs!("skopeo", "nginx", "openssl");
    let lab = Lab::new();
    let (server, proxy) = crate::proxy::in_front_of_a_server(&lab, client::SMALL_BLOBS);
    let place = proxy.place(&server);
    client::round_trip(&Skopeo(&lab), &server, &place, "lab/skopeo:proxied");
    deletes_and_copies(&lab, &place);
    client::prints_our_sentence(&Skopeo(&lab), &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
}

/// An index with its children goes to one repository and from there to another with its digest kept; deleted in one,
/// it stays in the other.
#[track_caller]
fn deletes_and_copies(lab: &Lab, place: &Place) {
    let skopeo = Skopeo(lab);
    skopeo.trust(place);
    skopeo.login(place, crate::support::server::ADMIN, &place.password).ok();
    let mut layout = Layout::create(&lab.scratch("layout"));
    let digest = layout.index("multi", b"words");
    skopeo.push_layout(&layout, "multi", place, "lab/skopeo:multi").ok();
    let (here, there) = (Skopeo::remote(place, "lab/skopeo:multi"), Skopeo::remote(place, "lab/other:multi"));
    // Blobs that are here already are mounted, not sent again.
    skopeo.run(&["copy", "--all", "--preserve-digests", &here, &there]).ok();
    assert_eq!(skopeo.digest(place, "lab/other:multi"), digest);
    let tags = skopeo.run(&["list-tags", &format!("docker://{}", place.reference("lab/other"))]).ok();
    assert!(tags.stdout.contains("\"multi\""), "{}", tags.transcript());

    skopeo.run(&["delete", &here]).ok();
    skopeo.run(&["inspect", "--raw", &here]).fails();
    skopeo.pull(place, "lab/other:multi").ok();
}
