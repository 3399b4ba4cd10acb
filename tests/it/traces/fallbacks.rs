//! The forms that applications take where a registry refused the first one: they are copied from there to here. Nothing
//! of ours sets them off, and all of them are taken.

use msr_lite::meta::Mode;
use serde_json::json;

use super::cast::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST};
use super::docker_app_08::{annotations, cast};
use super::{Generation, Line, Player, SignIn, component, library};
use crate::harness::{Lab, OCI_MANIFEST, on_each_engine};

on_each_engine! {
    async fn every_form_of_an_application_is_taken(lab) {
        let mut cast = cast(library(&lab).await);
        let bundle = cast.descriptor("bundle");
        let as_type = |media_type: &str| {
            let mut descriptor = bundle.clone();
            descriptor["mediaType"] = media_type.into();
            descriptor
        };
        let image = as_type(DOCKER_CONFIG);
        // docker app 0.8: a Docker image without layers. 0.9: an OCI image without layers, then a Docker image whose
        // layer is its configuration.
        let forms = [
            ("docker", DOCKER_MANIFEST,
             json!({ "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": image, "layers": null })),
            ("oci", OCI_MANIFEST,
             json!({ "schemaVersion": 2, "config": as_type("application/vnd.oci.image.config.v1+json"), "layers": null })),
            ("layer", DOCKER_MANIFEST,
             json!({ "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": image, "layers": [image] })),
        ];
        for (form, media_type, config) in &forms {
            cast.manifest(form, media_type, config, &["bundle"]);
            // The index becomes a Docker manifest list, which has no annotations by its format, and keeps them.
            let mut parts = Vec::new();
            for (part, role) in [
                (*form, json!({ "io.cnab.manifest.type": "config" })),
                ("web", json!({ "io.cnab.manifest.type": "invocation" })),
                ("db", component("db")),
            ] {
                let mut entry = cast.descriptor(part);
                entry["annotations"] = role;
                parts.push(entry);
            }
            let list = json!({
                "schemaVersion": 2,
                "mediaType": DOCKER_LIST,
                "manifests": parts,
                "annotations": annotations("v1.0.0"),
            });
            cast.manifest(&format!("list-{form}"), DOCKER_LIST, &list, &[form, "web", "db"]);
        }
        let target = "admin/fallbacks";
        let mut player = Player::new(&lab, target, Generation::V08, Line::Http1, SignIn::Password, cast);
        player.play("
            pusher POST app/blobs/uploads/?mount={web-config}&from=lib/web                -> 201 web-config
            pusher POST app/blobs/uploads/?mount={web-layer}&from=lib/web                 -> 201 web-layer
            pusher PUT  app/manifests/{web}                              send web         -> 201 web
            pusher POST app/blobs/uploads/?mount={db-config}&from=lib/db                  -> 201 db-config
            pusher POST app/blobs/uploads/?mount={db-layer}&from=lib/db                   -> 201 db-layer
            pusher PUT  app/manifests/{db}                               send db          -> 201 db
            pusher POST app/blobs/uploads/                                                -> 202 open bundle
            pusher PUT  @bundle?digest={bundle}                          send bundle      -> 201 bundle
        ").await;
        for (form, ..) in forms {
            player.play(&format!("
                pusher PUT  app/manifests/{{{form}}}                     send {form}      -> 201 {form}
                pusher PUT  app/manifests/{form}                         send list-{form} -> 201 list-{form}
                puller HEAD app/manifests/{form}                         as list-{form}   -> 200 list-{form}
                puller GET  app/manifests/{{list-{form}}}                                 -> 200 list-{form}
            ")).await;
        }
    }
}
