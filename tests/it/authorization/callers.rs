//! The classes of callers, and the stage on which they ask: three tenants, each with a repository that exists and none
//! under a name of the same length. `alice` owns her namespace and the organization `org-here`, whose teams have rights
//! on it; nobody who asks has to do with the namespace `lab` and the organization `oth-here`, but the administrator.

use std::time::Duration;

use msr_lite::access::session::csrf_text;
use msr_lite::base::config::Anonymous;
use msr_lite::meta::session::{self, SessionHash, SessionRow};
use msr_lite::meta::tables::{self, Table};
use msr_lite::meta::{MetaError, Mode, Read, account};
use msr_lite::oci::Digest;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Lab, OCI_MANIFEST, header, noise, sha256};
use crate::pages::{Browser, add_user, encoded};

/// The repository of each tenant that exists, and the one that does not.
pub(super) const THERE: &str = "app-here";
pub(super) const ABSENT: &str = "app-gone";
/// Whose namespaces have them.
const TENANTS: [&str; 3] = ["alice", "lab", "org-here"];
/// What names no access token.
const NO_TOKEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Sessions that a form may end: of `alice`, and for [`Class::Foreign`] of somebody else.
const SESSIONS: [(&str, SessionHash); 2] = [("alice", [1; 32]), ("mia-here", [2; 32])];
/// Where people and their rights are.
const PEOPLE: &[Table] = &[
    tables::ACCOUNT,
    tables::ACCOUNT_BY_ID,
    tables::ACCOUNT_LIST,
    tables::DEPARTED,
    tables::MEMBER,
    tables::MEMBER_OF,
    tables::TEAM,
    tables::TEAM_BY_NAME,
    tables::TEAM_GONE,
    tables::TEAM_MEMBER,
    tables::TEAM_OF,
    tables::GRANT,
    tables::GRANT_OF,
    tables::PERSONAL_TOKEN,
    tables::PERSONAL_TOKEN_OF,
];
/// Where a mount goes to: in a namespace of the caller's own.
const OWN: &str = "app-mine";

/// Who asks. All ask for the repositories of `alice` but [`Class::Foreign`] and those who are in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// No credentials.
    Nobody,
    /// A bearer token whose time is over, of an account whose password was changed, or that was never ours; on pages a
    /// session likewise.
    Stale,
    /// A name and password of which one is wrong: no such account, a wrong password, the password before the change.
    Wrong,
    /// `bob`, signed in, without rights.
    Stranger,
    /// `alice` in the other tenant's namespace, in which she has no rights.
    Foreign,
    /// `alice`.
    Owner,
    /// An administrator.
    Admin,
    /// `alice`, by a token that says all that she may.
    Token,
    /// `alice`, by a token that says pull.
    Pull,
    /// `alice`, by a token for another repository.
    Other,
    /// In a team with the right read-only on the organization's namespace.
    Reader,
    /// In one with read-write.
    Writer,
    /// In one with admin.
    Manager,
    /// `alice`, by a personal access token for everything.
    Personal,
    /// `alice`, by one that is read-only and for the repository alone.
    PersonalPull,
    /// `alice`, by one for another repository.
    PersonalOther,
}

impl Class {
    const ALL: [(Self, &'static str); 16] = [
        (Self::Nobody, "nobody"),
        (Self::Stale, "stale"),
        (Self::Wrong, "wrong"),
        (Self::Stranger, "stranger"),
        (Self::Foreign, "foreign"),
        (Self::Owner, "owner"),
        (Self::Admin, "admin"),
        (Self::Token, "token"),
        (Self::Pull, "pull"),
        (Self::Other, "other"),
        (Self::Reader, "reader"),
        (Self::Writer, "writer"),
        (Self::Manager, "manager"),
        (Self::Personal, "personal"),
        (Self::PersonalPull, "perpull"),
        (Self::PersonalOther, "perother"),
    ];

    pub(super) fn parse(name: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.unwrap_or_else(|| panic!("there is no class {name}")).0
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).expect("ALL has all").1
    }

    /// Whose repositories are asked for.
    pub(super) fn tenant(self) -> &'static str {
        match self {
            Self::Foreign => "lab",
            Self::Reader | Self::Writer | Self::Manager => "org-here",
            _ => "alice",
        }
    }

    /// Which organization is asked for; the one that exists and the one that does not end differently.
    fn organization(self) -> &'static str {
        if self == Self::Foreign { "oth" } else { "org" }
    }

    /// Who it is, where that is somebody.
    fn user(self) -> &'static str {
        match self {
            Self::Stranger => "bob",
            Self::Admin => "admin",
            Self::Reader => "rita",
            Self::Writer => "walt",
            Self::Manager => "ada",
            _ => "alice",
        }
    }

    /// Whether what exists and what does not must look the same.
    pub(super) fn may_not_see(self) -> bool {
        matches!(
            self,
            Self::Nobody
                | Self::Stale
                | Self::Wrong
                | Self::Stranger
                | Self::Foreign
                | Self::Other
                | Self::PersonalOther
        )
    }

    /// Whether it is known who asks.
    pub(super) fn is_somebody(self) -> bool {
        !matches!(self, Self::Nobody | Self::Stale | Self::Wrong)
    }
}

/// What a caller shows.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    Nothing,
    Basic(&'static str, String),
    Bearer(String),
    Session(String),
    /// The cookie of somebody who has not signed in.
    Visitor,
}

const VISITOR: &str = "visitor-visitor-visitor-visitor-visitor-vis";

/// What was pushed for a tenant.
#[derive(Clone, Default)]
struct Pushed {
    manifest: String,
    digest: String,
    layer: Vec<u8>,
    upload: String,
}

/// A row's key and value.
type Stored = (Vec<u8>, Vec<u8>);

/// The registry, what was pushed, and everybody's credentials.
pub(super) struct Stage {
    pub(super) lab: Lab,
    client: Client,
    /// By tenant.
    pushed: Vec<(&'static str, Pushed)>,
    /// Whether the repositories are public, and everybody may pull from such.
    pub(super) public: bool,
    /// Access tokens of `alice` by the class that shows them, and of all accounts by their names: what names them.
    personal: Vec<(Class, String)>,
    named: Vec<(&'static str, String)>,
    /// The rows of accounts, organizations, teams, rights and access tokens as they were in the beginning.
    people: Vec<(Table, Vec<Stored>)>,
    stale_tokens: Vec<String>,
    stale_sessions: Vec<String>,
    sessions: Vec<(&'static str, String)>,
    pushes: u64,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::on(Lab::new(Mode::Normal).await, false).await
    }

    /// The same with repositories that everybody may pull from.
    pub(super) async fn public() -> Self {
        Self::on(Lab::with(Mode::Normal, |config| config.anonymous = Anonymous::PublicRepositories).await, true).await
    }

    async fn on(lab: Lab, public: bool) -> Self {
        for user in ["alice", "bob", "carol", "rita", "walt", "ada", "mia-here", "usr-here"] {
            add_user(&lab, user).await;
        }
        // Another administrator, whose password will change.
        change_account(&lab, "carol", true).await;
        let client = lab.strict_client();
        let mut stage = Self {
            lab,
            client,
            pushed: Vec::new(),
            public,
            personal: Vec::new(),
            named: Vec::new(),
            people: Vec::new(),
            stale_tokens: Vec::new(),
            stale_sessions: Vec::new(),
            sessions: Vec::new(),
            pushes: 0,
        };
        let expired = stage.token("admin", &all_of("alice")).await;
        let ended = stage.sign_in("admin").await;
        stage.lab.clock.advance(Duration::from_hours(13));
        let revoked = stage.token("carol", &all_of("alice")).await;
        let closed = stage.sign_in("carol").await;
        change_account(&stage.lab, "carol", true).await;
        stage.stale_tokens = vec![expired, revoked, "a.b.c".into()];
        stage.stale_sessions = vec![ended, closed, "planted-planted-planted-planted-planted-pla".into()];
        stage.organize().await;
        stage.people = stage.people();
        stage.sign_everybody_in().await;
        stage.restore().await;
        stage
    }

    /// Makes the organizations, their teams and rights, and access tokens.
    async fn organize(&mut self) {
        for (organization, owner) in [("org-here", "alice"), ("oth-here", "carol")] {
            let named = json!({ "name": organization, "isOrg": true });
            self.lab.done(Method::POST, "/accounts", Some(named), 201).await;
            let members = format!("/accounts/{organization}/members");
            self.lab.done(Method::PUT, &format!("{members}/{owner}"), Some(json!({ "isAdmin": true })), 200).await;
            for (team, member, level) in [
                ("readers", "rita", "read-only"),
                ("writers", "walt", "read-write"),
                ("managers", "ada", "admin"),
                ("team-here", "mia-here", "read-only"),
            ] {
                let teams = format!("/accounts/{organization}/teams");
                self.lab.done(Method::POST, &teams, Some(json!({ "name": team })), 201).await;
                if organization == "org-here" || team == "team-here" {
                    self.lab.done(Method::PUT, &format!("{teams}/{team}/members/{member}"), Some(json!({})), 200).await;
                }
                let access = format!("/api/v0/repositoryNamespaces/{organization}/teamAccess/{team}");
                self.lab.done(Method::PUT, &access, Some(json!({ "accessLevel": level })), 200).await;
            }
        }
        let [here, gone] = [THERE, ABSENT].map(|name| format!("alice/{name}:read-only"));
        for (class, scope) in [
            (Class::Personal, json!("all")),
            (Class::PersonalPull, json!([here, gone])),
            (Class::PersonalOther, json!(["alice/elsewhere:admin"])),
        ] {
            let token = self.personal_token("alice", &scope).await;
            self.personal.push((class, token["token"].as_str().unwrap().to_owned()));
        }
        for user in ["alice", "mia-here"] {
            let token = self.personal_token(user, &json!("all")).await;
            self.named.push((user, token["hashedToken"].as_str().unwrap().to_owned()));
        }
    }

    async fn personal_token(&self, user: &str, scope: &Value) -> Value {
        let asked = json!({ "tokenLabel": "of the stage", "scope": scope });
        self.lab.done(Method::POST, &format!("/api/v0/api_tokens?username={user}"), Some(asked), 200).await
    }

    /// The rows of [`PEOPLE`].
    fn people(&self) -> Vec<(Table, Vec<Stored>)> {
        let meta = self.lab.server.registry().meta();
        let rows = |table: &Table| {
            let rows = meta.read(|tx| tx.range(*table, &[], None, 10_000)).unwrap();
            (*table, rows.into_iter().collect())
        };
        PEOPLE.iter().map(rows).collect()
    }

    /// Everybody's sessions.
    pub(super) async fn sign_everybody_in(&mut self) {
        self.sessions.clear();
        for user in ["alice", "bob", "rita", "walt", "ada", "admin"] {
            let session = self.sign_in(user).await;
            self.sessions.push((user, session));
        }
    }

    async fn sign_in(&self, user: &str) -> String {
        Browser::signed_in(&self.lab, user).await.cookies["__Host-session"].clone()
    }

    fn session(&self, user: &str) -> Shown {
        Shown::Session(self.sessions.iter().find(|(name, _)| *name == user).unwrap().1.clone())
    }

    /// A bearer token of a user for these scopes.
    pub(super) async fn token(&self, user: &str, scopes: &[String]) -> String {
        let path = format!("/auth/token?service=msr-lite&scope={}", scopes.join("&scope="));
        let request = self.lab.anonymous(Method::GET, &path).basic_auth(user, Some(&self.lab.password));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// What a class shows to `/v2`, `/api` and the rest: one or several that must be answered alike.
    pub(super) async fn shown(&self, class: Class) -> Vec<Shown> {
        let basic = |user, password: &str| Shown::Basic(user, password.to_owned());
        let known = |user| vec![Shown::Basic(user, self.lab.password.clone())];
        match class {
            Class::Nobody => vec![Shown::Nothing],
            Class::Stale => self.stale_tokens.iter().cloned().map(Shown::Bearer).collect(),
            Class::Wrong => vec![
                basic("nobody", &self.lab.password),
                basic("admin", "wrong wrong wrong"),
                basic("carol", "the one before"),
            ],
            Class::Stranger => known("bob"),
            Class::Foreign | Class::Owner => known("alice"),
            Class::Admin | Class::Reader | Class::Writer | Class::Manager => known(class.user()),
            Class::Personal | Class::PersonalPull | Class::PersonalOther => {
                let (_, token) = self.personal.iter().find(|(of, _)| *of == class).unwrap();
                vec![Shown::Basic("alice", token.clone())]
            }
            Class::Token => vec![Shown::Bearer(self.token("alice", &all_of("alice")).await)],
            Class::Pull => {
                let scopes = [format!("repository:alice/{THERE}:pull"), format!("repository:alice/{ABSENT}:pull")];
                vec![Shown::Bearer(self.token("alice", &scopes).await)]
            }
            Class::Other => {
                vec![Shown::Bearer(self.token("alice", &["repository:alice/elsewhere:delete,pull,push".into()]).await)]
            }
        }
    }

    /// What a class shows to pages.
    pub(super) fn shown_to_pages(&self, class: Class) -> Vec<Shown> {
        match class {
            Class::Stale => self.stale_sessions.iter().cloned().map(Shown::Session).collect(),
            Class::Stranger
            | Class::Foreign
            | Class::Owner
            | Class::Admin
            | Class::Reader
            | Class::Writer
            | Class::Manager => vec![self.session(class.user())],
            _ => vec![Shown::Visitor],
        }
    }

    /// Makes everything as it was in the beginning.
    pub(super) async fn restore(&mut self) {
        self.pushes += 1;
        let (people, now) = (self.people.clone(), self.lab.clock.now());
        let put = self.lab.server.registry().meta().write(move |tx| {
            for (user, id) in SESSIONS {
                let revision = account::get(tx, user)?.unwrap().revision;
                let (account, address, agent) = (user.to_owned(), "192.0.2.9".to_owned(), "a browser".to_owned());
                session::open(tx, &id, &SessionRow { account, revision, opened: now, seen: now, address, agent })?;
            }
            for (table, rows) in &people {
                let now = tx.range(*table, &[], None, 10_000)?;
                for (key, _) in now.iter().filter(|(key, _)| !rows.iter().any(|(kept, _)| kept[..] == key[..])) {
                    tx.delete(*table, key);
                }
                for (key, value) in rows {
                    tx.put(*table, key, value.clone());
                }
            }
            Ok::<_, MetaError>(())
        });
        put.await.unwrap();
        for tenant in TENANTS {
            // What is absent was there a moment ago, each time: so a manifest without its parts is not taken.
            self.lab.push_blob(&format!("{tenant}/{ABSENT}"), b"absent").await;
            for name in [THERE, ABSENT] {
                self.remove(&format!("{tenant}/{name}")).await;
            }
        }
        for own in ["alice", "bob", "rita", "walt", "ada", "admin", "lab"] {
            self.remove(&format!("{own}/{OWN}")).await;
        }
        self.pushed.clear();
        for (tenant, user) in [("alice", "alice"), ("lab", "admin"), ("org-here", "walt")] {
            let pushed = self.push(tenant, user).await;
            self.pushed.push((tenant, pushed));
            if self.public {
                self.lab.publish(&format!("{tenant}/{THERE}")).await;
            }
        }
    }

    async fn remove(&self, repo: &str) {
        let gone = self.lab.delete(&format!("/api/v0/repositories/{repo}")).await;
        assert_eq!(gone.status(), StatusCode::NO_CONTENT, "{repo}");
    }

    /// Pushes the tenant's image, and lets `user` begin an upload.
    async fn push(&self, tenant: &str, user: &str) -> Pushed {
        let repo = format!("{tenant}/{THERE}");
        // Content of its own each time: what was deleted is not to be found again.
        let of_tenant = TENANTS.iter().position(|of| *of == tenant).unwrap();
        let layer = noise(64, self.pushes * TENANTS.len() as u64 + of_tenant as u64);
        let (manifest, digest) = self.lab.push_image(&repo, "1", &layer).await;
        let path = self.lab.url(&format!("/v2/{repo}/blobs/uploads/"));
        let begun = self.client.post(path).basic_auth(user, Some(&self.lab.password)).send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let upload = header(&begun, "location").rsplit('/').next().unwrap().to_owned();
        Pushed { manifest: manifest.to_string(), digest: digest.to_string(), layer, upload }
    }

    /// Pushes the image of the tenant `alice` to another repository.
    pub(super) async fn push_again(&self, repo: &str) {
        let layer = self.pushed(Class::Owner).layer.clone();
        self.lab.push_image(repo, "1", &layer).await;
    }

    /// All that somebody could have changed, to be compared.
    pub(super) async fn state(&self) -> String {
        let mut state = String::new();
        for path in ["/v2/_catalog", "/api/v0/repositories?pageSize=100"] {
            state += &self.lab.get(path).await.text().await.unwrap();
        }
        for tenant in TENANTS {
            for path in ["tags?includeManifests=true", "manifests"] {
                let path = format!("/api/v0/repositories/{tenant}/{THERE}/{path}");
                state += &self.lab.get(&path).await.text().await.unwrap();
            }
        }
        // Looking counts as a pull, and may.
        let counts = ["\"pulls\":", "\"pushes\":", "\"lastPulled"];
        let state: String =
            state.split([',', '{', '}', '\n']).filter(|part| !counts.iter().any(|c| part.starts_with(c))).collect();
        let people = self.people().into_iter().map(|(table, rows)| {
            let rows = rows.iter().map(|(key, value)| format!("{}={}", key.escape_ascii(), value.escape_ascii()));
            format!("\n{}: {}", table.name(), rows.collect::<Vec<_>>().join(" "))
        });
        let meta = self.lab.server.registry().meta();
        let lasts = |id| meta.read(|tx| session::get(tx, id)).unwrap().is_some();
        let sessions = SESSIONS.iter().map(|(user, id)| format!("\nsession of {user}: {}", lasts(id)));
        state + &people.chain(sessions).collect::<String>()
    }

    fn pushed(&self, class: Class) -> &Pushed {
        &self.pushed.iter().find(|(tenant, _)| *tenant == class.tenant()).unwrap().1
    }

    /// What stands for a name in braces, for the caller's tenant.
    pub(super) fn fill(&self, path: &str, class: Class, there: bool) -> String {
        let pushed = self.pushed(class);
        let blob = sha256(&pushed.layer);
        let known: Digest = if there { blob } else { sha256(b"nowhere") };
        let end = |there| if there { "here" } else { "gone" };
        // Of a path that names two things, the last one is there or not.
        let within = ["{team}", "{member}", "{repo}"].iter().any(|name| path.contains(name));
        let account = match class.user() {
            _ if !there && !within => "usr-gone",
            // A page that leads to the sign-in says where it leads back to.
            "alice" if class == Class::Foreign || path.starts_with("/users/") && class.may_not_see() => "usr-here",
            "alice" => "alice",
            _ => "usr-here",
        };
        let of_token = if class == Class::Foreign { "mia-here" } else { "alice" };
        let (_, token) = self.named.iter().find(|(user, _)| *user == of_token).unwrap();
        let member = !path.contains("{member}") || there;
        path.replace("{repo}", &format!("{}/{}", class.tenant(), if there { THERE } else { ABSENT }))
            .replace("{namespace}", class.tenant())
            .replace("{own}", &format!("{}/{OWN}", class.user()))
            .replace("{organization}", &format!("{}-{}", class.organization(), end(there || within)))
            .replace("{team}", &format!("team-{}", end(there || path.contains("{member}"))))
            .replace("{member}", &format!("mia-{}", end(member)))
            .replace("{account}", account)
            .replace("{token}", if there { token } else { NO_TOKEN })
            .replace("{tag}", "1")
            .replace("{digest}", &pushed.digest)
            .replace("{blob}", &blob.to_string())
            .replace("{known}", &known.to_string())
            .replace("{upload}", &pushed.upload)
    }

    /// A request of the table.
    pub(super) fn request(
        &self,
        method: &Method,
        path: &str,
        class: Class,
        shown: &Shown,
        there: bool,
    ) -> RequestBuilder {
        let pushed = self.pushed(class);
        let target = self.fill(path, class, there);
        // From behind a proxy: what this machine itself may, others may not.
        let request = self.client.request(method.clone(), self.lab.url(&target)).header("via", "1.1 proxy.lab");
        let name = if there { THERE } else { ABSENT };
        let in_rest = path.starts_with("/api/") || path.starts_with("/enzi/");
        let json = |text: String| ("application/json", text.into_bytes());
        let body = match (method.as_str(), path) {
            ("PUT", path) if path.contains("/manifests/") => Some((OCI_MANIFEST, pushed.manifest.clone().into_bytes())),
            ("PUT" | "PATCH" | "POST", path) if path.contains("{upload}") || path.contains("?digest=") => {
                Some(("application/octet-stream", pushed.layer.clone()))
            }
            ("PATCH" | "PUT", path) if in_rest => Some(json(changes(path).to_string())),
            ("POST", _) if in_rest => Some(json(json!({ "name": name, "action": "onlinegc" }).to_string())),
            ("POST", "/auth/token") => {
                Some(("application/x-www-form-urlencoded", b"service=msr-lite&grant_type=password".to_vec()))
            }
            ("POST", path) if !path.starts_with("/v2/") => {
                let csrf = match shown {
                    Shown::Session(session) => csrf_text(session),
                    _ => csrf_text(VISITOR),
                };
                let [of_alice, of_another] = SESSIONS.map(|(_, id)| hex::encode(id));
                let session = match class {
                    _ if !there => NO_TOKEN,
                    Class::Foreign => &of_another,
                    _ => &of_alice,
                };
                // A form's own fields say what its path says.
                let named = self.fill("{account} {organization}", class, there);
                let (account, organization) = named.split_once(' ').expect("two names");
                let place = self.fill("{organization}/*", class, true);
                let full = match path {
                    "/users" | "/orgs" if there => "new-name".to_owned(),
                    "/users" | "/orgs" => "mia-here".to_owned(),
                    path if path.starts_with("/users/") => account.to_owned(),
                    path if path.starts_with("/orgs/") => organization.to_owned(),
                    _ => format!("{}/{name}", class.tenant()),
                };
                let mut fields = vec![
                    ("csrf", &*csrf),
                    ("namespace", class.tenant()),
                    ("name", &*full),
                    ("theme", "dark"),
                    ("label", "labelled anew"),
                    ("session", session),
                ];
                if ["/users", "/orgs", "/r/{repo}/-/access"].iter().any(|under| path.starts_with(under)) {
                    fields.extend([("team", "new-team"), ("user", "bob"), ("place", &*place), ("level", "admin")]);
                    fields.push(match path {
                        "/users" => ("robot", "1"),
                        "/users/{account}/change" => ("change", "deactivate"),
                        "/orgs/{organization}/members" => ("role", "member"),
                        "/orgs/{organization}/teams/{team}/members" => ("do", "add"),
                        "/r/{repo}/-/access/change" => ("visibility", "public"),
                        _ => ("do", "set"),
                    });
                }
                Some(("application/x-www-form-urlencoded", encoded(&fields).into_bytes()))
            }
            _ => None,
        };
        let request = match body {
            Some((kind, body)) => request.header("content-type", kind).body(body),
            None => request,
        };
        match shown {
            Shown::Nothing => request,
            Shown::Basic(user, password) => request.basic_auth(user, Some(password)),
            Shown::Bearer(token) => request.bearer_auth(token),
            Shown::Session(session) => request.header("cookie", format!("__Host-session={session}")),
            Shown::Visitor => request.header("cookie", format!("__Host-visitor={VISITOR}")),
        }
    }
}

/// A change that each endpoint takes out what it knows of.
fn changes(path: &str) -> Value {
    let mut changes = json!({ "shortDescription": "changed", "accessLevel": "read-write" });
    if path.contains("/accounts/{account}") {
        changes["fullName"] = "changed".into();
    } else if path.contains("api_tokens") {
        changes["tokenLabel"] = "changed".into();
    } else if path.contains("{team}") {
        changes["description"] = "changed".into();
    }
    changes
}

/// Scopes for everything of a tenant that the stage has.
fn all_of(tenant: &str) -> Vec<String> {
    [THERE, ABSENT, OWN].iter().map(|name| format!("repository:{tenant}/{name}:delete,pull,push")).collect()
}

/// Gives an account another revision, as a new password does.
async fn change_account(lab: &Lab, name: &'static str, admin: bool) {
    let meta = lab.server.registry().meta();
    let put = meta.write(move |tx| {
        let mut account = account::get(tx, name)?.unwrap();
        (account.admin, account.revision) = (admin, account.revision + 1);
        account::put(tx, &account);
        Ok::<_, msr_lite::meta::MetaError>(())
    });
    put.await.unwrap();
}

/// All of an answer that its reader can tell apart from another one: what is told by chance (ids, times, what keeps
/// forms ours) is left out, and the absent repository is called as the other one.
pub(super) async fn look(response: Response) -> (u16, Vec<String>, String) {
    let id = header(&response, "x-request-id");
    let plain = |text: &str| if id.is_empty() { text.to_owned() } else { text.replace(&id, "ID") };
    let by_chance = ["x-request-id", "date", "set-cookie", "docker-upload-uuid", "x-next-page-start"];
    let mut headers: Vec<String> = Vec::new();
    for (name, value) in response.headers() {
        let value = without_ids(&value.to_str().unwrap().replace("-gone", "-here"));
        headers.push(match name.as_str() {
            name if by_chance.contains(&name) => name.to_owned(),
            // The id of an upload.
            "location" if value.contains("/blobs/uploads/") => value.rsplit_once('/').unwrap().0.to_owned(),
            name => format!("{name}: {value}"),
        });
    }
    headers.sort();
    let status = response.status().as_u16();
    let text = plain(&response.text().await.unwrap()).replace("-gone", "-here");
    (status, headers, without_ids(&without_secrets(&text)))
}

/// A text without the ids of access tokens in addresses of pages: who asks for one knows it.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for begin in ["/account/tokens/", "%2Faccount%2Ftokens%2F"] {
        let mut parts = text.split(begin);
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            plain += begin;
            plain += part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        }
        text = plain;
    }
    text
}

/// A text without the values of forms' csrf fields, of tokens and of places in lists, which are new each time.
fn without_secrets(text: &str) -> String {
    let mut text = text.to_owned();
    let begins = [
        "name=\"csrf\" value=\"",
        "name=\"form\" value=\"",
        "\"token\":\"",
        "\"access_token\":\"",
        "\"hashedToken\":\"",
        "?after=",
    ];
    for begin in begins {
        let mut parts = text.split(begin);
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            plain += begin;
            plain += part.split_once('"').map_or("", |(_, rest)| rest);
        }
        text = plain;
    }
    text
}
