//! What goes wrong, as MSR's clients read it: the only place of this interface that gives errors statuses and codes.
//!
//! Terraform's provider and others need the envelope with at least one entry, and show its message.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::access::AccessError;
use crate::blobs::BlobError;
use crate::http::reply::{self, Reply};
use crate::http::{BodyError, Context};
use crate::meta::MetaError;
use crate::model::Decision;
use crate::model::permission::Verdict;
use crate::oci::{Code as Registry, Reference};
use crate::registry::RegistryError;
use crate::registry::admission::MEMBERS_OF_APPLICATIONS;
use crate::space::{Full, Size};

/// A code, which goes with one status. MSR's own where it has one; the others say what MSR never had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nobody is signed in, or the credentials are wrong.
    NotAuthenticated,
    /// Signed in, and may see it, but not do this.
    NotAuthorized,
    /// No such endpoint (ours).
    NoSuchEndpoint,
    /// The endpoint has no such method.
    NotAllowed,
    /// The body is not JSON by its type.
    UnsupportedMediaType,
    /// The body is not JSON, or not of the right form.
    InvalidJson,
    /// A parameter or field has a value that it cannot have.
    InvalidParameters,
    /// The body is too large (ours).
    BodyTooLarge,
    /// No such repository that the caller may see.
    NoSuchRepository,
    /// No such namespace that the caller may see.
    NoSuchAccount,
    /// No such tag.
    NoSuchTag,
    /// No such tag or digest.
    NoSuchRef,
    /// No such user.
    NoSuchUser,
    /// No such team.
    NoSuchTeam,
    /// No such access token.
    NoSuchApiToken,
    /// A team has no right on a namespace.
    NoSuchNamespaceTeamAccess,
    /// A setting of a user that cannot be had.
    InvalidUserSettings,
    /// No such job (ours).
    NoSuchJob,
    /// No such webhook.
    NoSuchWebhook,
    /// No such promotion policy.
    NoSuchPromotionPolicy,
    /// No such pruning policy.
    NoSuchPruningPolicy,
    /// No such policy of mirroring to elsewhere.
    NoSuchPushMirroringPolicy,
    /// No such policy of mirroring from elsewhere.
    NoSuchPollMirroringPolicy,
    /// No such content cache.
    NoSuchContentCache,
    /// There is no scanner's report.
    NoScannerReport,
    /// A setting that cannot be had, or not in this way.
    InvalidSettings,
    /// It cannot be done as things stand (ours).
    Conflict,
    /// There is a repository of this name already.
    RepositoryExists,
    /// A name outside the grammar (ours).
    InvalidRepositoryName,
    /// Neither `public` nor `private`.
    InvalidRepositoryVisibility,
    /// A tag outside the grammar.
    InvalidTagName,
    /// A digest outside the grammar.
    InvalidDigest,
    /// What is asked for needs scanning, which this version does not do.
    ScanningNotEnabled,
    /// What is asked for is not built yet (ours).
    NotImplemented,
    /// A living application needs it (ours; beside MSR's `TAG_IN_NOTARY`).
    PartOfApplication,
    /// Something here stands against it (ours).
    RefusedByPolicy,
    /// The disk is full (ours).
    NoSpace,
    /// Too many attempts (ours).
    TooManyRequests,
    /// A fault of the registry.
    InternalError,
}

impl Code {
    /// As it stands in the body, and the status that it goes with.
    pub const fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::NotAuthenticated => ("NOT_AUTHENTICATED", StatusCode::UNAUTHORIZED),
            Self::NotAuthorized => ("NOT_AUTHORIZED", StatusCode::FORBIDDEN),
            Self::NoSuchEndpoint => ("NO_SUCH_ENDPOINT", StatusCode::NOT_FOUND),
            Self::NotAllowed => ("NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::InvalidJson => ("INVALID_JSON", StatusCode::BAD_REQUEST),
            Self::InvalidParameters => ("INVALID_PARAMETERS", StatusCode::BAD_REQUEST),
            Self::BodyTooLarge => ("BODY_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::NoSuchRepository => ("NO_SUCH_REPOSITORY", StatusCode::NOT_FOUND),
            Self::NoSuchAccount => ("NO_SUCH_ACCOUNT", StatusCode::NOT_FOUND),
            Self::NoSuchTag => ("NO_SUCH_TAG", StatusCode::NOT_FOUND),
            Self::NoSuchRef => ("NO_SUCH_REF", StatusCode::NOT_FOUND),
            Self::NoSuchUser => ("NO_SUCH_USER", StatusCode::NOT_FOUND),
            Self::NoSuchTeam => ("NO_SUCH_TEAM", StatusCode::NOT_FOUND),
            Self::NoSuchApiToken => ("NO_SUCH_API_TOKEN", StatusCode::NOT_FOUND),
            Self::NoSuchNamespaceTeamAccess => ("NO_SUCH_NAMESPACE_TEAM_ACCESS", StatusCode::NOT_FOUND),
            Self::InvalidUserSettings => ("INVALID_USER_SETTINGS", StatusCode::BAD_REQUEST),
            Self::NoSuchJob => ("NO_SUCH_JOB", StatusCode::NOT_FOUND),
            Self::NoSuchWebhook => ("NO_SUCH_WEBHOOK", StatusCode::NOT_FOUND),
            Self::NoSuchPromotionPolicy => ("NO_SUCH_PROMOTION_POLICY", StatusCode::NOT_FOUND),
            Self::NoSuchPruningPolicy => ("NO_SUCH_PRUNING_POLICY", StatusCode::NOT_FOUND),
            Self::NoSuchPushMirroringPolicy => ("NO_SUCH_PUSH_MIRRORING_POLICY", StatusCode::NOT_FOUND),
            Self::NoSuchPollMirroringPolicy => ("NO_SUCH_POLL_MIRRORING_POLICY", StatusCode::NOT_FOUND),
            Self::NoSuchContentCache => ("NO_SUCH_CONTENT_CACHE", StatusCode::NOT_FOUND),
            Self::NoScannerReport => ("ARTIFACT_SCANNER_REPORT_UNAVAILABLE", StatusCode::NOT_FOUND),
            Self::InvalidSettings => ("INVALID_SETTINGS", StatusCode::BAD_REQUEST),
            Self::Conflict => ("CONFLICT", StatusCode::CONFLICT),
            Self::RepositoryExists => ("REPOSITORY_EXISTS", StatusCode::BAD_REQUEST),
            Self::InvalidRepositoryName => ("INVALID_REPOSITORY_NAME", StatusCode::BAD_REQUEST),
            Self::InvalidRepositoryVisibility => ("INVALID_REPOSITORY_VISIBILITY", StatusCode::BAD_REQUEST),
            Self::InvalidTagName => ("INVALID_TAG_NAME", StatusCode::BAD_REQUEST),
            Self::InvalidDigest => ("INVALID_DIGEST", StatusCode::BAD_REQUEST),
            Self::ScanningNotEnabled => ("SCANNING_NOT_ENABLED", StatusCode::BAD_REQUEST),
            Self::NotImplemented => ("NOT_IMPLEMENTED", StatusCode::NOT_IMPLEMENTED),
            Self::PartOfApplication => ("PART_OF_APPLICATION", StatusCode::CONFLICT),
            Self::RefusedByPolicy => ("REFUSED_BY_POLICY", StatusCode::CONFLICT),
            Self::NoSpace => ("NO_SPACE", StatusCode::FORBIDDEN),
            Self::TooManyRequests => ("TOO_MANY_REQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::InternalError => ("INTERNAL_ERROR", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Why an endpoint has no better answer.
#[derive(Debug)]
pub enum Failure {
    /// What was sent is wrong, or not to be had: a code and one line that says what to do.
    Said(Code, String),
    /// The registry said no.
    Registry(RegistryError),
    /// The caller may not.
    Denied(Decision),
    /// The store of accounts failed.
    Access(AccessError),
}

impl Failure {
    /// A code with its line.
    pub fn said(code: Code, message: impl Into<String>) -> Self {
        Self::Said(code, message.into())
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self::Access(error)
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => {
                Self::Said(Code::BodyTooLarge, format!("the body of this request may have at most {limit} bytes"))
            }
            BodyError::Sender(reason) => {
                Self::Said(Code::InvalidJson, format!("the body did not arrive whole: {reason}; send it again"))
            }
        }
    }
}

/// The answer to a failure; `hidden` is what is not found when the caller may not even see it.
pub fn show(ctx: &Context, failure: &Failure, hidden: (Code, &str)) -> Reply {
    match failure {
        Failure::Said(code, message) => said(*code, message),
        Failure::Registry(error) => registry(ctx, error),
        Failure::Denied(decision) => denied(decision, hidden),
        Failure::Access(error) => access(ctx, error),
    }
}

/// One error in MSR's envelope.
pub fn said(code: Code, message: &str) -> Reply {
    with_detail(code, message, &Value::Null)
}

fn with_detail(code: Code, message: &str, detail: &Value) -> Reply {
    let (code, status) = code.parts();
    reply::json(status, &json!({ "errors": [{ "code": code, "message": message, "detail": detail }] }))
}

/// 405, with the methods that there are.
pub fn method(allowed: &str) -> Reply {
    let mut answer = said(Code::NotAllowed, &format!("this endpoint takes {allowed}"));
    let allowed = HeaderValue::from_str(allowed).expect("methods are visible ASCII");
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// 401, with the challenge that MSR's clients answer by themselves.
fn unauthorized(message: &str) -> Reply {
    let mut answer = said(Code::NotAuthenticated, message);
    let challenge = HeaderValue::from_static("Basic realm=\"msr-lite\", charset=\"UTF-8\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}

fn denied(decision: &Decision, hidden: (Code, &str)) -> Reply {
    let because = decision.because.as_ref();
    match decision.verdict {
        Verdict::NeedsSignIn => unauthorized(because),
        Verdict::NeedsWiderToken => {
            unauthorized(&format!("{because}; ask for a token with this scope, or send name and password"))
        }
        // Only refusals come here.
        Verdict::Forbidden | Verdict::Allowed => said(Code::NotAuthorized, because),
        Verdict::Hidden => said(hidden.0, hidden.1),
    }
}

/// Why a caller was not let in.
pub fn access(ctx: &Context, error: &AccessError) -> Reply {
    match error {
        AccessError::Refused(message) => unauthorized(message),
        AccessError::UnknownAccount(_) => unauthorized(&error.to_string()),
        AccessError::NotFound(message) => said(Code::NoSuchAccount, message),
        AccessError::Conflict(message) => said(Code::Conflict, message),
        AccessError::Malformed(message) => said(Code::InvalidParameters, message),
        AccessError::Throttled { retry_after } => {
            let mut answer = said(Code::TooManyRequests, &error.to_string());
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            answer
        }
        AccessError::Store(_) => fault(ctx, error),
    }
}

/// Whatever the registry said.
fn registry(ctx: &Context, error: &RegistryError) -> Reply {
    let message = error.to_string();
    match error {
        RegistryError::NameUnknown(name) => {
            said(Code::NoSuchRepository, &format!("there is no repository {name}; check the name, or create it"))
        }
        RegistryError::ManifestUnknown { reference: Reference::Tag(_), .. } => said(Code::NoSuchTag, &message),
        RegistryError::ManifestUnknown { reference: Reference::Digest(_), .. } | RegistryError::BlobUnknown { .. } => {
            said(Code::NoSuchRef, &message)
        }
        RegistryError::NameTaken(_) => said(Code::RepositoryExists, &message),
        RegistryError::TextTooLong { .. } => said(Code::InvalidParameters, &message),
        RegistryError::ForeignCursor => {
            said(Code::InvalidParameters, "pageStart is none that a page of this list gave; begin without it")
        }
        RegistryError::Refused { policy, code, digests, .. } => {
            let detail = json!({ "policy": policy, "digests": digests });
            let code = match code {
                _ if *policy == MEMBERS_OF_APPLICATIONS => Code::PartOfApplication,
                Registry::Denied => Code::RefusedByPolicy,
                _ => Code::InvalidParameters,
            };
            with_detail(code, &message, &detail)
        }
        RegistryError::NoSpace(Full { free, reserve }) => {
            no_space(&format!(" ({} free, {} kept in reserve)", Size(*free), Size(*reserve)))
        }
        RegistryError::Store(MetaError::DiskFull) | RegistryError::Blob(BlobError::DiskFull) => no_space(""),
        // Said to those who push, which nobody does here.
        RegistryError::ManifestInvalid(_) | RegistryError::ManifestDigest { .. } => {
            said(Code::InvalidParameters, &message)
        }
        RegistryError::Blob(_) | RegistryError::Store(_) => fault(ctx, error),
    }
}

fn no_space(how: &str) -> Reply {
    let message = format!("the registry's disk is full{how}; delete images or enlarge the disk, then try again");
    said(Code::NoSpace, &message)
}

/// A fault of ours: the client gets a code and the request's id, the log the rest.
fn fault(ctx: &Context, error: &dyn std::error::Error) -> Reply {
    tracing::error!(request = %ctx.id, %error, "a request failed through no fault of the client");
    let message = format!("the registry failed; its log says more under request id {}", ctx.id);
    said(Code::InternalError, &message)
}
