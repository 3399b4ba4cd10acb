//! One's own access tokens: a list, a form that makes one, and a page for each step that cannot be undone.
//!
//! The text of a new token stands in the answer to its form and nowhere else: in no address, no log line and no store.
//! A reloaded answer sends the form again, which makes no second token ([`Access::create_token_once`]).
//!
//! [`Access::create_token_once`]: crate::access::Access::create_token_once

use std::time::Duration;

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, quoted, render};
use super::routes::{TokenPage, token_path};
use super::{Failure, Outcome, Visit, errors, redirect};
use crate::access::AccessError;
use crate::access::personal_tokens::{NewToken, TokenChange, TokenEntry, TokenFilter};
use crate::base::{Secret, Timestamp, Uuid};
use crate::http::reply::Reply;
use crate::model::permission::{Level, Place};
use crate::model::personal_token::{MAX_PLACES, TokenHash, TokenScope, TokenState, TokenUsed};

/// Rows of one page.
const ROWS: usize = 50;

/// Places of a scope that a row of the list names; the token's page names all.
const PLACES: usize = 3;

/// The longest time that the form gives a token, in days; the REST interface and the command line know no limit either.
const MAX_DAYS: u64 = 3650;

/// What the form offers.
const DAYS: &str = "90";

/// A token as people read it.
struct TokenRow {
    id: TokenHash,
    label: String,
    /// What it gives, one line for each place.
    scope: Vec<String>,
    state: TokenState,
    created: Timestamp,
    creator: String,
    expires: Option<Timestamp>,
    used: Option<TokenUsed>,
}

impl TokenRow {
    fn new(TokenEntry { hash, token, used, .. }: TokenEntry, now: Timestamp) -> Self {
        let state = token.state(now);
        Self {
            id: hash,
            // A token made by a program may have none.
            label: if token.label.is_empty() { format!("token {}", &hash.to_string()[..12]) } else { token.label },
            scope: scope_words(&token.scope),
            state,
            created: token.created,
            creator: token.creator,
            expires: token.expires,
            used,
        }
    }

    fn works(&self) -> bool {
        self.state == TokenState::Active
    }

    fn has_expired(&self) -> bool {
        self.state == TokenState::Expired
    }

    fn some_places(&self) -> &[String] {
        &self.scope[..self.scope.len().min(PLACES)]
    }

    fn more_places(&self) -> usize {
        self.scope.len().saturating_sub(PLACES)
    }

    fn path(&self) -> String {
        self.path_to(TokenPage::About)
    }

    fn path_to(&self, page: TokenPage) -> String {
        token_path(&self.id, page)
    }
}

/// What a token gives, in words.
fn scope_words(scope: &TokenScope) -> Vec<String> {
    match scope {
        TokenScope::All => vec!["all that you may".to_owned()],
        TokenScope::ReadOnly => vec!["read-only, wherever you may pull".to_owned()],
        TokenScope::Places(places) => places.iter().map(|(place, level)| format!("{level} on {place}")).collect(),
    }
}

/// What was typed into the form for a new token.
#[derive(Clone, Debug)]
struct Typed {
    label: String,
    scope: String,
    places: String,
    days: String,
}

impl Typed {
    fn empty() -> Self {
        Self { label: String::new(), scope: "read-only".to_owned(), places: String::new(), days: DAYS.to_owned() }
    }

    fn read(visit: &Visit<'_>) -> Self {
        let text = |name| visit.form.get(name).unwrap_or_default().to_owned();
        let places = visit.form.raw("places").unwrap_or_default().replace("\r\n", "\n");
        Self { label: text("label"), scope: text("scope"), places, days: text("days") }
    }

    /// The token that is asked for, or what is wrong with it.
    fn token(&self, now: Timestamp, client: &str) -> Result<NewToken, String> {
        if self.label.is_empty() {
            return Err("Say what the token is for, so that you know later whether it is still needed.".to_owned());
        }
        let expires = match self.days.as_str() {
            "" => None,
            days => {
                let days = days.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days)).ok_or_else(|| {
                    format!(
                        "A token works for 1 to {MAX_DAYS} days. Leave the field empty for one that does not end by itself."
                    )
                })?;
                Some(now.plus(Duration::from_secs(days * 86_400)))
            }
        };
        let scope = match self.scope.as_str() {
            "all" => TokenScope::All,
            "read-only" => TokenScope::ReadOnly,
            "places" => TokenScope::Places(read_places(&self.places)?),
            _ => return Err("Choose what the token gives.".to_owned()),
        };
        Ok(NewToken { label: self.label.clone(), scope, expires, client: client.to_owned(), ..NewToken::default() })
    }
}

/// Reads places and levels, one to a line: `lab/web: read-write`.
fn read_places(text: &str) -> Result<Vec<(Place, Level)>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let places = lines.map(|line| {
        let (place, level) = line.rsplit_once(':').unwrap_or((line, ""));
        match (Place::parse(place.trim()), Level::parse(level.trim())) {
            (Some(place), Some(level)) => Ok((place, level)),
            (None, _) => Err(format!(
                "“{line}” names neither a repository, such as lab/web: read-write, nor a namespace, such as \
                 lab/*: read-only."
            )),
            (Some(place), None) => {
                Err(format!("Say behind {place}, after a colon, how much: read-only, read-write or admin."))
            }
        }
    });
    let places: Vec<_> = places.collect::<Result<_, _>>()?;
    match places.len() {
        0 => Err("Name at least one repository or namespace, or choose another scope.".to_owned()),
        1..=MAX_PLACES => Ok(places),
        _ => Err(format!("A token names at most {MAX_PLACES} places. A namespace, such as lab/*, may stand for many.")),
    }
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    rows: Vec<TokenRow>,
    next: Option<String>,
    first: bool,
    typed: Typed,
    /// A namespace for examples.
    namespace: String,
    longest: u64,
    /// What tells this form from the next one.
    form: Uuid,
    problem: Option<String>,
    /// Whether a link led to the form.
    asked: bool,
    done: Option<&'static str>,
}

impl TokensPage {
    /// Whether the form is to be open.
    fn open(&self) -> bool {
        self.problem.is_some() || self.asked || self.rows.is_empty() && self.first
    }
}

#[derive(Template)]
#[template(path = "token.html")]
struct OnePage {
    frame: Frame,
    token: TokenRow,
    page: TokenPage,
    saved: bool,
    problem: Option<String>,
}

impl OnePage {
    /// Where the form of this step is sent.
    fn action(&self) -> String {
        self.token.path_to(self.page)
    }
}

#[derive(Template)]
#[template(path = "token_made.html")]
struct MadePage {
    frame: Frame,
    token: TokenRow,
    text: Secret,
    login: String,
    login_in_scripts: String,
    pull_secret: String,
}

/// The same token in the REST interface.
fn api_path(token: &TokenHash) -> String {
    format!("/api/v0/api_tokens/{token}")
}

/// `/account/tokens`: the list, and what its form sends.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    if visit.is_get() {
        return list(visit, StatusCode::OK, Typed::empty(), None);
    }
    let typed = Typed::read(visit);
    let Some(form) = visit.form.get("form").and_then(Uuid::parse) else {
        let problem = "This form was not one of ours, or did not come whole: nothing was made. Send this one.";
        return list(visit, StatusCode::BAD_REQUEST, typed, Some(problem.to_owned()));
    };
    let new = match typed.token(visit.app.clock.now(), &visit.agent) {
        Ok(new) => new,
        Err(problem) => return list(visit, StatusCode::BAD_REQUEST, typed, Some(problem)),
    };
    let (actor, name) = (visit.actor(), visit.caller.principal.name());
    match visit.app.access.create_token_once(&actor, Some(&visit.caller), name, new, form).await {
        Ok((text, entry)) => Ok(made(visit, text, entry)),
        Err(AccessError::Malformed(message)) => {
            list(visit, StatusCode::BAD_REQUEST, typed, Some(errors::sentence(&message)))
        }
        Err(AccessError::Conflict(message)) => {
            list(visit, StatusCode::CONFLICT, Typed::empty(), Some(errors::sentence(&message)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The list with the form as it was typed.
fn list(visit: &Visit<'_>, status: StatusCode, typed: Typed, problem: Option<String>) -> Outcome {
    let (access, name, now) = (&visit.app.access, visit.caller.principal.name(), visit.app.clock.now());
    let filter = TokenFilter { owner: Some(name.to_owned()), ..TokenFilter::default() };
    let after = visit.query.get("after").map(hex::decode).transpose();
    let after = after.map_err(|_| Failure::Bad("This is no mark of a page of this list.".to_owned()))?;
    let mut entries = access.tokens(&filter, after.as_deref(), ROWS + 1)?;
    let more = entries.len() > ROWS;
    entries.truncate(ROWS);
    let next = entries.last().filter(|_| more).map(|entry| hex::encode(&entry.mark));
    let page = TokensPage {
        frame: visit.frame("Access tokens", Nav::Account).with_api(format!("/api/v0/api_tokens?username={name}")),
        rows: entries.into_iter().map(|entry| TokenRow::new(entry, now)).collect(),
        next,
        first: after.is_none(),
        typed,
        namespace: name.to_owned(),
        longest: MAX_DAYS,
        form: Uuid::random(),
        problem,
        asked: visit.query.ticked("new"),
        done: match visit.query.get("done") {
            Some("deactivate") => Some("The token was deactivated: what uses it is refused from now on."),
            Some("activate") => Some("The token was activated: it works again."),
            Some("revoke") => Some("The token was revoked: what uses it is refused from now on."),
            _ => None,
        },
    };
    Ok(render(status, &page))
}

/// The one page that shows a token's text.
fn made(visit: &Visit<'_>, text: Secret, entry: TokenEntry) -> Reply {
    let frame = visit.frame("Access token made", Nav::Account).with_api(api_path(&entry.hash));
    let (host, user) = (quoted(&frame.host), quoted(visit.caller.principal.name()));
    let page = MadePage {
        token: TokenRow::new(entry, visit.app.clock.now()),
        login: format!("docker login -u {user} {host}"),
        login_in_scripts: format!("printf %s \"$TOKEN\" | docker login -u {user} --password-stdin {host}"),
        pull_secret: format!(
            "kubectl create secret docker-registry msr-lite --docker-server={host} --docker-username={user} \
             --docker-password={}",
            quoted(text.reveal())
        ),
        frame,
        text,
    };
    render(StatusCode::CREATED, &page)
}

/// `/account/tokens/{id}[/…]`: one token, or the step that a form confirms.
pub(super) async fn one(visit: &Visit<'_>, token: &TokenHash, page: TokenPage) -> Outcome {
    let (access, name, now) = (&visit.app.access, visit.caller.principal.name(), visit.app.clock.now());
    // Somebody else's is none.
    let row = TokenRow::new(access.personal_token(Some(name), token)?, now);
    if visit.is_get() {
        return Ok(about(visit, StatusCode::OK, row, page, None));
    }
    let actor = visit.actor();
    let set = |active| TokenChange { active: Some(active), label: None };
    match page {
        TokenPage::About => {
            let label = visit.form.get("label").unwrap_or_default().to_owned();
            if label.is_empty() {
                let problem = "Say what the token is for.".to_owned();
                return Ok(about(visit, StatusCode::BAD_REQUEST, row, page, Some(problem)));
            }
            let change = TokenChange { label: Some(label), active: None };
            match access.change_token(&actor, Some(name), token, change).await {
                Ok(_) => return Ok(redirect(&format!("{}?done=saved", token_path(token, page)))),
                Err(AccessError::Malformed(message)) => {
                    return Ok(about(visit, StatusCode::BAD_REQUEST, row, page, Some(errors::sentence(&message))));
                }
                Err(error) => return Err(error.into()),
            }
        }
        TokenPage::Activate if row.has_expired() => {
            let problem = "The token has expired, and activating it does not change that. Make a new one.".to_owned();
            return Ok(about(visit, StatusCode::CONFLICT, row, TokenPage::About, Some(problem)));
        }
        TokenPage::Activate => _ = access.change_token(&actor, Some(name), token, set(true)).await?,
        TokenPage::Deactivate => _ = access.change_token(&actor, Some(name), token, set(false)).await?,
        TokenPage::Revoke => access.delete_token(&actor, Some(name), token).await?,
    }
    Ok(redirect(&format!("/account/tokens?done={}", page.segment())))
}

fn about(visit: &Visit<'_>, status: StatusCode, token: TokenRow, page: TokenPage, problem: Option<String>) -> Reply {
    let title = match page {
        TokenPage::About => token.label.clone(),
        TokenPage::Deactivate => format!("Deactivate {}", token.label),
        TokenPage::Activate => format!("Activate {}", token.label),
        TokenPage::Revoke => format!("Revoke {}", token.label),
    };
    let frame = visit.frame(title, Nav::Account);
    let frame = match page {
        TokenPage::Revoke => frame.with_api_delete(api_path(&token.id)),
        _ => frame.with_api(api_path(&token.id)),
    };
    let saved = visit.is_get() && visit.query.get("done") == Some("saved");
    render(status, &OnePage { frame, token, page, saved, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(scope: &str, places: &str, days: &str) -> Typed {
        Typed { label: "build".into(), scope: scope.into(), places: places.into(), days: days.into() }
    }

    #[test]
    fn a_form_is_read() {
        let now = Timestamp(1_790_000_000_000);
        let token = typed("places", " lab/web : read-write\n\nlab/*:read-only\n", "30").token(now, "x").unwrap();
        assert_eq!(token.scope.to_string(), "lab/web:read-write,lab/*:read-only");
        assert_eq!(token.expires, Some(now.plus(Duration::from_hours(30 * 24))));
        let token = typed("all", "ignored", "").token(now, "x").unwrap();
        assert_eq!((token.scope, token.expires), (TokenScope::All, None));
        let many = "lab/web: read-only\n".repeat(MAX_PLACES + 1);
        for (scope, places, days, words) in [
            ("places", "", "1", "at least one"),
            ("places", "lab/web", "1", "Say behind lab/web"),
            ("places", "lab/web: push", "1", "Say behind lab/web"),
            ("places", "Lab: read-only", "1", "names neither"),
            ("places", ": read-only", "1", "names neither"),
            ("places", &many, "1", "at most 100"),
            ("", "", "1", "Choose"),
            ("all", "", "0", "1 to 3650 days"),
            ("all", "", "3651", "1 to 3650 days"),
            ("all", "", "-1", "1 to 3650 days"),
            ("all", "", "99999999999999999999", "1 to 3650 days"),
        ] {
            let problem = typed(scope, places, days).token(now, "x").unwrap_err();
            assert!(problem.contains(words), "{scope} {places} {days}: {problem}");
        }
        let nameless = Typed { label: String::new(), ..typed("all", "", "") };
        assert!(nameless.token(now, "x").unwrap_err().contains("what the token is for"));
    }

    #[test]
    fn scopes_are_said_in_words() {
        let places = TokenScope::Places(read_places("lab/web: read-write\ntools/*: read-only").unwrap());
        assert_eq!(scope_words(&places), ["read-write on lab/web", "read-only on tools/*"]);
        assert_eq!(scope_words(&TokenScope::All), ["all that you may"]);
    }
}
