//! cnab-to-oci, where `CNAB_TO_OCI` names the program (`make test-app CNAB_TO_OCI=…`): it is in no package either.

use std::fs;

use serde_json::json;

use crate::client::{self, Client, Place};
use crate::skopeo::Skopeo;
use crate::support::image::Layout;
use crate::support::lab::Lab;
use crate::support::process::word;
use crate::support::server::{ADMIN, NAME};
use crate::support::tally::{given, needs};

const IMAGE: &str = "admin/bundle:0.1.0";

#[test]
fn cnab_to_oci_pushes_and_pulls_a_bundle() {
    let _running = needs!("skopeo"; luxury "$CNAB_TO_OCI");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let place = Place::of(&server, NAME);
    let skopeo = Skopeo(&lab);
    skopeo.trust(&place);
    // The client reads docker's sign-ins, which skopeo writes as well.
    let config = format!("{}/docker", lab.home());
    let authfile = format!("{config}/config.json");
    skopeo
        .run(&[
            "login",
            "--authfile",
            &authfile,
            "--username",
            ADMIN,
            "--password",
            server.password(),
            &place.authority,
        ])
        .ok();
    skopeo.login(&place, ADMIN, server.password()).ok();
    skopeo.push(&place, "lib/installer:1.0", b"installer").ok();
    let mut layout = Layout::create(&lab.scratch("multi"));
    layout.index("it", b"multi");
    skopeo.push_layout(&layout, "it", &place, "lib/multi:1.0").ok();

    let bundle = json!({
        "schemaVersion": "v1.0.0",
        "name": "bundle",
        "version": "0.1.0",
        "invocationImages": [{ "imageType": "docker", "image": place.reference("lib/installer:1.0") }],
        "images": { "multi": {
            "description": "words", "imageType": "docker", "image": place.reference("lib/multi:1.0"),
        } },
    });
    let file = lab.scratch("bundle").join("bundle.json");
    fs::write(&file, bundle.to_string()).expect("a file of our own");
    let program = word(&given("CNAB_TO_OCI").expect("the test needs it"));
    let ca = word(&server.ca());
    let variables = [("SSL_CERT_FILE", ca.as_str()), ("DOCKER_CONFIG", &config)];
    let run = |words: &[&str]| lab.client_with(&variables, &[&[program.as_str()], words].concat());
    let reference = place.reference(IMAGE);

    let pushed = run(&["push", &word(&file), "--target", &reference, "--auto-update-bundle"]).ok();
    let digest = client::digest_at(&server, IMAGE);
    assert!(pushed.stdout.contains(&digest) || pushed.stderr.contains(&digest), "{}", pushed.transcript());
    // No fallback: the tag is an OCI index.
    let index = server.signed_in("GET", &format!("/v2/admin/bundle/manifests/{digest}")).send().is(200);
    assert_eq!(index.header("Content-Type"), Some("application/vnd.oci.image.index.v1+json"));

    let pulled = word(&lab.scratch("pulled").join("bundle.json"));
    run(&["pull", &reference, "--bundle", &pulled, "--relocation-map", &word(&lab.scratch("pulled").join("map.json"))])
        .ok();
    let pulled: serde_json::Value =
        serde_json::from_slice(&fs::read(pulled).expect("it was written")).expect("bundles are JSON");
    assert_eq!(pulled["name"], "bundle");
    assert!(pulled["images"]["multi"]["contentDigest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
}
