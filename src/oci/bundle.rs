//! What an application says of itself: the annotations of its index, and `bundle.json` (CNAB 1.0 §101), leniently: what
//! does not read is left out, and every text is an author's, never trusted.

use super::Digest;
use super::descriptor::Annotations;

/// An application's description. Lists are cut at 1,000 entries, texts at 4 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is.
    pub description: String,
    /// Who maintains it: names, with an address where one is given.
    pub authors: Vec<String>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// `schemaVersion` of the bundle, or the `io.cnab.runtime_version` annotation.
    pub schema: String,
    /// Parameters, by name.
    pub parameters: Vec<Parameter>,
    /// Credentials, by name.
    pub credentials: Vec<Credential>,
    /// Actions beyond install, upgrade and uninstall, by name.
    pub actions: Vec<Action>,
    /// The invocation images that the bundle names, with the digest where it gives one.
    pub invocation_images: Vec<BundleImage>,
    /// The images that the bundle names, by component.
    pub images: Vec<BundleImage>,
}

/// A parameter of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type: `string`, `integer`, …
    pub kind: String,
    /// Its default, as JSON; `None` too when it is write-only, so that no secret is shown.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is for.
    pub description: String,
    /// Where it goes: an environment variable or a path.
    pub destination: String,
}

/// A credential that a bundle wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it must be given.
    pub required: bool,
    /// Where it goes: an environment variable or a path.
    pub destination: String,
}

/// An action of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Its name, such as `io.cnab.status`.
    pub name: String,
    /// Whether it changes anything.
    pub modifies: bool,
    /// Whether it needs no credentials and no installation.
    pub stateless: bool,
    /// What it does.
    pub description: String,
}

/// An image that a bundle names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleImage {
    /// The component's name; empty for an invocation image.
    pub name: String,
    /// The reference as the bundle gives it.
    pub image: String,
    /// Its digest, where the bundle gives one (`contentDigest`, or in the reference).
    pub digest: Option<Digest>,
    /// Its media type, where given.
    pub media_type: String,
}

impl Bundle {
    /// Reads what the annotations of an index say, and completes it by `bundle.json` where that says more.
    pub fn read(annotations: &Annotations, document: Option<&[u8]>) -> Self {
        todo!("{annotations:?} {document:?}")
    }
}
