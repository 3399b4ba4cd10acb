//! The matrix: every page, light and dark, narrow and wide, without script, by keyboard, in the system's own colours.

use std::collections::BTreeSet;

use serde_json::json;

use crate::browser::{Look, strings};
use crate::harness::Lab;
use crate::in_browser;
use crate::pages::{self, Walk, form};
use crate::stock::stock;

/// Paths that pages lead to and that are no pages: the way to trust, for programs.
const NO_PAGES: [&str; 5] = ["/ca.crt", "/trust", "/trust.sh", "/", "/ca"];

/// The key that leads from one thing to the next, and the one that follows a link (W3C `WebDriver`, "Keyboard actions").
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
        let links = "return [...document.querySelectorAll('a[href], form[action]')].map(e => new URL(e.getAttribute('href') ?? e.getAttribute('action'), location)).filter(u => u.origin === location.origin).map(u => u.pathname)";
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
    walk.assert_faultless();
    let listed: BTreeSet<String> = pages::all(&stock).iter().map(|page| form(&page.path)).collect();
    led_to.iter().map(|path| form(path)).filter(|form| !listed.contains(form)).collect()
}

in_browser! {
    /// axe finds nothing, nothing is wider than the window; and pages lead to no page that is not in the list.
    async fn every_page_is_accessible_and_fits_in_light() {
        let led_to = in_colours(false).await;
        let targets = ["/account/password", "/account/prefs", "/logout", "/system/certificate/names", "/system/storage/collect"];
        let known = |path: &String| {
            NO_PAGES.contains(&path.as_str()) || targets.contains(&path.as_str()) || path.starts_with("/r/*/-/digests/*/")
        };
        let unknown: Vec<_> = led_to.into_iter().filter(|path| !known(path)).collect();
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
        // What a page shows, but for what the script adds: times in words, buttons to copy, the box that selects all.
        let shown = "const words = []; const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT); \
            while (walker.nextNode()) { const e = walker.currentNode.parentElement; \
              if (!e.closest('time, [data-copy], script') && e.checkVisibility()) words.push(walker.currentNode.textContent.trim()); } \
            return words.filter(word => word !== '').concat([...document.querySelectorAll('main a, main form')].map(e => e.getAttribute('href') ?? e.getAttribute('action')))";
        let mut with = Vec::new();
        pages::each(&lab, &stock, Look::default(), async |browser, _| with.push(strings(&browser.run(shown, json!([])).await))).await;
        let (mut walk, mut at) = (Walk::default(), 0);
        pages::each(&lab, &stock, Look { no_script: true, ..Look::default() }, async |browser, page| {
            walk.sound(browser, page).await;
            let without = strings(&browser.run(shown, json!([])).await);
            // What changes from one minute to the next, and what is made anew for each request.
            let differs = |one: &[String], other: &[String]| one.iter().filter(|word| !other.contains(word)).cloned().collect::<Vec<_>>();
            let moves = ["system", "system-storage"].contains(&page.name.as_str());
            let (more, less) = (differs(&with[at], &without), differs(&without, &with[at]));
            if !(moves || more.is_empty() && less.is_empty()) {
                walk.fault(page, format!("with script {more:?}, without {less:?}"));
            }
            let copies = "return [...document.querySelectorAll('[data-copy], [data-all]')].filter(e => e.checkVisibility()).map(e => e.outerHTML)";
            for button in strings(&browser.run(copies, json!([])).await) {
                walk.fault(page, format!("shown without script: {button}"));
            }
            at += 1;
        })
        .await;
        walk.assert_faultless();
    }

    /// The first key leads to the skip link, which shows itself and leads to the content; whatever can have the focus
    /// shows that it has it, in our colours and in the system's.
    async fn every_page_is_usable_by_keyboard() {
        let lab = Lab::new();
        let stock = stock(&lab).await;
        let mut walk = Walk::default();
        let forced = Look { forced_colors: true, ..Look::default() };
        pages::each(&lab, &stock, forced, async |browser, page| {
            let focused = "const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e); \
                return [e === document.body ? 'nothing' : e.outerHTML.slice(0, 160), \
                        box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight ? '' : 'outside', \
                        style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 ? '' : 'no ring']";
            // Where a field takes the focus by itself, the walk begins there; ours do not.
            browser.press(TAB).await;
            let skip = strings(&browser.run(focused, json!([])).await);
            if !skip[0].contains("href=\"#main\"") || !skip[1].is_empty() || !skip[2].is_empty() {
                walk.fault(page, format!("the first key leads to {skip:?}"));
            }
            browser.press(ENTER).await;
            let main = browser.run("return document.activeElement.id", json!([])).await;
            if main != "main" {
                walk.fault(page, format!("the skip link leads to {main}"));
            }
            // All at once: a key press through the driver takes too long for thousands.
            let rings = "const faults = []; \
                for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]')) { \
                  if (!e.checkVisibility() || e.disabled) continue; e.focus({ focusVisible: true }); \
                  if (document.activeElement !== e) { faults.push('takes no focus: ' + e.outerHTML.slice(0, 160)); continue; } \
                  const style = getComputedStyle(e); \
                  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push('no ring: ' + e.outerHTML.slice(0, 160)); \
                  if (e.tabIndex > 0) faults.push('an order of its own: ' + e.outerHTML.slice(0, 160)); } \
                for (const e of document.querySelectorAll('.kind, .note')) if (e.checkVisibility() && getComputedStyle(e).borderTopStyle !== 'solid') faults.push('no border in the colours of the system: ' + e.outerHTML.slice(0, 160)); \
                return faults";
            for fault in strings(&browser.run(rings, json!([])).await) {
                walk.fault(page, fault);
            }
        })
        .await;
        walk.assert_faultless();
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
