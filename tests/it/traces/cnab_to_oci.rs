//! cnab-to-oci: `cnab-to-oci push bundle.json --target registry.lab/admin/bundle:0.1.0`. The client of docker app 0.9
//! without docker: it copies the invocation image like any other, and its index has no annotation of docker's.

use msr_lite::meta::Mode;
use serde_json::{Value, json};

use super::docker_app_08::PULL;
use super::{Cast, Generation, Line, Player, SignIn, WAYS, component, holds, library, repository};
use crate::harness::{Lab, on_each_engine};

const PUSH: &str = "
    # Without an engine, the invocation image is copied: by name, with its blobs through the client.
    resolver HEAD  lib/web/manifests/1.0                                                  -> 200 web
    resolver HEAD  app/manifests/{web}                                                    -> 404
    resolver HEAD  app/blobs/{web}                                                        -> 404
    pusher   GET   lib/web/manifests/{web}                                                -> 200 web
    pusher   HEAD  app/blobs/{web-config}                                                 -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open web-config
    pusher   GET   lib/web/blobs/{web-config}                                             -> 200 web-config
    pusher   PUT   @web-config?digest={web-config}                       send web-config  -> 201 web-config
    pusher   HEAD  app/blobs/{web-layer}                                                  -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open web-layer
    pusher   GET   lib/web/blobs/{web-layer}                                              -> 200 web-layer
    pusher   PUT   @web-layer?digest={web-layer}                         send web-layer   -> 201 web-layer
    pusher   HEAD  app/manifests/{web}                                                    -> 404
    pusher   GET   lib/web/manifests/{web}                                                -> 200 web
    pusher   PUT   app/manifests/{web}                                   send web         -> 201 web
    # The component: a manifest list of which one image is here by now.
    resolver HEAD  lib/multi/manifests/1.0                                                -> 200 multi
    resolver HEAD  app/manifests/{multi}                                                  -> 404
    resolver HEAD  app/blobs/{multi}                                                      -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    resolver HEAD  app/manifests/{web}                                                    -> 200 web
    resolver HEAD  app/manifests/{db}                                                     -> 404
    resolver HEAD  app/blobs/{db}                                                         -> 404
    pusher   GET   lib/multi/manifests/{db}                                               -> 200 db
    pusher   HEAD  app/blobs/{db-config}                                                  -> 404
    pusher   POST  app/blobs/uploads/?mount={db-config}&from={host}/lib/multi             -> 201 db-config
    pusher   HEAD  app/blobs/{db-layer}                                                   -> 404
    pusher   POST  app/blobs/uploads/?mount={db-layer}&from={host}/lib/multi              -> 201 db-layer
    pusher   PUT   app/manifests/{db}                                    send db          -> 201 db
    pusher   PUT   app/manifests/{multi}                                 send multi       -> 201 multi
";

pub(super) const DOCUMENTS: &str = "
    pusher   HEAD  app/blobs/{bundle}                                                     -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open bundle
    pusher   PUT   @bundle?digest={bundle}                               send bundle      -> 201 bundle
    pusher   HEAD  app/manifests/{config}                                                 -> 404
    pusher   PUT   app/manifests/{config}                                send config      -> 201 config
    pusher   HEAD  app/manifests/0.1.0                                   as index         -> 404
    pusher   PUT   app/manifests/0.1.0                                   send index       -> 201 index
";

/// A bundle whose invocation image is `invocation` and whose one component is `lib/multi`.
pub(super) fn cast(mut cast: Cast, invocation: &str) -> Cast {
    let bundle = json!({ "name": "bundle", "version": "0.1.0", "schemaVersion": "v1.0.0", "keywords": ["words"] });
    cast.bundle("config", "bundle", &bundle);
    let role = |role| json!({ "io.cnab.manifest.type": role });
    let parts = [("config", role("config")), (invocation, role("invocation")), ("multi", component("multi"))];
    cast.application("index", &parts, &annotations());
    cast
}

fn annotations() -> Value {
    json!({
        "io.cnab.keywords": r#"["words"]"#,
        "io.cnab.runtime_version": "v1.0.0",
        "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
        "org.opencontainers.image.title": "bundle",
        "org.opencontainers.image.version": "0.1.0",
    })
}

on_each_engine! {
    async fn a_bundle_is_pushed_and_pulled(lab) {
        for (line, sign_in) in WAYS {
            let target = repository("bundle", line, sign_in);
            let cast = cast(library(&lab).await, "web");
            let mut player = Player::new(&lab, &target, Generation::V09, line, sign_in, cast);
            player.play(PUSH).await;
            player.play(DOCUMENTS).await;
            holds(&mut player, "index", &["0.1.0"]).await;
            player.play(PULL).await;
        }
    }

    async fn a_bundle_whose_index_names_what_was_not_sent_is_taken(lab) {
        // With --component-platforms an old version sends a list of fewer platforms and names the whole one.
        let mut cast = cast(library(&lab).await, "web");
        cast.list("fewer", &[("web", "amd64")]);
        let mut player =
            Player::new(&lab, "admin/sparse", Generation::V09, Line::Http1, SignIn::Password, cast);
        player.play("
            pusher   POST  app/blobs/uploads/?mount={web-config}&from=lib/web -> 201 web-config
            pusher   POST  app/blobs/uploads/?mount={web-layer}&from=lib/web  -> 201 web-layer
            pusher   PUT   app/manifests/{web}       send web                 -> 201 web
            pusher   PUT   app/manifests/{fewer}     send fewer               -> 201 fewer
            pusher   POST  app/blobs/uploads/                                 -> 202 open bundle
            pusher   PUT   @bundle?digest={bundle}   send bundle              -> 201 bundle
            pusher   PUT   app/manifests/{config}    send config              -> 201 config
        ").await;
        // The answer says what is missing, and the client does not fall back.
        let index = player.cast().get("index");
        let put = lab.put_bytes("admin/sparse", "0.1.0", index.media_type, index.bytes.clone()).await;
        assert_eq!(put.status(), 201);
        assert!(put.headers()["warning"].to_str().unwrap().contains("incomplete"));
        player.play("puller GET app/manifests/0.1.0 as index -> 200 index").await;
    }
}
