//! Kinds as lists name and count them.

use super::words;
use crate::meta::manifest::ManifestRow;
use crate::oci::kind::Kind;

/// A kind and how many there are of it: `1 application`, `14 multi-arch images`.
pub(super) fn counted(kind: Kind, count: u64) -> String {
    let many = |one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    match kind {
        Kind::MultiArch => many("multi-arch image", "multi-arch images"),
        Kind::DockerSchema1 => many("schema 1 image", "schema 1 images"),
        Kind::ComposeImages => many("set of Compose images", "sets of Compose images"),
        Kind::Wasm => many("WebAssembly module", "WebAssembly modules"),
        Kind::Policy => many("policy", "policies"),
        Kind::Index => many("index", "indexes"),
        Kind::LazyLoadIndex => many("lazy-loading index", "lazy-loading indexes"),
        Kind::Unknown => many("other", "others"),
        _ => {
            let label = small(kind.label());
            many(&label, &format!("{label}s"))
        }
    }
}

/// A label within a sentence: names keep their capital.
fn small(label: &str) -> String {
    const NAMES: [&str; 5] = ["Compose ", "Docker ", "Flux ", "Helm ", "Singularity "];
    let is_acronym = label.chars().take(2).all(char::is_uppercase);
    if is_acronym || NAMES.iter().any(|name| label.starts_with(name)) {
        return label.to_owned();
    }
    label.to_lowercase()
}

/// What the badge of a row says.
pub(super) fn label(row: &ManifestRow) -> &'static str {
    let format = row.summary.as_ref().and_then(|summary| summary.format.as_deref());
    match (row.kind(), format) {
        // Who made an image matters to nobody who looks for one; that it has its provenance does.
        (Kind::Image, Some("docker" | "oci")) | (_, None) => row.kind().label(),
        (kind, format) => kind.about(format).label,
    }
}

/// What stands beside the badge: how many components an application has, or the type in its own words.
pub(super) fn beside(row: &ManifestRow) -> String {
    let Some(summary) = &row.summary else { return String::new() };
    match (summary.components, &summary.raw_type) {
        (1.., _) => components(summary.components),
        (0, Some(raw)) if summary.kind.shows_raw_type() => raw.clone(),
        (0, _) => String::new(),
    }
}

/// Components in words, the same in lists and on an application's own page: those that the application lists. What
/// its bundle names beyond them is known to its own page alone, and is counted apart there.
pub(super) fn components(listed: u64) -> String {
    format!("{} {}", words::number(listed), if listed == 1 { "component" } else { "components" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_in_words() {
        for (kind, one, many) in [
            (Kind::Application, "1 application", "3 applications"),
            (Kind::Image, "1 image", "3 images"),
            (Kind::Chart, "1 Helm chart", "3 Helm charts"),
            (Kind::Plugin, "1 Docker plugin", "3 Docker plugins"),
            (Kind::CnabBundle, "1 CNAB bundle", "3 CNAB bundles"),
            (Kind::Sbom, "1 SBOM", "3 SBOMs"),
            (Kind::OciArtifactManifest, "1 OCI artifact manifest", "3 OCI artifact manifests"),
            (Kind::ReferrersIndex, "1 referrers list", "3 referrers lists"),
            (Kind::Policy, "1 policy", "3 policies"),
        ] {
            assert_eq!((counted(kind, 1).as_str(), counted(kind, 3).as_str()), (one, many));
        }
        let mut all: Vec<_> = Kind::ALL.iter().map(|kind| counted(*kind, 2)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Kind::ALL.len(), "no two kinds are counted under one name");
    }
}
