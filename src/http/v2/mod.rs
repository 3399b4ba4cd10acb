//! The distribution API (and Docker's): [`route`] reads a request, this file asks who it is and whether they may, and
//! one file per noun answers: `blobs`, `uploads`, `manifests`, `tags`, `referrers`, `catalog`; the token
//! service is in [`auth`], statuses and codes in [`error`].

pub mod auth;
mod blobs;
mod catalog;
pub mod error;
mod manifests;
mod referrers;
pub mod route;
mod tags;
mod uploads;

use std::sync::Arc;

use hyper::header::{AUTHORIZATION, ETAG, HeaderMap, HeaderName, HeaderValue, LINK, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};

use crate::access::Began;
use crate::http::App;
use crate::http::reply::{Asker, OperationName, Reply, empty, json};
use crate::http::request::agent;
use crate::http::{Context, RequestBody, request};
use crate::meta::MetaError;
use crate::model::operation::Requirement;
use crate::model::permission::{Action, Verdict};
use crate::model::{Caller, Decision, Operation};
use crate::oci::{Code, Digest, RepoName};
use crate::registry::{Actor, RegistryError};

/// Says which content an answer gives out, stored, or is about.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What an operation ends with.
type Outcome = Result<Reply, RegistryError>;

/// One call: who asks, from where, of what.
struct Call<'r> {
    app: &'r Arc<App>,
    ctx: &'r Context,
    operation: &'r Operation,
    caller: Caller,
    /// When it began.
    began: Began,
    /// What the client calls itself.
    agent: Option<&'r str>,
}

impl Call<'_> {
    fn actor(&self) -> Actor {
        Actor {
            address: Some(self.ctx.client.to_string()),
            agent: self.agent.map(str::to_owned),
            ..Actor::of(&self.caller)
        }
    }

    /// Puts on record that somebody who signed in was refused a change. (Who did not sign in, or shows a narrow token, is
    /// asked for more: that is how clients sign in.)
    fn note_refusal(&self, decision: &Decision) {
        let changes = matches!(self.operation.requires(), Requirement::Repository(_, Action::Push | Action::Delete));
        if changes && matches!(decision.verdict, Verdict::Forbidden | Verdict::Hidden) {
            let (repo, operation) = (self.operation.repo(), self.operation.name());
            self.app.registry.note_denied(self.actor(), repo, operation, &decision.because);
        }
    }

    /// Finds out who asks, and lets through who may. Whatever waits for a body asks this again when the body is there:
    /// it comes as slowly as its sender likes, and what the sender may can end meanwhile. Nothing is waited for from then
    /// on but the disk.
    async fn admit(&mut self, headers: &HeaderMap) -> Result<(), Box<Reply>> {
        let (access, ctx) = (&self.app.access, self.ctx);
        let authorization = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or(""));
        let agent = request::user_agent(headers);
        match access.authenticate_since(authorization, ctx.client, agent, self.began).await {
            Ok(caller) => self.caller = caller,
            Err(refused) => {
                let mut reply = error::access(ctx, &refused);
                if reply.status() == StatusCode::UNAUTHORIZED {
                    reply.headers_mut().insert(WWW_AUTHENTICATE, self.challenge_header(None, Some("invalid_token")));
                }
                return Err(Box::new(reply));
            }
        }
        let decision = access.decide(&self.caller, self.operation.requires());
        if decision.allowed() {
            return Ok(());
        }
        let source = match self.operation {
            Operation::MountBlob { from, .. } => from.as_ref(),
            _ => None,
        };
        self.note_refusal(&decision);
        Err(Box::new(self.challenge(&decision, source)))
    }

    fn may_push(&self, repo: &RepoName) -> bool {
        self.app.access.may(&self.caller, Requirement::Repository(repo, Action::Push))
    }

    /// 401, 403 or 404: not allowed to see is not found. `source` is the repository that a mount reads as well.
    fn challenge(&self, decision: &Decision, source: Option<&RepoName>) -> Reply {
        let because = decision.because.as_ref();
        match decision.verdict {
            Verdict::NeedsSignIn => self.unauthorized(None, source, because),
            Verdict::NeedsWiderToken => self.unauthorized(Some("insufficient_scope"), source, because),
            Verdict::Forbidden => error::reply(StatusCode::FORBIDDEN, Code::Denied, because),
            Verdict::Hidden => match self.operation.repo() {
                // The same words whether it exists or not, and no promise that a push would make it.
                Some(repo) => {
                    let who = &self.caller.principal;
                    let message = format!(
                        "there is no repository {repo} that {who} may use; check the name, or ask an administrator for it"
                    );
                    error::reply(StatusCode::NOT_FOUND, Code::NameUnknown, &message)
                }
                None => error::reply(StatusCode::FORBIDDEN, Code::Denied, because),
            },
            // Only called for refusals; an allowed call has nothing to be challenged for.
            Verdict::Allowed => empty(StatusCode::OK),
        }
    }

    fn unauthorized(&self, error: Option<&str>, source: Option<&RepoName>, because: &str) -> Reply {
        let mut reply = error::reply(StatusCode::UNAUTHORIZED, Code::Unauthorized, because);
        reply.headers_mut().insert(WWW_AUTHENTICATE, self.challenge_header(source, error));
        reply
    }

    fn challenge_header(&self, source: Option<&RepoName>, error: Option<&str>) -> HeaderValue {
        let mut requirements = vec![self.operation.requires()];
        requirements.extend(source.map(|source| Requirement::Repository(source, Action::Pull)));
        auth::challenge(self.ctx, auth::SERVICE, &requirements, error)
    }
}

/// Answers a request to `/v2…`.
pub async fn serve(app: &Arc<App>, ctx: &Context, request: Request<RequestBody>) -> Reply {
    let (head, body) = request.into_parts();
    let uri = &head.uri;
    let own_hosts = [ctx.authority.as_str(), ctx.own_host.as_deref().unwrap_or_default()];
    let operation = match route::parse(&head.method, uri.path(), uri.query(), &own_hosts) {
        Ok(operation) => operation,
        Err(error) => return error::route(&error),
    };
    let (caller, began, agent) = (Caller::anonymous(), app.access.began(), agent(&head.headers));
    let mut call = Call { app, ctx, operation: &operation, caller, began, agent };
    let reply = match call.admit(&head.headers).await {
        Ok(()) => match carry_out(&mut call, &head.headers, body).await {
            Ok(reply) => reply,
            Err(error) => error::registry(ctx, &error),
        },
        Err(refusal) => *refusal,
    };
    note(reply, &call)
}

/// Leaves with the answer what the access log says of the call.
fn note(mut reply: Reply, call: &Call<'_>) -> Reply {
    reply.extensions_mut().insert(OperationName(call.operation.name()));
    reply.extensions_mut().insert(Asker(call.caller.principal.name().to_owned()));
    if call.operation == &Operation::Ping || reply.status() == StatusCode::UNAUTHORIZED {
        // Docker's clients look for this on the first answer.
        reply.headers_mut().insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    }
    reply
}

async fn carry_out(call: &mut Call<'_>, headers: &HeaderMap, body: RequestBody) -> Outcome {
    match call.operation {
        Operation::Ping => Ok(json(StatusCode::OK, &serde_json::json!({}))),
        Operation::Catalog(page) => catalog::list(call, page).await,
        Operation::ListTags { repo, page } => tags::list(call, repo, page).await,
        Operation::ListReferrers { repo, subject, artifact_type, page } => {
            referrers::list(call, repo, subject, artifact_type.as_deref(), page).await
        }
        Operation::GetManifest { repo, reference, body } => manifests::get(call, headers, repo, reference, *body).await,
        Operation::PutManifest { repo, reference, tags } => {
            manifests::put(call, headers, repo, reference, tags, body).await
        }
        Operation::DeleteManifest { repo, reference } => manifests::delete(call, repo, reference).await,
        Operation::GetBlob { repo, digest, body: true } => blobs::get(call, headers, repo, digest),
        Operation::GetBlob { repo, digest, body: false } => blobs::head(call, repo, digest).await,
        Operation::DeleteBlob { repo, digest } => blobs::delete(call, repo, *digest).await,
        Operation::StartUpload { repo, algorithm } => uploads::start(call, repo, *algorithm).await,
        Operation::PushBlob { repo, digest } => uploads::push(call, headers, repo, *digest, body).await,
        Operation::MountBlob { repo, digest, from, algorithm } => {
            uploads::mount(call, repo, *digest, from.as_ref(), *algorithm).await
        }
        Operation::UploadStatus { repo, upload } => uploads::status(call, repo, *upload),
        Operation::AppendUpload { repo, upload } => uploads::append(call, headers, repo, *upload, body).await,
        Operation::FinishUpload { repo, upload, digest } => {
            uploads::finish(call, headers, repo, *upload, *digest, body).await
        }
        Operation::CancelUpload { repo, upload } => uploads::cancel(call, repo, *upload).await,
    }
}

/// Entries of a list that are read on the thread that serves: a page of them costs less than handing it over.
const INLINE_ENTRIES: usize = 200;

/// Reads a list of up to `entries`; a long one on a blocking thread, so that nobody else's request waits for it.
pub(super) async fn read_list<T: Send + 'static>(
    entries: usize,
    read: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    if entries <= INLINE_ENTRIES {
        return read();
    }
    let reading = tokio::task::spawn_blocking(read).await;
    reading.map_err(|error| RegistryError::Store(MetaError::Storage(error.to_string())))?
}

/// `Docker-Content-Digest` and `ETag` of an answer that gives out this content: the digest in the algorithm that the
/// client used, and the same in quotes.
fn identify(headers: &mut HeaderMap, digest: &Digest) {
    const LONGEST: usize = "\"sha512:\"".len() + 128;
    // Every pull writes both, so not with the means of `format!`, which take ten times as long.
    let (name, raw) = (digest.algorithm().name().as_bytes(), digest.bytes());
    let (digits, length) = (name.len() + 2, name.len() + 3 + 2 * raw.len());
    let mut quoted = [b'"'; LONGEST];
    quoted[1..=name.len()].copy_from_slice(name);
    quoted[name.len() + 1] = b':';
    hex::encode_to_slice(raw, &mut quoted[digits..length - 1]).expect("two digits a byte");
    let value = |text| HeaderValue::from_bytes(text).expect("a digest is visible ASCII");
    headers.insert(CONTENT_DIGEST, value(&quoted[1..length - 1]));
    headers.insert(ETAG, value(&quoted[..length]));
}

/// `Docker-Content-Digest`: in the algorithm that the client used.
fn digest_header(digest: &Digest) -> HeaderValue {
    HeaderValue::try_from(digest.to_string()).expect("a digest is visible ASCII")
}

/// `Link: <…>; rel="next"` (RFC 8288), relative, so that it survives a reverse proxy.
fn next_page(reply: &mut Reply, path: &str, parameters: &[(&str, &str)]) {
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let link = HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\""));
    reply.headers_mut().insert(LINK, link.expect("paths and escaped queries are visible ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn content_is_identified_as_its_digest_reads() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let (digest, mut headers) = (Digest::of(algorithm, b"some bytes"), HeaderMap::new());
            identify(&mut headers, &digest);
            assert_eq!(headers[CONTENT_DIGEST], digest.to_string());
            assert_eq!(headers[ETAG], format!("\"{digest}\""));
            assert_eq!(headers[CONTENT_DIGEST], digest_header(&digest));
        }
    }
}
