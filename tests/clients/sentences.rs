//! The words that a person must get to read, each in one place: what a client prints and what the server logs.

/// A blob over `limits.blob_bytes`.
pub(crate) const BLOB_TOO_LARGE: &str = "a blob may have at most";

/// Go's verdict over a certificate of a CA that it does not know: docker, podman, buildah, skopeo, crane.
pub(crate) const UNKNOWN_AUTHORITY: &str = "certificate signed by unknown authority";

/// A wrong name or password, in our words. docker prints them.
pub(crate) const WRONG_PASSWORD: &str = "the user name or the password is not right";

/// The same in the words of podman, skopeo and buildah, which keep ours to themselves.
pub(crate) const INVALID_PASSWORD: &str = "invalid username/password";

/// The log line about a client that refused our certificate says what to type there; this is in it.
pub(crate) const CURE: &str = "/trust.sh";

/// Whoever has not signed in, where that is asked for.
pub(crate) const NOT_SIGNED_IN: &str = "only those who sign in may";

/// A repository that is not there, or that one may not see: there is no telling.
pub(crate) const NO_REPOSITORY: &str = "there is no repository";

/// A right that somebody lacks, and who can give it.
pub(crate) const MAY_NOT_PUSH: &str = "alice may not push to lab/base; ask an owner of lab";

/// A right that the owner of an access token has and the token does not give.
pub(crate) const TOKEN_TOO_NARROW: &str = "does not allow to push to lab/web; use one that does, or the password";

/// An access token that was switched off or deleted, or whose time is over.
pub(crate) const DEAD_TOKEN: &str = "the access token does not work: it was deleted or switched off, has expired";

/// What docker keeps instead of a password, after what it was got with has ended.
pub(crate) const DEAD_REFRESH_TOKEN: &str = "the refresh token is not valid any more; sign in again";
