//! How these clients sign in: by name and password in every request, or by tokens that they ask for as they need them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use serde_json::Value;

use super::wire::{Answer, Wire, whole};

/// What a program has to sign in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    /// Name and password, sent unasked with every request.
    Basic,
    /// Name and password, exchanged for tokens: what `docker login` leaves where a credential helper keeps it.
    Password,
    /// A refresh token, exchanged for tokens: what `docker login` leaves after a sign-in at our token service.
    RefreshToken,
    /// Nothing, where pulling is open to all: a token for nobody.
    Nobody,
}

/// Whose habits to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// docker's engine knows what it will ask for: it fetches the token beforehand, by `GET` with a `scope=` for each
    /// repository (by `POST` with a refresh token), actions in its own order.
    Engine,
    /// containerd's resolver sends the request first and obeys the challenge, adding its scopes to those it had:
    /// by `POST`, all scopes in one field (by `GET` where it has no credentials).
    Resolver,
}

/// What a program shows, and the tokens that it has fetched.
pub(super) struct Papers {
    sign_in: SignIn,
    habit: Habit,
    username: String,
    password: String,
    refresh: Option<String>,
    challenge: Option<Challenge>,
    token: Option<String>,
    scopes: BTreeSet<String>,
    /// How often a token was asked for.
    pub(super) fetched: usize,
}

#[derive(Clone)]
struct Challenge {
    path: String,
    service: String,
    scopes: Vec<String>,
}

impl Papers {
    pub(super) fn new(sign_in: SignIn, habit: Habit, password: &str) -> Self {
        let (username, password) = ("admin".to_owned(), password.to_owned());
        let (refresh, challenge, token, scopes) = (None, None, None, BTreeSet::new());
        Self { sign_in, habit, username, password, refresh, challenge, token, scopes, fetched: 0 }
    }

    /// The header to send now.
    pub(super) fn authorization(&self) -> Option<String> {
        match (self.sign_in, &self.token) {
            (SignIn::Basic, _) => Some(self.basic()),
            (_, Some(token)) => Some(format!("Bearer {token}")),
            (_, None) => None,
        }
    }

    /// Before a request: the engine fetches a token for these scopes unless it has just that.
    pub(super) async fn prepare(&mut self, wire: &mut Wire, scopes: &[String]) {
        let wanted: BTreeSet<String> = scopes.iter().cloned().collect();
        if self.habit == Habit::Engine && self.sign_in != SignIn::Basic && self.scopes != wanted {
            self.scopes = wanted;
            self.fetch(wire).await;
        }
    }

    /// After a 401: tells whether the program asks again with what it has now.
    pub(super) async fn challenged(&mut self, wire: &mut Wire, answer: &Answer) -> bool {
        assert_ne!(self.sign_in, SignIn::Basic, "name and password were sent: {answer:?}");
        let challenge = Challenge::parse(answer.header("www-authenticate"), &wire.authority());
        let again = !challenge.scopes.is_empty();
        self.scopes.extend(challenge.scopes.iter().cloned());
        self.challenge = Some(challenge);
        if again {
            self.fetch(wire).await;
        }
        again
    }

    async fn fetch(&mut self, wire: &mut Wire) {
        let Challenge { path, service, .. } = self.challenge.clone().expect("the first answer was a challenge");
        if self.sign_in == SignIn::RefreshToken && self.refresh.is_none() {
            // `docker login`.
            let query = format!("account={}&client_id=docker&offline_token=true&service={service}", self.username);
            let answer = self.get(wire, &format!("{path}?{query}")).await;
            self.refresh = Some(answer["refresh_token"].as_str().unwrap().to_owned());
        }
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        scopes.sort_by_key(|scope| !scope.contains("push"));
        let by_get = match self.habit {
            Habit::Engine => self.refresh.is_none(),
            Habit::Resolver => self.sign_in == SignIn::Nobody,
        };
        let answer = if by_get {
            let mut query = form_urlencoded::Serializer::new(String::new());
            if self.sign_in != SignIn::Nobody {
                query.append_pair("account", &self.username);
            }
            for scope in &scopes {
                query.append_pair("scope", scope);
            }
            let query = query.append_pair("service", &service).finish();
            self.get(wire, &format!("{path}?{query}")).await
        } else {
            let mut form = form_urlencoded::Serializer::new(String::new());
            match &self.refresh {
                Some(token) => form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token),
                None => form
                    .append_pair("grant_type", "password")
                    .append_pair("username", &self.username)
                    .append_pair("password", &self.password),
            };
            let client = if self.habit == Habit::Engine { "docker" } else { "containerd-client" };
            let form = form
                .append_pair("service", &service)
                .append_pair("client_id", client)
                .append_pair("scope", &scopes.join(" "))
                .finish();
            let request = Request::post(&path)
                .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
                .body(whole(form.as_bytes()));
            answered(&wire.send(request.unwrap()).await)
        };
        self.fetched += 1;
        // After a POST only this field is read; both must be there after a GET.
        self.token = Some(answer["access_token"].as_str().unwrap().to_owned());
        assert!(!by_get || answer["token"] == answer["access_token"], "{answer}");
        assert!(answer["expires_in"].as_u64() >= Some(60), "{answer}");
    }

    async fn get(&self, wire: &mut Wire, path: &str) -> Value {
        let mut request = Request::get(path);
        if self.sign_in != SignIn::Nobody {
            request = request.header("authorization", self.basic());
        }
        answered(&wire.send(request.body(whole(b"")).unwrap()).await)
    }

    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}

fn answered(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

impl Challenge {
    fn parse(header: &str, authority: &str) -> Self {
        let parameters = header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("no Bearer challenge: {header:?}"));
        let field = |name: &str| {
            let (_, rest) = parameters.split_once(&format!("{name}=\"")).unwrap_or_default();
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        let realm = field("realm");
        let path = realm.strip_prefix(&format!("https://{authority}")).expect("the token service is at the same name");
        let scopes = field("scope").split_whitespace().map(str::to_owned).collect();
        Self { path: path.to_owned(), service: field("service"), scopes }
    }
}
