//! docker app, unmodified: applications are built, pushed, pulled and inspected with the real client.
//!
//! Nobody packages docker app any more, so no test machine can install it: these tests run where `DOCKER_APP` names the
//! program (`make test-app DOCKER_APP=…`), as a plugin of docker or standing alone, and are counted as skipped
//! elsewhere, also with `CI=true`. What it asks on the wire is tested everywhere, by `tests/it/traces`.
//!
//! Two generations differ in their commands and in what they push. The first (0.8) pushes a directory and leaves the
//! invocation image as `<tag>-invoc`; the last (0.9) builds first and leaves one tag. The tests find out which one they
//! have. The base of the invocation image cannot be fetched here; an image of one file takes its place. With
//! `CNAB_RUN=…` that file is the client's own `cnab-run`, and `inspect` is tested too, which runs it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::client::{self, Client, Place};
use crate::docker::Docker;
use crate::sentences;
use crate::skopeo::Skopeo;
use crate::support::image::{Layout, tar};
use crate::support::lab::{self, Lab};
use crate::support::process::{Run, word};
use crate::support::server::{ADMIN, NAME, Server};
use crate::support::tally::{given, needs};

const REPOSITORY: &str = "admin/lab-words";
const IMAGE: &str = "admin/lab-words:0.1.0";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// `docker app push NAME --tag REFERENCE`.
    V08,
    /// `docker app build --tag REFERENCE`, then `docker app push REFERENCE`.
    V09,
}

/// The client with its engine, an application of three services and their images in the registry.
pub(crate) struct App<'lab> {
    lab: &'lab Lab,
    pub(crate) docker: Docker<'lab>,
    place: Place,
    /// The words before `push` and the other verbs.
    program: Vec<String>,
    pub(crate) generation: Generation,
    directory: PathBuf,
}

impl<'lab> App<'lab> {
    /// The engine trusts our CA and everything is signed in; the client itself trusts nothing yet.
    pub(crate) fn prepare(lab: &'lab Lab, place: Place, docker: Docker<'lab>) -> Self {
        docker.trust(&place);
        docker.login(&place, ADMIN, &place.password).ok();
        for service in ["web", "db"] {
            docker.push(&place, &format!("lib/{service}:1.0"), service.as_bytes()).ok();
        }
        let skopeo = Skopeo(lab);
        skopeo.trust(&place);
        skopeo.login(&place, ADMIN, &place.password).ok();
        let mut layout = Layout::create(&lab.scratch("multi"));
        layout.index("it", b"multi");
        skopeo.push_layout(&layout, "it", &place, "lib/multi:1.0").ok();

        let program = install(&docker);
        let (generation, version) = version(&docker, &program);
        let app = Self { lab, docker, program, generation, directory: lab.scratch("work/lab-words.dockerapp"), place };
        app.stand_in_for_the_base(&version);
        app.write();
        app
    }

    /// `docker/cnab-app-base`, of which the client makes every invocation image.
    fn stand_in_for_the_base(&self, version: &str) {
        let content = given("CNAB_RUN").map_or_else(|| b"nothing".to_vec(), |run| fs::read(run).expect("a program"));
        let archive = self.lab.scratch("base").join("base.tar");
        fs::write(&archive, tar("cnab/app/run", &content)).expect("a file of our own");
        let base = format!("docker/cnab-app-base:{version}");
        let change = ["--change", "WORKDIR /cnab/app", "--change", "CMD [\"/cnab/app/run\"]"];
        self.docker.run(&[&["import"], &change[..], &[&word(&archive), &base]].concat()).ok();
    }

    /// The application's own files.
    fn write(&self) {
        let service =
            |name: &str| format!("  {name}:\n    image: {}\n", self.place.reference(&format!("lib/{name}:1.0")));
        let services: String = ["web", "db", "multi"].map(service).concat();
        let metadata = "version: 0.1.0\nname: lab-words\ndescription: A few words\n\
                        maintainers:\n  - name: alice\n    email: alice@registry.lab\n";
        let files = [
            ("metadata.yml", metadata.to_owned()),
            ("docker-compose.yml", format!("version: \"3.6\"\nservices:\n{services}")),
            ("parameters.yml", "port: 8080\n".to_owned()),
        ];
        for (name, text) in files {
            fs::write(self.directory.join(name), text).expect("a file of our own");
        }
    }

    /// `docker app …`.
    fn run(&self, variables: &[(&str, &str)], words: &[&str]) -> Run {
        let program: Vec<&str> = self.program.iter().map(String::as_str).collect();
        self.docker.run_as(variables, &[&program[..], words].concat())
    }

    /// What makes `docker app` this client in a shell, if it is a program that stands alone.
    pub(crate) fn as_docker_app(&self) -> String {
        match &self.program[..] {
            [alone] => format!("docker() {{ shift; '{alone}' \"$@\"; }}; "),
            _ => String::new(),
        }
    }

    /// The directory in which the application's own one lies.
    pub(crate) fn workplace(&self) -> PathBuf {
        self.directory.parent().expect("it was made in a directory").to_owned()
    }

    /// Everything up to the push, and the push.
    fn push(&self, variables: &[(&str, &str)], more: &[&str]) -> Run {
        let reference = self.place.reference(IMAGE);
        let directory = word(&self.directory);
        match self.generation {
            Generation::V08 => self.run(variables, &[&["push", &directory, "--tag", &reference], more].concat()),
            Generation::V09 => {
                let context = word(&self.lab.scratch("context"));
                let built = self.run(variables, &["build", "--file", &directory, "--tag", &reference, &context]);
                if built.success { self.run(variables, &["push", &reference]) } else { built }
            }
        }
    }

    /// What the client keeps of applications goes, and what the engine has of the invocation image.
    fn forget(&self) {
        let _ = fs::remove_dir_all(self.lab.client_path("/home/docker/app"));
        for tag in [IMAGE.to_owned(), format!("{IMAGE}-invoc")] {
            self.docker.run(&["rmi", "--force", &self.place.reference(&tag)]);
        }
    }

    /// The tags that a push leaves.
    fn tags(&self) -> &'static [&'static str] {
        match self.generation {
            Generation::V08 => &["0.1.0", "0.1.0-invoc"],
            Generation::V09 => &["0.1.0"],
        }
    }
}

/// Puts the client where docker looks for plugins; a program that is none stands alone.
fn install(docker: &Docker<'_>) -> Vec<String> {
    let client = given("DOCKER_APP").expect("the test needs it");
    // Every program of docker app takes the word, but only a plugin answers it.
    if !docker.run_as(&[], &[&word(&client), "docker-cli-plugin-metadata"]).stdout.contains("SchemaVersion") {
        return vec![word(&client)];
    }
    let plugins = format!("{}/cli-plugins", docker.config());
    fs::create_dir_all(&plugins).expect("the client's own home");
    fs::copy(client, format!("{plugins}/docker-app")).expect("a program to copy");
    vec!["docker".to_owned(), "app".to_owned()]
}

/// `version` is a verb of the first generation and an option of the last.
fn version(docker: &Docker<'_>, program: &[String]) -> (Generation, String) {
    let words: Vec<&str> = program.iter().map(String::as_str).collect();
    let first = docker.run_as(&[], &[&words[..], &["version"]].concat());
    let (generation, told) = if first.success {
        (Generation::V08, first)
    } else {
        (Generation::V09, docker.run_as(&[], &[&words[..], &["--version"]].concat()).ok())
    };
    let version = told.stdout.lines().find_map(|line| line.strip_prefix("Version:"));
    (generation, version.unwrap_or_else(|| panic!("no version:\n{}", told.transcript())).trim().to_owned())
}

/// The push ended well, in the client's eyes and in ours: its last line has our digest, and the tag is the index that
/// it meant, neither a manifest list nor an index with a configuration that was made to look like an image.
#[track_caller]
fn pushed_well(app: &App<'_>, server: &Server, push: Run) {
    let push = push.ok();
    let digest = client::digest_at(server, IMAGE);
    let reference = app.place.reference(IMAGE);
    let last = format!("Successfully pushed bundle to {reference}. Digest is {digest}.");
    assert_eq!(push.text().lines().last(), Some(last.as_str()), "{}", push.transcript());

    let tags = server.signed_in("GET", &format!("/v2/{REPOSITORY}/tags/list")).send().is(200);
    let tags: Value = serde_json::from_str(&tags.body).expect("tags are JSON");
    assert_eq!(tags["tags"], serde_json::json!(app.tags()));
    let index = manifest(server, "0.1.0", "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["annotations"]["io.docker.type"], "app");
    let children = index["manifests"].as_array().expect("an index has children");
    assert_eq!(children.len(), 5, "configuration, invocation image and three services: {index}");
    for child in children {
        let media_type = child["mediaType"].as_str().expect("every child has a type");
        let manifest = manifest(server, child["digest"].as_str().expect("every child has a digest"), media_type);
        if child["annotations"]["io.cnab.manifest.type"] == "config" {
            assert_eq!(manifest["config"]["mediaType"], "application/vnd.cnab.config.v1+json");
        }
    }
}

/// A manifest of the application, which must be of this type.
#[track_caller]
fn manifest(server: &Server, reference: &str, media_type: &str) -> Value {
    let answer = server
        .signed_in("GET", &format!("/v2/{REPOSITORY}/manifests/{reference}"))
        .header("Accept", media_type)
        .send()
        .is(200);
    assert_eq!(answer.header("Content-Type"), Some(media_type));
    serde_json::from_str(&answer.body).expect("manifests are JSON")
}

#[test]
fn docker_app_pushes_pulls_and_inspects() {
    let _running = needs!("docker", "dockerd", "skopeo"; luxury "$DOCKER_APP");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let app = App::prepare(&lab, Place::of(&server, NAME), Docker::start(&lab));
    let ca = word(&server.ca());
    let trusting = [("SSL_CERT_FILE", ca.as_str())];
    pushed_well(&app, &server, app.push(&trusting, &[]));
    // Everything is there already; the tag is written all the same.
    pushed_well(&app, &server, app.push(&trusting, &[]));

    app.forget();
    let reference = app.place.reference(IMAGE);
    let pull = app.run(&trusting, &["pull", &reference]).ok();
    assert!(pull.stdout.contains(&reference), "{}", pull.transcript());
    if given("CNAB_RUN").is_none() {
        return;
    }
    // The first generation runs the invocation image for it; the engine pulls that from us.
    let inspect = match app.generation {
        Generation::V08 => app.run(&trusting, &["inspect", &reference]),
        Generation::V09 => app.run(&trusting, &["image", "inspect", "--pretty", &reference]),
    };
    let inspect = inspect.ok();
    for words in ["lab-words", "0.1.0", "multi", "8080"] {
        assert!(inspect.stdout.contains(words), "{}", inspect.transcript());
    }
}

/// The engine has our CA in its own directory; the client looks elsewhere. This is the founding page's certificate
/// error, and the server says what helps.
#[test]
fn docker_app_without_our_ca_is_refused_and_named_and_the_trust_script_helps() {
    let _running = needs!("docker", "dockerd", "skopeo", "update-ca-certificates"; luxury "$DOCKER_APP");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let app = App::prepare(&lab, Place::of(&server, NAME), Docker::start(&lab));
    let before = server.log().len();
    let refused = app.push(&[], &[]).fails();
    refused.says(sentences::UNKNOWN_AUTHORITY);
    let line = server.await_log(before, Duration::from_secs(2), |line| {
        line.contains(lab::CLIENT) && line.contains(NAME) && line.contains(sentences::CURE)
    });
    assert!(line.is_some(), "no line that names {}:\n{}", lab::CLIENT, &server.log()[before..]);

    let script = format!("curl --fail --silent --show-error http://{NAME}:{}/trust.sh | sh", lab::PORT);
    lab.client(&["sh", "-c", &script]).ok();
    pushed_well(&app, &server, app.push(&[], &[]));
}

/// `--insecure-registries` of the first generation, the engine's list in the last one.
#[test]
fn docker_app_is_told_that_the_registry_is_insecure() {
    let _running = needs!("docker", "dockerd", "skopeo"; luxury "$DOCKER_APP");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let place = Place::of(&server, NAME);
    let settings = lab.client_path("/etc/docker");
    fs::create_dir_all(&settings).expect("the client's own /etc");
    let daemon = serde_json::json!({ "insecure-registries": [place.authority] });
    fs::write(settings.join("daemon.json"), daemon.to_string()).expect("the client's own /etc");
    let app = App::prepare(&lab, Place::of(&server, NAME), Docker::start(&lab));
    let more: &[&str] = match app.generation {
        Generation::V08 => &["--insecure-registries", &place.authority],
        Generation::V09 => &[],
    };
    pushed_well(&app, &server, app.push(&[], more));
}
