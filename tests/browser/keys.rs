//! Single keys: what they do, that they do nothing while somebody types, and that they can be switched off.

use serde_json::json;

use crate::browser::Browser;
use crate::harness::Lab;
use crate::in_browser;
use crate::stock::stock;

const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";
const CONTROL: &str = "\u{e009}";

/// The words of what has the focus; of a field, its name.
async fn focused(browser: &Browser<'_>) -> String {
    let script = "const e = document.activeElement; return e.name || e.textContent.trim().slice(0, 30)";
    browser.run(script, json!([])).await.as_str().unwrap().to_owned()
}

async fn is_explained(browser: &Browser<'_>) -> bool {
    browser.run("return document.querySelector('dialog[open]') !== null", json!([])).await == true
}

/// How many rows are chosen.
async fn chosen(browser: &Browser<'_>) -> serde_json::Value {
    browser.run("return document.querySelectorAll('input[data-row]:checked').length", json!([])).await
}

in_browser! {
    /// Rows one after the other, choosing one, opening it; from anywhere to the great lists.
    async fn keys_go_through_lists_and_to_places() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.open("/r/lab/tools/-/tags?sort=name").await;
        for (key, tag) in [("j", "artifact"), ("j", "chart"), ("j", "image"), ("k", "chart")] {
            browser.press(key).await;
            assert_eq!(focused(&browser).await, tag);
        }
        browser.press("x").await;
        assert_eq!(chosen(&browser).await, 1);
        assert!(browser.text().await.contains("1 selected"));
        browser.press("x").await;
        assert_eq!(chosen(&browser).await, 0);
        browser.press(ENTER).await;
        browser.arrives("/r/lab/tools/-/tags/chart").await;
        for (keys, path) in [("gr", "/repositories"), ("ga", "/activity"), ("gp", "/users"), ("gy", "/system")] {
            for key in keys.split("").filter(|key| !key.is_empty()) {
                browser.press(key).await;
            }
            browser.arrives(path).await;
        }
        browser.press("/").await;
        assert_eq!(focused(&browser).await, "q");
        assert_eq!(browser.console().await, Vec::<String>::new());
    }

    /// `?` says which there are, is left by Escape and by its button, and is as accessible as any page.
    async fn keys_are_explained() {
        let lab = Lab::new();
        let browser = Browser::signed_in(&lab).await;
        browser.open("/repositories").await;
        browser.press("?").await;
        assert!(is_explained(&browser).await);
        assert_eq!(browser.accessibility().await, Vec::<String>::new());
        let text = browser.text_of(&browser.one("dialog").await).await;
        for words in ["g r", "Go to Repositories", "g y", "Go to System", "Search", "Show these keys"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        assert!(!text.contains("Next row"), "this page has no rows: {text}");
        // Keys below it do nothing meanwhile.
        for key in ["g", "y"] {
            browser.press(key).await;
        }
        browser.press(ESCAPE).await;
        assert!(!is_explained(&browser).await && browser.path().await == "/repositories");
        // Who uses no keyboard finds it at the foot.
        browser.click(&browser.one("button[data-help]").await).await;
        assert!(is_explained(&browser).await);
        browser.click(&browser.one("dialog button").await).await;
        assert!(!is_explained(&browser).await);
        assert_eq!(browser.console().await, Vec::<String>::new());
    }

    /// What is typed is text; with Control it is the browser's; and who does not want them switches them off.
    async fn keys_do_nothing_where_they_are_not_meant() {
        let lab = Lab::new();
        stock(&lab).await;
        let browser = Browser::signed_in(&lab).await;
        browser.open("/r/lab/tools/-/tags").await;
        browser.type_into(&browser.one("main input[type=search]").await, "gr?/jx").await;
        let typed = browser.run("return document.activeElement.value", json!([])).await;
        assert_eq!((typed.as_str().unwrap(), is_explained(&browser).await), ("gr?/jx", false));
        browser.open("/r/lab/tools/-/tags").await;
        browser.press_with(CONTROL, "j").await;
        assert_ne!(focused(&browser).await, "artifact");

        browser.open("/account").await;
        browser.go_by(&browser.one("button[name=keys]").await).await;
        assert!(browser.text().await.contains("Single keys do nothing."));
        browser.open("/r/lab/tools/-/tags").await;
        for key in ["j", "?", "/"] {
            browser.press(key).await;
        }
        assert!(!is_explained(&browser).await && focused(&browser).await != "artifact" && focused(&browser).await != "q");
        assert!(browser.all("button[data-help]").await.is_empty());
    }
}
