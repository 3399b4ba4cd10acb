//! An access token is made by hand, seen once, and not again.

use serde_json::json;

use crate::browser::{Browser, Look, strings};
use crate::harness::Lab;
use crate::in_browser;

/// The token that the page shows, if it does.
async fn shown(browser: &Browser<'_>) -> Option<String> {
    let text = browser.text().await;
    let (_, rest) = text.split_once("mslt_")?;
    Some(format!("mslt_{}", &rest[..44]))
}

in_browser! {
    /// The page that shows it is as accessible as the others; reloaded or come back to, it shows it no more and makes no
    /// other one; the log has never seen it.
    async fn a_token_is_seen_once() {
        let lab = Lab::new();
        let browser = Browser::signed_in(&lab).await;
        browser.open("/account/tokens").await;
        browser.type_into(&browser.one("#label").await, "nightly build").await;
        browser.go_by(&browser.one("form.stack button.primary").await).await;
        let token = shown(&browser).await.expect("the answer shows it");
        assert_eq!(browser.path().await, "/account/tokens");
        let faults = browser.accessibility().await;
        assert!(faults.is_empty(), "{faults:?}");
        for width in [320, 768] {
            browser.look(Look { width, ..Look::default() }).await;
            let faults = strings(&browser.run(include_str!("scripts/fits.js"), json!([])).await);
            assert!(faults.is_empty(), "at {width}: {faults:?}");
        }
        if let Some(dir) = std::env::var_os("SCREENSHOTS").map(std::path::PathBuf::from) {
            for (name, look) in [("light", Look::default()), ("390", Look { width: 390, ..Look::default() })] {
                browser.look(look).await;
                std::fs::create_dir_all(dir.join(name)).unwrap();
                std::fs::write(dir.join(name).join("account-token-made.png"), browser.picture().await).unwrap();
            }
        }
        browser.look(Look::default()).await;
        lab.server.request("GET", "/v2/").option("--user", &format!("admin:{token}")).send().is(200);

        // Reloaded, as if the person had said that the form may be sent again.
        browser.devtools("Page.reload", json!({})).await;
        let mut said = String::new();
        for _ in 0..100 {
            said = browser.text().await;
            if said.contains("sent before") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(said.contains("This form was sent before") && !said.contains(&token), "{said}");
        browser.open("/account/tokens").await;
        assert_eq!(browser.all("tbody tr").await.len(), 1);
        browser.back().await;
        assert_eq!(shown(&browser).await, None, "nor by going back");
        let log = lab.server.log();
        assert!(log.contains("page_tokens") && !log.contains("mslt_"), "{log}");
    }
}
