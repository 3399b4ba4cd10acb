//! Every page, and what is asked of all of them.

use std::collections::BTreeSet;

use crate::browser::{Browser, strings};
use crate::harness::Lab;
use crate::stock::{MARKED, Stock};
use serde_json::json;

/// Who looks at a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    Admin,
    Nobody,
}

/// A page of the registry that [`crate::stock::stock`] fills.
pub(crate) struct Page {
    /// What a picture of it is called.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) viewer: As,
}

/// All of them, with each kind of thing that a page can show.
pub(crate) fn all(stock: &Stock) -> Vec<Page> {
    let app = "/r/admin/lab-words/-/tags/0.1.0";
    let tools = "/r/lab/tools/-/tags";
    let pinned = |digest: &msr_lite::oci::Digest| format!("/r/lab/tools/-/digests/{digest}");
    let words = |digest: &msr_lite::oci::Digest| format!("/r/admin/lab-words/-/digests/{digest}");
    let mut pages = Vec::new();
    let mut page = |name: &str, path: String| pages.push(Page { name: name.to_owned(), path, viewer: As::Admin });
    for (name, path) in [
        ("welcome", "/welcome"),
        ("account", "/account"),
        ("account-tokens", "/account/tokens"),
        ("account-tokens-new", "/account/tokens?new=1"),
        ("account-sessions", "/account/sessions"),
        ("users", "/users"),
        ("users-filtered", "/users?q=ci&show=inactive-users"),
        ("users-none-fits", "/users?q=nothing-has-this-name"),
        ("user", "/users/alice"),
        ("user-inactive", "/users/ci"),
        ("user-last-admin", "/users/admin"),
        ("user-delete", "/users/alice/delete"),
        ("organizations", "/orgs"),
        ("organization", "/orgs/web"),
        ("organization-ownerless", "/orgs/empty-handed"),
        ("organization-delete", "/orgs/empty-handed/delete"),
        ("organization-delete-refused-by-page", "/orgs/lab/delete"),
        ("team", "/orgs/lab/teams/dev"),
        ("team-empty", "/orgs/web/teams/nobody"),
        ("team-delete", "/orgs/lab/teams/dev/delete"),
        ("repository-access", "/r/lab/tools/-/access"),
        ("hostile-access", "/r/lab/hostile/-/access"),
        ("repositories", "/repositories"),
        ("repositories-filtered", "/repositories?q=o&type=application&sort=size"),
        ("repositories-none-fits", "/repositories?q=nothing-has-this-name"),
        ("search", "/search"),
        ("search-words", "/search?q=words"),
        ("search-nothing", "/search?q=nothing+has+this+name"),
        ("activity", "/activity?pulls=1"),
        ("activity-nothing", "/activity?actor=nobody"),
        ("docs-applications", "/docs/applications"),
        ("docs-accounts", "/docs/accounts"),
        ("docs-api", "/docs/api"),
        ("system", "/system"),
        ("system-storage", "/system/storage"),
        ("system-certificate", "/system/certificate"),
        ("system-about", "/system/about"),
        ("error-404", "/nothing/here"),
        ("error-404-repository", "/r/lab/nothing"),
        ("error-404-tag", "/r/lab/tools/-/tags/nothing"),
        ("empty", "/r/lab/empty"),
        ("empty-tags", "/r/lab/empty/-/tags"),
        ("repository", "/r/lab/tools"),
        ("repository-settings", "/r/lab/tools/-/settings"),
        ("repository-activity", "/r/lab/tools/-/activity"),
        ("repository-delete", "/r/lab/tools/-/delete"),
        ("tags", "/r/lab/tools/-/tags"),
        ("tags-untagged", "/r/lab/tools/-/tags?untagged=1"),
        ("tags-none-fits", "/r/lab/tools/-/tags?q=nothing-has-this-tag"),
        ("tags-application", "/r/admin/lab-words/-/tags"),
        ("delete-several", "/r/lab/tools/-/delete-tags?ref=image&ref=chart"),
        ("hostile", "/r/lab/hostile"),
        ("hostile-tags", "/r/lab/hostile/-/tags"),
        ("hostile-settings", "/r/lab/hostile/-/settings"),
        ("hostile-activity", "/r/lab/hostile/-/activity"),
    ] {
        page(name, path.to_owned());
    }
    for (name, token, steps) in [
        ("token", &stock.token, &["", "/deactivate", "/revoke"][..]),
        ("hostile-token", &stock.inactive, &["", "/activate", "/revoke"]),
    ] {
        for step in steps {
            page(&format!("{name}{}", step.replace('/', "-")), format!("/account/tokens/{token}{step}"));
        }
    }
    page("search-digest", format!("/search?q={}", &stock.image.to_string()[..19]));
    page("search-hostile", format!("/search?q={}", crate::browser::escaped(crate::stock::HOSTILE)));
    page("repositories-hostile", format!("/repositories?q={}", crate::browser::escaped(crate::stock::HOSTILE)));
    for tab in ["", "/parameters", "/bundle", "/referrers", "/raw", "/delete"] {
        page(&format!("application{}", tab.replace('/', "-")), format!("{app}{tab}"));
        page(&format!("hostile-application{}", tab.replace('/', "-")), format!("/r/lab/hostile/-/tags/app{tab}"));
    }
    for tab in ["", "/config", "/history", "/referrers", "/raw", "/delete"] {
        page(&format!("image{}", tab.replace('/', "-")), format!("{tools}/image{tab}"));
        page(&format!("hostile-image{}", tab.replace('/', "-")), format!("/r/lab/hostile/-/tags/image{tab}"));
    }
    for tab in ["", "/referrers", "/raw", "/delete"] {
        page(&format!("multi-arch{}", tab.replace('/', "-")), format!("{tools}/multi-arch{tab}"));
        page(&format!("hostile-multi-arch{}", tab.replace('/', "-")), format!("/r/lab/hostile/-/tags/multi-arch{tab}"));
    }
    for thing in ["plugin", "chart", "artifact"] {
        for tab in ["", "/config", "/raw"] {
            page(&format!("{thing}{}", tab.replace('/', "-")), format!("{tools}/{thing}{tab}"));
        }
    }
    for tab in ["", "/config", "/raw"] {
        // What is no JSON has no page of its own.
        if tab != "/config" {
            page(&format!("hostile-artifact{}", tab.replace('/', "-")), format!("/r/lab/hostile/-/tags/artifact{tab}"));
        }
        page(&format!("hostile-chart{}", tab.replace('/', "-")), format!("/r/lab/hostile/-/tags/chart{tab}"));
    }
    page("invocation", format!("{app}-invoc"));
    page("invocation-delete-refused", format!("{app}-invoc/delete"));
    page("component", words(&stock.app.web));
    page("component-multi-arch", words(&stock.app.multi));
    page("application-config", words(&stock.app.config));
    page("untagged", pinned(&stock.untagged));
    page("attached-sbom", pinned(&stock.sbom));
    for (name, path) in [("login", "/login"), ("login-hostile", "/login?next=//elsewhere.example/")] {
        pages.push(Page { name: name.to_owned(), path: path.to_owned(), viewer: As::Nobody });
    }
    pages
}

/// The form of a path: whatever somebody named is `*`.
pub(crate) fn form(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/users/") {
        return rest.split_once('/').map_or("/users/*".to_owned(), |(_, page)| format!("/users/*/{page}"));
    }
    if let Some(rest) = path.strip_prefix("/orgs/") {
        let segments: Vec<&str> = rest.split('/').collect();
        return match segments.as_slice() {
            [_] => "/orgs/*".to_owned(),
            [_, "teams", _] => "/orgs/*/teams/*".to_owned(),
            [_, "teams", _, page] => format!("/orgs/*/teams/*/{page}"),
            [_, rest @ ..] => format!("/orgs/*/{}", rest.join("/")),
            [] => path.to_owned(),
        };
    }
    if let Some(token) = path.strip_prefix("/account/tokens/") {
        return format!(
            "/account/tokens/*{}",
            token.split_once('/').map_or(String::new(), |(_, step)| format!("/{step}"))
        );
    }
    let Some(rest) = path.strip_prefix("/r/") else { return path.to_owned() };
    let Some((_, page)) = rest.split_once("/-/") else { return "/r/*".to_owned() };
    let segments: Vec<&str> = page.split('/').collect();
    let named = |segment: &&str| ["tags", "digests"].contains(segment);
    match segments.as_slice() {
        [noun, _] if named(noun) => format!("/r/*/-/{noun}/*"),
        [noun, _, tab] if named(noun) => format!("/r/*/-/{noun}/*/{tab}"),
        _ => format!("/r/*/-/{page}"),
    }
}

/// What a walk over all pages found.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) faults: Vec<String>,
    /// The paths to which pages lead.
    pub(crate) led_to: BTreeSet<String>,
    /// How many pages showed hostile words, as text.
    pub(crate) hostile: usize,
}

impl Walk {
    pub(crate) fn fault(&mut self, page: &Page, words: impl std::fmt::Display) {
        self.faults.push(format!("{} ({}): {words}", page.name, page.path));
    }

    /// Fails if there was any, with all of them.
    #[track_caller]
    pub(crate) fn end(self) {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }

    /// What must be so however a page is looked at: nothing to complain of on the console (above all no violation of
    /// the content security policy), no request to elsewhere, no text that became an element.
    pub(crate) async fn sound(&mut self, browser: &Browser<'_>, page: &Page) {
        if let Some(dialog) = browser.dialog().await {
            self.fault(page, format!("a dialog opened: {dialog}"));
        }
        for line in browser.console().await {
            let expected = page.name.starts_with("error-404") && line.contains("status of 404")
                || page.name.ends_with("refused") && line.contains("status of 4");
            if !expected {
                self.fault(page, line);
            }
        }
        let words = browser.run("return document.querySelector('main').textContent", json!([])).await;
        self.hostile += usize::from(words.as_str().is_some_and(|words| words.contains("<img src=x data-hostile")));
        let script = include_str!("scripts/sound.js");
        for fault in strings(&browser.run(script, json!([MARKED])).await) {
            self.fault(page, fault);
        }
    }

    /// No page is wider than its window.
    pub(crate) async fn fits(&mut self, browser: &Browser<'_>, page: &Page, width: u32) {
        let script = include_str!("scripts/fits.js");
        for fault in strings(&browser.run(script, json!([])).await) {
            self.fault(page, format!("at {width}: {fault}"));
        }
    }
}

/// Opens each page in turn, as its viewer, and hands it on.
pub(crate) async fn each<'l>(
    lab: &'l Lab,
    stock: &Stock,
    look: crate::browser::Look,
    mut view: impl AsyncFnMut(&Browser<'l>, &Page),
) {
    let browser = Browser::new(lab).await;
    browser.look(look).await;
    let (admins, nobodys): (Vec<_>, Vec<_>) = all(stock).into_iter().partition(|page| page.viewer == As::Admin);
    for page in &nobodys {
        browser.open(&page.path).await;
        view(&browser, page).await;
    }
    browser.sign_in().await;
    browser.console().await;
    for page in &admins {
        browser.open(&page.path).await;
        view(&browser, page).await;
    }
}
