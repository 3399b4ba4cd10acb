//! The pages in a real browser: headless Chromium against the real binary, over TLS that the browser verifies against
//! our CA.
//!
//! [`webdriver`] speaks to chromedriver, [`browser`] is a browser with a profile of its own, [`harness`] a registry and
//! what is pushed to it, [`pages`] the list of all pages. What needs no browser is in `tests/it/pages`.
//!
//! Needs chromium, chromedriver, certutil and axe-core (`make test` installs them). Without them every test is skipped
//! by name and counted; with `CI=true` that is a failure.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

#[path = "../it/app_fixture.rs"]
mod app_fixture;
mod browser;
mod harness;
mod pages;
mod stock;
#[path = "../support/mod.rs"]
mod support;
mod webdriver;

mod applications;
mod certificate;
mod every_page;
mod keys;
mod tokens;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::process::find;

/// The accessibility checker, where `.ci/clients` puts it.
fn axe() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../axe/node_modules/axe-core/axe.min.js")
}

/// Whether the calling test can run here. If not, says so past the test harness's capture, and counts it.
fn can_run() -> bool {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let programs = ["chromium", "chromedriver", "certutil", "setpriv", "curl"];
    let missing =
        programs.into_iter().find(|program| find(program).is_none()).map(|program| format!("{program}: not installed"));
    let missing = missing.or_else(|| (!axe().is_file()).then(|| "axe-core: not installed".to_owned()));
    let Some(reason) = missing else { return true };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} cannot run here: {reason}, and CI=true skips nothing"
    );
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let _ = writeln!(std::io::stderr(), "skipped {test}: {reason}\nbrowser: {count} skipped");
    false
}

/// A test that is skipped where there is no browser.
macro_rules! in_browser {
    ($($(#[doc = $doc:literal])* async fn $name:ident() $body:block)*) => {
        $($(#[doc = $doc])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if $crate::can_run() {
                $body
            }
        })*
    };
}
pub(crate) use in_browser;
