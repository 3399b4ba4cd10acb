//! Which path is which page (ui-design §2).
//!
//! Repository names contain slashes and stand in the path as they are; no component of a name can be a lone `-`, so
//! `/-/` ends the name. Paths are read as they came: `%2F` is no slash here and makes no page.

use crate::model::Action;
use crate::model::account::wrong_name;
use crate::model::operation::{AccountAction, OrganizationAction, Requirement};
use crate::model::personal_token::TokenHash;
use crate::oci::{Reference, RepoName};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRequest {
    /// `/`: leads to where it begins.
    Home,
    /// `/login`: the form, and what it sends.
    Login,
    /// `/logout`: ends the session.
    Logout,
    /// `/welcome`: what to do first.
    Welcome,
    /// `/account`: who is signed in.
    Account,
    /// `/account/password`: a new password.
    Password,
    /// `/account/prefs`: light or dark.
    Preferences,
    /// `/account/tokens`: one's access tokens; and, sent a form, a new one.
    Tokens,
    /// `/account/tokens/{id}[/…]`: one of them, and what is done to it.
    Token(TokenHash, TokenPage),
    /// `/account/sessions`: the browsers in which one is signed in.
    Sessions,
    /// `/account/sessions/end`: ends one of them, or all others.
    EndSessions,
    /// `/system`: how the registry is.
    System,
    /// `/system/storage`: room, and what collection would free.
    Storage,
    /// `/system/storage/collect`: collect now.
    Collect,
    /// `/system/certificate`: names, fingerprints, how clients learn to trust it, who refused.
    Certificate,
    /// `/system/certificate/names`: one more name.
    AddName,
    /// `/system/about`: version and licences.
    About,
    /// `/docs/api`: the endpoints of the REST interface.
    Interface,
    /// `/docs/…`: how to work with something.
    Docs(Guide),
    /// `/repositories`: the list; and, sent a form, a new one.
    Repositories,
    /// `/search`.
    Search,
    /// `/activity`: what happened.
    Activity,
    /// `/users`: the list; sent a form, a new one.
    Users,
    /// `/users/{user}[/…]`: somebody else's account.
    User(String, UserPage),
    /// `/orgs`: the list; sent a form, a new one.
    Organizations,
    /// `/orgs/{org}[/…]`: an organization and its teams.
    Organization(String, OrganizationPage),
    /// `/r/{name…}[/-/…]`: something of a repository.
    Repository(RepoName, RepositoryPage),
}

/// What is asked for of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPage {
    /// `/users/{user}`: what the user may, and by which paths.
    Overview,
    /// `…/change`: makes or unmakes an administrator, switches the account on or off, sets the full name.
    Change,
    /// `…/password`: sets a password.
    Password,
    /// `…/tokens`: revokes an access token.
    Tokens,
    /// `…/delete`: a page that says what goes; sent a form, deletes.
    Delete,
}

/// What is asked for of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationPage {
    /// `/orgs/{org}`: teams and members.
    Overview,
    /// `…/members`: adds or removes a member, or changes the role.
    Members,
    /// `…/teams`: makes a team.
    Teams,
    /// `…/delete`: a page that says what goes; sent a form, deletes.
    Delete,
    /// `…/teams/{team}[/…]`: a team.
    Team(String, TeamPage),
}

/// What is asked for of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamPage {
    /// `…/teams/{team}`: members and grants.
    Overview,
    /// `…/change`: its name and description.
    Change,
    /// `…/members`: adds or removes a member.
    Members,
    /// `…/grants`: gives, changes or revokes a right.
    Grants,
    /// `…/delete`: a page that says what goes; sent a form, deletes.
    Delete,
}

/// What can be read about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guide {
    /// `/docs/applications`.
    Applications,
    /// `/docs/accounts`: accounts, rights, tokens, the record.
    Accounts,
}

/// What is asked for of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryPage {
    /// `/r/{name…}`: README and commands.
    Info,
    /// `/-/tags`: the list.
    Tags,
    /// `/-/activity`: what happened there.
    Activity,
    /// `/-/settings`: description and visibility; sent a form, changes them.
    Settings,
    /// `/-/access`: who may what, and why.
    Access,
    /// `/-/access/change`: gives or revokes a right, or changes the visibility.
    ChangeAccess,
    /// `/-/delete`: the whole repository; a form first.
    Delete,
    /// `/-/tags/{tag}` and `/-/digests/{digest}`, and what is behind them.
    Manifest(Reference, ManifestPage),
    /// `/-/delete-tags`: several at once; the list of tags sends it.
    DeleteTags,
}

/// What is asked for of a manifest: a tab of its page, or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestPage {
    /// The tab that its kind begins with.
    Overview,
    /// An application's parts.
    Components,
    /// An application's parameters and credentials.
    Parameters,
    /// `bundle.json`.
    Bundle,
    /// A multi-arch image's platforms.
    Platforms,
    /// An image's layers.
    Layers,
    /// An image's configuration.
    Config,
    /// How an image was made.
    History,
    /// An artifact's files.
    Files,
    /// What refers to it.
    Referrers,
    /// The manifest as pushed.
    Raw,
    /// Deletes it; a page that says what goes comes first.
    Delete,
}

impl ManifestPage {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::Components,
        Self::Parameters,
        Self::Bundle,
        Self::Platforms,
        Self::Layers,
        Self::Config,
        Self::History,
        Self::Files,
        Self::Referrers,
        Self::Raw,
        Self::Delete,
    ];

    /// The last segment of its path; empty for the first tab.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Components => "components",
            Self::Parameters => "parameters",
            Self::Bundle => "bundle",
            Self::Platforms => "platforms",
            Self::Layers => "layers",
            Self::Config => "config",
            Self::History => "history",
            Self::Files => "files",
            Self::Referrers => "referrers",
            Self::Raw => "raw",
            Self::Delete => "delete",
        }
    }
}

/// What is asked for of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenPage {
    /// What it is; sent a form, labels it anew.
    About,
    /// Switches it off, for a while.
    Deactivate,
    /// Switches it on again.
    Activate,
    /// Deletes it.
    Revoke,
}

impl TokenPage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::About, Self::Deactivate, Self::Activate, Self::Revoke];

    /// The last segment of its path; empty for the first.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::About => "",
            Self::Deactivate => "deactivate",
            Self::Activate => "activate",
            Self::Revoke => "revoke",
        }
    }
}

/// What somebody must be allowed for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need<'p> {
    /// Nothing.
    Nothing,
    /// Signed in; or nobody, where everybody may pull.
    Browse,
    /// Signed in.
    SignedIn,
    /// An administrator.
    Admin,
    /// A right on a repository.
    Right(Requirement<'p>),
}

/// The methods of a page that only shows something, of a form's target, and of a page with its own form.
const SHOW: &str = "GET, HEAD";
const SEND: &str = "POST";
const BOTH: &str = "GET, HEAD, POST";

impl PageRequest {
    /// The page at a path; `None` when there is none.
    pub fn parse(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Home,
            "/login" => Self::Login,
            "/logout" => Self::Logout,
            "/welcome" => Self::Welcome,
            "/account" => Self::Account,
            "/account/password" => Self::Password,
            "/account/prefs" => Self::Preferences,
            "/account/tokens" => Self::Tokens,
            "/account/sessions" => Self::Sessions,
            "/account/sessions/end" => Self::EndSessions,
            "/system" => Self::System,
            "/system/storage" => Self::Storage,
            "/system/storage/collect" => Self::Collect,
            "/system/certificate" => Self::Certificate,
            "/system/certificate/names" => Self::AddName,
            "/system/about" => Self::About,
            "/docs/api" => Self::Interface,
            "/docs/applications" => Self::Docs(Guide::Applications),
            "/docs/accounts" => Self::Docs(Guide::Accounts),
            "/repositories" => Self::Repositories,
            "/search" => Self::Search,
            "/activity" => Self::Activity,
            "/users" => Self::Users,
            "/orgs" => Self::Organizations,
            _ => return named(path),
        })
    }

    /// The methods that it knows, as `Allow` says them.
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Logout | Self::Password | Self::Preferences | Self::EndSessions | Self::Collect | Self::AddName => {
                SEND
            }
            Self::Login | Self::Repositories | Self::Users | Self::Organizations | Self::Tokens | Self::Token(..) => {
                BOTH
            }
            Self::User(_, page) => match page {
                UserPage::Overview => SHOW,
                UserPage::Change | UserPage::Password | UserPage::Tokens => SEND,
                UserPage::Delete => BOTH,
            },
            Self::Organization(_, page) => match page {
                OrganizationPage::Overview | OrganizationPage::Team(_, TeamPage::Overview) => SHOW,
                OrganizationPage::Delete | OrganizationPage::Team(_, TeamPage::Delete) => BOTH,
                OrganizationPage::Members | OrganizationPage::Teams | OrganizationPage::Team(..) => SEND,
            },
            Self::Repository(_, page) => match page {
                RepositoryPage::Settings
                | RepositoryPage::Delete
                | RepositoryPage::DeleteTags
                | RepositoryPage::Manifest(_, ManifestPage::Delete) => BOTH,
                RepositoryPage::ChangeAccess => SEND,
                RepositoryPage::Info
                | RepositoryPage::Tags
                | RepositoryPage::Activity
                | RepositoryPage::Access
                | RepositoryPage::Manifest(..) => SHOW,
            },
            _ => SHOW,
        }
    }

    /// What it needs. Pages that change something ask again for what exactly they change.
    pub const fn needs(&self) -> Need<'_> {
        match self {
            Self::Home | Self::Login | Self::Logout | Self::Preferences | Self::Docs(_) | Self::Interface => {
                Need::Nothing
            }
            Self::Repositories | Self::Search => Need::Browse,
            Self::Account
            | Self::Password
            | Self::Tokens
            | Self::Token(..)
            | Self::Sessions
            | Self::EndSessions
            | Self::Activity
            | Self::Organizations => Need::SignedIn,
            Self::User(user, UserPage::Overview) => {
                Need::Right(Requirement::Account(user.as_str(), AccountAction::Manage))
            }
            Self::Organization(name, page) => {
                let action = match page {
                    OrganizationPage::Overview | OrganizationPage::Team(_, TeamPage::Overview) => {
                        OrganizationAction::See
                    }
                    _ => OrganizationAction::Manage,
                };
                Need::Right(Requirement::Organization(name.as_str(), action))
            }
            Self::Welcome
            | Self::System
            | Self::Storage
            | Self::Collect
            | Self::Certificate
            | Self::AddName
            | Self::About
            | Self::Users
            | Self::User(..) => Need::Admin,
            Self::Repository(repo, page) => Need::Right(Requirement::Repository(repo, page.action())),
        }
    }

    /// Its name in the access log and the metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Home => "page_home",
            Self::Login => "page_login",
            Self::Logout => "page_logout",
            Self::Welcome => "page_welcome",
            Self::Account | Self::Password | Self::Preferences => "page_account",
            Self::Tokens | Self::Token(..) => "page_tokens",
            Self::Sessions | Self::EndSessions => "page_sessions",
            Self::System | Self::About => "page_system",
            Self::Storage | Self::Collect => "page_storage",
            Self::Certificate | Self::AddName => "page_certificate",
            Self::Docs(_) | Self::Interface => "page_docs",
            Self::Repositories => "page_repositories",
            Self::Search => "page_search",
            Self::Activity => "page_activity",
            Self::Users | Self::User(..) => "page_users",
            Self::Organizations => "page_organizations",
            Self::Organization(_, page) => match page {
                OrganizationPage::Team(..) => "page_team",
                _ => "page_organizations",
            },
            Self::Repository(_, page) => match page {
                RepositoryPage::Info => "page_repository",
                RepositoryPage::Tags => "page_tags",
                RepositoryPage::Activity => "page_activity",
                RepositoryPage::Settings => "page_settings",
                RepositoryPage::Access | RepositoryPage::ChangeAccess => "page_access",
                RepositoryPage::Manifest(_, ManifestPage::Delete)
                | RepositoryPage::Delete
                | RepositoryPage::DeleteTags => "page_delete",
                RepositoryPage::Manifest(..) => "page_manifest",
            },
        }
    }
}

impl RepositoryPage {
    const fn action(&self) -> Action {
        match self {
            Self::Settings | Self::ChangeAccess | Self::Delete => Action::Administer,
            Self::DeleteTags | Self::Manifest(_, ManifestPage::Delete) => Action::Delete,
            Self::Info | Self::Tags | Self::Activity | Self::Access | Self::Manifest(..) => Action::Pull,
        }
    }
}

/// The page at a path that holds a name.
fn named(path: &str) -> Option<PageRequest> {
    let (_, rest) = path.split_once('/')?;
    match rest.split_once('/')? {
        ("users", rest) => user(rest),
        ("orgs", rest) => organization(rest),
        ("account", rest) => token(rest.strip_prefix("tokens/")?),
        ("r", rest) => repository(rest),
        _ => None,
    }
}

/// A name that an account or a team could have; others have no page.
fn name(text: &str) -> Option<String> {
    wrong_name(text).is_none().then(|| text.to_owned())
}

/// The page behind `/users/`.
fn user(rest: &str) -> Option<PageRequest> {
    let (user, page) = match rest.split_once('/') {
        None => (rest, UserPage::Overview),
        Some((user, "change")) => (user, UserPage::Change),
        Some((user, "password")) => (user, UserPage::Password),
        Some((user, "tokens")) => (user, UserPage::Tokens),
        Some((user, "delete")) => (user, UserPage::Delete),
        Some(_) => return None,
    };
    Some(PageRequest::User(name(user)?, page))
}

/// The page behind `/orgs/`.
fn organization(rest: &str) -> Option<PageRequest> {
    let (organization, rest) = rest.split_once('/').map_or((rest, None), |(name, rest)| (name, Some(rest)));
    let page = match rest {
        None => OrganizationPage::Overview,
        Some("members") => OrganizationPage::Members,
        Some("teams") => OrganizationPage::Teams,
        Some("delete") => OrganizationPage::Delete,
        Some(rest) => {
            let rest = rest.strip_prefix("teams/")?;
            let (team, page) = match rest.split_once('/') {
                None => (rest, TeamPage::Overview),
                Some((team, "change")) => (team, TeamPage::Change),
                Some((team, "members")) => (team, TeamPage::Members),
                Some((team, "grants")) => (team, TeamPage::Grants),
                Some((team, "delete")) => (team, TeamPage::Delete),
                Some(_) => return None,
            };
            OrganizationPage::Team(name(team)?, page)
        }
    };
    Some(PageRequest::Organization(name(organization)?, page))
}

/// The path of a user's page.
pub fn user_path(user: &str) -> String {
    format!("/users/{user}")
}

/// The path of an organization's page.
pub fn organization_path(organization: &str) -> String {
    format!("/orgs/{organization}")
}

/// The path of a team's page.
pub fn team_path(organization: &str, team: &str) -> String {
    format!("/orgs/{organization}/teams/{team}")
}

/// The page behind `/account/tokens/`.
fn token(rest: &str) -> Option<PageRequest> {
    let (id, page) = match rest.split_once('/') {
        None => (rest, TokenPage::About),
        Some((_, "")) => return None,
        Some((id, step)) => (id, TokenPage::ALL.into_iter().find(|page| page.segment() == step)?),
    };
    Some(PageRequest::Token(TokenHash::parse(id)?, page))
}

/// The path of an access token's page.
pub fn token_path(token: &TokenHash, page: TokenPage) -> String {
    let slash = if page == TokenPage::About { "" } else { "/" };
    format!("/account/tokens/{token}{slash}{}", page.segment())
}

/// The page behind `/r/`.
fn repository(rest: &str) -> Option<PageRequest> {
    let (name, page) = match rest.split_once("/-/") {
        None => (rest, RepositoryPage::Info),
        Some((name, page)) => (name, repository_page(page)?),
    };
    Some(PageRequest::Repository(RepoName::parse(name).ok()?, page))
}

fn repository_page(rest: &str) -> Option<RepositoryPage> {
    let mut segments = rest.split('/');
    let (noun, name, view) = (segments.next()?, segments.next(), segments.next());
    if segments.next().is_some() {
        return None;
    }
    let reference = match (noun, name) {
        ("tags", None) => return Some(RepositoryPage::Tags),
        ("activity", None) => return Some(RepositoryPage::Activity),
        ("settings", None) => return Some(RepositoryPage::Settings),
        ("access", None) => return Some(RepositoryPage::Access),
        ("access", Some("change")) if view.is_none() => return Some(RepositoryPage::ChangeAccess),
        ("delete", None) => return Some(RepositoryPage::Delete),
        ("delete-tags", None) => return Some(RepositoryPage::DeleteTags),
        ("tags", Some(tag)) => Reference::parse(tag).ok().filter(|reference| matches!(reference, Reference::Tag(_)))?,
        // Some clients escape the colon, which they need not.
        ("digests", Some(digest)) => Reference::parse(&digest.replace("%3A", ":").replace("%3a", ":"))
            .ok()
            .filter(|reference| matches!(reference, Reference::Digest(_)))?,
        _ => return None,
    };
    let page = match view {
        None => ManifestPage::Overview,
        Some("") => return None,
        Some(view) => ManifestPage::ALL.into_iter().find(|page| page.segment() == view)?,
    };
    Some(RepositoryPage::Manifest(reference, page))
}

/// The path of a repository's page.
pub fn repository_path(repo: &RepoName) -> String {
    format!("/r/{repo}")
}

/// The path of a manifest's page.
pub fn manifest_path(repo: &RepoName, reference: &Reference, page: ManifestPage) -> String {
    let noun = match reference {
        Reference::Tag(_) => "tags",
        Reference::Digest(_) => "digests",
    };
    let slash = if page == ManifestPage::Overview { "" } else { "/" };
    format!("/r/{repo}/-/{noun}/{reference}{slash}{}", page.segment())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repo(name: &str) -> RepoName {
        RepoName::parse(name).unwrap()
    }

    #[test]
    fn paths_are_pages() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let manifest = |name: &str, reference: &str, page| {
            let reference = Reference::parse(reference).unwrap();
            Some(PageRequest::Repository(repo(name), RepositoryPage::Manifest(reference, page)))
        };
        let token = |page| Some(PageRequest::Token(TokenHash([0xab; 32]), page));
        for (path, page) in [
            ("/", Some(PageRequest::Home)),
            ("/system/certificate", Some(PageRequest::Certificate)),
            ("/r/a", Some(PageRequest::Repository(repo("a"), RepositoryPage::Info))),
            ("/r/a/b/c/-/tags", Some(PageRequest::Repository(repo("a/b/c"), RepositoryPage::Tags))),
            // A component may be called tags, and hold hyphens.
            ("/r/tags/tags/-/tags/tags", manifest("tags/tags", "tags", ManifestPage::Overview)),
            ("/r/a-b/c/-/tags/0.1.0-invoc/raw", manifest("a-b/c", "0.1.0-invoc", ManifestPage::Raw)),
            (&format!("/r/a/-/digests/{digest}"), manifest("a", &digest, ManifestPage::Overview)),
            (
                &format!("/r/a/-/digests/sha256%3A{}/config", "a".repeat(64)),
                manifest("a", &digest, ManifestPage::Config),
            ),
            ("/users/alice", Some(PageRequest::User("alice".into(), UserPage::Overview))),
            ("/users/delete/delete", Some(PageRequest::User("delete".into(), UserPage::Delete))),
            ("/orgs/lab", Some(PageRequest::Organization("lab".into(), OrganizationPage::Overview))),
            (
                "/orgs/teams/teams/members/members",
                Some(PageRequest::Organization(
                    "teams".into(),
                    OrganizationPage::Team("members".into(), TeamPage::Members),
                )),
            ),
            ("/r/a/-/access", Some(PageRequest::Repository(repo("a"), RepositoryPage::Access))),
            ("/r/a/-/access/change", Some(PageRequest::Repository(repo("a"), RepositoryPage::ChangeAccess))),
            ("/r/a/-/access/other", None),
            ("/r/a/-/access/change/x", None),
            ("/users/", None),
            ("/users/Alice", None),
            ("/users/a%2Fb", None),
            ("/users/alice/", None),
            ("/users/alice/nothing", None),
            ("/users/alice/delete/x", None),
            ("/orgs/", None),
            ("/orgs/lab/", None),
            ("/orgs/lab/nothing", None),
            ("/orgs/lab/teams/", None),
            ("/orgs/lab/teams/dev/", None),
            ("/orgs/lab/teams/dev/grants/x", None),
            (&format!("/account/tokens/{}", "ab".repeat(32)), token(TokenPage::About)),
            (&format!("/account/tokens/{}/revoke", "ab".repeat(32)), token(TokenPage::Revoke)),
            (&format!("/account/tokens/{}/", "ab".repeat(32)), None),
            (&format!("/account/tokens/{}/revoke/", "ab".repeat(32)), None),
            ("/account/tokens/", None),
            ("/account/tokens/ab", None),
            ("/system/", None),
            ("/systems", None),
            ("/r/", None),
            ("/r/A", None),
            ("/r/a/", None),
            ("/r/a%2Fb", None),
            ("/r/a/../b", None),
            ("/r/a/-/", None),
            ("/r/a/-/nothing", None),
            ("/r/a/-/tags/", None),
            ("/r/a/-/tags/x/", None),
            ("/r/a/-/tags/x/raw/", None),
            ("/r/a/-/tags/x/nothing", None),
            (&format!("/r/a/-/tags/{digest}"), None),
            ("/r/a/-/digests/latest", None),
            ("/r/a/-/tags/x/-/tags", None),
        ] {
            assert_eq!(PageRequest::parse(path), page, "{path}");
        }
    }

    #[test]
    fn what_changes_something_needs_more_than_reading() {
        let name = repo("a");
        let needs = |page| match PageRequest::Repository(name.clone(), page).needs() {
            Need::Right(Requirement::Repository(_, action)) => action,
            other => panic!("{other:?}"),
        };
        let tag = Reference::parse("x").unwrap();
        assert_eq!(needs(RepositoryPage::Tags), Action::Pull);
        assert_eq!(needs(RepositoryPage::Settings), Action::Administer);
        assert_eq!(needs(RepositoryPage::Access), Action::Pull);
        assert_eq!(needs(RepositoryPage::ChangeAccess), Action::Administer);
        // Not what tags and manifests need (model::permission::Level).
        assert_eq!(needs(RepositoryPage::Delete), Action::Administer);
        assert_eq!(needs(RepositoryPage::DeleteTags), Action::Delete);
        for page in ManifestPage::ALL {
            let action = if page == ManifestPage::Delete { Action::Delete } else { Action::Pull };
            assert_eq!(needs(RepositoryPage::Manifest(tag.clone(), page)), action);
        }
    }

    proptest! {
        #[test]
        fn paths_lead_back(name in "[a-z0-9]{1,5}((\\.|_|__|-{1,3}|/)[a-z0-9]{1,5}){0,4}", tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}") {
            let (repo, tag) = (repo(&name), Reference::parse(&tag).unwrap());
            prop_assert_eq!(
                PageRequest::parse(&repository_path(&repo)),
                Some(PageRequest::Repository(repo.clone(), RepositoryPage::Info))
            );
            for page in ManifestPage::ALL {
                let path = manifest_path(&repo, &tag, page);
                let manifest = RepositoryPage::Manifest(tag.clone(), page);
                prop_assert_eq!(PageRequest::parse(&path), Some(PageRequest::Repository(repo.clone(), manifest)));
            }
        }

        #[test]
        fn no_path_makes_the_parser_panic(path in "/?(r/)?.{0,40}") {
            let _ = PageRequest::parse(&path);
        }
    }
}
