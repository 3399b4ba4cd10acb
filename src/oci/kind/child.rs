//! The parts that children play in an index.

use serde::Deserialize;

use super::table::{ChildRule, TABLE, matches};
use crate::oci::{Descriptor, Digest, Manifest, Platform};

/// The part that a child plays in its index: a property of the edge between them, and not of the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildRole {
    /// The image for a platform.
    Platform(Platform),
    /// A statement about a sibling (buildx).
    Attestation {
        /// The sibling, where the descriptor names it.
        of: Option<Digest>,
    },
    /// The config of a CNAB bundle.
    CnabConfig,
    /// The invocation image of a CNAB bundle.
    CnabInvocation,
    /// A component of a CNAB bundle.
    CnabComponent {
        /// Its name in the bundle.
        name: Option<String>,
        /// The image that the author named, where the client said so (docker app 0.8).
        original_name: Option<String>,
    },
    /// An image of a Compose application.
    ComposeImage,
    /// What lets a runtime load a sibling lazily.
    LazyLoad,
    /// None of these: a nested index, a cache's layer.
    Other,
}

impl ChildRole {
    /// Its stable name, as in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Platform(_) => "platform",
            Self::Attestation { .. } => "attestation",
            Self::CnabConfig => "config",
            Self::CnabInvocation => "invocation",
            Self::CnabComponent { .. } => "component",
            Self::ComposeImage => "image",
            Self::LazyLoad => "lazy-load",
            Self::Other => "other",
        }
    }
}

/// [`ChildRole`] as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoleName {
    CnabConfig,
    CnabInvocation,
    CnabComponent,
    Attestation,
    LazyLoad,
    ComposeImage,
    Platform,
}

/// What the descriptor of an attestation says that it is about (buildx).
const ATTESTED: &str = "vnd.docker.reference.digest";
const COMPONENT_NAME: &str = "io.cnab.component.name";
const COMPONENT_ORIGINAL_NAME: &str = "io.cnab.component.original_name";

/// The part that `child`, one of the index's descriptors, plays in it.
///
/// A descriptor that names a real platform is never an attestation, whatever else it says: it would be pulled, and must
/// be scanned.
pub fn role_of_child(index: &Manifest, child: &Descriptor) -> ChildRole {
    let text = |key| child.annotation(key).map(str::to_owned);
    match role_name(index, child) {
        Some(RoleName::Platform) => child.platform.as_deref().cloned().map_or(ChildRole::Other, ChildRole::Platform),
        Some(RoleName::Attestation) => {
            ChildRole::Attestation { of: child.annotation(ATTESTED).and_then(|text| Digest::parse(text).ok()) }
        }
        Some(RoleName::CnabConfig) => ChildRole::CnabConfig,
        Some(RoleName::CnabInvocation) => ChildRole::CnabInvocation,
        Some(RoleName::CnabComponent) => {
            ChildRole::CnabComponent { name: text(COMPONENT_NAME), original_name: text(COMPONENT_ORIGINAL_NAME) }
        }
        Some(RoleName::ComposeImage) => ChildRole::ComposeImage,
        Some(RoleName::LazyLoad) => ChildRole::LazyLoad,
        None => ChildRole::Other,
    }
}

pub(super) fn role_name(index: &Manifest, child: &Descriptor) -> Option<RoleName> {
    rule(index, child).map(|rule| rule.role)
}

pub(super) fn rule(index: &Manifest, child: &Descriptor) -> Option<&'static ChildRule> {
    TABLE.children.iter().find(|rule| holds(rule, index, child))
}

fn holds(rule: &ChildRule, index: &Manifest, child: &Descriptor) -> bool {
    let platform = child.platform.as_deref();
    let artifact_type = child.artifact_type.as_deref().unwrap_or_default();
    let has_feature = || platform.is_some_and(|p| p.os_features.iter().any(|f| rule.os_features.contains(f)));
    rule.annotations.hold(child.annotations.as_ref())
        && (rule.artifact_types.is_empty() || matches(&rule.artifact_types, artifact_type))
        && (rule.os_features.is_empty() || has_feature())
        && rule.real_platform.is_none_or(|wanted| wanted == platform.is_some_and(Platform::is_real))
        && rule.parent.as_ref().is_none_or(|when| {
            when.subject.is_none_or(|wanted| wanted == index.subject.is_some())
                && when.typed.is_none_or(|wanted| wanted == index.artifact_type.is_some())
                && when.annotations.hold(Some(&index.annotations))
        })
}
