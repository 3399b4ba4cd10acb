//! The matrix: every page, light and dark, narrow and wide, without script, by keyboard, in the system's own colours.

use std::collections::BTreeSet;

use serde_json::json;

use crate::browser::{Look, strings};
use crate::harness::Lab;
use crate::in_browser;
use crate::pages::{self, Walk, form};
use crate::stock::stock;

/// Paths that pages lead to and that are no pages: the beginning, the way to trust, what takes a form.
const NO_PAGES: [&str; 19] = [
    "/",
    "/ca.crt",
    "/api/v0/openapi.json",
    "/trust",
    "/account/password",
    "/account/prefs",
    "/account/sessions/end",
    "/logout",
    "/system/certificate/names",
    "/system/storage/collect",
    "/users/*/change",
    "/users/*/password",
    "/users/*/tokens",
    "/orgs/*/members",
    "/orgs/*/teams",
    "/orgs/*/teams/*/change",
    "/orgs/*/teams/*/members",
    "/orgs/*/teams/*/grants",
    "/r/*/-/access/change",
];

/// The key that leads from one thing to the next, and the one that follows a link (W3C, "Keyboard actions").
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Runs the accessibility checker over every page, and looks at it in three widths.
async fn in_colours(dark: bool) -> BTreeSet<String> {
    let lab = Lab::new();
    let stock = stock(&lab).await;
    let mut walk = Walk::default();
    pages::each(&lab, &stock, Look { dark, ..Look::default() }, async |browser, page| {
        walk.sound(browser, page).await;
        for fault in browser.accessibility().await {
            walk.fault(page, fault);
        }
        let links = include_str!("scripts/links.js");
        walk.led_to.extend(strings(&browser.run(links, json!([])).await));
        for width in [320, 768] {
            browser.look(Look { dark, width, ..Look::default() }).await;
            walk.fits(browser, page, width).await;
        }
        browser.look(Look { dark, ..Look::default() }).await;
    })
    .await;
    assert!(
        walk.hostile >= 20,
        "only {} pages show what an attacker wrote: the stock does not reach them",
        walk.hostile
    );
    let led_to = std::mem::take(&mut walk.led_to);
    walk.end();
    let listed: BTreeSet<String> = pages::all(&stock).iter().map(|page| form(&page.path)).collect();
    led_to.iter().map(|path| form(path)).filter(|form| !listed.contains(form)).collect()
}

in_browser! {
    /// axe finds nothing, nothing is wider than the window; and pages lead to no page that is not in the list.
    async fn every_page_is_accessible_and_fits_in_light() {
        let led_to = in_colours(false).await;
        // Tabs of what has no tag are those of what has one.
        let is_known = |path: &String| NO_PAGES.contains(&path.as_str()) || path.starts_with("/r/*/-/digests/*/");
        let unknown: Vec<_> = led_to.into_iter().filter(|path| !is_known(path)).collect();
        assert!(unknown.is_empty(), "pages that the list lacks: {unknown:?}");
    }

    /// The same in dark colours.
    async fn every_page_is_accessible_and_fits_in_dark() {
        in_colours(true).await;
    }

    /// Without script each page says and offers the same; the buttons that only a script can serve are not there.
    async fn every_page_is_complete_without_script() {
        let lab = Lab::new();
        let stock = stock(&lab).await;
        let shown = include_str!("scripts/shown.js");
        let mut with = Vec::new();
        pages::each(&lab, &stock, Look::default(), async |browser, _| {
            with.push(strings(&browser.run(shown, json!([])).await));
        })
        .await;
        let (mut walk, mut at) = (Walk::default(), 0);
        pages::each(&lab, &stock, Look { no_script: true, ..Look::default() }, async |browser, page| {
            walk.sound(browser, page).await;
            let without = strings(&browser.run(shown, json!([])).await);
            let less = |one: &[String], other: &[String]| -> Vec<String> {
                one.iter().filter(|word| !other.contains(word)).cloned().collect()
            };
            // What the machine's state changes from one minute to the next, and what records that somebody looks.
            let moves = ["account", "account-sessions", "activity", "system", "system-storage"];
            let moves = moves.contains(&page.name.as_str());
            let (more, less) = (less(&with[at], &without), less(&without, &with[at]));
            if !moves && (!more.is_empty() || !less.is_empty()) {
                walk.fault(page, format!("with script {more:?}, without {less:?}"));
            }
            let scripted = include_str!("scripts/scripted.js");
            for button in strings(&browser.run(scripted, json!([])).await) {
                walk.fault(page, format!("shown without script: {button}"));
            }
            at += 1;
        })
        .await;
        walk.end();
    }

    /// The first key leads to the skip link, which shows itself and leads to the content; whatever can have the focus
    /// shows that it has it, in our colours and in the system's.
    async fn every_page_is_usable_by_keyboard() {
        let lab = Lab::new();
        let stock = stock(&lab).await;
        let mut walk = Walk::default();
        let forced = Look { forced_colors: true, ..Look::default() };
        pages::each(&lab, &stock, forced, async |browser, page| {
            browser.press(TAB).await;
            let skip = strings(&browser.run(include_str!("scripts/focused.js"), json!([])).await);
            if skip != ["#main"] {
                walk.fault(page, format!("the first key leads to {skip:?}"));
            }
            browser.press(ENTER).await;
            let main = browser.run("return document.activeElement.id", json!([])).await;
            if main != "main" {
                walk.fault(page, format!("the skip link leads to {main}"));
            }
            // All at once: a key press through the driver takes too long for thousands.
            let rings = include_str!("scripts/keyboard.js");
            for fault in strings(&browser.run(rings, json!([])).await) {
                walk.fault(page, fault);
            }
        })
        .await;
        walk.end();
    }
}

/// `make screenshots`: pictures of every page, light, dark and narrow, for a person to look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures() {
    let Some(dir) = std::env::var_os("SCREENSHOTS").map(std::path::PathBuf::from) else { return };
    assert!(crate::can_run(), "no pictures without a browser");
    let lab = Lab::new();
    let stock = stock(&lab).await;
    let dark = Look { dark: true, ..Look::default() };
    let narrow = Look { width: 390, ..Look::default() };
    let narrowest = Look { width: 320, dark: true, ..Look::default() };
    for (name, look) in [("light", Look::default()), ("dark", dark), ("390", narrow), ("320-dark", narrowest)] {
        std::fs::create_dir_all(dir.join(name)).unwrap();
        pages::each(&lab, &stock, look, async |browser, page| {
            std::fs::write(dir.join(name).join(format!("{}.png", page.name)), browser.picture().await).unwrap();
        })
        .await;
    }
}
