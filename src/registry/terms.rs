//! The terms by which manifests are found: `key=value` of annotations and labels, and the words of title, name and
//! description; in lower case, few, and short.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::meta::term::{LONGEST, MOST};
use crate::oci::Manifest;

/// What title, name and description are called: the last parts of keys, after the last dot.
const WORDY: &[&str] = &["title", "name", "description"];
/// Letters of the shortest word that is kept.
const SHORTEST_WORD: usize = 2;

/// The terms of a manifest: of its own annotations first, then of the labels of its config, if that is at hand.
pub(super) fn of(read: &Manifest, config: Option<&[u8]>) -> Vec<String> {
    let labels = config.map(labels).unwrap_or_default();
    let mut terms = Terms::default();
    let said = || read.annotations.iter().chain(&labels);
    for (key, value) in said() {
        terms.add(&format!("{key}={value}"));
    }
    // Words after all pairs: a long description must not push a label out.
    for (_, value) in said().filter(|(key, _)| WORDY.contains(&key.rsplit('.').next().unwrap_or_default())) {
        value.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).for_each(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if word.chars().count() >= SHORTEST_WORD {
                terms.add(word);
            }
        });
    }
    terms.0
}

/// As terms are stored, and so as they are searched for.
pub(super) fn normal(text: &str) -> String {
    let mut term: String = text.trim().to_lowercase().chars().filter(|c| !c.is_control()).collect();
    term.truncate(term.floor_char_boundary(LONGEST));
    term
}

#[derive(Default)]
struct Terms(Vec<String>);

impl Terms {
    fn add(&mut self, text: &str) {
        let term = normal(text);
        if !term.is_empty() && self.0.len() < MOST && !self.0.contains(&term) {
            self.0.push(term);
        }
    }
}

/// The labels of an image's config (image-spec, config.md); none when it does not read.
fn labels(config: &[u8]) -> BTreeMap<String, String> {
    #[derive(Default, Deserialize)]
    struct Process {
        #[serde(default, rename = "Labels")]
        labels: Option<BTreeMap<String, serde_json::Value>>,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        config: Option<Process>,
    }
    let read: Option<Config> = serde_json::from_slice(config).ok();
    let labels = read.and_then(|read| read.config).and_then(|process| process.labels).unwrap_or_default();
    let text = |(key, value): (String, serde_json::Value)| value.as_str().map(|value| (key, value.to_owned()));
    labels.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::MediaType;

    fn manifest(annotations: &serde_json::Value) -> Manifest {
        let body = serde_json::json!({ "schemaVersion": 2, "layers": [], "annotations": annotations });
        let kind = MediaType::parse(MediaType::OCI_MANIFEST).unwrap();
        Manifest::from_stored(kind, body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn pairs_and_words_in_lower_case() {
        let read = manifest(&serde_json::json!({
            "org.opencontainers.image.title": "Lab Words",
            "team": "Web",
        }));
        let config =
            br#"{"config":{"Labels":{"stage":"QA","org.opencontainers.image.description":"words, (said) a lot"}}}"#;
        let terms = of(&read, Some(config));
        for term in ["org.opencontainers.image.title=lab words", "team=web", "stage=qa", "lab", "words", "said", "lot"]
        {
            assert!(terms.iter().any(|has| has == term), "{term} in {terms:?}");
        }
        assert!(!terms.iter().any(|term| term == "a"), "one letter finds nothing: {terms:?}");
    }

    #[test]
    fn there_are_few_and_they_are_short() {
        let many: BTreeMap<String, String> = (0..100).map(|n| (format!("k{n}"), "ä\0\n".repeat(500))).collect();
        let terms = of(&manifest(&serde_json::to_value(many).unwrap()), Some(b"{"));
        assert_eq!(terms.len(), MOST);
        assert!(terms.iter().all(|term| term.len() <= LONGEST && !term.contains(['\0', '\n'])));
    }
}
