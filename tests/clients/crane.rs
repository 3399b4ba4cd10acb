//! crane: a client that knows no directory for certificates, only the system's store and `SSL_CERT_FILE`.

use crate::client::{self, Client, Place};
use crate::support::image::Layout;
use crate::support::lab::Lab;
use crate::support::process::{Run, word};
use crate::support::server::{ADMIN, NAME, random_word};
use crate::support::tally::needs;

/// crane as the laboratory's client runs it; trusting the place's CA or not.
pub(crate) struct Crane<'lab> {
    pub(crate) lab: &'lab Lab,
    pub(crate) trusting: bool,
}

impl Crane<'_> {
    fn run(&self, place: &Place, words: &[&str]) -> Run {
        let ca = word(&place.ca);
        let variables: &[(&str, &str)] = if self.trusting { &[("SSL_CERT_FILE", &ca)] } else { &[] };
        self.lab.client_with(variables, &[&["crane"], words].concat())
    }
}

impl Client for Crane<'_> {
    fn name(&self) -> &'static str {
        "crane"
    }

    fn trust(&self, _place: &Place) {}

    fn login(&self, place: &Place, user: &str, password: &str) -> Run {
        self.run(place, &["auth", "login", "--username", user, "--password", password, &place.authority])
    }

    fn logout(&self, place: &Place) -> Run {
        self.run(place, &["auth", "logout", &place.authority])
    }

    fn push(&self, place: &Place, image: &str, content: &[u8]) -> Run {
        let mut layout = Layout::create(&self.lab.scratch(&random_word()));
        layout.image("it", content);
        self.run(place, &["push", &word(layout.dir()), &place.reference(image)])
    }

    fn pull(&self, place: &Place, image: &str) -> Run {
        let into = word(&self.lab.scratch(&random_word()));
        self.run(place, &["pull", "--format", "oci", &place.reference(image), &into])
    }

    fn digest(&self, place: &Place, image: &str) -> String {
        self.run(place, &["digest", &place.reference(image)]).ok().text().to_owned()
    }
}

#[test]
fn crane_works_by_name_address_and_nat_and_deletes() {
    let _running = needs!(; luxury "crane");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let crane = Crane { lab: &lab, trusting: true };
    client::works_everywhere(&crane, &server);

    let place = Place::of(&server, NAME);
    crane.login(&place, ADMIN, &place.password).ok();
    let digest = client::digest_at(&server, "lab/crane:by-name");
    crane.run(&place, &["delete", &format!("{}@{digest}", place.reference("lab/crane"))]).ok();
    crane.run(&place, &["manifest", &place.reference("lab/crane:by-name")]).fails();
}

#[test]
fn crane_without_our_ca_is_refused_and_named() {
    let _running = needs!(; luxury "crane");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::refuses_without_our_ca(&Crane { lab: &lab, trusting: false }, &server);
}
