//! Every endpoint × every class of callers × what exists and what does not, against the tables in [`expected`]. A
//! refusal changes nothing, and whoever may not see is told the same whether there is something to see or not.

use std::collections::BTreeSet;

use msr_lite::http::api::table::{Found, endpoints, find};
use msr_lite::http::ui::{
    Guide, ManifestPage, OrganizationPage, PageRequest, RepositoryPage, TeamPage, TokenPage, UserPage,
};
use msr_lite::http::v2::route;
use msr_lite::model::Operation;
use reqwest::Method;

use super::callers::{Class, Shown, Stage, look};
use super::expected;
use super::table::{Answer, Row, faults, parse, write};

/// The names of an enum's variants, and which one a value is: a variant that is not named here does not compile.
macro_rules! variants {
    ($name:ident, $all:ident, $type:ident { $($variant:ident),* $(,)? }) => {
        const $all: &[&str] = &[$(stringify!($variant)),*];
        fn $name(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => stringify!($variant)),* }
        }
    };
}

variants!(
    operation,
    OPERATIONS,
    Operation {
        Ping,
        Catalog,
        ListTags,
        ListReferrers,
        GetManifest,
        PutManifest,
        DeleteManifest,
        GetBlob,
        DeleteBlob,
        StartUpload,
        PushBlob,
        MountBlob,
        UploadStatus,
        AppendUpload,
        FinishUpload,
        CancelUpload,
    }
);

variants!(
    page,
    PAGES,
    PageRequest {
        Home,
        Login,
        Logout,
        Welcome,
        Account,
        Password,
        Preferences,
        Tokens,
        Token,
        Sessions,
        EndSessions,
        System,
        Storage,
        Collect,
        Certificate,
        AddName,
        About,
        Docs,
        Interface,
        Activity,
        Repositories,
        Search,
        Users,
        User,
        Organizations,
        Organization,
        Repository,
    }
);

variants!(user_page, USER_PAGES, UserPage { Overview, Change, Password, Tokens, Delete });

variants!(organization_page, ORGANIZATION_PAGES, OrganizationPage { Overview, Members, Teams, Delete, Team });

variants!(team_page, TEAM_PAGES, TeamPage { Overview, Change, Members, Grants, Delete });

variants!(guide, GUIDES, Guide { Applications, Accounts });

variants!(
    repository_page,
    REPOSITORY_PAGES,
    RepositoryPage { Info, Tags, Settings, Access, ChangeAccess, Activity, Delete, Manifest, DeleteTags }
);

variants!(
    manifest_page,
    MANIFEST_PAGES,
    ManifestPage {
        Overview,
        Components,
        Parameters,
        Bundle,
        Platforms,
        Layers,
        Config,
        History,
        Files,
        Referrers,
        Raw,
        Delete,
    }
);

variants!(token_page, TOKEN_PAGES, TokenPage { About, Deactivate, Activate, Revoke });

/// A row's path with something that could stand there.
fn sample(row: &Row) -> (String, Option<String>) {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut target = row.path.clone();
    for (name, value) in [
        ("{repo}", "lab/app"),
        ("{own}", "lab/own"),
        ("{namespace}", "lab"),
        ("{organization}", "lab"),
        ("{team}", "web"),
        ("{member}", "alice"),
        ("{account}", "alice"),
        ("{token}", &"0".repeat(64)),
        ("{tag}", "1"),
        ("{digest}", &digest),
        ("{blob}", &digest),
        ("{known}", &digest),
        ("{upload}", &"0".repeat(32)),
    ] {
        target = target.replace(name, value);
    }
    match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    }
}

fn v2_endpoint(row: &Row) -> Option<String> {
    let (path, query) = sample(row);
    Some(operation(&route::parse(&row.method, &path, query.as_deref(), &[]).ok()?).to_owned())
}

fn api_endpoint(row: &Row) -> Option<String> {
    let path = sample(row).0;
    ["/api/v0", "/enzi/v0"].iter().find_map(|prefix| match find(prefix, &row.method, path.strip_prefix(prefix)?) {
        Found::Endpoint(endpoint, _) => Some(endpoint.name.to_owned()),
        Found::Method(_) | Found::Nothing => None,
    })
}

fn page_name(page_request: &PageRequest) -> String {
    match page_request {
        PageRequest::Repository(_, RepositoryPage::Manifest(_, page)) => format!("manifest {}", manifest_page(page)),
        PageRequest::Repository(_, page) => format!("repository {}", repository_page(page)),
        PageRequest::User(_, page) => format!("user {}", user_page(page)),
        PageRequest::Organization(_, OrganizationPage::Team(_, page)) => format!("team {}", team_page(page)),
        PageRequest::Organization(_, page) => format!("organization {}", organization_page(page)),
        PageRequest::Token(_, page) => format!("token {}", token_page(page)),
        PageRequest::Docs(about) => format!("docs {}", guide(about)),
        other => page(other).to_owned(),
    }
}

/// A page and the method, for some are both shown and sent.
fn page_endpoint(row: &Row) -> Option<String> {
    let page = PageRequest::parse(&sample(row).0)?;
    page.methods()
        .split(", ")
        .any(|method| method == row.method.as_str())
        .then(|| format!("{} {}", row.method, page_name(&page)))
}

/// Each page, and each method of those that have a row at all.
fn pages(rows: &[Row]) -> Vec<String> {
    let parsed: Vec<_> = rows.iter().filter_map(|row| PageRequest::parse(&sample(row).0)).collect();
    let methods = |page: &PageRequest| {
        let name = page_name(page);
        let methods = page.methods().split(", ").filter(|method| *method != "HEAD");
        methods.map(|method| format!("{method} {name}")).collect::<Vec<_>>()
    };
    parsed.iter().flat_map(methods).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The paths in the `match` of a source file that answers requests by their whole path.
fn literal_paths(source: &str) -> Vec<String> {
    let arms = source.lines().map(str::trim).filter(|line| line.starts_with("\"/") && line.contains("=>"));
    let paths = arms.flat_map(|arm| arm.split("=>").next().unwrap_or_default().split('|'));
    paths.map(|path| path.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn every_operation_has_a_row() {
    let required: Vec<_> = OPERATIONS.iter().map(ToString::to_string).collect();
    for table in [expected::V2, expected::V2_GRANTED] {
        assert_eq!(faults(&parse(table), &required, v2_endpoint), Vec::<String>::new());
    }
}

#[test]
fn every_endpoint_of_the_rest_interface_has_a_row() {
    let required: Vec<_> = endpoints().map(|(_, endpoint)| endpoint.name.to_owned()).collect();
    for table in [expected::API, expected::API_GRANTED] {
        assert_eq!(faults(&parse(table), &required, api_endpoint), Vec::<String>::new());
    }
}

#[test]
fn every_page_has_a_row() {
    let rows = parse(expected::PAGES);
    assert_eq!(faults(&rows, &pages(&rows), page_endpoint), Vec::<String>::new());
    let names = |names: &[&str], prefix: &str, but: &[&str]| {
        names.iter().filter(|name| !but.contains(name)).map(|name| format!("{prefix}{name}")).collect::<Vec<_>>()
    };
    let mut required = names(PAGES, "", &["Repository", "Docs", "Token", "User", "Organization"]);
    required.extend(names(GUIDES, "docs ", &[]));
    required.extend(names(TOKEN_PAGES, "token ", &[]));
    required.extend(names(REPOSITORY_PAGES, "repository ", &["Manifest"]));
    required.extend(names(MANIFEST_PAGES, "manifest ", &[]));
    required.extend(names(USER_PAGES, "user ", &[]));
    required.extend(names(ORGANIZATION_PAGES, "organization ", &["Team"]));
    required.extend(names(TEAM_PAGES, "team ", &[]));
    let any_method = |row: &Row| Some(page_name(&PageRequest::parse(&sample(row).0)?));
    assert_eq!(faults(&rows, &required, any_method), Vec::<String>::new());
}

#[test]
fn everything_else_has_a_row() {
    let mut required = literal_paths(include_str!("../../../src/http/site.rs"));
    required.extend(literal_paths(include_str!("../../../src/http/trust.rs")));
    assert!(required.iter().any(|path| path == "/ca.crt") && required.iter().any(|path| path == "/metrics"));
    required.push("/auth/token".into());
    assert_eq!(faults(&parse(expected::SITE), &required, |row| Some(row.path.clone())), Vec::<String>::new());
}

/// Asks everything in a table.
struct Run<'s> {
    stage: &'s mut Stage,
    pages: bool,
    wrong: Vec<String>,
}

impl Run<'_> {
    async fn table(stage: &mut Stage, table: &str, pages: bool) {
        let expected = parse(table);
        let mut run = Run { stage, pages, wrong: Vec::new() };
        let mut answered = Vec::new();
        for row in &expected {
            answered.push(run.row(row).await);
        }
        for (expected, answered) in expected.iter().zip(&answered) {
            for ((class, wanted), (_, found)) in expected.answers.iter().zip(&answered.answers) {
                if wanted != found {
                    run.wrong.push(format!("{} by {}: {found}, not {wanted}", expected.name(), class.name()));
                }
            }
        }
        let faults = run.wrong.join("\n");
        assert!(faults.is_empty(), "{faults}\n\nWhat was answered:\n{}", write(&answered));
    }

    async fn shown(&self, class: Class) -> Vec<Shown> {
        if self.pages { self.stage.shown_to_pages(class) } else { self.stage.shown(class).await }
    }

    async fn row(&mut self, row: &Row) -> Row {
        let before = self.stage.state().await;
        let mut answers = Vec::new();
        for (class, _) in &row.answers {
            let mut looks = Vec::new();
            for at in 0..self.shown(*class).await.len() {
                // Anew each time: what is asked may end a session.
                let there = self.ask(row, *class, &self.shown(*class).await.remove(at), true).await;
                let absent = self.ask(row, *class, &self.shown(*class).await.remove(at), false).await;
                // Names of accounts are no secret among those who have one, as in MSR.
                let told = class.is_somebody() && row.path.contains("{account}") && !row.path.contains("{repo}");
                if class.may_not_see() && there != absent && !told && !self.stage.public {
                    let differ = difference(&format!("{there:?}"), &format!("{absent:?}"));
                    self.wrong.push(format!("{} tells {} what exists: {differ}", row.name(), class.name()));
                }
                looks.push((there.0, absent.0));
            }
            looks.dedup();
            if looks.len() > 1 {
                self.wrong.push(format!("{} tells {} apart: {looks:?}", row.name(), class.name()));
            }
            answers.push((*class, Answer { there: looks[0].0, absent: looks[0].1 }));
        }
        self.not_taken(row).await;
        let after = self.stage.state().await;
        if row.only_reads() && after != before {
            self.wrong.push(format!("{} changed something:\n{before}\nbecame\n{after}", row.name()));
        }
        Row { answers, ..row.clone() }
    }

    /// Asks, sees to it that a refusal changed nothing and that HEAD is answered as GET is, and restores what was
    /// changed.
    async fn ask(&mut self, row: &Row, class: Class, shown: &Shown, there: bool) -> (u16, Vec<String>, String) {
        let before = if row.only_reads() { String::new() } else { self.stage.state().await };
        let request = self.stage.request(&row.method, &row.path, class, shown, there);
        let look = look(request.send().await.unwrap()).await;
        if row.only_reads() {
            let head = self.stage.request(&Method::HEAD, &row.path, class, shown, there).send().await.unwrap();
            if head.status() != look.0 && row.path != "/auth/token" {
                self.wrong.push(format!("HEAD {} by {}: {}, not {}", row.path, class.name(), head.status(), look.0));
            }
        } else if look.0 < 400 {
            if row.path == "/logout" {
                self.stage.sign_everybody_in().await;
            }
            self.stage.restore().await;
        } else if self.stage.state().await != before {
            self.wrong.push(format!("{} by {} was refused and changed something", row.name(), class.name()));
        }
        look
    }

    /// A session opens pages alone, and pages open to nothing but a session: an administrator who shows the other is
    /// answered as nobody is.
    async fn not_taken(&mut self, row: &Row) {
        let nobody = self.shown(Class::Nobody).await.remove(0);
        let nobody = self.ask(row, Class::Nobody, &nobody, true).await;
        let foreign =
            if self.pages { self.stage.shown(Class::Admin).await } else { self.stage.shown_to_pages(Class::Admin) };
        for shown in foreign {
            // Without a visitor's cookie a form is refused before anybody is asked to sign in.
            if self.pages && !row.only_reads() {
                let found = self.ask(row, Class::Admin, &shown, true).await;
                if !matches!(found.0, 303 | 403 | 405) {
                    self.wrong.push(format!("{} takes {shown:?}: {}", row.name(), found.0));
                }
                continue;
            }
            let found = self.ask(row, Class::Admin, &shown, true).await;
            if found.0 != nobody.0 {
                self.wrong.push(format!("{} takes {shown:?}: {}, not {}", row.name(), found.0, nobody.0));
            }
        }
    }
}

/// Where two texts begin to differ.
fn difference(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from =
        |text: &str| String::from_utf8_lossy(&text.as_bytes()[same.saturating_sub(60)..]).chars().take(160).collect();
    let (one, other): (String, String) = (from(one), from(other));
    format!("…{one}… and …{other}…")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_for_those_who_may() {
    Run::table(&mut Stage::new().await, expected::V2, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_for_those_who_were_given_rights() {
    Run::table(&mut Stage::new().await, expected::V2_GRANTED, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_public_is_pulled_by_everybody_and_changed_by_nobody_else() {
    Run::table(&mut Stage::public().await, expected::V2_PUBLIC, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_interface_is_for_those_who_may() {
    Run::table(&mut Stage::new().await, expected::API, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_interface_is_for_those_who_were_given_rights() {
    Run::table(&mut Stage::new().await, expected::API_GRANTED, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_is_for_those_who_may() {
    Run::table(&mut Stage::new().await, expected::SITE, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_for_those_who_may() {
    Run::table(&mut Stage::new().await, expected::PAGES, true).await;
}
