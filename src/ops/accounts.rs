//! Accounts, organizations, teams, rights and tokens as people ask for them on the command line, on a running server and
//! on a stopped one alike. Whoever gets here has the machine, so nothing is asked about rights.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::accounts::{AccountChange, AccountFilter, NewAccount};
use crate::access::htpasswd::Imported;
use crate::access::organizations::{Membership, TeamChange};
use crate::access::personal_tokens::{NewToken, TokenChange, TokenEntry, TokenFilter};
use crate::access::report::{From, Part};
use crate::access::{ADMIN, Access, AccessError, password};
use crate::base::secret::revealed;
use crate::base::{Secret, Timestamp, Uuid};
use crate::meta::mode::ReadOnly;
use crate::model::account::{Account, AccountKind};
use crate::model::organization::Team;
use crate::model::permission::{Level, Place};
use crate::model::personal_token::{PersonalToken, TokenHash, TokenScope, TokenUsed};
use crate::model::{Actor, Caller, Principal};
use crate::oci::RepoName;
use crate::registry::repos::{RepoChange, Visibility};
use crate::registry::{Registry, RegistryError};

/// Entries of one answer: so many that a message of the socket holds them.
const PAGE: usize = 200;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessRequest {
    /// Accounts after this name. Answered by [`AccessReply::Accounts`].
    Accounts {
        /// Organizations; otherwise users.
        organizations: bool,
        /// The last name of the page before.
        after: Option<String>,
    },
    /// One account. Answered by [`AccessReply::Account`].
    Account(String),
    /// Make a user, with a password of its own when none is given. Answered by [`AccessReply::Password`] or
    /// [`AccessReply::Done`].
    AddUser {
        /// Its name.
        name: String,
        /// How people call it.
        full_name: String,
        /// Whether it administers the registry.
        admin: bool,
        /// What password it gets.
        password: NewPassword,
    },
    /// Make an organization. Answered by [`AccessReply::Done`].
    AddOrganization {
        /// Its name.
        name: String,
        /// How people call it.
        full_name: String,
    },
    /// Change an account. Answered by [`AccessReply::Done`].
    Set {
        /// Which.
        name: String,
        /// How people call it.
        full_name: Option<String>,
        /// Whether it may be used.
        active: Option<bool>,
        /// Whether it administers the registry.
        admin: Option<bool>,
    },
    /// Delete an account. Answered by [`AccessReply::Done`].
    Delete {
        /// Which.
        name: String,
        /// Whether its repositories go as well.
        with_repositories: bool,
    },
    /// A new random password. Answered by [`AccessReply::Password`].
    ResetPassword(String),
    /// Users of an htpasswd file. Answered by [`AccessReply::Imported`].
    ImportHtpasswd(#[serde(with = "revealed")] Secret),
    /// Members of an organization, or of a team. Answered by [`AccessReply::Members`].
    Members {
        /// Which organization.
        organization: String,
        /// Which team.
        team: Option<String>,
        /// The last name of the page before.
        after: Option<String>,
    },
    /// Make a user a member of an organization, or of a team. Answered by [`AccessReply::Done`].
    AddMember {
        /// Which organization.
        organization: String,
        /// Which team.
        team: Option<String>,
        /// Who.
        user: String,
        /// Whether as an owner of the organization.
        owner: bool,
    },
    /// Take a user out of an organization, or of a team. Answered by [`AccessReply::Done`].
    RemoveMember {
        /// Which organization.
        organization: String,
        /// Which team.
        team: Option<String>,
        /// Who.
        user: String,
    },
    /// The teams of an organization. Answered by [`AccessReply::Teams`].
    Teams {
        /// Which organization.
        organization: String,
        /// The last name of the page before.
        after: Option<String>,
    },
    /// One team and where it has rights. Answered by [`AccessReply::Team`].
    Team {
        /// Which organization.
        organization: String,
        /// Which team.
        team: String,
        /// The mark of the page of grants before.
        after: Option<Vec<u8>>,
    },
    /// Make a team. Answered by [`AccessReply::Done`].
    AddTeam {
        /// In which organization.
        organization: String,
        /// Its name.
        team: String,
        /// What it is for.
        description: String,
    },
    /// Change a team. Answered by [`AccessReply::Done`].
    SetTeam {
        /// In which organization.
        organization: String,
        /// Which.
        team: String,
        /// Its new name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
    },
    /// Delete a team. Answered by [`AccessReply::Done`].
    DeleteTeam {
        /// In which organization.
        organization: String,
        /// Which.
        team: String,
    },
    /// Who has rights in a place by grants. Answered by [`AccessReply::Grants`].
    Grants {
        /// Where.
        place: Place,
        /// The last team of the page before.
        after: Option<Uuid>,
    },
    /// Give a team a right, or (`None`) take it away. Answered by [`AccessReply::Done`].
    Grant {
        /// Where.
        place: Place,
        /// The team's organization.
        organization: String,
        /// The team.
        team: String,
        /// How much.
        level: Option<Level>,
    },
    /// Make a repository public or private. Answered by [`AccessReply::Done`].
    Visibility {
        /// Which.
        repo: RepoName,
        /// Whether public.
        public: bool,
    },
    /// What a user may do to a repository, and by which path. Answered by [`AccessReply::Done`].
    Right {
        /// Who.
        user: String,
        /// Where.
        repo: RepoName,
    },
    /// A part of the report of all rights. Answered by [`AccessReply::Report`].
    Report(Option<From>),
    /// Tokens. Answered by [`AccessReply::Tokens`].
    Tokens {
        /// Of this user.
        user: Option<String>,
        /// Not used for so many days.
        unused_days: Option<u64>,
        /// The mark of the page before.
        after: Option<Vec<u8>>,
    },
    /// Make a token. Answered by [`AccessReply::Token`].
    AddToken {
        /// For whom.
        user: String,
        /// What it is for.
        label: String,
        /// What it gives.
        scope: TokenScope,
        /// After how many days it stops working.
        days: Option<u64>,
    },
    /// Change a token. Answered by [`AccessReply::Done`].
    SetToken {
        /// Which.
        token: TokenHash,
        /// What it is for.
        label: Option<String>,
        /// Whether it works.
        active: Option<bool>,
    },
    /// Delete a token. Answered by [`AccessReply::Done`].
    DeleteToken(TokenHash),
    /// Delete tokens that were not used for so many days. Answered by [`AccessReply::Done`].
    DeleteTokens {
        /// Of this user.
        user: Option<String>,
        /// Not used for so many days.
        unused_days: u64,
    },
    /// Whether the registry is read-only. Answered by [`AccessReply::ReadOnly`].
    ReadOnly,
    /// Make it so with this reason, or (`None`) end that. Answered by [`AccessReply::Done`].
    SetReadOnly(Option<String>),
}

impl AccessRequest {
    /// Whether it gives `admin` another password: the file with the first one is then worthless.
    pub fn resets_admin(&self) -> bool {
        matches!(self, Self::ResetPassword(name) if name == ADMIN)
    }
}

/// What password a new user gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewPassword {
    /// One that is made up, and shown once.
    Generated,
    /// This one.
    Given(#[serde(with = "revealed")] Secret),
    /// None: access tokens alone.
    None,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessReply {
    /// Done; a sentence about what was done.
    Done(String),
    /// A page of accounts, and whether there may be more.
    Accounts(Vec<AccountShown>, bool),
    /// An account.
    Account(Box<AccountShown>),
    /// A new password, shown once.
    Password {
        /// Whose.
        account: String,
        /// The password.
        #[serde(with = "revealed")]
        password: Secret,
    },
    /// What became of an htpasswd file's lines.
    Imported(Vec<Imported>),
    /// A page of members, and whether there may be more.
    Members(Vec<MemberShown>, bool),
    /// A page of teams, and whether there may be more.
    Teams(Vec<TeamShown>, bool),
    /// A team, a page of where it has rights, and the mark of the next.
    Team(TeamShown, Vec<GrantShown>, Option<Vec<u8>>),
    /// A page of grants in a place, and the team behind which the next begins.
    Grants(Vec<GrantShown>, Option<Uuid>),
    /// A part of the report.
    Report(Part),
    /// A page of tokens, and the mark of the next.
    Tokens(Vec<TokenShown>, Option<Vec<u8>>),
    /// A token that was just made: its text, shown once.
    Token {
        /// The token.
        #[serde(with = "revealed")]
        text: Secret,
        /// What it is.
        token: TokenShown,
    },
    /// Whether the registry is read-only.
    ReadOnly(Option<ReadOnly>),
}

/// An account as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountShown {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: AccountKind,
    /// How people call it.
    pub full_name: String,
    /// Whether it administers the registry.
    pub admin: bool,
    /// Whether it may be used.
    pub active: bool,
    /// Whether it has a password.
    pub password: bool,
    /// When it was made.
    pub created: Timestamp,
    /// The organizations of a user, and whether the user owns them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<(String, bool)>,
}

impl AccountShown {
    fn of(account: Account) -> Self {
        let Account { name, id, kind, full_name, admin, active, created, password, .. } = account;
        let password = !password.is_empty();
        Self { name, id, kind, full_name, admin, active, password, created, organizations: Vec::new() }
    }
}

/// A member as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberShown {
    /// Who.
    pub name: String,
    /// How people call the member.
    pub full_name: String,
    /// Whether the member owns the organization.
    pub owner: bool,
}

/// A team as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TeamShown {
    /// Its organization.
    pub organization: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub description: String,
    /// How many members it has; unknown when many.
    pub members: Option<u64>,
}

/// A grant as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantShown {
    /// Where.
    pub place: String,
    /// `organization/team`.
    pub team: String,
    /// How much.
    pub level: Level,
}

/// A token as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenShown {
    /// Its id.
    pub id: TokenHash,
    /// What is stored of it.
    #[serde(flatten)]
    pub token: PersonalToken,
    /// Its last use.
    pub used: Option<TokenUsed>,
}

impl TokenShown {
    fn of(entry: TokenEntry) -> Self {
        Self { id: entry.hash, token: entry.token, used: entry.used }
    }
}

/// Deletes an account, and its repositories with it where that was said.
///
/// # Errors
/// As [`Access::delete_account`] and [`Registry::delete_namespace`].
pub async fn delete_account(
    access: &Access,
    registry: &Registry,
    actor: &Actor,
    name: &str,
    with_repositories: bool,
) -> Result<usize, DeleteError> {
    // Nothing is deleted for the sake of an account that then has to stay.
    access.check_deletable(name)?;
    let mut deleted = 0;
    // A push may come between; it is deleted with the next round.
    for _ in 0..8 {
        if with_repositories {
            deleted += registry.delete_namespace(actor, name).await?;
        }
        match access.delete_account(actor, name).await {
            Ok(_) => return Ok(deleted),
            Err(AccessError::Conflict(_)) if with_repositories => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("somebody keeps pushing to {name}; make the registry read-only, or deactivate the account");
    Err(AccessError::Conflict(message).into())
}

/// Why an account was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The account's part.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Its repositories' part.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Does what is asked, in the name of whoever has the machine.
///
/// # Errors
/// A sentence for a person.
pub async fn perform(access: &Access, registry: &Registry, request: AccessRequest) -> Result<AccessReply, String> {
    let actor = &Actor::system();
    let words = |error: AccessError| error.to_string();
    let done = |text: String| Ok(AccessReply::Done(text));
    let ago = |days: u64| registry.clock().now().minus(Duration::from_secs(days.saturating_mul(86_400)));
    match request {
        AccessRequest::Accounts { organizations, after } => {
            let filter = if organizations { AccountFilter::Organizations } else { AccountFilter::Users };
            let page = access.accounts(filter, after.as_deref(), PAGE).map_err(words)?;
            let more = page.len() == PAGE;
            Ok(AccessReply::Accounts(page.into_iter().map(AccountShown::of).collect(), more))
        }
        AccessRequest::Account(name) => {
            let account = access.resolve(&name).map_err(words)?;
            let organizations = access.organizations_of(&account.name, None, PAGE).map_err(words)?;
            let organizations = organizations.into_iter().map(|(account, member)| (account.name, member.owner));
            let organizations = organizations.collect();
            Ok(AccessReply::Account(Box::new(AccountShown { organizations, ..AccountShown::of(account) })))
        }
        AccessRequest::AddUser { name, full_name, admin, password } => {
            let (password, told) = match password {
                NewPassword::Generated => {
                    let made = password::generate();
                    (Some(made.clone()), Some(made))
                }
                NewPassword::Given(given) => (Some(given), None),
                NewPassword::None => (None, None),
            };
            let new = NewAccount { name: name.clone(), full_name, admin, password, ..NewAccount::default() };
            access.create_account(actor, new).await.map_err(words)?;
            match told {
                Some(password) => Ok(AccessReply::Password { account: name, password }),
                None => done(format!("there is a user {name} now")),
            }
        }
        AccessRequest::AddOrganization { name, full_name } => {
            let kind = AccountKind::Organization;
            let new = NewAccount { name: name.clone(), full_name, kind, ..NewAccount::default() };
            access.create_account(actor, new).await.map_err(words)?;
            done(format!("there is an organization {name} now"))
        }
        AccessRequest::Set { name, full_name, active, admin } => {
            let change = AccountChange { full_name, active, admin, ..AccountChange::default() };
            access.change_account(actor, &name, change).await.map_err(words)?;
            done(format!("{name} was changed"))
        }
        AccessRequest::Delete { name, with_repositories } => {
            let deleted = delete_account(access, registry, actor, &name, with_repositories).await;
            match deleted.map_err(|error| error.to_string())? {
                0 => done(format!("{name} was deleted")),
                count => done(format!("{name} was deleted, and {count} repositories with it")),
            }
        }
        AccessRequest::ResetPassword(account) => {
            let password = access.reset_password(&account).await.map_err(words)?;
            Ok(AccessReply::Password { account, password })
        }
        AccessRequest::ImportHtpasswd(text) => {
            access.import_htpasswd(actor, text.reveal()).await.map(AccessReply::Imported).map_err(words)
        }
        AccessRequest::Members { organization, team, after } => {
            let page = match team {
                None => access.members(&organization, after.as_deref(), PAGE),
                Some(team) => access.team_members(&organization, &team, after.as_deref(), PAGE),
            };
            let page = page.map_err(words)?;
            let more = page.len() == PAGE;
            let shown = |member: Membership| MemberShown {
                name: member.account.name,
                full_name: member.account.full_name,
                owner: member.owner,
            };
            Ok(AccessReply::Members(page.into_iter().map(shown).collect(), more))
        }
        AccessRequest::AddMember { organization, team: None, user, owner } => {
            access.set_member(actor, &organization, &user, owner).await.map_err(words)?;
            let what = if owner { "an owner" } else { "a member" };
            done(format!("{user} is {what} of {organization} now"))
        }
        AccessRequest::AddMember { organization, team: Some(team), user, .. } => {
            access.add_team_member(actor, &organization, &team, &user).await.map_err(words)?;
            done(format!("{user} is in team {team} of {organization} now"))
        }
        AccessRequest::RemoveMember { organization, team, user } => {
            let (was, from) = match team {
                None => (access.remove_member(actor, &organization, &user).await, organization),
                Some(team) => {
                    let was = access.remove_team_member(actor, &organization, &team, &user).await;
                    (was, format!("team {team} of {organization}"))
                }
            };
            if was.map_err(words)? {
                done(format!("{user} is not in {from} any more"))
            } else {
                Err(format!("{user} is not in {from}"))
            }
        }
        AccessRequest::Teams { organization, after } => {
            let page = access.teams(&organization, after.as_deref(), PAGE).map_err(words)?;
            let more = page.len() == PAGE;
            let shown = page.into_iter().map(|team| shown(access, team)).collect::<Result<_, _>>().map_err(words)?;
            Ok(AccessReply::Teams(shown, more))
        }
        AccessRequest::Team { organization, team, after } => {
            let team = access.team(&organization, &team).map_err(words)?;
            let page = access.grants_of(team.id, after.as_deref(), PAGE).map_err(words)?;
            let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.mark.clone());
            let name = format!("{organization}/{}", team.name);
            let grants = page.into_iter().map(|held| GrantShown {
                place: held.place.to_string(),
                team: name.clone(),
                level: held.level,
            });
            let grants = grants.collect();
            Ok(AccessReply::Team(shown(access, team).map_err(words)?, grants, next))
        }
        AccessRequest::AddTeam { organization, team, description } => {
            access.create_team(actor, &organization, &team, &description).await.map_err(words)?;
            done(format!("{organization} has a team {team} now"))
        }
        AccessRequest::SetTeam { organization, team, name, description } => {
            let change = TeamChange { name, description };
            let team = access.change_team(actor, &organization, &team, change).await.map_err(words)?;
            done(format!("team {} of {organization} was changed", team.name))
        }
        AccessRequest::DeleteTeam { organization, team } => {
            access.delete_team(actor, &organization, &team).await.map_err(words)?;
            done(format!("{organization} has no team {team} any more"))
        }
        AccessRequest::Grants { place, after } => {
            let page = access.grants_on(&place, after, PAGE).map_err(words)?;
            let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.team.id);
            let grants = page.into_iter().map(|granted| GrantShown {
                place: place.to_string(),
                team: format!("{}/{}", granted.team.organization, granted.team.name),
                level: granted.level,
            });
            Ok(AccessReply::Grants(grants.collect(), next))
        }
        AccessRequest::Grant { place, organization, team, level: Some(level) } => {
            access.set_grant(actor, &place, &organization, &team, level).await.map_err(words)?;
            done(format!("team {team} of {organization} has {level} on {place} now"))
        }
        AccessRequest::Grant { place, organization, team, level: None } => {
            match access.remove_grant(actor, &place, &organization, &team).await.map_err(words)? {
                Some(was) => done(format!("team {team} of {organization} has {was} on {place} no more")),
                None => Err(format!("team {team} of {organization} has no grant on {place}")),
            }
        }
        AccessRequest::Visibility { repo, public } => {
            let visibility = if public { Visibility::Public } else { Visibility::Private };
            let change = RepoChange { visibility: Some(visibility), ..RepoChange::default() };
            let changed = registry.change_repository(actor.clone(), &repo, change).await;
            changed.map_err(|error| error.to_string())?;
            done(format!("{repo} is {} now", if public { "public" } else { "private" }))
        }
        AccessRequest::Right { user, repo } => {
            let account = access.resolve(&user).map_err(words)?;
            let caller = Caller::of(Principal::User { name: account.name.clone(), admin: account.admin });
            match access.right(&caller, &repo).map_err(words)? {
                Some(right) if account.can_sign_in() => done(right.to_string()),
                Some(right) => done(format!("none: the account is not active (it would be {right})")),
                None => done("none".to_owned()),
            }
        }
        AccessRequest::Report(from) => access.report(from.as_ref()).map(AccessReply::Report).map_err(words),
        AccessRequest::Tokens { user, unused_days, after } => {
            let filter = TokenFilter { owner: user, used_before: unused_days.map(ago), ..TokenFilter::default() };
            let page = access.tokens(&filter, after.as_deref(), PAGE).map_err(words)?;
            let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.mark.clone());
            Ok(AccessReply::Tokens(page.into_iter().map(TokenShown::of).collect(), next))
        }
        AccessRequest::AddToken { user, label, scope, days } => {
            let life = days.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
            let expires = life.map(|life| registry.clock().now().plus(life));
            let new = NewToken { label, scope, expires, client: "msr-lite".to_owned(), ..NewToken::default() };
            let (text, entry) = access.create_token(actor, None, &user, new).await.map_err(words)?;
            Ok(AccessReply::Token { text, token: TokenShown::of(entry) })
        }
        AccessRequest::SetToken { token, label, active } => {
            let entry = access.change_token(actor, None, &token, TokenChange { label, active }).await.map_err(words)?;
            let state = if entry.token.active { "works" } else { "does not work" };
            done(format!("the token \"{}\" of {} {state} now", entry.token.label, entry.token.owner))
        }
        AccessRequest::DeleteToken(token) => {
            access.delete_token(actor, None, &token).await.map_err(words)?;
            done("the token was deleted".to_owned())
        }
        AccessRequest::DeleteTokens { user, unused_days } => {
            let used_before = Some(ago(unused_days));
            let filter = TokenFilter { owner: user, used_before, ..TokenFilter::default() };
            let count = access.delete_tokens(actor, &filter).await.map_err(words)?;
            done(format!("{count} tokens were deleted"))
        }
        AccessRequest::ReadOnly => registry.read_only().map(AccessReply::ReadOnly).map_err(|error| error.to_string()),
        AccessRequest::SetReadOnly(reason) => {
            let on = reason.is_some();
            registry.set_read_only(actor, reason).await.map_err(|error| error.to_string())?;
            done(format!("the registry is {} now", if on { "read-only" } else { "writable" }))
        }
    }
}

fn shown(access: &Access, team: Team) -> Result<TeamShown, AccessError> {
    let members = access.team_sizes(team.id)?.members;
    let Team { id, organization, name, description, .. } = team;
    Ok(TeamShown { organization, name, id, description, members })
}
