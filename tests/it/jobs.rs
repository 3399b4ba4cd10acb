//! The job runner and its first jobs, on a clock that is moved by hand.

use std::time::Duration;

use msr_lite::meta::{MetaError, Mode, job, lease};
use reqwest::StatusCode;

use crate::harness::{Lab, on_each_engine};

on_each_engine! {
    async fn an_upload_that_receives_nothing_expires(lab) {
        let idle = lab.begin_upload("lab/idle").await;
        lab.clock.advance(Duration::from_hours(23));
        let fresh = lab.begin_upload("lab/fresh").await;
        lab.server.runner().drain().await.unwrap();
        assert_eq!(lab.get(&idle).await.status(), StatusCode::NO_CONTENT, "not yet");
        lab.clock.advance(Duration::from_hours(2));
        lab.server.runner().drain().await.unwrap();
        assert_eq!(lab.get(&idle).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(lab.get(&fresh).await.status(), StatusCode::NO_CONTENT);
    }

    async fn the_certificate_is_renewed_when_a_third_of_its_life_is_left(lab) {
        lab.server.runner().drain().await.unwrap();
        let first = lab.server.pki().leaf_facts().fingerprint;
        lab.clock.advance(Duration::from_hours(4800));
        lab.server.runner().drain().await.unwrap();
        assert_eq!(lab.server.pki().leaf_facts().fingerprint, first);
        lab.clock.advance(Duration::from_hours(2400));
        lab.server.runner().drain().await.unwrap();
        assert_ne!(lab.server.pki().leaf_facts().fingerprint, first);
    }

    async fn steady_time_survives_a_restart_and_ignores_jumps(lab) {
        lab.clock.advance(Duration::from_hours(1));
        lab.server.runner().drain().await.unwrap();
        let lab = lab.restart().await;
        assert_eq!(lab.clock.steady(), 3_600_000);
        let digest = lab.push_blob("lab/jump", b"x").await;
        let until = lab.server.registry().meta().read(|tx| lease::until(tx, &digest)).unwrap();
        lab.clock.jump(lab.clock.now().plus(Duration::from_hours(8760)));
        assert!(lab.clock.steady() < until, "a jump of the wall clock shortens no lease");
    }

    async fn a_drained_queue_is_empty(lab) {
        lab.server.runner().drain().await.unwrap();
        let left = lab.server.registry().meta().read(|tx| job::list(tx, 10)).map_err(|error: MetaError| error);
        assert_eq!(left.unwrap(), []);
        assert_eq!(lab.server.runner().drain().await.unwrap(), 0);
        lab.clock.advance(Duration::from_secs(61));
        assert_eq!(lab.server.runner().drain().await.unwrap(), 1, "the certificate is looked at every minute");
    }
}
