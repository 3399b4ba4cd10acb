//! The docker engine and its command line.

use std::fs;
use std::time::Duration;

use crate::client::{self, Client, Place};
use crate::sentences;
use crate::support::image::noise;
use crate::support::lab::{self, Lab};
use crate::support::process::{Run, Service, word};
use crate::support::server::{ADMIN, NAME, Server};
use crate::support::tally::needs;

/// A docker engine of the laboratory's client, and its command line.
pub(crate) struct Docker<'lab> {
    lab: &'lab Lab,
    _engine: Service,
}

impl<'lab> Docker<'lab> {
    /// Starts the engine with an empty store. It runs no containers here: it has no bridge.
    #[track_caller]
    pub(crate) fn start(lab: &'lab Lab) -> Self {
        let mut engine = lab.client_service(
            "dockerd",
            &["dockerd", "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none"],
        );
        engine.until("it answered `docker version`", || lab.client(&["docker", "version"]).success);
        Self { lab, _engine: engine }
    }

    /// Runs the command line.
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        self.run_as(&[], &[&["docker"], words].concat())
    }

    /// Runs a program that uses the engine and the command line's settings, with more variables in its environment.
    pub(crate) fn run_as(&self, variables: &[(&str, &str)], program: &[&str]) -> Run {
        let config = self.config();
        // BuildKit would want containers of its own; the classic builder needs none for COPY and LABEL.
        let own = [("DOCKER_BUILDKIT", "0"), ("DOCKER_CONFIG", config.as_str())];
        self.lab.client_with(&[&own, variables].concat(), program)
    }

    /// The directory of the command line's settings, as the client names it.
    pub(crate) fn config(&self) -> String {
        format!("{}/docker", self.lab.home())
    }

    /// A push that goes on beside the test.
    fn start_push(&self, reference: &str) -> Service {
        let config = format!("DOCKER_CONFIG={}", self.config());
        self.lab.client_service("push", &["env", &config, "docker", "push", reference])
    }

    /// What docker keeps of its sign-ins. Not in `~/.docker`: podman and skopeo look there too, and refuse to sign in
    /// where docker keeps a refresh token ("auth file contains an Identity token").
    pub(crate) fn kept(&self) -> String {
        let file = self.lab.client_path("/home/docker/config.json");
        fs::read_to_string(file).expect("docker keeps its sign-in")
    }
}

impl Client for Docker<'_> {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn trust(&self, place: &Place) {
        self.lab.trust("docker", &place.authority, &place.ca);
    }

    fn login(&self, place: &Place, user: &str, password: &str) -> Run {
        self.run(&["login", "--username", user, "--password", password, &place.authority])
    }

    fn logout(&self, place: &Place) -> Run {
        self.run(&["logout", &place.authority])
    }

    fn push(&self, place: &Place, image: &str, content: &[u8]) -> Run {
        let reference = place.reference(image);
        self.run(&["import", &client::archive(self.lab, content), &reference]).ok();
        self.run(&["push", &reference])
    }

    fn pull(&self, place: &Place, image: &str) -> Run {
        let reference = place.reference(image);
        self.run(&["rmi", "--force", &reference]).ok();
        self.run(&["pull", &reference])
    }

    fn digest(&self, place: &Place, image: &str) -> String {
        let format = "{{range .RepoDigests}}{{println .}}{{end}}";
        let digests = self.run(&["image", "inspect", "--format", format, &place.reference(image)]).ok();
        let repository = place.reference(image.rsplit_once(':').map_or(image, |(repository, _)| repository));
        digests
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{repository}@")))
            .unwrap_or_else(|| panic!("no digest for {repository}:\n{}", digests.transcript()))
            .to_owned()
    }
}

#[test]
fn docker_works_by_name_address_and_nat() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::works_everywhere(&Docker::start(&lab), &server);
}

#[test]
fn docker_without_our_ca_is_refused_and_named() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    client::refuses_without_our_ca(&Docker::start(&lab), &server);
}

#[test]
fn docker_prints_why_a_push_was_refused() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let server = lab.server(|options| options.config(client::SMALL_BLOBS));
    let docker = Docker::start(&lab);
    let place = Place::of(&server, NAME);
    client::prints_our_sentence(&docker, &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
}

#[test]
fn docker_signs_in_with_a_refresh_token_and_out() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let docker = Docker::start(&lab);
    let place = Place::of(&server, NAME);
    client::wrong_password_is_explained(&docker, &place, sentences::WRONG_PASSWORD);

    // The engine asks the token service for a refresh token and keeps that instead of the password.
    let kept = docker.kept();
    assert!(kept.contains("identitytoken"), "docker got no refresh token: {kept}");
    docker.push(&place, "lab/docker:token", b"pushed with a refresh token").ok();

    docker.run(&["logout", &place.authority]).ok();
    docker.push(&place, "lab/docker:anonymous", b"pushed by nobody").fails();
    docker.login(&place, ADMIN, server.password()).ok();
    docker.push(&place, "lab/docker:again", b"pushed again").ok();
}

#[test]
fn docker_builds_from_an_image_here() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    builds_from(&Docker::start(&lab), &server, &Place::of(&server, NAME));
}

/// `docker build` with its base image at this place, and the result pushed there.
#[track_caller]
pub(crate) fn builds_from(docker: &Docker<'_>, server: &Server, place: &Place) {
    client::round_trip(docker, server, place, "lab/base:1");
    docker.run(&["rmi", "--force", &place.reference("lab/base:1")]).ok();

    let context = docker.lab.scratch("context");
    let recipe = format!("FROM {}\nLABEL words=many\nCOPY more /more\n", place.reference("lab/base:1"));
    fs::write(context.join("Dockerfile"), recipe).expect("a file of our own");
    fs::write(context.join("more"), "more words").expect("a file of our own");
    let built = place.reference("lab/built:1");
    docker.run(&["build", "--tag", &built, &word(&context)]).ok();
    docker.run(&["push", &built]).ok();
    client::digest_at(server, "lab/built:1");
}

#[test]
fn docker_push_that_a_restart_cut_off_ends_well_when_repeated() {
    let _running = needs!("docker", "dockerd");
    let lab = Lab::new();
    let mut server = lab.server(|options| options);
    let docker = Docker::start(&lab);
    let place = Place::of(&server, NAME);
    docker.trust(&place);
    docker.login(&place, ADMIN, &place.password).ok();

    let image = place.reference("lab/docker:interrupted");
    docker.run(&["import", &client::archive(&lab, &noise(11, 64 << 20)), &image]).ok();
    let before = lab.received();
    let mut push = docker.start_push(&image);
    push.until("8 MiB had gone over the wire", || lab.received() > before + (8 << 20));
    server.kill();
    assert!(!push.log().contains("digest: sha256:"), "the push was over before the restart:\n{}", push.log());
    server.start_again();
    push.terminate(Duration::from_secs(10));

    docker.run(&["push", &image]).ok();
    docker.pull(&place, "lab/docker:interrupted").ok();
    assert_eq!(docker.digest(&place, "lab/docker:interrupted"), client::digest_at(&server, "lab/docker:interrupted"));
}

#[test]
fn docker_works_behind_nginx() {
    let _running = needs!("docker", "dockerd", "nginx", "openssl");
    let lab = Lab::new();
    let (server, proxy) = crate::proxy::in_front_of_a_server(&lab, client::SMALL_BLOBS);
    let docker = Docker::start(&lab);
    let place = proxy.place(&server);
    builds_from(&docker, &server, &place);
    client::wrong_password_is_explained(&docker, &place, sentences::WRONG_PASSWORD);
    client::prints_our_sentence(&docker, &place, &client::too_large(), sentences::BLOB_TOO_LARGE);
    // The engine saw no other name than the proxy's: without trust in ours, a direct push is refused.
    let direct = Place { authority: lab::authority(NAME), ..place };
    docker.push(&direct, "lab/docker:direct", b"words").fails().says(sentences::UNKNOWN_AUTHORITY);
}
