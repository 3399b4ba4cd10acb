//! `/trust.sh`: one line on a client's machine, and its clients work.

use std::fs;
use std::time::Duration;

use crate::client::{self, Client, Place};
use crate::docker::Docker;
use crate::skopeo::Skopeo;
use crate::support::lab::{self, Lab};
use crate::support::process::word;
use crate::support::server::{NAME, Server};
use crate::support::tally::needs;

/// Runs the script as a person would: fetched in clear, because nothing is trusted yet. The script itself checks the
/// CA's fingerprint.
fn run_script(lab: &Lab) {
    let line = format!("curl --fail --silent --show-error http://{NAME}:{}/trust.sh | sh", lab::PORT);
    lab.client(&["sh", "-c", &line]).ok();
}

#[test]
fn trust_script_makes_docker_and_skopeo_work() {
    let _running = needs!("docker", "dockerd", "skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let docker = Docker::start(&lab);
    let place = Place::of(&server, NAME);
    docker.push(&place, "lab/docker:early", b"words").fails();
    run_script(&lab);
    // No restart of the engine in between.
    script_was_enough(&docker, &server);
    script_was_enough(&Skopeo(&lab), &server);
}

#[test]
fn trust_script_reaches_the_systems_store() {
    let _running = needs!("update-ca-certificates");
    let lab = Lab::new();
    let _server = lab.server(|options| options);
    let url = format!("https://{}/ca.crt", lab::authority(NAME));
    let fetch = || lab.client(&["curl", "--silent", "--show-error", "--fail", &url]);
    fetch().fails();
    run_script(&lab);
    fetch().ok();
}

#[test]
fn trust_script_twice_is_as_good_as_once_and_touches_no_other_trust() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let foreign = lab.client_path("/etc/docker/certs.d/other.lab/ca.crt");
    lab.trust("docker", "other.lab", &server.ca());
    run_script(&lab);
    run_script(&lab);
    script_was_enough(&Skopeo(&lab), &server);
    assert!(foreign.exists(), "the script took away what it had not put there");
}

#[test]
fn trust_script_knows_the_short_spelling_of_port_443() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options.args(&["--listen", &format!("{}:443", lab::SERVER)]));
    lab.client(&["sh", "-c", &format!("curl --fail --silent --show-error http://{NAME}:443/trust.sh | sh")]).ok();
    for authority in [NAME.to_owned(), format!("{NAME}:443")] {
        let place = Place { authority, ..Place::of(&server, NAME) };
        without_placing_trust(&Skopeo(&lab), &server, &place, "lab/skopeo:short");
    }
}

/// The server cannot know of an address that is translated on the way to it. Told of it, it has it at once.
#[test]
fn cert_add_takes_effect_on_the_running_server() {
    let _running = needs!();
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let url = format!("https://{}/ca.crt", lab::authority(lab::NAT));
    let fetch = || lab.client(&["curl", "--silent", "--show-error", "--fail", "--cacert", &word(&server.ca()), &url]);
    fetch().fails();
    server.cli(&["cert", "add", lab::NAT]).ok();
    let fetched = fetch().ok();
    assert_eq!(fetched.stdout, fs::read_to_string(server.ca()).expect("the server's CA"));
    server.cli(&["cert", "show"]).ok().says(lab::NAT);
}

/// A client that trusts us and asks for a name that the certificate lacks needs no trust but `cert add`; the name is
/// not added by itself.
#[test]
fn name_that_is_not_covered_is_told_with_its_own_cure() {
    let _running = needs!("skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let place = Place::of(&server, lab::ALIAS);
    let skopeo = Skopeo(&lab);
    skopeo.trust(&place);
    skopeo.push(&place, "lab/skopeo:alias", b"words").fails().says(lab::ALIAS);
    let cure = format!("cert add {}", lab::ALIAS);
    let line = server.await_log(0, Duration::from_secs(2), |line| line.contains(lab::CLIENT) && line.contains(&cure));
    assert!(line.is_some(), "no line within 2 s that names {} and {cure:?}:\n{}", lab::CLIENT, server.log());
    skopeo.push(&place, "lab/skopeo:alias", b"words").fails();
    server.cli(&["cert", "add", lab::ALIAS]).ok();
    client::round_trip(&skopeo, &server, &place, "lab/skopeo:alias");
}

#[track_caller]
fn script_was_enough(client: &dyn Client, server: &Server) {
    let place = Place::of(server, NAME);
    without_placing_trust(client, server, &place, &format!("lab/{}:trusted", client.name()));
}

/// A round trip in which nobody but the script put a CA anywhere.
#[track_caller]
fn without_placing_trust(client: &dyn Client, server: &Server, place: &Place, image: &str) {
    client.login(place, crate::support::server::ADMIN, &place.password).ok();
    client.push(place, image, b"words").ok();
    client.pull(place, image).ok();
    assert_eq!(client.digest(place, image), client::digest_at(server, image));
}
