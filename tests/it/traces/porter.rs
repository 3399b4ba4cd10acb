//! Porter: `porter publish`. The engine pushes the bundle's image under a tag of its own, the rest is cnab-to-oci's;
//! deleting a tag is Porter's own.

use msr_lite::meta::Mode;

use super::cnab_to_oci::{DOCUMENTS, cast};
use super::docker_app_08::PULL;
use super::{Generation, Player, WAYS, holds, library, repository};
use crate::harness::{Lab, on_each_engine};

const PUBLISH: &str = "
    engine   GET   -                                                                      -> 200
    engine   POST  app/blobs/uploads/                                                     -> 202 open rootfs
    engine   PATCH @rootfs                                               stream rootfs    -> 202
    engine   PUT   @rootfs?digest={rootfs}                                                -> 201 rootfs
    engine   HEAD  app/blobs/{rootfs}                                                     -> 200 rootfs
    engine   POST  app/blobs/uploads/                                                     -> 202 open config
    engine   PATCH @config                                               stream installer-config -> 202
    engine   PUT   @config?digest={installer-config}                                      -> 201 installer-config
    engine   HEAD  app/blobs/{installer-config}                                           -> 200 installer-config
    engine   PUT   app/manifests/porter-5a1e                             send installer   -> 201 installer
    resolver HEAD  app/manifests/porter-5a1e                                              -> 200 installer
    resolver HEAD  app/manifests/{installer}                                              -> 200 installer
    resolver HEAD  lib/multi/manifests/1.0                                                -> 200 multi
    resolver HEAD  app/manifests/{multi}                                                  -> 404
    resolver HEAD  app/blobs/{multi}                                                      -> 404
    pusher   GET   lib/multi/manifests/{multi}                                            -> 200 multi
    pusher   POST  app/blobs/uploads/?mount={web-config}&from={host}/lib/multi            -> 201 web-config
    pusher   POST  app/blobs/uploads/?mount={web-layer}&from={host}/lib/multi             -> 201 web-layer
    pusher   PUT   app/manifests/{web}                                   send web         -> 201 web
    pusher   POST  app/blobs/uploads/?mount={db-config}&from={host}/lib/multi             -> 201 db-config
    pusher   POST  app/blobs/uploads/?mount={db-layer}&from={host}/lib/multi              -> 201 db-layer
    pusher   PUT   app/manifests/{db}                                    send db          -> 201 db
    pusher   PUT   app/manifests/{multi}                                 send multi       -> 201 multi
";

/// With `preserveTags` the components get their tags afterwards.
const PRESERVED: &str = "
    pusher   HEAD  app/manifests/multi-1.0                               as multi         -> 404
    pusher   PUT   app/manifests/multi-1.0                               send multi       -> 201 multi
";

/// A tag is deleted by its name. Where that is refused with `DIGEST_INVALID`, Porter overwrites the tag with an empty
/// image and deletes that; here it never comes to it.
const DELETE: &str = "
    pusher   HEAD   app/manifests/porter-5a1e                            as installer     -> 200 installer
    pusher   DELETE app/manifests/porter-5a1e                                             -> 202
    pusher   HEAD   app/manifests/porter-5a1e                            as installer     -> 404
    pusher   DELETE app/manifests/porter-5a1e                                             -> 404
    # The image itself is the bundle's.
    pusher   GET    app/manifests/{installer}                                             -> 200 installer
";

on_each_engine! {
    async fn a_bundle_is_published_and_a_tag_deleted(lab) {
        for (line, sign_in) in WAYS {
            let mut library = library(&lab).await;
            library.image("installer", &["rootfs"]);
            let target = repository("porter", line, sign_in);
            let mut player =
                Player::new(&lab, &target, Generation::V09, line, sign_in, cast(library, "installer"));
            player.play(PUBLISH).await;
            player.play(DOCUMENTS).await;
            holds(&mut player, "index", &["0.1.0", "porter-5a1e"]).await;
            player.play(PRESERVED).await;
            player.play(DELETE).await;
            holds(&mut player, "index", &["0.1.0", "multi-1.0"]).await;
            player.play(PULL).await;
        }
    }
}
