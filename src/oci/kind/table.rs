//! `assets/kinds.json`: the kinds and the rules that decide them.
//!
//! - `version`: raised with every change that may decide something otherwise. Rows of an older one are indexed again.
//! - `image_configs`: config types that are an image's, and that other things borrow.
//! - `says_nothing`: types that tools write when nobody named one.
//! - `image_layers`: layer types that a client unpacks.
//! - `kept_annotations`: annotations that lists show, and so stand in the row.
//! - `kinds`: each kind's name, with its label, its group and how it is pulled ([`About`]), and the formats that it
//!   has, with what is otherwise in them.
//! - `by_form`, `by_type`, `by_content`: the rules ([`Rule`]), asked in this order; the first whose conditions
//!   ([`When`]) all hold decides.
//! - `children`: the parts that children play ([`ChildRule`]); the first that holds decides.
//!
//! A pattern is a whole text, or the beginning of one before `*`. Annotations are a choice: one of them must be there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Kind;
use super::child::RoleName;
use crate::oci::descriptor::Annotations;

/// The table, read at its first use.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../../assets/kinds.json")).expect("a test reads the table"));

/// What is true of everything of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What people read.
    pub label: &'static str,
    /// Where it stands in the filter of a list.
    pub group: Group,
    /// Whether docker and podman pull it as an image.
    pub is_image: bool,
    /// Whether there is something in it, or in what it is made of, that a scan can look at.
    pub scannable: bool,
    /// The commands that pull it.
    pub pull: Pull,
}

/// Kinds that a person looks for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Images for one or more platforms.
    Images,
    /// Applications.
    Applications,
    /// Charts.
    Charts,
    /// Plugins of Docker and Helm.
    Plugins,
    /// Models.
    Models,
    /// Packages of other tools.
    Packages,
    /// Signatures, attestations, bills of materials.
    Trust,
    /// What belongs to something else: configs, caches, indexes.
    Parts,
    /// The rest.
    Other,
}

/// The commands that pull something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// `docker pull` and its like: podman, nerdctl, crictl, ctr, skopeo.
    Docker,
    /// `docker app pull`, cnab-to-oci, porter.
    DockerApp,
    /// cnab-to-oci, porter.
    Cnab,
    /// `docker compose -f oci://…`
    Compose,
    /// `docker plugin install`
    DockerPlugin,
    /// `helm pull oci://…`
    Helm,
    /// `helm plugin install oci://…`
    HelmPlugin,
    /// `flux pull artifact oci://…`
    Flux,
    /// `wkg oci pull`
    Wasm,
    /// `spin registry pull`
    Spin,
    /// `cosign download …`
    Cosign,
    /// `notation inspect`
    Notation,
    /// `singularity pull oras://…`
    Singularity,
    /// `docker model pull`
    DockerModel,
    /// `ollama pull`
    Ollama,
    /// `kit pull`
    Kit,
    /// `zarf package pull oci://…`
    Zarf,
    /// `oras pull`, which takes anything.
    Oras,
    /// Nothing that a person would type.
    None,
}

/// A text, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(super) enum Pattern {
    Whole(String),
    Beginning(String),
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::Whole(text),
        }
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == text,
            Self::Beginning(beginning) => text.starts_with(beginning),
        }
    }
}

/// Whether one of the patterns matches.
pub(super) fn matches(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

/// Annotations of which one must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Marks(BTreeMap<String, Pattern>);

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether none is asked for, or one of them is there.
    pub(super) fn hold(&self, annotations: Option<&Annotations>) -> bool {
        let is_there = |key: &String, value: &Pattern| annotations?.get(key).map(|text| value.matches(text));
        self.is_empty() || self.0.iter().any(|(key, value)| is_there(key, value) == Some(true))
    }
}

/// The form of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    Index,
}

/// How many children of an index are platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Count {
    None,
    One,
    Some,
}

/// The form of a tag that says what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TagShape {
    Referrers,
    CosignSbom,
}

/// Conditions; those that are not named hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct When {
    pub(super) form: Option<Shape>,
    /// The type under which the manifest was pushed.
    pub(super) media_types: Vec<Pattern>,
    /// In `by_type` the `artifactType` first and the config's type after it; elsewhere either.
    pub(super) types: Vec<Pattern>,
    /// Whether there is an `artifactType`.
    pub(super) typed: Option<bool>,
    pub(super) subject: Option<bool>,
    pub(super) annotations: Marks,
    pub(super) child_annotations: Marks,
    pub(super) child_types: Vec<Pattern>,
    pub(super) child_role: Option<RoleName>,
    pub(super) platforms: Option<Count>,
    pub(super) tag: Option<TagShape>,
    /// There are layers, and each matches.
    pub(super) all_layers: Vec<Pattern>,
    pub(super) any_layer: Vec<Pattern>,
    pub(super) layer_annotations: Marks,
    /// Whether the config's type is one of `image_configs`.
    pub(super) image_config: Option<bool>,
    /// Whether one of the layers is one of `image_layers`; no layers count as such.
    pub(super) image_layers: Option<bool>,
    pub(super) config_os: Vec<Pattern>,
    pub(super) config_has: Vec<String>,
    pub(super) config_lacks: Vec<String>,
    /// Of the labels in the config one of these must be there.
    pub(super) labels: Vec<String>,
}

impl When {
    /// Whether the config's content is asked.
    pub(super) fn asks_config(&self) -> bool {
        !(self.config_os.is_empty()
            && self.config_has.is_empty()
            && self.config_lacks.is_empty()
            && self.labels.is_empty())
    }
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    pub(super) format: Option<String>,
    pub(super) when: When,
}

/// A rule for children of an index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChildRule {
    pub(super) role: RoleName,
    /// What must be true of the index.
    pub(super) parent: Option<When>,
    #[serde(default)]
    pub(super) annotations: Marks,
    #[serde(default)]
    pub(super) artifact_types: Vec<Pattern>,
    #[serde(default)]
    pub(super) os_features: Vec<String>,
    /// Whether the descriptor names a machine.
    pub(super) real_platform: Option<bool>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) version: u32,
    pub(super) image_configs: Vec<Pattern>,
    pub(super) says_nothing: Vec<Pattern>,
    pub(super) image_layers: Vec<Pattern>,
    pub(super) kept_annotations: Vec<Pattern>,
    kinds: BTreeMap<Kind, Entry>,
    pub(super) by_form: Vec<Rule>,
    pub(super) by_type: Vec<Rule>,
    pub(super) by_content: Vec<Rule>,
    pub(super) children: Vec<ChildRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: String,
    group: Group,
    is_image: bool,
    scannable: bool,
    pull: Pull,
    #[serde(default)]
    formats: BTreeMap<String, Format>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    label: String,
    is_image: Option<bool>,
    scannable: Option<bool>,
    pull: Option<Pull>,
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    image_configs: Vec<Pattern>,
    says_nothing: Vec<Pattern>,
    image_layers: Vec<Pattern>,
    kept_annotations: Vec<Pattern>,
    kinds: BTreeMap<String, Entry>,
    by_form: Vec<serde_json::Map<String, serde_json::Value>>,
    by_type: Vec<serde_json::Map<String, serde_json::Value>>,
    by_content: Vec<serde_json::Map<String, serde_json::Value>>,
    children: Vec<ChildRule>,
}

impl Table {
    /// Reads a table, strictly.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut kinds = BTreeMap::new();
        for (name, entry) in file.kinds {
            kinds.insert(named(&name)?, entry);
        }
        if let Some(kind) = Kind::ALL.iter().find(|kind| !kinds.contains_key(kind)) {
            return Err(format!("nothing is said of {kind}"));
        }
        let rules = |list: Vec<_>| list.into_iter().map(|rule| read_rule(rule, &kinds)).collect::<Result<Vec<_>, _>>();
        let (by_form, by_type, by_content) = (rules(file.by_form)?, rules(file.by_type)?, rules(file.by_content)?);
        if by_type.iter().any(|rule| rule.when.types.is_empty()) {
            return Err("a rule of by_type names no types".to_owned());
        }
        for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Unknown) {
            if !by_form.iter().chain(&by_type).chain(&by_content).any(|rule| rule.kind == *kind) {
                return Err(format!("no rule decides {kind}"));
            }
        }
        let File { version, image_configs, says_nothing, image_layers, kept_annotations, children, .. } = file;
        Ok(Self {
            version,
            image_configs,
            says_nothing,
            image_layers,
            kept_annotations,
            kinds,
            by_form,
            by_type,
            by_content,
            children,
        })
    }

    pub(super) fn about(&'static self, kind: Kind, format: Option<&str>) -> About {
        let entry = &self.kinds[&kind];
        let format = format.and_then(|format| entry.formats.get(format));
        About {
            label: format.map_or(&entry.label, |format| &format.label),
            group: entry.group,
            is_image: format.and_then(|format| format.is_image).unwrap_or(entry.is_image),
            scannable: format.and_then(|format| format.scannable).unwrap_or(entry.scannable),
            pull: format.and_then(|format| format.pull).unwrap_or(entry.pull),
        }
    }

    /// The formats of a kind.
    #[cfg(test)]
    pub(super) fn formats(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.kinds[&kind].formats.keys().map(String::as_str)
    }
}

fn named(name: &str) -> Result<Kind, String> {
    Kind::from_name(name).ok_or_else(|| format!("there is no kind {name}"))
}

/// A rule's conditions stand beside its kind, and none that is not known is passed over.
fn read_rule(
    mut rule: serde_json::Map<String, serde_json::Value>,
    kinds: &BTreeMap<Kind, Entry>,
) -> Result<Rule, String> {
    let mut text = |field: &str| match rule.remove(field) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{field} is {other}")),
    };
    let kind = named(&text("kind")?.ok_or("a rule names no kind")?)?;
    let format = text("format")?;
    if let Some(format) = format.as_ref().filter(|format| !kinds[&kind].formats.contains_key(*format)) {
        return Err(format!("{kind} has no format {format}"));
    }
    let when: When = serde_json::from_value(rule.into()).map_err(|error| format!("{kind}: {error}"))?;
    if when == When::default() {
        return Err(format!("a rule for {kind} has no conditions"));
    }
    Ok(Rule { kind, format, when })
}
