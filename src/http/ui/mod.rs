//! The web pages: complete HTML for each GET, a form and a redirect for each change (ui-design, "Principles").
//!
//! [`routes`] says which path is which page and what it needs, [`session`] and [`csrf`] who looks at it, [`page`] what
//! all pages share; one file for each page's view, with its template of the same name in `assets/templates`. Views get
//! a [`Visit`] and make an answer of it or a [`Failure`], which [`errors`] makes a page of.

use std::sync::Arc;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};

use super::App;
use super::body::RequestBody;
use super::reply::{self, Asker, OperationName, Reply};
use super::request::{Authority, Context};
use crate::access::session::{Session, csrf_text};
use crate::base::Secret;
use crate::model::operation::Requirement;
use crate::model::permission::Verdict;
use crate::model::{Caller, Event};
use crate::pki::SubjectName;
use crate::registry::Actor;

mod about;
mod account;
mod activity;
mod application;
mod artifact;
pub mod assets;
mod certificate;
mod compression;
mod content;
pub mod csrf;
mod delete;
mod docs;
mod document;
pub mod errors;
pub mod form;
mod image;
mod kind_words;
mod list_query;
mod login;
mod manifest;
mod manifest_header;
pub mod markdown;
mod multi_arch;
mod organization;
mod organizations;
pub mod page;
mod people;
pub mod pull_commands;
mod raw;
mod referrers;
mod repositories;
mod repository;
mod repository_access;
pub mod routes;
mod search;
pub mod session;
mod sessions;
mod settings;
mod shown;
mod storage;
mod system;
mod tags;
mod team;
mod tokens;
mod trusting;
mod user;
mod users;
mod welcome;
pub mod words;

pub use errors::Failure;
pub use form::Fields;
pub use page::{Frame, Nav, Theme, render};
pub use routes::{
    Guide, ManifestPage, Need, OrganizationPage, PageRequest, RepositoryPage, TeamPage, TokenPage, UserPage,
};

/// What a view ends with.
pub type Outcome = Result<Reply, Failure>;

/// Whether a path is one of the pages' (or of their assets).
pub fn is_page(path: &str) -> bool {
    const EXACT: [&str; 10] =
        ["/", "/activity", "/welcome", "/login", "/logout", "/repositories", "/search", "/docs", "/users", "/orgs"];
    const UNDER: [&str; 7] = ["/r/", "/a/", "/system", "/account", "/docs/", "/users/", "/orgs/"];
    EXACT.contains(&path) || UNDER.iter().any(|under| path.starts_with(under))
}

/// One request for a page: who asks, from where, for what.
pub struct Visit<'r> {
    /// Everything that answers.
    pub app: &'r Arc<App>,
    /// What the wire knows.
    pub ctx: &'r Context,
    /// What is asked for.
    pub page: PageRequest,
    /// The path and query as they came.
    pub here: String,
    /// The method; `HEAD` is `GET` here.
    pub method: Method,
    /// The session, if somebody is signed in.
    pub session: Option<Session>,
    /// The caller: the session's, or nobody.
    pub caller: Caller,
    /// The session's text of which that in the forms is made.
    pub csrf: String,
    /// Light or dark.
    pub theme: Theme,
    /// Whether the script may react to single keys.
    pub keys: bool,
    /// The name or address that the browser used, where it is none of ours.
    pub unknown_host: Option<String>,
    /// What the browser calls itself; at most 256 bytes of it.
    pub agent: String,
    /// The query's fields.
    pub query: Fields,
    /// The form's fields; none for `GET`.
    pub form: Fields,
}

impl Visit<'_> {
    /// Whether a page is to be shown and nothing changed.
    pub fn is_get(&self) -> bool {
        self.method == Method::GET
    }

    /// The frame of a page with this title.
    pub fn frame(&self, title: impl Into<String>, nav: Nav) -> Frame {
        let base = self.ctx.base_url();
        Frame {
            title: title.into(),
            user: self.caller.is_signed_in().then(|| self.caller.principal.name().to_owned()),
            admin: self.is_admin(),
            csrf: csrf::masked(&self.csrf),
            nav,
            theme: self.theme,
            keys: self.keys,
            request_id: self.ctx.id.clone(),
            host: self.ctx.authority.clone(),
            base,
            here: if self.is_get() { self.here.clone() } else { "/".to_owned() },
            search: String::new(),
            api: None,
        }
    }

    /// Whether an administrator asks.
    pub fn is_admin(&self) -> bool {
        self.may(Requirement::Admin)
    }

    /// Whether the caller may do this.
    pub fn may(&self, requirement: Requirement<'_>) -> bool {
        self.app.access.decide(&self.caller, requirement).allowed()
    }

    /// Who changes something, for the record.
    pub fn actor(&self) -> Actor {
        let agent = &self.agent[..self.agent.floor_char_boundary(Event::AGENT)];
        Actor {
            address: Some(self.ctx.client.to_string()),
            agent: (!agent.is_empty()).then(|| agent.to_owned()),
            ..Actor::of(&self.caller)
        }
    }

    /// Where to sign in, and come back from to this page.
    pub fn login_path(&self) -> String {
        let next: String = form_urlencoded::byte_serialize(self.here.as_bytes()).collect();
        if self.here == "/" { "/login".to_owned() } else { format!("/login?next={next}") }
    }

    /// Puts on record that somebody who signed in may not do what a form asks for.
    fn note_refusal(&self, refused: &Failure) {
        let because = match refused {
            Failure::Forbidden(because) | Failure::NotFound(because) if !self.is_get() => because,
            _ => return,
        };
        let repo = match &self.page {
            PageRequest::Repository(repo, _) => Some(repo),
            _ => None,
        };
        self.app.registry.note_denied(self.actor(), repo, self.page.name(), because);
    }

    /// Fails unless the caller may see this page.
    fn check(&self) -> Result<(), Failure> {
        let allowed = |allowed: bool, because: &str| match (allowed, self.caller.is_signed_in()) {
            (true, _) => Ok(()),
            (false, false) => Err(Failure::SignIn),
            (false, true) => Err(Failure::Forbidden(because.to_owned())),
        };
        match self.page.needs() {
            Need::Nothing => Ok(()),
            Need::Browse => allowed(self.caller.is_signed_in() || self.may(Requirement::Catalog), ""),
            Need::SignedIn => allowed(self.caller.is_signed_in(), ""),
            Need::Admin => allowed(self.is_admin(), "This page is for administrators of the registry."),
            Need::Right(requirement) => {
                let decision = self.app.access.decide(&self.caller, requirement);
                match decision.verdict {
                    Verdict::Allowed => Ok(()),
                    Verdict::NeedsSignIn => Err(Failure::SignIn),
                    // Whose account there is is nobody's business but the administrators'.
                    Verdict::Forbidden if matches!(requirement, Requirement::Account(..)) => {
                        Err(Failure::NotFound(NO_USER.to_owned()))
                    }
                    Verdict::Forbidden | Verdict::NeedsWiderToken => {
                        Err(Failure::Forbidden(errors::sentence(&decision.because)))
                    }
                    // The same words whether it exists or not.
                    Verdict::Hidden if matches!(requirement, Requirement::Organization(..)) => {
                        Err(Failure::NotFound(NO_ORGANIZATION.to_owned()))
                    }
                    Verdict::Hidden => Err(Failure::NotFound(NO_REPOSITORY.to_owned())),
                }
            }
        }
    }
}

const NO_REPOSITORY: &str =
    "There is no repository of this name that you may see. Check the name, or ask an administrator for it.";
const NO_ORGANIZATION: &str =
    "There is no organization of this name that you may see. Check the name, or ask an administrator for it.";
const NO_USER: &str = "There is no user of this name that you may see. Check the name, or ask an administrator for it.";
const NO_PAGE: &str = "There is no page at this address.";

/// 303: where to go on after a form, or instead of this page. `path` is one of ours.
pub fn redirect(path: &str) -> Reply {
    let mut reply = reply::empty(StatusCode::SEE_OTHER);
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    reply.headers_mut().insert(LOCATION, location);
    reply.headers_mut().insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// `next` if it is a path of this host and nothing else; browsers read `//host` and `/\host` as another one.
pub fn local(next: Option<&str>) -> Option<&str> {
    next.filter(|next| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next.len() <= 2048
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    })
}

/// Answers a request to one of them.
pub async fn serve(app: &Arc<App>, ctx: &Context, request: Request<RequestBody>) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path.starts_with(assets::PREFIX) {
        return named("asset", assets::serve(&head.method, path, &head.headers));
    }
    // Only browsers come here. What a session's cookie may do must never follow from credentials that a browser
    // remembers by itself, so `Authorization` is not looked at; nor is a cookie anywhere else.
    let token = session::cookie(&head.headers, session::SESSION);
    let found = match token {
        Some(token) => app.access.session(token).await,
        None => Ok(None),
    };
    let visitor = session::cookie(&head.headers, session::VISITOR);
    let fresh = visitor.is_none().then(|| hex::encode(crate::base::id::random::<32>()));
    let text = csrf_text(visitor.or(fresh.as_deref()).unwrap_or_default());
    let page = PageRequest::parse(path);
    let mut agent = head.headers.get(hyper::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    agent.truncate(agent.floor_char_boundary(256));
    let mut visit = Visit {
        app,
        ctx,
        page: page.clone().unwrap_or(PageRequest::Home),
        here: head.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
        method: if head.method == Method::HEAD { Method::GET } else { head.method.clone() },
        session: None,
        caller: Caller::anonymous(),
        csrf: text,
        theme: session::theme(&head.headers),
        keys: session::keys(&head.headers),
        unknown_host: unknown_host(ctx, &head),
        agent,
        query: Fields::parse(head.uri.query().unwrap_or_default().as_bytes()),
        form: Fields::default(),
    };
    let outcome = match found {
        _ if ctx.scheme == "http" => login::in_clear(&visit),
        Err(error) => Err(error.into()),
        Ok(session) => {
            if let Some(session) = session {
                visit.caller = session.caller.clone();
                visit.csrf.clone_from(&session.csrf);
                visit.session = Some(session);
            }
            match page {
                None => Err(Failure::NotFound(NO_PAGE.to_owned())),
                Some(_) => admit(&mut visit, &head, body, token.map(|token| Secret::new(token.to_owned()))).await,
            }
        }
    };
    let mut reply = outcome.unwrap_or_else(|failure| errors::show(&visit, failure));
    if visit.is_get() && compression::is_asked(&head.headers) {
        compression::compress(&mut reply);
    }
    if let (Some(fresh), None, true) = (&fresh, &visit.session, ctx.scheme == "https") {
        session::set(&mut reply, session::VISITOR, fresh, None);
    }
    reply.extensions_mut().insert(Asker(visit.caller.principal.name().to_owned()));
    named(visit.page.name(), reply)
}

/// The name by which the browser reached us, if our certificate does not cover it and it could.
fn unknown_host(ctx: &Context, head: &hyper::http::request::Parts) -> Option<String> {
    if ctx.own_host.is_some() {
        return None;
    }
    let used = super::request::used_authority(head).ok()??;
    let name: SubjectName = Authority::parse(used)?.host.parse().ok()?;
    Some(name.to_string())
}

fn named(operation: &'static str, mut reply: Reply) -> Reply {
    reply.extensions_mut().insert(OperationName(operation));
    reply
}

/// Lets a request with the right method, from the right place, by the right person through to its view.
async fn admit(
    visit: &mut Visit<'_>,
    head: &hyper::http::request::Parts,
    body: RequestBody,
    token: Option<Secret>,
) -> Outcome {
    let methods = visit.page.methods();
    if !methods.split(", ").any(|method| method == head.method.as_str()) {
        return Err(Failure::Method(methods));
    }
    if !visit.is_get() {
        if csrf::comes_from_elsewhere(&head.headers) {
            return Err(Failure::Forbidden(
                "This form was sent by a page of another site; nothing was changed.".into(),
            ));
        }
        // Said plainly, rather than that the form is too old; whoever wanted to sign out is.
        match visit.page {
            PageRequest::Login | PageRequest::Preferences => {}
            PageRequest::Logout if visit.session.is_none() => return login::sign_out(visit, token).await,
            _ if visit.session.is_none() && token.is_some() => return Err(Failure::SignIn),
            _ => {}
        }
        visit.form = Fields::read(head, body).await?;
        // A form comes as slowly as its sender likes: whoever may do less by now, or is signed out, is asked again.
        if visit.session.is_some() {
            let session = match &token {
                Some(token) => visit.app.access.session(token.reveal()).await?,
                None => None,
            };
            let session = session.ok_or(Failure::SignIn)?;
            visit.caller = session.caller.clone();
            visit.session = Some(session);
        }
        if !csrf::matches(&visit.csrf, visit.form.raw("csrf")) {
            let message = "This form is too old, or was not one of ours: nothing was changed. Go back, load the page \
                           again and send it once more.";
            return Err(Failure::Forbidden(message.into()));
        }
    }
    visit.check().inspect_err(|refused| visit.note_refusal(refused))?;
    match &visit.page {
        PageRequest::Home => Ok(home(visit)),
        PageRequest::Login => login::serve(visit, token).await,
        PageRequest::Logout => login::sign_out(visit, token).await,
        PageRequest::Welcome => welcome::serve(visit),
        PageRequest::Account => account::serve(visit),
        PageRequest::Password => account::change_password(visit).await,
        PageRequest::Preferences => account::preferences(visit),
        PageRequest::Tokens => tokens::serve(visit).await,
        PageRequest::Token(token, page) => tokens::one(visit, token, *page).await,
        PageRequest::Sessions => sessions::serve(visit),
        PageRequest::EndSessions => sessions::end(visit).await,
        PageRequest::System => system::serve(visit),
        PageRequest::Storage => storage::serve(visit).await,
        PageRequest::Collect => Ok(storage::collect(visit)),
        PageRequest::Certificate => Ok(certificate::serve(visit)),
        PageRequest::AddName => certificate::add_name(visit).await,
        PageRequest::About => Ok(about::serve(visit)),
        PageRequest::Docs(guide) => Ok(docs::serve(visit, *guide)),
        PageRequest::Interface => Ok(docs::interface(visit)),
        PageRequest::Activity => activity::serve(visit, None).await,
        PageRequest::Users => users::serve(visit).await,
        PageRequest::User(name, page) => user::serve(visit, name, *page).await,
        PageRequest::Organizations => organizations::serve(visit).await,
        PageRequest::Organization(name, OrganizationPage::Team(team, page)) => {
            team::serve(visit, name, team, *page).await
        }
        PageRequest::Organization(name, page) => organization::serve(visit, name, page).await,
        PageRequest::Repositories | PageRequest::Search | PageRequest::Repository(..) => content::serve(visit).await,
    }
}

/// `/`.
fn home(visit: &Visit<'_>) -> Reply {
    let welcome = visit.is_admin() && visit.session.as_ref().is_some_and(|session| session.initial_password);
    match visit.caller.is_signed_in() {
        true if welcome => redirect("/welcome"),
        false if !visit.may(Requirement::Catalog) => redirect("/login"),
        _ => redirect("/repositories"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_on_to() {
        for good in ["/", "/r/a/-/tags?q=x&sort=size", "/system"] {
            assert_eq!(local(Some(good)), Some(good));
        }
        for bad in ["", "x", "//x", "/\\x", "https://x", "/x\r\ny", "/x y", "javascript:x", "/\u{e4}"] {
            assert_eq!(local(Some(bad)), None, "{bad}");
        }
        assert_eq!(local(None), None);
        assert_eq!(local(Some(&format!("/{}", "x".repeat(2048)))), None);
    }
}
