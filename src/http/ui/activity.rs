//! What happened, in a repository or in all that the visitor may see (ui-design, S10).

use std::fmt::Write as _;

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderValue};

use super::list_query::Choice;
use super::page::{Frame, Nav, render};
use super::repository::{Head, Tab, api_path};
use super::routes::{ManifestPage, manifest_path, repository_path};
use super::{Failure, Outcome, Visit};
use crate::base::Timestamp;
use crate::http::api::events::{sight, viewer};
use crate::http::reply::{self, Reply};
use crate::http::v2::read_list;
use crate::model::account::{AccountKind, wrong_name};
use crate::model::event::chain::Recorded;
use crate::model::event::msr::{self, ObjectType, Verb, Words};
use crate::model::event::{Happening, Outcome as Ending};
use crate::model::operation::Requirement;
use crate::model::{Action, Event, Principal};
use crate::oci::{Reference, RepoName};
use crate::registry::audit::activity::ActivityQuery;
use crate::registry::audit::check::Verified;
use crate::registry::listing::{Cursor, Page};

/// Rows of a page.
const ROWS: usize = 50;
/// Rows of a download, and how many looks it may cost.
const DOWNLOAD: usize = 10_000;
const LOOKS: usize = 20;
/// The longest filter, in bytes.
const MAX_TEXT: usize = 255;

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    head: Option<Head>,
    query: Query,
    rows: Vec<Row>,
    next: Option<String>,
    /// Whether one of them was done by the registry itself.
    has_system: bool,
    /// What the last verification found, for administrators.
    verified: Option<Verified>,
}

/// A row of the table.
struct Row {
    time: Timestamp,
    who: String,
    /// The page of that user, for those who may see it.
    who_path: Option<String>,
    via: Option<String>,
    what: String,
    object: String,
    path: Option<String>,
    refused: bool,
    reason: Option<String>,
    address: Option<String>,
    agent: Option<String>,
}

/// The list as its address asks for it.
#[derive(Clone, Default)]
struct Query {
    path: String,
    actor: Option<String>,
    verb: Option<Verb>,
    object: Option<ObjectType>,
    result: Option<Ending>,
    since: Option<String>,
    until: Option<String>,
    pulls: bool,
    after: Option<Cursor>,
}

impl Query {
    fn read(visit: &Visit<'_>, path: String) -> Result<Self, Failure> {
        let fields = &visit.query;
        let bad = |what: &str| Failure::Bad(format!("There is no {what}. Choose one on the page."));
        let text = |name: &str| fields.get(name).map(str::to_owned);
        for name in ["actor", "since", "until"] {
            if fields.get(name).is_some_and(|text| text.len() > MAX_TEXT) {
                return Err(Failure::Bad(format!("A filter has at most {MAX_TEXT} bytes.")));
            }
        }
        for name in ["since", "until"] {
            if fields.get(name).is_some_and(|text| Timestamp::parse(text).is_none()) {
                let message = "A time is a date such as 2026-11-22, or that with a time: 2026-11-22T10:00:00Z.";
                return Err(Failure::Bad(message.to_owned()));
            }
        }
        let verb = fields.get("type").map(|word| Verb::parse(word).ok_or_else(|| bad("event of this type")));
        let object = fields.get("object").map(|word| ObjectType::parse(word).ok_or_else(|| bad("object of this type")));
        let result = fields.get("result").map(|word| Ending::parse(word).ok_or_else(|| bad("result of this name")));
        Ok(Self {
            path,
            actor: text("actor"),
            verb: verb.transpose()?,
            object: object.transpose()?,
            result: result.transpose()?,
            since: text("since"),
            until: text("until"),
            pulls: fields.ticked("pulls"),
            after: text("after").map(Cursor),
        })
    }

    fn wanted(&self, repo: Option<&RepoName>, limit: usize) -> ActivityQuery {
        let time = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
        ActivityQuery {
            repo: repo.cloned(),
            actor: self.actor.clone(),
            verb: self.verb,
            object: self.object,
            result: self.result,
            since: time(&self.since),
            until: time(&self.until),
            pulls: self.pulls,
            after: self.after.clone(),
            limit,
        }
    }

    /// The address with all but the place, ending in `?` or `&`.
    fn before_place(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let texts = [
            ("actor", self.actor.as_deref()),
            ("type", self.verb.map(Verb::as_str)),
            ("object", self.object.map(ObjectType::as_str)),
            ("result", self.result.map(Ending::as_str)),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("pulls", self.pulls.then_some("1")),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                query.append_pair(name, text);
            }
        }
        let query = query.finish();
        if query.is_empty() { format!("{}?", self.path) } else { format!("{}?{query}&", self.path) }
    }

    fn is_filtered(&self) -> bool {
        !self.before_place().ends_with('?')
    }

    fn is_first(&self) -> bool {
        self.after.is_none()
    }

    fn verbs(&self) -> Vec<Choice> {
        // What this version writes.
        let all = [
            (Verb::Create, "Created or pushed"),
            (Verb::Update, "Changed"),
            (Verb::Delete, "Deleted"),
            (Verb::Get, "Pulled"),
            (Verb::Fail, "Refused"),
        ];
        let choice = |(verb, words): (Verb, &str)| Choice {
            value: verb.as_str().to_owned(),
            words: words.to_owned(),
            chosen: self.verb == Some(verb),
        };
        all.into_iter().map(choice).collect()
    }

    fn objects(&self) -> Vec<Choice> {
        let choice = |object: ObjectType| {
            let (first, rest) = object.as_str().split_at(1);
            Choice {
                value: object.as_str().to_owned(),
                words: format!("{first}{}", rest.to_ascii_lowercase()),
                chosen: self.object == Some(object),
            }
        };
        ObjectType::ALL.into_iter().map(choice).collect()
    }

    fn results(&self) -> Vec<Choice> {
        let choice = |(result, words): (Ending, &str)| Choice {
            value: result.as_str().to_owned(),
            words: words.to_owned(),
            chosen: self.result == Some(result),
        };
        [(Ending::Done, "Done"), (Ending::Refused, "Refused")].into_iter().map(choice).collect()
    }
}

/// `/activity`, and `/r/{name…}/-/activity`.
pub(super) async fn serve(visit: &Visit<'_>, repo: Option<&RepoName>) -> Outcome {
    let registry = &visit.app.registry;
    let path = repo.map_or_else(|| "/activity".to_owned(), |repo| format!("{}/-/activity", repository_path(repo)));
    let query = Query::read(visit, path)?;
    match visit.query.get("format") {
        None => {}
        Some("csv") => return download(visit, repo, query, "csv", "text/csv; charset=utf-8").await,
        Some("jsonl") => return download(visit, repo, query, "jsonl", "application/jsonl").await,
        Some(_) => return Err(Failure::Bad("A list is downloaded as csv or jsonl.".to_owned())),
    }
    let found = look(visit, query.wanted(repo, ROWS)).await?;
    let (title, api, head) = match repo {
        Some(repo) => {
            let details = registry.repository(repo)?;
            let head = Head::new(visit, &details, Tab::Activity);
            (format!("{repo} · Activity"), format!("{}/events", api_path(repo)), Some(head))
        }
        None => ("Activity".to_owned(), "/api/v0/events".to_owned(), None),
    };
    let admin = visit.is_admin();
    let nav = if repo.is_some() { Nav::Repositories } else { Nav::Activity };
    let page = ActivityPage {
        frame: visit.frame(title, nav).with_api(api),
        head,
        has_system: found.entries.iter().any(|read| read.event.actor == Principal::System),
        rows: found.entries.iter().map(|read| Row::new(read, &visit.caller.principal, admin)).collect(),
        next: found.next.map(|Cursor(place)| place),
        verified: if admin { registry.verified()? } else { None },
        query,
    };
    Ok(render(StatusCode::OK, &page))
}

async fn look(visit: &Visit<'_>, wanted: ActivityQuery) -> Result<Page<Recorded>, Failure> {
    let (app, caller, admin) = (visit.app.clone(), visit.caller.clone(), visit.is_admin());
    let found = read_list(usize::MAX, move || {
        let sight = |name: &RepoName| {
            let may = |action| app.access.may(&caller, Requirement::Repository(name, action));
            sight(may(Action::Pull), may(Action::Administer))
        };
        app.registry.activity(&wanted, &viewer(&caller, admin, &sight))
    });
    Ok(found.await?)
}

/// The list as a file, from where the page begins on.
async fn download(
    visit: &Visit<'_>,
    repo: Option<&RepoName>,
    mut query: Query,
    format: &str,
    content_type: &'static str,
) -> Result<Reply, Failure> {
    let mut text = String::new();
    if format == "csv" {
        text.push_str("time,who,via,event,object,digest,result,reason,count,address,program,chain,sequence\r\n");
    }
    let mut left = DOWNLOAD;
    for _ in 0..LOOKS {
        let found = look(visit, query.wanted(repo, left.min(1_000))).await?;
        left -= found.entries.len();
        for read in &found.entries {
            if format == "csv" {
                csv_row(&mut text, read);
            } else {
                text.push_str(&serde_json::to_string(read).unwrap_or_default());
                text.push('\n');
            }
        }
        query.after = found.next;
        if left == 0 || query.after.is_none() {
            break;
        }
    }
    let mut answer = reply::typed(StatusCode::OK, content_type, text);
    let name = HeaderValue::try_from(format!("attachment; filename=\"activity.{format}\""));
    answer.headers_mut().insert(CONTENT_DISPOSITION, name.expect("a plain name"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn csv_row(text: &mut String, read: &Recorded) {
    let Recorded { chain, seq, event, .. } = read;
    let Words { name, id, label, .. } = msr::words(event);
    let (time, chain, seq, times) =
        (event.time.to_string(), chain.to_string(), seq.to_string(), event.what.times().to_string());
    let cells = [
        time.as_str(),
        event.actor.name(),
        event.via.as_deref().unwrap_or_default(),
        name,
        &label,
        if id == label { "" } else { &id },
        event.result.as_str(),
        event.reason.as_deref().unwrap_or_default(),
        &times,
        event.address.as_deref().unwrap_or_default(),
        event.agent.as_deref().unwrap_or_default(),
        &chain,
        &seq,
    ];
    for (at, cell) in cells.into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        text.push_str(&csv_cell(cell));
    }
    text.push_str("\r\n");
}

/// A cell (RFC 4180). What a spreadsheet would take for a formula is text: clients choose some of these words.
fn csv_cell(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

impl Row {
    fn new(read: &Recorded, viewer: &Principal, admin: bool) -> Self {
        let event = &read.event;
        let who_path = match &event.actor {
            Principal::User { name, .. } if (admin || name == viewer.name()) && wrong_name(name).is_none() => {
                Some(format!("/users/{name}"))
            }
            _ => None,
        };
        Self {
            time: event.time,
            who: event.actor.name().to_owned(),
            who_path,
            via: event.via.clone(),
            what: what(event),
            object: msr::words(event).label,
            path: path(event),
            refused: event.result == Ending::Refused,
            reason: event.reason.clone(),
            address: event.address.clone(),
            agent: event.agent.clone(),
        }
    }

    /// The object of an event about content: its repository, and the digest, which is shown cut.
    fn digest(&self) -> Option<(&str, &str)> {
        self.object.split_once('@')
    }
}

/// What was done, in words.
fn what(event: &Event) -> String {
    let words = match &event.what {
        Happening::RepositoryCreated { .. } => "created the repository",
        Happening::RepositoryChanged { .. } => "changed the repository",
        Happening::RepositoryDeleted { .. } => "deleted the repository",
        Happening::ManifestPushed { .. } => "pushed the manifest",
        Happening::TagPushed { .. } => "pushed the tag",
        Happening::TagDeleted { forced: true, .. } => "forced the deletion of the tag",
        Happening::TagDeleted { .. } => "deleted the tag",
        Happening::ManifestDeleted { forced: true, .. } => "forced the deletion of the manifest",
        Happening::ManifestDeleted { .. } => "deleted the manifest",
        Happening::ManifestCollected { .. } => "collected the manifest",
        Happening::BlobDeleted { .. } => "deleted the blob",
        Happening::PasswordChanged { .. } => "changed the password of",
        Happening::SignedIn { .. } => "signed in as",
        Happening::SessionsEnded { .. } => "ended sessions of",
        Happening::Pulled { .. } => "pulled",
        Happening::AccountCreated { kind: AccountKind::Organization, .. } => "made the organization",
        Happening::AccountCreated { .. } => "made the account",
        Happening::AccountChanged { active: Some(true), .. } => "activated the account",
        Happening::AccountChanged { active: Some(false), .. } => "deactivated the account",
        Happening::AccountChanged { admin: Some(true), .. } => "made an administrator of",
        Happening::AccountChanged { admin: Some(false), .. } => "took the administration from",
        Happening::AccountChanged { .. } => "changed the account",
        Happening::AccountDeleted { kind: AccountKind::Organization, .. } => "deleted the organization",
        Happening::AccountDeleted { .. } => "deleted the account",
        Happening::TeamCreated { .. } => "made the team",
        Happening::TeamChanged { .. } => "changed the team",
        Happening::TeamDeleted { .. } => "deleted the team",
        Happening::MemberAdded { owner: true, .. } => "added as an owner",
        Happening::MemberAdded { .. } => "added as a member",
        Happening::MemberRemoved { .. } => "removed the member",
        Happening::GrantSet { .. } => "gave a right to the team",
        Happening::GrantRemoved { .. } => "took a right from the team",
        Happening::TokenCreated { .. } => "made the access token",
        Happening::TokenChanged { active: false, .. } => "switched off the access token",
        Happening::TokenChanged { .. } => "changed the access token",
        Happening::TokenDeleted { .. } => "deleted the access token",
        Happening::VisibilityChanged { public: true, .. } => "made public",
        Happening::VisibilityChanged { public: false, .. } => "made private",
        Happening::JobStarted { ignore_leases: true, .. } => "started, against leases, the job",
        Happening::JobStarted { .. } => "started the job",
        Happening::JobRemoved { .. } => "took back the job",
        Happening::SettingsChanged { .. } => "changed the setting",
        Happening::Refused { operation, .. } => match operation.as_str() {
            "sign_in" => "tried to sign in as",
            "access_token" => "showed an access token of",
            "bearer_token" => "showed an old token of",
            "refresh_token" => "tried to renew a token of",
            "put_manifest" | "start_upload" | "push_blob" | "append_upload" | "finish_upload" | "mount_blob" => {
                "tried to push to"
            }
            "delete_repository" | "api_delete_repository" => "tried to delete",
            "delete_manifest"
            | "delete_tag"
            | "delete_blob"
            | "api_delete_tag"
            | "api_delete_manifest"
            | "page_delete" => "tried to delete in",
            "api_change_repository" | "page_settings" => "tried to change",
            _ => "tried to use",
        },
    };
    let mut words = words.to_owned();
    if event.what.times() > 1 {
        let _ = write!(words, " ({} times)", event.what.times());
    }
    words
}

/// Where what an event is about is shown, if it may still be there.
fn path(event: &Event) -> Option<String> {
    let manifest =
        |name: &RepoName, reference: Reference| Some(manifest_path(name, &reference, ManifestPage::Overview));
    match &event.what {
        Happening::RepositoryCreated { name, .. }
        | Happening::RepositoryChanged { name }
        | Happening::VisibilityChanged { name, .. }
        | Happening::Refused { name: Some(name), .. } => Some(repository_path(name)),
        Happening::TagPushed { name, tag, .. } | Happening::Pulled { name, tag: Some(tag), .. } => {
            manifest(name, Reference::Tag(tag.clone()))
        }
        Happening::ManifestPushed { name, digest, .. } | Happening::Pulled { name, digest, .. } => {
            manifest(name, Reference::Digest(*digest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text() {
        for (cell, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@cmd,x", "\"'@cmd,x\""),
            ("", ""),
        ] {
            assert_eq!(csv_cell(cell), written);
        }
    }
}
