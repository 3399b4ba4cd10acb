//! One image, pushed by any client, has the same digest for all of them.

use crate::buildah::Buildah;
use crate::client::{self, Client, Place};
use crate::docker::Docker;
use crate::podman::Podman;
use crate::skopeo::Skopeo;
use crate::support::lab::Lab;
use crate::support::server::{ADMIN, NAME};
use crate::support::tally::needs;

#[test]
fn every_client_names_the_same_digest_for_every_other_ones_image() {
    let _running = needs!("docker", "dockerd", "podman", "buildah", "skopeo");
    let lab = Lab::new();
    let server = lab.server(|options| options);
    let place = Place::of(&server, NAME);
    let docker = Docker::start(&lab);
    let clients: [&dyn Client; 4] = [&docker, &Podman(&lab), &Buildah(&lab), &Skopeo(&lab)];

    for client in clients {
        client.trust(&place);
        client.login(&place, ADMIN, server.password()).ok();
        client.push(&place, &format!("lab/all:{}", client.name()), client.name().as_bytes()).ok();
    }
    for image in clients.map(|client| format!("lab/all:{}", client.name())) {
        let digest = client::digest_at(&server, &image);
        for client in clients {
            client.pull(&place, &image).ok();
            assert_eq!(client.digest(&place, &image), digest, "{image} as {} sees it", client.name());
        }
    }
}
