//! A browser with a home of its own: what it trusts, how it is told to look, and what is asked of every page.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::harness::Lab;
use crate::support::process::{Run, word, words};
use crate::support::server::{ADMIN, NAME};
use crate::webdriver::{Element, Session};

/// What the browser trusts besides what it came with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trusts {
    OurCa,
    Nothing,
}

/// How a page is to be looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    pub(crate) dark: bool,
    /// The system chooses the colours, as with Windows' contrast themes.
    pub(crate) forced_colors: bool,
    /// The window's inner width, CSS pixels; 0 for 1280.
    pub(crate) width: u32,
    pub(crate) no_script: bool,
}

/// A browser and the registry that it looks at.
pub(crate) struct Browser<'l> {
    pub(crate) session: Session,
    lab: &'l Lab,
    // Last, so that the browser has ended when its home goes.
    _home: tempfile::TempDir,
}

impl std::ops::Deref for Browser<'_> {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<'l> Browser<'l> {
    /// A browser that trusts our CA; nobody is signed in.
    pub(crate) async fn new(lab: &'l Lab) -> Self {
        Self::trusting(lab, Trusts::OurCa).await
    }

    /// A browser in which the administrator is signed in.
    pub(crate) async fn signed_in(lab: &'l Lab) -> Self {
        let browser = Self::new(lab).await;
        browser.sign_in().await;
        browser
    }

    pub(crate) async fn trusting(lab: &'l Lab, trusts: Trusts) -> Self {
        let home = tempfile::tempdir().unwrap();
        if trusts == Trusts::OurCa {
            trust(home.path(), &lab.server.ca());
        }
        let mut arguments = vec![
            "--headless=new".to_owned(),
            format!("--user-data-dir={}", word(&home.path().join("profile"))),
            // The name is none that a resolver knows; no other name is to be found at all.
            format!("--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
            "--window-size=1280,900".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--font-render-hinting=none".to_owned(),
            "--disable-lcd-text".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--no-first-run".to_owned(),
            // The browser ends with its driver, however that ends.
            "--remote-debugging-pipe".to_owned(),
        ];
        if rustix::process::geteuid().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let session = Session::start(lab.client.clone(), home.path(), &arguments).await;
        let browser = Self { session, lab, _home: home };
        browser.look(Look::default()).await;
        browser
    }

    /// Goes to a page of the registry.
    pub(crate) async fn open(&self, path: &str) {
        self.session.go(&self.lab.url(path)).await.unwrap_or_else(|refused| panic!("{path}: {refused}"));
    }

    /// The path and query of the page that is shown.
    pub(crate) async fn path(&self) -> String {
        let url = self.url().await;
        url.strip_prefix(&self.lab.url("")).unwrap_or(&url).to_owned()
    }

    /// Signs the administrator in, by the form.
    pub(crate) async fn sign_in(&self) {
        self.open("/login").await;
        self.type_into(&self.one("#username").await, ADMIN).await;
        self.type_into(&self.one("#password").await, self.lab.server.password()).await;
        self.go_by(&self.one("main form button").await).await;
        let path = self.path().await;
        assert!(!path.starts_with("/login"), "{}", self.text().await);
    }

    /// Waits for a page to which something else than a click led.
    pub(crate) async fn arrives(&self, path: &str) {
        for _ in 0..400 {
            let complete = self.run("return document.readyState === 'complete'", json!([])).await == true;
            if complete && self.path().await == path {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{} is not {path}", self.path().await);
    }

    /// Clicks the link with this text, and waits for the page behind it.
    pub(crate) async fn follow(&self, text: &str) {
        let link = self.link(text).await;
        self.go_by(&link).await;
    }

    /// Clicks something that leads to another page, and waits for that.
    pub(crate) async fn go_by(&self, element: &Element) {
        // Each document has a beginning of its own.
        let loaded = async || {
            self.run("return document.readyState === 'complete' ? performance.timeOrigin : 0", json!([])).await
        };
        let before = loaded().await;
        self.click(element).await;
        for _ in 0..400 {
            let now = loaded().await;
            if now != before && now != 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nothing came of a click at {}:\n{}", self.url().await, self.text().await);
    }

    /// From the next page on.
    pub(crate) async fn look(&self, look: Look) {
        let width = if look.width == 0 { 1280 } else { look.width };
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([
            { "name": "prefers-color-scheme", "value": if look.dark { "dark" } else { "light" } },
            { "name": "forced-colors", "value": if look.forced_colors { "active" } else { "none" } },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": look.no_script })).await;
    }

    /// The whole page as a PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let shot = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What axe finds wrong with the page: rule, help and the elements.
    pub(crate) async fn accessibility(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(crate::axe()).unwrap();
        // The pages' policy forbids to add a script; the driver may run one.
        self.run(&format!("{axe}; window.axe = axe"), json!([])).await;
        let tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        let script = include_str!("scripts/accessibility.js");
        strings(&self.run(script, json!([tags])).await)
    }
}

/// Makes whatever starts with this home trust a CA: browsers on Linux ask the NSS database there.
fn trust(home: &Path, ca: &Path) {
    let database = home.join(".pki/nssdb");
    std::fs::create_dir_all(&database).unwrap();
    let database = format!("sql:{}", word(&database));
    Run::of(&words(&["certutil", "-N", "-d", &database, "--empty-password"])).ok();
    Run::of(&words(&["certutil", "-A", "-d", &database, "-t", "C,,", "-n", "registry", "-i", &word(ca)])).ok();
}

/// A text as it stands in a query.
pub(crate) fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A JSON array of strings.
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap_or_else(|| panic!("{value}"));
    all.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}
