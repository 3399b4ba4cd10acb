//! What an application says of itself: the annotations of its index, and `bundle.json` (CNAB 1.0 §101), leniently: what
//! does not read is left out, and every text is an author's, never trusted.
//!
//! Three generations of writers are read alike. docker app 0.8 stores a small document (`schema_version`, parameters
//! with their type in place) and says the rest in the annotations; docker app 0.9 and cnab-to-oci, which Porter uses,
//! store the whole `bundle.json`, whose parameters name a definition. A Compose file is YAML and is not looked into.

use std::collections::HashSet;

use serde_json::Value;

use super::Digest;
use super::descriptor::Annotations;
use super::lenient;
pub use super::lenient::MAX_DOCUMENT;

/// Entries of one list.
const ENTRIES: usize = 1_000;
/// Bytes of one text.
const TEXT: usize = 4 * 1024;

/// An application's description. Lists are cut at 1,000 entries, texts at 4 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is.
    pub description: String,
    /// Who maintains it: names, with an address where one is given (`alice <alice@registry.lab>`).
    pub authors: Vec<String>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// `schemaVersion` of the bundle, or the `io.cnab.runtime_version` annotation; for a Compose application the
    /// version of Compose that wrote it.
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
    /// Its type: `string`, `integer`, …; several are joined by ` | `.
    pub kind: String,
    /// Its default, as JSON; `None` too when it is write-only, so that no secret is shown.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is for.
    pub description: String,
    /// Where it goes: an environment variable or a path (which begins with a slash), or both, joined by `, `.
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
    /// Where it goes: an environment variable or a path, as for [`Parameter::destination`].
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
    /// Reads what the annotations of an index say, and completes it by `bundle.json` where that says more. A document
    /// that is no JSON object, or has more than [`MAX_DOCUMENT`] bytes, says nothing.
    pub fn read(annotations: &Annotations, document: Option<&[u8]>) -> Self {
        let document = document.and_then(lenient::object).unwrap_or_default();
        let annotation = |key: &str| annotations.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        let said = |key: &str, field: &str| match annotation(key) {
            Some(text) => lenient::cut(text, TEXT),
            None => lenient::text(&document, field, TEXT),
        };
        let listed = |key: &str, field: &str| match annotation(key) {
            Some(text) => several(text),
            None => people(&document[field]),
        };
        let schema =
            ["schemaVersion", "schema_version"].iter().find_map(|key| lenient::some_text(&document, key, TEXT));
        let written_by =
            ["io.cnab.runtime_version", "com.docker.compose.version"].iter().find_map(|key| annotation(key));
        Self {
            name: said("org.opencontainers.image.title", "name"),
            version: said("org.opencontainers.image.version", "version"),
            description: said("org.opencontainers.image.description", "description"),
            authors: listed("org.opencontainers.image.authors", "maintainers"),
            keywords: listed("io.cnab.keywords", "keywords"),
            schema: schema.or(written_by.map(|text| lenient::cut(text, TEXT))).unwrap_or_default(),
            parameters: parameters(&document),
            credentials: lenient::entries(&document["credentials"], ENTRIES).map(Credential::read).collect(),
            actions: lenient::entries(&document["actions"], ENTRIES).map(Action::read).collect(),
            invocation_images: lenient::elements(&document["invocationImages"], ENTRIES)
                .map(|image| BundleImage::read("", image))
                .collect(),
            images: lenient::entries(&document["images"], ENTRIES)
                .map(|(name, image)| BundleImage::read(name, image))
                .collect(),
        }
    }
}

/// A list in an annotation: a JSON array, as CNAB's tools write it, or else one text, as the image specification has
/// it.
fn several(text: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(list @ Value::Array(_)) => people(&list),
        _ => vec![lenient::cut(text, TEXT)],
    }
}

/// The texts of an array, and the names and addresses of people in it.
fn people(list: &Value) -> Vec<String> {
    let line = |entry: &Value| {
        if let Some(text) = entry.as_str() {
            return lenient::cut(text.trim(), TEXT);
        }
        let name = lenient::text(entry, "name", TEXT);
        match ["email", "url"].iter().find_map(|key| lenient::some_text(entry, key, TEXT)) {
            Some(address) if name.is_empty() => address,
            Some(address) => lenient::cut(&format!("{name} <{address}>"), TEXT),
            None => name,
        }
    };
    lenient::elements(list, ENTRIES).map(line).filter(|line| !line.is_empty()).collect()
}

/// The parameters. Drafts of the specification had them below `fields`, with a list of those that are `required`
/// beside it.
fn parameters(document: &Value) -> Vec<Parameter> {
    let all = &document["parameters"];
    let is_draft = all["fields"].as_object().is_some_and(|fields| fields.values().all(Value::is_object))
        && all["fields"]["type"].is_null()
        && all["fields"]["definition"].is_null();
    let (fields, required) = if is_draft { (&all["fields"], &all["required"]) } else { (all, &Value::Null) };
    let required: HashSet<&str> = lenient::elements(required, ENTRIES).filter_map(Value::as_str).collect();
    lenient::entries(fields, ENTRIES)
        .map(|(name, field)| {
            let mut parameter = Parameter::read(name, field, &document["definitions"]);
            parameter.required |= required.contains(name.as_str());
            parameter
        })
        .collect()
}

impl Parameter {
    fn read(name: &str, field: &Value, definitions: &Value) -> Self {
        // The type stands in a definition (CNAB 1.0) or in place (docker app 0.8).
        let definition = field["definition"].as_str().map_or(&Value::Null, |name| &definitions[name]);
        let first = |key: &str| [definition, field].into_iter().map(|place| &place[key]).find(|value| !value.is_null());
        let kind = match first("type") {
            Some(Value::String(kind)) => lenient::cut(kind, TEXT),
            Some(kinds) => lenient::cut(&lenient::texts(kinds, ENTRIES, TEXT).join(" | "), TEXT),
            None => String::new(),
        };
        let hidden = first("writeOnly").and_then(Value::as_bool).unwrap_or_default();
        let default = [definition, field].into_iter().find_map(|place| place.get("default"));
        Self {
            name: lenient::cut(name, TEXT),
            kind,
            default: default.filter(|_| !hidden).map(|value| lenient::cut(&value.to_string(), TEXT)),
            required: lenient::is_true(field, "required"),
            description: [&field["metadata"], field, definition]
                .into_iter()
                .find_map(|place| lenient::some_text(place, "description", TEXT))
                .unwrap_or_default(),
            destination: destination(&field["destination"]),
        }
    }
}

impl Credential {
    fn read((name, field): (&String, &Value)) -> Self {
        Self {
            name: lenient::cut(name, TEXT),
            description: lenient::text(field, "description", TEXT),
            required: lenient::is_true(field, "required"),
            destination: destination(field),
        }
    }
}

impl Action {
    fn read((name, field): (&String, &Value)) -> Self {
        let description = ["description", "title"].iter().find_map(|key| lenient::some_text(field, key, TEXT));
        Self {
            name: lenient::cut(name, TEXT),
            modifies: lenient::is_true(field, "modifies"),
            stateless: lenient::is_true(field, "stateless"),
            description: description.unwrap_or_default(),
        }
    }
}

impl BundleImage {
    fn read(name: &str, field: &Value) -> Self {
        let image = lenient::text(field, "image", TEXT);
        let in_reference = image.rsplit_once('@').map(|(_, digest)| digest);
        let given = ["contentDigest", "digest"].into_iter().filter_map(|key| field[key].as_str()).chain(in_reference);
        Self {
            name: lenient::cut(name, TEXT),
            digest: given.into_iter().find_map(|digest| Digest::parse(digest).ok()),
            media_type: lenient::text(field, "mediaType", TEXT),
            image,
        }
    }
}

/// Where a value goes.
fn destination(field: &Value) -> String {
    let places = ["env", "path"].iter().filter_map(|key| lenient::some_text(field, key, TEXT));
    lenient::cut(&places.collect::<Vec<_>>().join(", "), TEXT)
}

#[cfg(test)]
mod tests;
