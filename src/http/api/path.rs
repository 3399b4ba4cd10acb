//! Reading paths under `/api/v0` against the patterns of the table.
//!
//! A pattern's segments are words, `{name}`, which stands for one segment, or `{repository}`, which stands for the
//! namespace and the name of a repository and so for two segments or more. Names contain slashes, raw or as `%2F`, so
//! paths are read from both ends and what is left is the name. Where two patterns fit, the one with more segments is
//! meant: `…/lab/app/tags/tags` is a tag of `lab/app`. A repository whose own name ends like an endpoint is named with
//! `%2F`, which no word of a pattern is found in: `…/lab/app%2Ftags`.
//!
//! A repository of one component stands under the namespace `-`: `/repositories/-/app`.

use percent_encoding::percent_decode_str;

use crate::oci::RepoName;
use crate::oci::name::NameError;

/// The parameter that is the name of a repository.
pub const REPOSITORY: &str = "{repository}";
/// How the namespace of repositories of one component is written.
pub const NO_NAMESPACE: &str = "-";

/// What a path says, by the names of its pattern's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// What stands for `{repository}`, as namespace and name.
    pub repository: Option<String>,
    /// The others, in their order.
    pub others: Vec<(&'static str, String)>,
}

/// The segments of a path behind the prefix, as they came; an empty last one is the trailing slash that real clients
/// send.
pub fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').collect()
}

/// What the path says, if it fits the pattern.
pub fn fit(pattern: &'static str, path: &[&str]) -> Option<Parameters> {
    let pattern: Vec<&'static str> = pattern.trim_start_matches('/').split('/').collect();
    let mut found = Parameters::default();
    let Some(at) = pattern.iter().position(|segment| *segment == REPOSITORY) else {
        return (pattern.len() == path.len() && fit_each(&pattern, path, &mut found)).then_some(found);
    };
    let (front, back) = (&pattern[..at], &pattern[at + 1..]);
    let end = path.len().checked_sub(back.len()).filter(|end| *end > at)?;
    let fits = fit_each(front, &path[..at], &mut found) && fit_each(back, &path[end..], &mut found);
    let name = path[at..end].iter().map(|segment| decode(segment)).collect::<Option<Vec<_>>>()?.join("/");
    // One component is a namespace, and no repository.
    (fits && name.contains('/')).then_some(Parameters { repository: Some(name), ..found })
}

fn fit_each(pattern: &[&'static str], path: &[&str], found: &mut Parameters) -> bool {
    pattern.iter().zip(path).all(|(pattern, segment)| {
        let Some(name) = pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            return pattern == segment;
        };
        // A name in the path of its namespace alone, such as lab%2Fapp, is a repository's.
        let of_namespace = ["namespace", "account"].contains(&name);
        let value = decode(segment).filter(|value| !value.is_empty() && (!of_namespace || !value.contains('/')));
        found.others.extend(value.iter().map(|value| (name, value.clone())));
        value.is_some()
    })
}

fn decode(segment: &str) -> Option<String> {
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

/// The repository of this namespace and name, as paths write them.
///
/// # Errors
/// When the name is outside the grammar, or has several components under the namespace `-`.
pub fn repository(namespace: &str, name: &str) -> Result<RepoName, NameError> {
    match namespace {
        NO_NAMESPACE if name.contains('/') => Err(NameError::Grammar),
        NO_NAMESPACE => RepoName::parse(name),
        _ => RepoName::parse(&format!("{namespace}/{name}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(pattern: &'static str, path: &str) -> Option<String> {
        fit(pattern, &segments(path))?.repository
    }

    #[test]
    fn names_stand_between_words() {
        let tags = "/repositories/{repository}/tags";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(name(tags, "/repositories/lab/app/tags"), some("lab/app"));
        assert_eq!(name(tags, "/repositories/lab/app/tags/"), some("lab/app"), "with a slash at the end");
        assert_eq!(name(tags, "/repositories/lab/app/web/tags"), some("lab/app/web"));
        assert_eq!(name(tags, "/repositories/lab%2Fapp/tags"), some("lab/app"));
        assert_eq!(name(tags, "/repositories/lab/app%2fweb/tags"), some("lab/app/web"));
        assert_eq!(name(tags, "/repositories/lab/tags/tags"), some("lab/tags"));
        assert_eq!(name(tags, "/repositories/-/app/tags"), some("-/app"));
        for other in ["/repositories/lab/tags", "/repositories/tags", "/repositories", "/tags", "/"] {
            assert_eq!(name(tags, other), None, "{other}");
        }
        assert_eq!(name(tags, "/repositories/lab/app%2Ftags"), None, "the name of a repository");
        assert_eq!(name("/repositories/{repository}", "/repositories/lab/app%2Ftags"), some("lab/app/tags"));
        assert_eq!(name(tags, "/repositories/%ff/app/tags"), None, "no text");
    }

    #[test]
    fn one_segment_is_a_parameter() {
        let one = |path| fit("/repositories/{repository}/tags/{reference}", &segments(path));
        let found = one("/repositories/lab/app/tags/sha256%3Aab").unwrap();
        assert_eq!(found.others, [("reference", "sha256:ab".to_owned())]);
        assert_eq!(one("/repositories/lab/app/tags//"), None, "an empty one is none");
        let namespace = |path| fit("/repositories/{namespace}", &segments(path)).map(|found| found.others);
        assert_eq!(namespace("/repositories/lab/"), Some(vec![("namespace", "lab".to_owned())]));
        assert_eq!(namespace("/repositories/lab%2Fapp"), None);
        assert_eq!(namespace("/repositories/"), None);
    }

    #[test]
    fn a_repository_of_one_component_has_the_namespace_of_a_hyphen() {
        assert_eq!(repository("-", "app").unwrap().as_str(), "app");
        assert_eq!(repository("lab", "app/web").unwrap().as_str(), "lab/app/web");
        assert!(repository("-", "app/web").is_err() && repository("lab", "-").is_err() && repository("", "a").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(path in "(/|[a-z{}%-]{0,3}){0,12}") {
            for pattern in ["/repositories/{repository}/tags/{reference}", "/{repository}", "/a/{namespace}"] {
                let _ = fit(pattern, &segments(&path));
            }
        }
    }
}
