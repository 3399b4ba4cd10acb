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
