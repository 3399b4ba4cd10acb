//! docker app 0.9.1: `docker app build --tag registry.lab/admin/hello:0.1.0 .`, then `docker app push` of the same name.
//! There is no `-invoc`: the invocation image and every image that only the engine knows are pushed under the
//! application's own tag, one after the other, and the index last.

use msr_lite::meta::Mode;
use serde_json::json;

use super::docker_app_08::{PULL, annotations};
use super::{Cast, Generation, Line, Player, SignIn, WAYS, component, holds, library, repository};
use crate::harness::{Lab, on_each_engine};

const INVOCATION: &str = "
    engine   GET   -                                                                      -> 200
    engine   POST  app/blobs/uploads/                                                     -> 202 open rootfs
    engine   PATCH @rootfs                                               stream rootfs    -> 202
    engine   PUT   @rootfs?digest={rootfs}                                                -> 201 rootfs
    engine   HEAD  app/blobs/{rootfs}                                                     -> 200 rootfs
    engine   HEAD  app/blobs/{invoc-config}                                               -> 404
    engine   POST  app/blobs/uploads/                                                     -> 202 open config
    engine   PATCH @config                                               stream invoc-config -> 202
    engine   PUT   @config?digest={invoc-config}                                          -> 201 invoc-config
    engine   HEAD  app/blobs/{invoc-config}                                               -> 200 invoc-config
    engine   PUT   app/manifests/0.1.0                                   send invoc       -> 201 invoc
    resolver HEAD  app/manifests/0.1.0                                                    -> 200 invoc
";

/// A service whose image only the engine has: it takes the application's tag for a moment. Its layer is one that the
/// engine has seen in another repository: mounted, with both parameters escaped.
const LOCAL_IMAGE: &str = "
    engine   GET   -                                                                      -> 200
    engine   HEAD  app/blobs/{base}                                                       -> 404
    engine   POST  app/blobs/uploads/?from=lib/base&mount={base}                          -> 201 base
    engine   HEAD  app/blobs/{base}                                                       -> 200 base
    engine   HEAD  app/blobs/{front-config}                                               -> 404
    engine   POST  app/blobs/uploads/                                                     -> 202 open front
    engine   PATCH @front                                                stream front-config -> 202
    engine   PUT   @front?digest={front-config}                                           -> 201 front-config
    engine   HEAD  app/blobs/{front-config}                                               -> 200 front-config
    engine   PUT   app/manifests/0.1.0                                   send front       -> 201 front
    resolver HEAD  app/manifests/0.1.0                                                    -> 200 front
";

/// A service whose image is in another repository: on a registry with a port in its name this generation asks for no
/// mount and moves every byte through the client.
const COPIED_IMAGE: &str = "
    resolver HEAD  lib/db/manifests/{db}                                                  -> 200 db
    resolver HEAD  app/manifests/{db}                                                     -> 404
    resolver HEAD  app/blobs/{db}                                                         -> 404
    pusher   GET   lib/db/manifests/{db}                                                  -> 200 db
    pusher   HEAD  app/blobs/{db-config}                                                  -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open db-config
    pusher   HEAD  app/blobs/{db-layer}                                                   -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open db-layer
    pusher   GET   lib/db/blobs/{db-config}                                               -> 200 db-config
    pusher   PUT   @db-config?digest={db-config}                         send db-config   -> 201 db-config
    pusher   GET   lib/db/blobs/{db-layer}                                                -> 200 db-layer
    pusher   PUT   @db-layer?digest={db-layer}                           send db-layer    -> 201 db-layer
    pusher   HEAD  app/manifests/{db}                                                     -> 404
    pusher   GET   lib/db/manifests/{db}                                                  -> 200 db
    pusher   PUT   app/manifests/{db}                                    send db          -> 201 db
";

/// The same on a registry whose name has no port: it asks for mounts and writes the registry's own name before the
/// source. Those really mount. `db` is in the list too, and is there already.
const MOUNTED_IMAGE: &str = "
    resolver HEAD  lib/multi/manifests/{multi}                                            -> 200 multi
    resolver HEAD  app/manifests/{multi}                                                  -> 404
    resolver HEAD  app/blobs/{multi}                                                      -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    resolver HEAD  app/manifests/{web}                                                    -> 404
    resolver HEAD  app/blobs/{web}                                                        -> 404
    pusher   GET   lib/multi/manifests/{web}                                              -> 200 web
    resolver HEAD  app/manifests/{db}                                                     -> 200 db
    pusher   HEAD  app/blobs/{web-layer}                                                  -> 404
    pusher   POST  app/blobs/uploads/?mount={web-layer}&from={host}/lib/multi             -> 201 web-layer
    pusher   HEAD  app/blobs/{web-config}                                                 -> 404
    pusher   POST  app/blobs/uploads/?mount={web-config}&from={host}/lib/multi            -> 201 web-config
    pusher   HEAD  app/manifests/{web}                                                    -> 404
    pusher   GET   lib/multi/manifests/{web}                                              -> 200 web
    pusher   PUT   app/manifests/{web}                                   send web         -> 201 web
    pusher   HEAD  app/manifests/{multi}                                                  -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    pusher   PUT   app/manifests/{multi}                                 send multi       -> 201 multi
    resolver HEAD  lib/web/manifests/{web}                                                -> 200 web
    resolver HEAD  app/manifests/{web}                                                    -> 200 web
";

/// Before the index is written, the tag still names the image that was pushed last; it comes back as it is, although an
/// index is asked for.
const INDEX: &str = "
    pusher   HEAD  app/blobs/{bundle}                                                     -> 404
    pusher   POST  app/blobs/uploads/                                                     -> 202 open bundle
    pusher   PUT   @bundle?digest={bundle}                               send bundle      -> 201 bundle
    pusher   HEAD  app/manifests/{config}                                                 -> 404
    pusher   PUT   app/manifests/{config}                                send config      -> 201 config
    looker   HEAD  app/manifests/0.1.0                                   as index         -> 200 front
    pusher   HEAD  app/manifests/0.1.0                                   as index         -> 200 front
    pusher   PUT   app/manifests/0.1.0                                   send index       -> 201 index
";

/// The whole bundle is the configuration now, the services stand in the order of their names, and pushing again gives
/// the same index.
fn cast(mut cast: Cast) -> Cast {
    cast.image("invoc", &["rootfs"]);
    cast.image("front", &["base"]);
    let image = |name: &str| {
        let digest = cast.get(name).digest;
        json!({ "contentDigest": digest, "image": format!("registry.lab/lib/{name}:1.0@{digest}"), "imageType": "docker" })
    };
    let bundle = json!({
        "actions": { "io.cnab.status": {} },
        "custom": { "com.docker.app": { "version": "1.0.0", "payload": { "app-version": "v0.9.0" } } },
        "images": { "db": image("db"), "front": image("front"), "multi": image("multi"), "web": image("web") },
        "invocationImages": [{ "image": "hello:0.1.0-invoc", "imageType": "docker" }],
        "name": "hello",
        "schemaVersion": "v1.0.0",
        "version": "0.1.0",
    });
    cast.bundle("config", "bundle", &bundle);
    let role = |role| json!({ "io.cnab.manifest.type": role });
    let mut parts = vec![("config", role("config")), ("invoc", role("invocation"))];
    parts.extend(["db", "front", "multi", "web"].map(|name| (name, component(name))));
    cast.application("index", &parts, &annotations("v1.0.0"));
    cast
}

async fn push(lab: &Lab, line: Line, sign_in: SignIn) -> Player<'_> {
    let cast = cast(library(lab).await);
    cast.store(lab, "lib/base", "1.0", "front").await;
    let mut player = Player::new(lab, &repository("hello", line, sign_in), Generation::V09, line, sign_in, cast);
    for table in [INVOCATION, LOCAL_IMAGE, COPIED_IMAGE, MOUNTED_IMAGE, INDEX] {
        player.play(table).await;
    }
    player
}

on_each_engine! {
    async fn an_application_writes_its_tag_several_times_and_the_index_last(lab) {
        for (line, sign_in) in WAYS {
            let mut player = push(&lab, line, sign_in).await;
            holds(&mut player, "index", &["0.1.0"]).await;
            player.play(PULL).await;
        }
    }

    async fn an_application_goes_on_while_its_tag_moves(lab) {
        // Between two writes of the tag the images before it are untagged, and nothing names them yet. Nothing is
        // collected under a push that takes a day.
        let cast = cast(library(&lab).await);
        cast.store(&lab, "lib/base", "1.0", "front").await;
        let mut player = Player::new(&lab, "admin/slow", Generation::V09, Line::Http1, SignIn::Basic, cast);
        for table in [INVOCATION, LOCAL_IMAGE, COPIED_IMAGE, MOUNTED_IMAGE, INDEX] {
            player.play(table).await;
            lab.clock.advance(std::time::Duration::from_hours(5));
            lab.server.runner().drain().await.unwrap();
        }
        holds(&mut player, "index", &["0.1.0"]).await;
    }
}
