//! docker app 0.8.0: `docker app push lab-words --tag registry.lab/admin/lab-words:0.1.0`, for an application of three
//! services whose images are in other repositories of the same registry. The engine pushes the invocation image as
//! `0.1.0-invoc`, the command line does the rest.

use std::time::Duration;

use msr_lite::base::config::Anonymous;
use msr_lite::meta::Mode;
use serde_json::{Value, json};

use super::{Cast, Generation, Line, Player, SignIn, WAYS, component, holds, library, repository};
use crate::harness::{Lab, on_each_engine};

/// With `--insecure-registries` the command line first asks whether TLS is spoken here at all: any answer will do. Then
/// the engine's part. It asks for the configuration beforehand, since another image could have it; the layers are new to
/// it.
const INVOCATION: &str = "
    pusher   GET   -                                                                      -> 200
    engine   GET   -                                                                      -> 200
    engine   POST  app/blobs/uploads/                                                     -> 202 open files
    engine   POST  app/blobs/uploads/                                                     -> 202 open rootfs
    engine   PATCH @files                                                stream files     -> 202
    engine   PUT   @files?digest={files}                                                  -> 201 files
    engine   HEAD  app/blobs/{files}                                                      -> 200 files
    engine   PATCH @rootfs                                               stream rootfs    -> 202
    engine   PUT   @rootfs?digest={rootfs}                                                -> 201 rootfs
    engine   HEAD  app/blobs/{rootfs}                                                     -> 200 rootfs
    engine   HEAD  app/blobs/{invoc-config}                                               -> 404
    engine   POST  app/blobs/uploads/                                                     -> 202 open config
    engine   PATCH @config                                               stream invoc-config -> 202
    engine   PUT   @config?digest={invoc-config}                                          -> 201 invoc-config
    engine   HEAD  app/blobs/{invoc-config}                                               -> 200 invoc-config
    engine   PUT   app/manifests/0.1.0-invoc                             send invoc       -> 201 invoc
";

/// The command line's part: it looks the invocation image up, copies the services' images (asking the blob endpoint
/// for manifests' digests too), mounts their blobs, and writes configuration and index.
const APPLICATION: &str = "
    resolver HEAD  app/manifests/0.1.0-invoc                                              -> 200 invoc
    # The first service: a manifest list. It is walked once to see what is missing …
    resolver HEAD  lib/multi/manifests/1.0                                                -> 200 multi
    resolver HEAD  app/manifests/{multi}                                                  -> 404
    resolver HEAD  app/blobs/{multi}                                                      -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    resolver HEAD  app/manifests/{web}                                                    -> 404
    resolver HEAD  app/blobs/{web}                                                        -> 404
    pusher   GET   lib/multi/manifests/{web}                                              -> 200 web
    pusher   HEAD  app/blobs/{web-layer}                                                  -> 404
    pusher   HEAD  app/blobs/{web-config}                                                 -> 404
    pusher   POST  app/blobs/uploads/?mount={web-config}&from=lib/multi                   -> 201 web-config
    pusher   POST  app/blobs/uploads/?mount={web-layer}&from=lib/multi                    -> 201 web-layer
    resolver HEAD  app/manifests/{db}                                                     -> 404
    resolver HEAD  app/blobs/{db}                                                         -> 404
    pusher   GET   lib/multi/manifests/{db}                                               -> 200 db
    pusher   HEAD  app/blobs/{db-config}                                                  -> 404
    pusher   POST  app/blobs/uploads/?mount={db-config}&from=lib/multi                    -> 201 db-config
    pusher   HEAD  app/blobs/{db-layer}                                                   -> 404
    pusher   POST  app/blobs/uploads/?mount={db-layer}&from=lib/multi                     -> 201 db-layer
    # … and once more to copy it.
    pusher   HEAD  app/manifests/{web}                                                    -> 404
    pusher   GET   lib/multi/manifests/{web}                                              -> 200 web
    pusher   PUT   app/manifests/{web}                                   send web         -> 201 web
    pusher   HEAD  app/manifests/{db}                                                     -> 404
    pusher   GET   lib/multi/manifests/{db}                                               -> 200 db
    pusher   PUT   app/manifests/{db}                                    send db          -> 201 db
    pusher   HEAD  app/manifests/{multi}                                                  -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    pusher   PUT   app/manifests/{multi}                                 send multi       -> 201 multi
    # The other two are there already, as children of the list.
    resolver HEAD  lib/web/manifests/1.0                                                  -> 200 web
    resolver HEAD  app/manifests/{web}                                                    -> 200 web
    resolver HEAD  lib/db/manifests/1.0                                                   -> 200 db
    resolver HEAD  app/manifests/{db}                                                     -> 200 db
    # The configuration cannot be where the last service's image was; the session of that mount is left lying.
    pusher   HEAD  app/blobs/{bundle}                                                     -> 404
    pusher   POST  app/blobs/uploads/?mount={bundle}&from=lib/db                          -> 202 open abandoned
    pusher   POST  app/blobs/uploads/                                                     -> 202 open bundle
    pusher   PUT   @bundle?digest={bundle}                               send bundle      -> 201 bundle
    pusher   HEAD  app/manifests/{config}                                                 -> 404
    pusher   PUT   app/manifests/{config}                                send config      -> 201 config
    pusher   HEAD  app/manifests/0.1.0                                   as index         -> 404
    pusher   PUT   app/manifests/0.1.0                                   send index       -> 201 index
";

/// The same application once more: everything is there, both tags are written all the same, and the index is another
/// one, because the client goes through the services in no order.
const AGAIN: &str = "
    engine   GET   -                                                                      -> 200
    engine   HEAD  app/blobs/{rootfs}                                                     -> 200 rootfs
    engine   HEAD  app/blobs/{files}                                                      -> 200 files
    engine   HEAD  app/blobs/{invoc-config}                                               -> 200 invoc-config
    engine   PUT   app/manifests/0.1.0-invoc                             send invoc       -> 201 invoc
    resolver HEAD  app/manifests/0.1.0-invoc                                              -> 200 invoc
    resolver HEAD  lib/db/manifests/1.0                                                   -> 200 db
    resolver HEAD  app/manifests/{db}                                                     -> 200 db
    resolver HEAD  lib/web/manifests/1.0                                                  -> 200 web
    resolver HEAD  app/manifests/{web}                                                    -> 200 web
    resolver HEAD  lib/multi/manifests/1.0                                                -> 200 multi
    resolver HEAD  app/manifests/{multi}                                                  -> 200 multi
    pusher   HEAD  app/blobs/{bundle}                                                     -> 200 bundle
    pusher   HEAD  app/manifests/{config}                                                 -> 200 config
    pusher   HEAD  app/manifests/0.1.0                                   as index         -> 200 index
    pusher   PUT   app/manifests/0.1.0                                   send index-again -> 201 index-again
";

/// `docker app pull`, the same in every generation: the application's own documents, no image.
pub(super) const PULL: &str = "
    puller   HEAD  app/manifests/0.1.0                                   as index         -> 200 index
    puller   GET   app/manifests/{index}                                                  -> 200 index
    puller   GET   app/manifests/{config}                                                 -> 200 config
    puller   GET   app/blobs/{bundle}                                                     -> 200 bundle
";

/// The documents of the push. Two orders of the services give two indexes.
pub(super) fn cast(mut cast: Cast) -> Cast {
    cast.image("invoc", &["rootfs", "files"]);
    // The old configuration holds neither name nor images: they stand in the index.
    let bundle = json!({
        "schema_version": "v1.0.0-WD",
        "actions": { "com.docker.app.inspect": { "stateless": true }, "com.docker.app.render": { "stateless": true } },
        "parameters": { "port": { "type": "string", "default": "8080", "destination": { "env": "docker_param1" } } },
        "credentials": { "docker.context": { "path": "/cnab/app/context.dockercontext" } },
    });
    cast.bundle("config", "bundle", &bundle);
    let service = |name| {
        let mut role = component(name);
        role["io.cnab.component.original_name"] = format!("registry.lab/lib/{name}:1.0").into();
        role
    };
    let role = |role| json!({ "io.cnab.manifest.type": role });
    let annotations = annotations("v1.0.0-WD");
    for (index, order) in [("index", ["multi", "web", "db"]), ("index-again", ["db", "web", "multi"])] {
        let mut parts = vec![("config", role("config")), ("invoc", role("invocation"))];
        parts.extend(order.map(|name| (name, service(name))));
        cast.application(index, &parts, &annotations);
    }
    cast
}

/// What docker app writes into an index.
pub(super) fn annotations(runtime: &str) -> Value {
    json!({
        "io.cnab.runtime_version": runtime,
        "io.docker.app.format": "cnab",
        "io.docker.type": "app",
        "org.opencontainers.artifactType": "application/vnd.cnab.manifest.v1",
        "org.opencontainers.image.authors": r#"[{"name":"alice","email":"alice@registry.lab"}]"#,
        "org.opencontainers.image.description": "A few words",
        "org.opencontainers.image.title": "lab-words",
        "org.opencontainers.image.version": "0.1.0",
    })
}

fn player(lab: &Lab, line: Line, sign_in: SignIn, library: Cast) -> Player<'_> {
    Player::new(lab, &repository("lab-words", line, sign_in), Generation::V08, line, sign_in, cast(library))
}

on_each_engine! {
    async fn an_application_is_pushed_pushed_again_and_pulled(lab) {
        for (line, sign_in) in WAYS {
            let mut player = player(&lab, line, sign_in, library(&lab).await);
            player.play(INVOCATION).await;
            player.play(APPLICATION).await;
            holds(&mut player, "index", &["0.1.0", "0.1.0-invoc"]).await;
            player.play(PULL).await;

            player.play(AGAIN).await;
            holds(&mut player, "index-again", &["0.1.0", "0.1.0-invoc"]).await;
            // Who pulled the first one by digest still can.
            player.play("puller GET app/manifests/{index} -> 200 index").await;
            if sign_in != SignIn::Basic {
                assert!(player.tokens("pusher") >= 3, "its scopes widened as it went");
            }
        }
    }

    async fn the_session_that_every_push_leaves_behind_is_harmless(lab) {
        let mut player = player(&lab, Line::Http1, SignIn::Basic, library(&lab).await);
        player.play(INVOCATION).await;
        player.play(APPLICATION).await;
        let open = || lab.server.registry().blobs().open_sessions();
        assert_eq!(open(), 1, "the mount that could not be, and no other");
        // It holds up nothing, neither the application's own configuration nor a push after it …
        player.play(AGAIN).await;
        assert_eq!(open(), 1);
        // … and goes by itself, without what was pushed.
        lab.server.runner().drain().await.unwrap();
        lab.clock.advance(Duration::from_hours(25));
        lab.server.runner().drain().await.unwrap();
        assert_eq!(open(), 0);
        assert_eq!(crate::uploads::files_in(&lab.data().join("uploads")), 0);
        holds(&mut player, "index-again", &["0.1.0", "0.1.0-invoc"]).await;
        player.play("puller GET app/blobs/{bundle} -> 200 bundle").await;
    }

    async fn members_are_not_collected_while_the_application_lives(lab) {
        let mut player = player(&lab, Line::Http1, SignIn::Basic, library(&lab).await);
        player.play(INVOCATION).await;
        player.play(APPLICATION).await;
        // The images of the services have no tag here: the index alone holds them.
        for _ in 0..3 {
            lab.clock.advance(Duration::from_hours(24 * 40));
            lab.server.runner().drain().await.unwrap();
        }
        holds(&mut player, "index", &["0.1.0", "0.1.0-invoc"]).await;
        for blob in ["bundle", "rootfs", "files", "web-layer", "db-layer"] {
            player.play(&format!("looker GET app/blobs/{{{blob}}} -> 200 {blob}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_is_pulled_by_anybody_where_pulling_is_open() {
    let lab = Lab::with(Mode::Strict, |config| config.anonymous = Anonymous::PublicRepositories).await;
    for line in [Line::Http1, Line::Http2] {
        let target = repository("open", line, SignIn::Nobody);
        let mut pusher =
            Player::new(&lab, &target, Generation::V08, Line::Http1, SignIn::Basic, cast(library(&lab).await));
        pusher.play(INVOCATION).await;
        pusher.play(APPLICATION).await;
        lab.publish(&target).await;
        let mut anybody = Player::new(&lab, &target, Generation::V08, line, SignIn::Nobody, cast(library(&lab).await));
        anybody.play(PULL).await;
    }
}
