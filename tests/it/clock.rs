//! Wall clocks that jump, forward and back. (Leases and sessions: `jobs` and the blob store's suite.)

use std::time::Duration;

use msr_lite::meta::Mode;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Lab, on_each_engine};

const YEAR: Duration = Duration::from_hours(8760);

async fn token(lab: &Lab) -> String {
    let path = "/auth/token?service=registry&scope=repository:lab/x:pull";
    let answer: Value = lab.request(Method::GET, path).send().await.unwrap().json().await.unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

async fn opens(lab: &Lab, token: &str) -> StatusCode {
    lab.anonymous(Method::GET, "/v2/lab/x/manifests/1").bearer_auth(token).send().await.unwrap().status()
}

on_each_engine! {
    async fn a_client_gets_in_again_after_each_jump(lab) {
        lab.push_image("lab/x", "1", b"layer").await;
        let start = lab.clock.now();
        let first = token(&lab).await;
        assert_eq!(opens(&lab, &first).await, StatusCode::OK);

        lab.clock.jump(start.plus(YEAR));
        assert_eq!(opens(&lab, &first).await, StatusCode::UNAUTHORIZED, "it has run out");
        let second = token(&lab).await;
        assert_eq!(opens(&lab, &second).await, StatusCode::OK);

        lab.clock.jump(start);
        assert_eq!(opens(&lab, &token(&lab).await).await, StatusCode::OK);
        lab.push_image("lab/x", "2", b"another layer").await;
    }

    async fn schedules_go_on_after_a_jump_back(lab) {
        let runner = lab.server.runner().clone();
        runner.drain().await.unwrap();
        let start = lab.clock.now();
        lab.clock.jump(start.plus(YEAR / 10));
        assert!(runner.drain().await.unwrap() > 0, "what was missed is made up for once");
        assert_eq!(runner.drain().await.unwrap(), 0);
        lab.clock.jump(start);
        assert!(runner.drain().await.unwrap() > 0, "nothing waits for a time that is far off now");
        lab.clock.advance(Duration::from_secs(61));
        assert!(runner.drain().await.unwrap() > 0);
    }
}
