//! One request to the REST interface, and what every endpoint asks of it.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Code, Failure};
use super::path::{self, Parameters};
use crate::access::AccessError;
use crate::base::Uuid;
use crate::http::reply::{self, Reply};
use crate::http::request::agent;
use crate::http::{App, Context, RequestBody};
use crate::model::Caller;
use crate::model::operation::Requirement;
use crate::model::permission::Action;
use crate::oci::{Digest, RepoName};
use crate::registry::Actor;
use crate::registry::listing::MAX_PAGE;

/// What an endpoint ends with.
pub type Outcome = Result<Reply, Failure>;

/// What stands before an id in place of a name; no name has it.
pub(super) const BY_ID: &str = "id:";
/// Entries of a page that names no number (MSR's).
const PAGE: usize = 10;
/// Bytes of the longest body: a README of 25,000 bytes, each escaped, and what goes with it.
const MAX_BODY: usize = 256 * 1024;

/// One call: who asks, from where, of what.
pub struct Call<'r> {
    /// Everything that answers.
    pub app: &'r Arc<App>,
    /// What the wire knows.
    pub ctx: &'r Context,
    /// Who asks.
    pub caller: Caller,
    /// The request's header fields.
    pub headers: &'r HeaderMap,
    /// The query.
    pub query: Query,
    /// What the path says.
    pub path: Parameters,
    /// The repository in the path, where the endpoint's pattern has one.
    pub repo: Option<RepoName>,
    /// The name of the account or organization in the path, however the path named it; empty where it names none.
    pub account: String,
    /// The request's body.
    pub body: RequestBody,
}

impl Call<'_> {
    /// Who changes something, for the record.
    pub fn actor(&self) -> Actor {
        Actor {
            address: Some(self.ctx.client.to_string()),
            agent: agent(self.headers).map(str::to_owned),
            ..Actor::of(&self.caller)
        }
    }

    /// Whether the caller may do this.
    pub fn may(&self, requirement: Requirement<'_>) -> bool {
        self.app.access.decide(&self.caller, requirement).allowed()
    }

    /// Fails unless the caller may do this.
    ///
    /// # Errors
    /// [`Failure::Denied`].
    pub fn need(&self, requirement: Requirement<'_>) -> Result<(), Failure> {
        let decision = self.app.access.decide(&self.caller, requirement);
        if decision.allowed() { Ok(()) } else { Err(Failure::Denied(decision)) }
    }

    /// Whether the caller may see this repository.
    pub fn sees(&self, name: &RepoName) -> bool {
        self.may(Requirement::Repository(name, Action::Pull))
    }

    /// The namespace that a name stands for, or the id of its account, with or without `id:`. What is nobody's id stays
    /// as it is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn namespace_named(&self, text: &str) -> Result<String, AccessError> {
        if Uuid::parse(text.strip_prefix(BY_ID).unwrap_or(text)).is_none() {
            return Ok(text.to_owned());
        }
        match self.app.access.resolve(text) {
            Ok(account) => Ok(account.name),
            Err(AccessError::UnknownAccount(_)) => Ok(text.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// The repository in the path.
    pub fn repo(&self) -> &RepoName {
        self.repo.as_ref().expect("only endpoints with a repository in their pattern ask for it (table::tests)")
    }

    /// The account or organization in the path.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// A parameter of the path.
    pub fn parameter(&self, name: &str) -> &str {
        let found = self.path.others.iter().find(|(parameter, _)| *parameter == name);
        &found.expect("only parameters of the endpoint's own pattern are asked for (table::tests)").1
    }

    /// Whether there is a body, or may be one.
    pub fn has_body(&self) -> bool {
        self.body.length() != Some(0)
    }

    /// Waits for the body, of which there is no more to come from then on.
    ///
    /// # Errors
    /// [`Failure::Said`] when it is too large, or does not arrive whole.
    pub async fn receive(&mut self) -> Result<(), Failure> {
        let body = std::mem::replace(&mut self.body, RequestBody::from_bytes(""));
        self.body = RequestBody::from_bytes(body.read_limited(MAX_BODY).await?);
        Ok(())
    }

    /// The JSON object in the body. Unknown keys are passed over, for clients send their whole structures; an empty body
    /// is an empty object.
    ///
    /// # Errors
    /// [`Failure::Said`] when it is too large, or no such object.
    pub async fn object<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let declared = self.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or(""));
        let essence = declared.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if essence.is_some_and(|essence| essence != "application/json" && !essence.ends_with("+json")) {
            let message = "send JSON, and say so: -H 'Content-Type: application/json'";
            return Err(Failure::said(Code::UnsupportedMediaType, message));
        }
        let body = std::mem::replace(&mut self.body, RequestBody::from_bytes(""));
        let body = body.read_limited(MAX_BODY).await?;
        let wrong = |error: serde_json::Error| {
            Failure::Said(Code::InvalidJson, format!("the body is not what this endpoint reads: {error}"))
        };
        // By way of a map, for an array would be read as the fields in their order.
        let body = if body.is_empty() { b"{}" } else { body.as_ref() };
        let object: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(wrong)?;
        T::deserialize(Value::Object(object)).map_err(wrong)
    }
}

/// Query parameters, decoded; of a repeated one the first counts.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query.
    pub fn parse(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// A parameter's text, if it is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that is true or false; false when it is not there.
    ///
    /// # Errors
    /// [`Failure::Said`] for anything else.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Failure::Said(Code::InvalidParameters, format!("{name} is true or false"))),
        }
    }

    /// Which page of a list is asked for.
    ///
    /// # Errors
    /// [`Failure::Said`] for a size that is no number.
    pub fn page(&self) -> Result<Paging, Failure> {
        self.page_of(PAGE)
    }

    /// The same of a list that MSR gives as a whole: as much of it as a page can have.
    ///
    /// # Errors
    /// [`Failure::Said`] for a size that is no number.
    pub fn whole(&self) -> Result<Paging, Failure> {
        self.page_of(MAX_PAGE)
    }

    fn page_of(&self, usual: usize) -> Result<Paging, Failure> {
        let size = self.text("pageSize").map(str::parse::<usize>).transpose();
        let size =
            size.map_err(|_| Failure::said(Code::InvalidParameters, "pageSize is the number of entries wanted"))?;
        Ok(Paging {
            start: self.text("pageStart").map(str::to_owned),
            size: size.filter(|size| *size > 0).unwrap_or(usual).min(MAX_PAGE),
            count: self.flag("count")?,
        })
    }
}

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// What the page before gave as `X-Next-Page-Start`.
    pub start: Option<String>,
    /// At most so many entries: at least one, at most [`MAX_PAGE`].
    pub size: usize,
    /// Whether the number of all entries is wanted.
    pub count: bool,
}

/// 200 with a page of a list: where the next one begins, and how many entries there are in all, stand in the head.
pub fn page(body: &Value, next: Option<&str>, count: Option<u64>) -> Reply {
    let mut answer = reply::json(StatusCode::OK, body);
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        answer.headers_mut().insert("x-next-page-start", next);
    }
    if let Some(count) = count {
        answer.headers_mut().insert("x-resource-count", HeaderValue::from(count));
    }
    answer
}

/// The namespace of a repository as paths and replies write it.
pub fn namespace(name: &RepoName) -> &str {
    match name.namespace() {
        "" => path::NO_NAMESPACE,
        namespace => namespace,
    }
}

/// Bytes of members and manifests in one answer, after which a page ends.
pub const ANSWER: usize = 8 * 1024 * 1024;

/// What the rows of one answer carry beside their own, each made once: bounded together, for one tag may bring a
/// megabyte, and a thousand tags may point at it.
#[derive(Debug, Default)]
pub struct Parts {
    known: HashMap<Digest, (Option<Value>, usize)>,
    bytes: usize,
}

impl Parts {
    /// What was made for this digest before.
    pub fn again(&mut self, digest: &Digest) -> Option<Option<Value>> {
        let (part, bytes) = self.known.get(digest)?;
        self.bytes += bytes;
        Some(part.clone())
    }

    /// Keeps what was made for this digest; `None` when there is nothing to it.
    pub fn keep(&mut self, digest: &Digest, part: Option<Value>) -> Option<Value> {
        let bytes = part.as_ref().map_or(0, weight);
        self.bytes += bytes;
        self.known.insert(*digest, (part.clone(), bytes));
        part
    }

    /// For how many digests something was made.
    pub fn made(&self) -> usize {
        self.known.len()
    }

    /// Whether an answer has enough of it.
    pub fn is_enough(&self) -> bool {
        self.bytes > ANSWER
    }
}

/// Bytes of a value as it is sent.
pub fn weight(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use crate::oci::Algorithm;

    use super::*;

    #[test]
    fn pages_are_bounded_and_flags_are_true_or_false() {
        let page = |query| Query::parse(Some(query)).page().ok();
        let paging = |start: Option<&str>, size, count| Some(Paging { start: start.map(str::to_owned), size, count });
        assert_eq!(page(""), paging(None, PAGE, false));
        assert_eq!(page("pageSize=&pageStart=&count="), paging(None, PAGE, false));
        assert_eq!(page("pageStart=a%20b&pageSize=7&count=true"), paging(Some("a b"), 7, true));
        assert_eq!(page("pageSize=10000&count=1"), paging(None, MAX_PAGE, true));
        for wrong in ["pageSize=-1", "pageSize=ten", "pageSize=99999999999999999999999", "count=maybe"] {
            assert_eq!(page(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_a_row_repeats_counts_again() {
        let (digest, mut parts) = (Digest::of(Algorithm::Sha256, b"x"), Parts::default());
        assert_eq!(parts.again(&digest), None);
        parts.keep(&digest, Some(Value::String("x".repeat(ANSWER / 4))));
        assert!((0..3).all(|_| !parts.is_enough() && parts.again(&digest).is_some()));
        assert!(parts.is_enough() && parts.made() == 1);
    }
}
