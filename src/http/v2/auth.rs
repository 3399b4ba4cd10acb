//! The token service at [`TOKEN_PATH`] and the challenge that sends clients there (registry token authentication and
//! `OAuth2` specifications).

use std::fmt::{self, Write as _};

use bytes::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::access::{Access, AccessError, Credentials, Grant, TokenAnswer, TokenRequest};
use crate::base::Secret;
use crate::http::reply::{Body, Reply};
use crate::http::request::user_agent;
use crate::http::{BodyError, Context, RequestBody};
use crate::model::Action;
use crate::model::operation::Requirement;
use crate::oci::Code;
use crate::oci::scope::Scope;

/// Where tokens are asked for.
pub const TOKEN_PATH: &str = "/auth/token";

/// The service that challenges name. Clients only send it back; which registry a token is for stands in its audience.
/// So it is a fixed word, the same under every name and address by which we are reached.
pub const SERVICE: &str = "msr-lite";

/// The most bytes of a form.
const MAX_FORM: usize = 64 * 1024;

/// The value of `WWW-Authenticate`: where to ask for a token, and for which scopes. `requirements` is what the request
/// needs, all in one token: one entry for most, two for a mount (push here, pull there). `error` is RFC 6750's word
/// (`invalid_token`, `insufficient_scope`) when credentials were shown.
///
/// A push asks for `pull,push`, as docker, podman and containerd do by themselves, since every push also looks what is
/// there. A deletion asks for `delete,pull`: oras and crane add a challenge's scope to their own, skopeo asks for `*`,
/// and all of them look the manifest up before they delete it.
pub fn challenge(ctx: &Context, service: &str, requirements: &[Requirement<'_>], error: Option<&str>) -> HeaderValue {
    let mut value = format!("Bearer realm=\"{}{TOKEN_PATH}\",service=\"{}\"", Quoted(&ctx.base_url()), Quoted(service));
    let scopes: Vec<String> = requirements.iter().filter_map(scope).collect();
    if !scopes.is_empty() {
        let _ = write!(value, ",scope=\"{}\"", Quoted(&scopes.join(" ")));
    }
    if let Some(error) = error {
        let _ = write!(value, ",error=\"{}\"", Quoted(error));
    }
    HeaderValue::try_from(value).expect("only visible ASCII is left")
}

fn scope(requirement: &Requirement<'_>) -> Option<String> {
    match requirement {
        // What no scope of a registry token can say.
        Requirement::SignedIn
        | Requirement::Browse
        | Requirement::Admin
        | Requirement::Repository(_, Action::Administer)
        | Requirement::Namespace(_)
        | Requirement::Organization(..)
        | Requirement::Account(..) => None,
        Requirement::Catalog => Some("registry:catalog:*".to_owned()),
        Requirement::Repository(repo, Action::Pull) => Some(format!("repository:{repo}:pull")),
        Requirement::Repository(repo, Action::Push) => Some(format!("repository:{repo}:pull,push")),
        Requirement::Repository(repo, Action::Delete) => Some(format!("repository:{repo}:delete,pull")),
    }
}

/// A text inside a quoted string (RFC 9110 §5.6.4); what no header may carry is left out.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().filter(|c| matches!(c, ' '..='~')) {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        Ok(())
    }
}

/// Answers the token service: `GET` with a query, `POST` with a form.
///
/// Credentials come from the `Authorization: Basic` header or from the form. What fails is told so that clients do
/// the right thing: 401 for wrong credentials (after which some repeat a `POST` as `GET`), 429 with `Retry-After` for
/// too many of them, 400 for what makes no sense.
pub async fn token_service(access: &Access, ctx: &Context, request: Request<RequestBody>) -> Reply {
    let agent = user_agent(request.headers()).to_owned();
    let parsed = match *request.method() {
        Method::GET => from_query(request.headers(), request.uri().query().unwrap_or_default()),
        Method::POST => from_form(request).await,
        _ => {
            let mut reply =
                refusal(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, "ask for a token with GET or POST");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return reply;
        }
    };
    let mut request = match parsed {
        Ok(request) => request,
        Err(reply) => return *reply,
    };
    if !agent.is_empty() {
        request.client = agent;
    }
    match access.token(request, ctx.client).await {
        Ok(answer) => token_reply(&answer),
        Err(error) => error_reply(ctx, &error),
    }
}

type Parsed = Result<TokenRequest, Box<Reply>>;

fn from_query(headers: &HeaderMap, query: &str) -> Parsed {
    let fields = Fields::parse(query.as_bytes());
    let grant = basic(headers)?.unwrap_or(Grant::Anonymous);
    Ok(TokenRequest {
        grant,
        scopes: fields.scopes(),
        offline: fields.get("offline_token").is_some_and(|value| matches!(value, "true" | "1")),
        client: fields.client(),
    })
}

async fn from_form(request: Request<RequestBody>) -> Parsed {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(malformed("send the form as application/x-www-form-urlencoded"));
    }
    let form = match body.read_limited(MAX_FORM).await {
        Ok(form) => form,
        Err(error @ BodyError::TooLarge { .. }) => {
            return Err(Box::new(refusal(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, &error.to_string())));
        }
        Err(BodyError::Sender(_)) => return Err(malformed("the form did not arrive whole")),
    };
    let fields = Fields::parse(&form);
    let grant = match (fields.get("grant_type"), basic(&head.headers)?) {
        (Some("password"), basic) => match (fields.get("username"), fields.get("password"), basic) {
            (Some(username), Some(password), _) => {
                Grant::Password { username: username.to_owned(), password: Secret::new(password.to_owned()) }
            }
            (None, None, Some(basic)) => basic,
            _ => return Err(malformed("grant_type=password needs the fields username and password")),
        },
        (Some("refresh_token"), _) => match fields.get("refresh_token") {
            Some(token) if !token.is_empty() => Grant::Refresh(Secret::new(token.to_owned())),
            _ => return Err(malformed("grant_type=refresh_token needs the field refresh_token")),
        },
        (None, Some(basic)) => basic,
        _ => return Err(malformed("grant_type must be password or refresh_token")),
    };
    Ok(TokenRequest {
        grant,
        scopes: fields.scopes(),
        offline: fields.get("access_type") == Some("offline"),
        client: fields.client(),
    })
}

/// The fields of a query or form, in their order.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All scopes: the field may come several times and each may be a list.
    fn scopes(&self) -> Vec<Scope> {
        self.0.iter().filter(|(field, _)| field == "scope").flat_map(|(_, value)| Scope::parse_list(value)).collect()
    }

    fn client(&self) -> String {
        self.get("client_id").or_else(|| self.get("account")).unwrap_or_default().to_owned()
    }
}

/// The name and password of the `Authorization` header, if there is one.
fn basic(headers: &HeaderMap) -> Result<Option<Grant>, Box<Reply>> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    match value.to_str().map(Credentials::parse) {
        Ok(Ok(Credentials::Basic { username, password })) => Ok(Some(Grant::Password { username, password })),
        Ok(Ok(Credentials::Bearer(_))) => {
            Err(malformed("a token is asked for with Basic credentials, not with a token"))
        }
        Ok(Err(error)) => Err(malformed(&error.to_string())),
        Err(_) => Err(malformed("the Authorization header is not ASCII")),
    }
}

fn token_reply(answer: &TokenAnswer) -> Reply {
    let scopes: Vec<String> = answer.scopes.iter().map(Scope::to_string).collect();
    let mut body = json!({
        "token": answer.token.reveal(),
        "access_token": answer.token.reveal(),
        "token_type": "Bearer",
        "expires_in": answer.expires_in.as_secs(),
        "issued_at": answer.issued_at.to_string(),
        "scope": scopes.join(" "),
    });
    if let Some(refresh) = &answer.refresh {
        body["refresh_token"] = json!(refresh.reveal());
    }
    json_reply(StatusCode::OK, &body)
}

fn error_reply(ctx: &Context, error: &AccessError) -> Reply {
    let text = error.to_string();
    match error {
        AccessError::Refused(_) | AccessError::UnknownAccount(_) => {
            let mut reply = refusal(StatusCode::UNAUTHORIZED, Code::Unauthorized, &text);
            let basic = HeaderValue::from_static("Basic realm=\"msr-lite\", charset=\"UTF-8\"");
            reply.headers_mut().insert(WWW_AUTHENTICATE, basic);
            reply
        }
        AccessError::Throttled { retry_after } => {
            let mut reply = refusal(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, &text);
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
            reply
        }
        AccessError::Malformed(_) | AccessError::NotFound(_) | AccessError::Conflict(_) => *malformed(&text),
        AccessError::Store(fault) => {
            tracing::error!(request = ctx.id, %fault, "the token service failed");
            let text = format!("the registry failed to answer; its log says more under request {}", ctx.id);
            refusal(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, &text)
        }
    }
}

fn malformed(text: &str) -> Box<Reply> {
    Box::new(refusal(StatusCode::BAD_REQUEST, Code::Unsupported, text))
}

fn refusal(status: StatusCode, code: Code, text: &str) -> Reply {
    json_reply(status, &json!({ "errors": [{ "code": code.as_str(), "message": text }] }))
}

/// Nothing of the token service is to be kept by any cache.
fn json_reply(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut reply = Response::new(Body::Full(Bytes::from(body.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests;
