//! The commands of `docs/applications.md`, run as they stand there.
//!
//! How such a block is read stands in `support::page`. One more word says when, or how: `docker-app`, `docker-app-0.8` and `docker-app-0.9` where `DOCKER_APP` names such a program, `fails` for commands that
//! must fail. Without docker app, skopeo pushes the application that the page speaks of.

use std::fs;
use std::path::Path;

use crate::client::{Client, Place};
use crate::docker::Docker;
use crate::docker_app::{App, Generation};
use crate::skopeo::Skopeo;
use crate::support::image::Layout;
use crate::support::lab::{self, Lab};
use crate::support::page::{Block, blocks};
use crate::support::server::{ADMIN, NAME, Server};
use crate::support::tally::needs;

/// The application of which the page speaks, by a client that every test machine has.
fn push_by_skopeo(lab: &Lab, place: &Place) {
    let skopeo = Skopeo(lab);
    skopeo.trust(place);
    skopeo.login(place, ADMIN, &place.password).ok();
    let mut layout = Layout::create(&lab.scratch("layout"));
    layout.application("0.1.0", b"words");
    for tag in ["0.1.0", "0.1.0-invoc"] {
        skopeo.push_layout(&layout, tag, place, &format!("admin/lab-words:{tag}")).ok();
    }
}

/// A registry by its name alone, and name and password where curl looks for them.
fn serve(lab: &Lab) -> (Server, Place) {
    let server = lab.server(|options| options.args(&["--listen", &format!("{}:443", lab::SERVER)]));
    let place = Place { authority: NAME.to_owned(), ..Place::of(&server, NAME) };
    let netrc = format!("machine {NAME} login {ADMIN} password {}\n", place.password);
    fs::write(lab.client_path("/home/.netrc"), netrc).expect("the client's own home");
    (server, place)
}

fn run(lab: &Lab, directory: &Path, app: Option<&App<'_>>, block: &Block) {
    for command in &block.commands {
        let place = format!("docs/applications.md, the block of line {}", block.line);
        let docker_app = app.map(App::as_docker_app).unwrap_or_default();
        let script = format!("set -o pipefail; cd '{}'; {docker_app}{}", directory.display(), command.text);
        let words = ["bash", "-c", &script];
        let run = app.map_or_else(|| lab.client(&words), |app| app.docker.run_as(&[], &words));
        let fails = block.words.iter().any(|word| word == "fails");
        assert_eq!(run.success, !fails, "{place}:\n{}", run.transcript());
        command.check(&place, &format!("{}\n{}", run.stdout, run.stderr));
    }
}

#[test]
fn applications_page_says_what_happens() {
    let _running = needs!("skopeo", "jq", "update-ca-certificates");
    let lab = Lab::new();
    let (_server, place) = serve(&lab);
    push_by_skopeo(&lab, &place);
    let directory = lab.scratch("work");
    // Trust comes from the page, which says so in its middle.
    let page = blocks(include_str!("../../docs/applications.md"));
    let (first, others): (Vec<_>, Vec<_>) =
        page.into_iter().partition(|block| block.commands.iter().any(|command| command.text == "sh trust.sh"));
    assert_eq!(first.len(), 1, "one block gives trust");
    let for_all = |block: &Block| !block.words.iter().any(|word| word.starts_with("docker-app"));
    for block in first.iter().chain(others.iter().filter(|block| for_all(block))) {
        run(&lab, &directory, None, block);
    }
}

#[test]
fn applications_page_says_what_docker_app_does() {
    let _running = needs!("docker", "dockerd", "skopeo", "jq", "update-ca-certificates"; luxury "$DOCKER_APP");
    let lab = Lab::new();
    let (_server, place) = serve(&lab);
    let app = App::prepare(&lab, place, Docker::start(&lab));
    let mine = match app.generation {
        Generation::V08 => "docker-app-0.8",
        Generation::V09 => "docker-app-0.9",
    };
    for block in blocks(include_str!("../../docs/applications.md")) {
        let trust = block.commands.iter().any(|command| command.text == "sh trust.sh");
        if trust || block.words.iter().any(|word| word == "docker-app" || word == mine) {
            run(&lab, &app.workplace(), Some(&app), &block);
        }
    }
}
