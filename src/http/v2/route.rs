//! From method, raw path and query to an [`Operation`] (distribution-spec, "Endpoints").
//!
//! Repository names contain slashes, so paths are read from the right; each segment is percent-decoded once, and a
//! segment that decodes to something with a slash in it is no part of a name.

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::base::{Page, UploadId};
use crate::model::Operation;
use crate::oci::digest::DigestError;
use crate::oci::name::NameError;
use crate::oci::reference::ReferenceError;
use crate::oci::tag::TagError;
use crate::oci::{Algorithm, Digest, Reference, RepoName, Tag};

/// The most `tag` parameters in one manifest push (the specification asks for at least ten).
pub const MAX_TAG_PARAMETERS: usize = 100;

/// Why a request is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No such endpoint.
    #[error("there is no such endpoint; see the OCI distribution specification for those under /v2/")]
    NotFound,
    /// The endpoint exists, but not with this method.
    #[error("this endpoint takes {0}")]
    Method(&'static str),
    /// A repository name outside the grammar.
    #[error("invalid repository name: {0}")]
    Name(#[from] NameError),
    /// A digest outside the grammar.
    #[error("invalid digest: {0}")]
    Digest(#[from] DigestError),
    /// A tag outside the grammar.
    #[error("invalid tag: {0}")]
    Tag(#[from] TagError),
    /// A page size that is no number.
    #[error("n is the number of entries wanted: 0 or more")]
    PageSize,
    /// No `digest` where one is needed.
    #[error("the closing PUT names the blob's digest: ?digest=sha256:…")]
    NoDigest,
    /// No such session can exist.
    #[error("there is no such upload; begin a new one")]
    UploadId,
    /// More than [`MAX_TAG_PARAMETERS`].
    #[error("one push may set at most {MAX_TAG_PARAMETERS} tags; push again for the others")]
    TooManyTags,
}

impl From<ReferenceError> for RouteError {
    fn from(error: ReferenceError) -> Self {
        match error {
            ReferenceError::Digest(error) => Self::Digest(error),
            ReferenceError::Tag(error) => Self::Tag(error),
        }
    }
}

/// Reads a request to `/v2…`. `own_hosts` (with port, if they have one) are the names by which the client may call us:
/// clients of some generations put the one that they dialled before the repository in `from=`.
///
/// # Errors
/// [`RouteError`], which tells what to ask for instead.
pub fn parse(method: &Method, path: &str, query: Option<&str>, own_hosts: &[&str]) -> Result<Operation, RouteError> {
    let rest = path.strip_prefix("/v2").ok_or(RouteError::NotFound)?;
    if rest.is_empty() || rest == "/" {
        return only_reads(method, |_| Operation::Ping);
    }
    let segments = rest.strip_prefix('/').ok_or(RouteError::NotFound)?.split('/');
    let query = Query::parse(query);
    if !rest.contains('%') {
        return endpoint(method, &segments.collect::<Vec<_>>(), &query, own_hosts);
    }
    let decoded: Vec<Cow<'_, str>> = segments.map(decode).collect::<Option<_>>().ok_or(RouteError::NotFound)?;
    let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    endpoint(method, &segments, &query, own_hosts)
}

/// What is asked of the endpoint that the decoded `segments` behind `/v2/` name.
fn endpoint(
    method: &Method,
    segments: &[&str],
    query: &Query<'_>,
    own_hosts: &[&str],
) -> Result<Operation, RouteError> {
    match segments {
        ["_catalog"] => {
            let page = query.page()?;
            only_reads(method, |_| Operation::Catalog(page))
        }
        [name @ .., "tags", "list"] => {
            let (repo, page) = (repo_name(name)?, query.page()?);
            only_reads(method, |_| Operation::ListTags { repo, page })
        }
        [name @ .., "referrers", subject] => {
            let (repo, subject, page) = (repo_name(name)?, Digest::parse(subject)?, query.page()?);
            let artifact_type = query.get("artifactType").filter(|value| !value.is_empty()).map(str::to_owned);
            only_reads(method, |_| Operation::ListReferrers { repo, subject, artifact_type, page })
        }
        [name @ .., "manifests", reference] => manifest(method, repo_name(name)?, Reference::parse(reference)?, query),
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
            if method != Method::POST {
                return Err(RouteError::Method("POST"));
            }
            start_upload(repo_name(name)?, query, own_hosts)
        }
        [name @ .., "blobs", "uploads", id] => {
            let repo = repo_name(name)?;
            upload(method, repo, UploadId::parse(id).ok_or(RouteError::UploadId)?, query)
        }
        [name @ .., "blobs", digest] => {
            let (repo, digest) = (repo_name(name)?, Digest::parse(digest)?);
            match *method {
                Method::GET | Method::HEAD => Ok(Operation::GetBlob { repo, digest, body: method == Method::GET }),
                Method::DELETE => Ok(Operation::DeleteBlob { repo, digest }),
                _ => Err(RouteError::Method("GET, HEAD, DELETE")),
            }
        }
        _ => Err(RouteError::NotFound),
    }
}

fn only_reads(method: &Method, operation: impl FnOnce(bool) -> Operation) -> Result<Operation, RouteError> {
    match *method {
        Method::GET | Method::HEAD => Ok(operation(method == Method::GET)),
        _ => Err(RouteError::Method("GET, HEAD")),
    }
}

fn manifest(method: &Method, repo: RepoName, reference: Reference, query: &Query<'_>) -> Result<Operation, RouteError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Operation::GetManifest { repo, reference, body: method == Method::GET }),
        Method::PUT => {
            // end-7b: tags as parameters go with a digest in the path.
            let tags = match reference {
                Reference::Digest(_) => query.tags()?,
                Reference::Tag(_) => Vec::new(),
            };
            Ok(Operation::PutManifest { repo, reference, tags })
        }
        Method::DELETE => Ok(Operation::DeleteManifest { repo, reference }),
        _ => Err(RouteError::Method("GET, HEAD, PUT, DELETE")),
    }
}

fn start_upload(repo: RepoName, query: &Query<'_>, own_hosts: &[&str]) -> Result<Operation, RouteError> {
    let algorithm = query.get("digest-algorithm").map(str::parse::<Algorithm>).transpose()?;
    if let Some(digest) = query.get("mount") {
        let digest = Digest::parse(digest)?;
        let from = match query.get("from") {
            None => None,
            // A source that cannot exist is one that does not have the blob: the upload goes on without it.
            Some(from) => match RepoName::parse(without_host(from, own_hosts)) {
                Ok(from) => Some(from),
                Err(_) => return Ok(Operation::StartUpload { repo, algorithm: Some(digest.algorithm()) }),
            },
        };
        return Ok(Operation::MountBlob { repo, digest, from, algorithm });
    }
    match query.get("digest") {
        Some(digest) => Ok(Operation::PushBlob { repo, digest: Digest::parse(digest)? }),
        None => Ok(Operation::StartUpload { repo, algorithm }),
    }
}

/// `from` without our own host before it (docker app 0.9 and cnab-to-oci send `from=registry.lab/lib/web`, with or
/// without the port that they connected to).
fn without_host<'f>(from: &'f str, own_hosts: &[&str]) -> &'f str {
    own_hosts
        .iter()
        .flat_map(|&host| {
            let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
            [host, bare.map_or(host, |(bare, _)| bare)]
        })
        .filter(|host| !host.is_empty())
        .find_map(|host| from.strip_prefix(host)?.strip_prefix('/'))
        .unwrap_or(from)
}

fn upload(method: &Method, repo: RepoName, upload: UploadId, query: &Query<'_>) -> Result<Operation, RouteError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Operation::UploadStatus { repo, upload }),
        Method::PATCH => Ok(Operation::AppendUpload { repo, upload }),
        Method::PUT => {
            let digest = Digest::parse(query.get("digest").ok_or(RouteError::NoDigest)?)?;
            Ok(Operation::FinishUpload { repo, upload, digest })
        }
        Method::DELETE => Ok(Operation::CancelUpload { repo, upload }),
        _ => Err(RouteError::Method("GET, PATCH, PUT, DELETE")),
    }
}

fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

fn repo_name(segments: &[&str]) -> Result<RepoName, RouteError> {
    if segments.is_empty() {
        return Err(RouteError::NotFound);
    }
    if segments.iter().any(|segment| segment.contains('/')) {
        return Err(NameError::Grammar.into());
    }
    Ok(RepoName::parse(&segments.join("/"))?)
}

/// Query parameters, decoded; of a repeated one the first counts, but for `tag`.
struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Query<'q> {
    fn parse(query: Option<&'q str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    fn page(&self) -> Result<Page, RouteError> {
        let n = self.get("n").map(|n| n.parse::<usize>().map_err(|_| RouteError::PageSize)).transpose()?;
        Ok(Page { n, last: self.get("last").filter(|last| !last.is_empty()).map(str::to_owned) })
    }

    fn tags(&self) -> Result<Vec<Tag>, RouteError> {
        let tags = self.0.iter().filter(|(key, _)| key == "tag").map(|(_, value)| Tag::parse(value));
        let tags: Vec<Tag> = tags.collect::<Result<_, _>>()?;
        if tags.len() > MAX_TAG_PARAMETERS { Err(RouteError::TooManyTags) } else { Ok(tags) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn get(path: &str) -> Result<Operation, RouteError> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        parse(&Method::GET, path, query, &["hub.lab", "registry.lab:8443"])
    }

    fn post(target: &str) -> Result<Operation, RouteError> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        parse(&Method::POST, path, query, &["hub.lab", "registry.lab:8443"])
    }

    fn name(text: &str) -> RepoName {
        RepoName::parse(text).unwrap()
    }

    #[test]
    fn the_root_is_a_ping_with_and_without_slash() {
        assert_eq!(get("/v2/"), Ok(Operation::Ping));
        assert_eq!(get("/v2"), Ok(Operation::Ping));
        assert_eq!(get("/v2x"), Err(RouteError::NotFound));
        assert_eq!(parse(&Method::PUT, "/v2/", None, &[]), Err(RouteError::Method("GET, HEAD")));
    }

    #[test]
    fn names_may_look_like_endpoints() {
        let Ok(Operation::ListTags { repo, .. }) = get("/v2/a/manifests/tags/list") else { panic!() };
        assert_eq!(repo, name("a/manifests"));
        let Ok(Operation::GetManifest { repo, .. }) = get("/v2/blobs/uploads/manifests/1.0") else { panic!() };
        assert_eq!(repo, name("blobs/uploads"));
    }

    #[test]
    fn an_escaped_slash_is_no_separator() {
        assert_eq!(get("/v2/a%2Fb/tags/list"), Err(RouteError::Name(NameError::Grammar)));
        assert_eq!(get("/v2/a/%2e%2e/tags/list"), Err(RouteError::Name(NameError::Grammar)));
        assert_eq!(get("/v2//tags/list"), Err(RouteError::Name(NameError::Length)));
        assert_eq!(get("/v2/a//b/tags/list"), Err(RouteError::Name(NameError::Grammar)));
        assert_eq!(get("/v2/tags/list"), Err(RouteError::NotFound));
    }

    #[test]
    fn escaped_digests_are_read() {
        let escaped = SHA.replace(':', "%3A");
        let Ok(Operation::GetBlob { digest, .. }) = get(&format!("/v2/a/blobs/{escaped}")) else { panic!() };
        assert_eq!(digest.to_string(), SHA);
        assert_eq!(get("/v2/a/blobs/sha256:bad"), Err(RouteError::Digest(DigestError::Hex)));
        assert_eq!(get("/v2/a/manifests/sha256:baddigeststring"), Err(RouteError::Digest(DigestError::Hex)));
    }

    #[test]
    fn mounts_name_their_source_in_every_spelling() {
        for from in ["lib/web", "lib%2Fweb", "registry.lab/lib/web", "registry.lab:8443/lib/web", "hub.lab/lib/web"] {
            let operation = post(&format!("/v2/a/blobs/uploads/?from={from}&mount={SHA}"));
            let Ok(Operation::MountBlob { from, .. }) = operation else { panic!("{operation:?}") };
            assert_eq!(from, Some(name("lib/web")));
        }
        let Ok(Operation::MountBlob { from, .. }) = post(&format!("/v2/a/blobs/uploads/?mount={SHA}")) else {
            panic!()
        };
        assert_eq!(from, None);
        let elsewhere = post(&format!("/v2/a/blobs/uploads/?mount={SHA}&from=other.lab:5000/lib/web"));
        assert!(matches!(elsewhere, Ok(Operation::StartUpload { .. })));
    }

    #[test]
    fn uploads_begin_in_three_ways() {
        assert!(matches!(post("/v2/a/blobs/uploads/"), Ok(Operation::StartUpload { algorithm: None, .. })));
        assert!(matches!(
            post("/v2/a/blobs/uploads?digest-algorithm=sha512"),
            Ok(Operation::StartUpload { algorithm: Some(Algorithm::Sha512), .. })
        ));
        assert!(matches!(post(&format!("/v2/a/blobs/uploads/?digest={SHA}")), Ok(Operation::PushBlob { .. })));
        assert_eq!(post("/v2/a/blobs/uploads/?digest-algorithm=md5"), Err(RouteError::Digest(DigestError::Algorithm)));
        assert_eq!(get("/v2/a/blobs/uploads/"), Err(RouteError::Method("POST")));
        assert_eq!(get("/v2/a/blobs/uploads/nonsense"), Err(RouteError::UploadId));
    }

    #[test]
    fn tag_parameters_go_with_a_digest() {
        let put = |target: &str| {
            let (path, query) = target.split_once('?').unwrap();
            parse(&Method::PUT, path, Some(query), &[])
        };
        let Ok(Operation::PutManifest { tags, .. }) = put(&format!("/v2/a/manifests/{SHA}?tag=1&tag=1.2&tag=1.2.3"))
        else {
            panic!()
        };
        assert_eq!(tags.len(), 3);
        assert_eq!(put(&format!("/v2/a/manifests/{SHA}?tag=.bad")), Err(RouteError::Tag(TagError)));
        let many = "tag=x&".repeat(MAX_TAG_PARAMETERS + 1);
        assert_eq!(put(&format!("/v2/a/manifests/{SHA}?{many}")), Err(RouteError::TooManyTags));
    }

    #[test]
    fn page_sizes_are_numbers() {
        let Ok(Operation::ListTags { page, .. }) = get("/v2/a/tags/list?n=0&last=x") else { panic!() };
        assert_eq!(page, Page { n: Some(0), last: Some("x".into()) });
        for bad in ["-1", "ten", "99999999999999999999999"] {
            assert_eq!(get(&format!("/v2/a/tags/list?n={bad}")), Err(RouteError::PageSize));
        }
    }
}
