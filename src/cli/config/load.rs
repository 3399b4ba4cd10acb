//! Flag > variable > file > default, with the origin of every value.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use toml::{Table, Value};

use crate::base::Config;
use crate::base::config::{Key, Kind};
use crate::cli::CliError;

/// The file that is read when it exists and `--config` names no other.
pub const SYSTEM_FILE: &str = "/etc/msr-lite/config.toml";

/// Every variable of ours begins so.
const PREFIX: &str = "MSR_LITE_";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the file.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A value that a flag gave: the key's path, the flag as it is typed, the value.
pub type FlagValue = (&'static str, &'static str, Value);

/// What there is to read. Tests make their own; the program takes [`Sources::of_process`].
#[derive(Debug, Default)]
pub struct Sources {
    /// The file that `--config` names; it must exist.
    pub file: Option<PathBuf>,
    /// The file that is read if it exists and `file` is `None`.
    pub system_file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// The flags that were given.
    pub flags: Vec<FlagValue>,
}

impl Sources {
    /// The system's file, this process's environment, and what the command line says.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<FlagValue>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Self { file, system_file: Some(PathBuf::from(SYSTEM_FILE)), variables, flags }
    }
}

/// The settings and where each comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, checked.
    pub config: Config,
    /// The origin of every key, by its path.
    pub origins: BTreeMap<String, Origin>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// What is not wrong enough to stop, but should be read.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Where the value of `key` comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

/// Reads and merges all sources.
///
/// # Errors
/// Everything that is wrong, at once, one line each: unknown keys with the nearest one that exists, values of the
/// wrong kind, values out of range; each with its origin.
pub fn load(sources: Sources) -> Result<Loaded, CliError> {
    let mut merge = Merge::default();
    let file = read_file(&sources)?;
    if let Some((path, text)) = &file {
        merge.file(path, text);
    }
    merge.variables(&sources.variables);
    for (key, flag, value) in sources.flags {
        merge.set(key, value, Origin::Flag(flag));
    }
    merge.finish(file.map(|(path, _)| path))
}

fn read_file(sources: &Sources) -> Result<Option<(PathBuf, String)>, CliError> {
    let (path, required) = match (&sources.file, &sources.system_file) {
        (Some(path), _) => (path, true),
        (None, Some(path)) => (path, false),
        (None, None) => return Ok(None),
    };
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.clone(), text))),
        Err(error) if error.kind() == ErrorKind::NotFound && !required => Ok(None),
        Err(error) => Err(CliError::setup(format!("cannot read the configuration file {}: {error}", path.display()))),
    }
}

#[derive(Default)]
struct Merge {
    table: Table,
    origins: BTreeMap<String, Origin>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Merge {
    /// Takes one value if it is of the right kind; a later call wins over an earlier one.
    fn set(&mut self, path: &str, value: Value, origin: Origin) {
        let Some(key) = Config::keys().find(|key| key.path() == path) else {
            self.problems.push(format!("{origin}: {}", unknown(path)));
            return;
        };
        let mut alone = Table::new();
        place(&mut alone, key, value.clone());
        if alone.try_into::<Config>().is_err() {
            self.problems.push(format!("{origin}: {path} must be {}, not {value}", key.kind.in_words()));
            return;
        }
        place(&mut self.table, key, value);
        self.origins.insert(path.to_owned(), origin);
    }

    fn file(&mut self, path: &Path, text: &str) {
        let line_of = |offset: usize| text.as_bytes()[..offset.min(text.len())].split(|b| *b == b'\n').count();
        let (lines, values) = match (DeTable::parse(text), text.parse::<Table>()) {
            (Ok(lines), Ok(values)) => (lines.into_inner(), values),
            (Err(error), _) | (_, Err(error)) => {
                let line = line_of(error.span().map_or(0, |span| span.start));
                self.problems.push(format!("{}:{line}: this is not TOML: {}", path.display(), error.message()));
                return;
            }
        };
        for (name, place) in &lines {
            let at = |offset| Origin::File(path.to_owned(), line_of(offset));
            let value = &values[name.get_ref().as_ref()];
            let section =
                Config::SECTIONS.iter().find(|section| !section.name.is_empty() && section.name == *name.get_ref());
            match (section, place.get_ref().as_table(), value.as_table()) {
                (Some(section), Some(inner_lines), Some(inner)) => {
                    for (key, value) in inner {
                        let line = inner_lines.iter().find(|(name, _)| name.get_ref() == key);
                        let origin = at(line.map_or(0, |(name, _)| name.span().start));
                        self.set(&format!("{}.{key}", section.name), value.clone(), origin);
                    }
                }
                (Some(section), ..) => {
                    let origin = at(name.span().start);
                    self.problems
                        .push(format!("{origin}: {0} is a section: write [{0}] on its own line", section.name));
                }
                (None, ..) => self.set(name.get_ref(), value.clone(), at(name.span().start)),
            }
        }
    }

    fn variables(&mut self, variables: &[(String, String)]) {
        for (name, text) in variables {
            let Some(key) = Config::keys().find(|key| key.variable() == *name) else {
                if let Some(warning) = stray(name) {
                    self.warnings.push(warning);
                }
                continue;
            };
            // An empty variable sets nothing: container and unit files often cannot leave one out.
            if text.trim().is_empty() {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            if let Some(value) = value_of(key.kind, text.trim()) {
                self.set(&key.path(), value, origin);
            } else {
                self.problems.push(format!("{name} must be {}, not {text:?}", key.kind.in_words()));
            }
        }
    }

    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded, CliError> {
        let config = match self.table.try_into::<Config>() {
            Ok(config) => config,
            Err(error) => {
                // Cannot happen while every value is tried alone first; if it does, its words are better than none.
                self.problems.push(error.message().to_owned());
                Config::default()
            }
        };
        for complaint in config.complaints() {
            let origin = self.origins.get(&complaint.key).unwrap_or(&Origin::Default);
            self.problems.push(format!("{origin}: {} {}", complaint.key, complaint.message));
        }
        if self.problems.is_empty() {
            return Ok(Loaded { config, origins: self.origins, file, warnings: self.warnings });
        }
        Err(CliError::setup(self.problems.join("\n")))
    }
}

fn place(table: &mut Table, key: &Key, value: Value) {
    if key.section.is_empty() {
        table.insert(key.name.to_owned(), value);
    } else if let Value::Table(section) = table.entry(key.section).or_insert_with(|| Value::Table(Table::new())) {
        section.insert(key.name.to_owned(), value);
    }
}

/// A variable's text as a value of the key's kind; lists are separated by commas.
fn value_of(kind: Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::Switch => Value::Boolean(match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => return None,
        }),
        Kind::Number => Value::Integer(text.parse().ok()?),
        kind if kind.is_list() => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

/// What to say of a variable with our prefix that sets nothing. It is a warning, not an error, because other programs
/// write such variables too: Kubernetes gives each pod `MSR_LITE_SERVICE_HOST` and its kin when a service bears our
/// name; of those nothing is said at all.
fn stray(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    if rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_") {
        return None;
    }
    let known: Vec<_> = Config::keys().map(Key::variable).collect();
    let hint = nearest(name, known.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Some(format!("the variable {name} sets nothing{hint}"))
}

fn unknown(path: &str) -> String {
    let paths: Vec<_> = Config::keys().map(Key::path).collect();
    // `manifest_bytes` at the top of the file, or in the wrong section, is meant for `limits.manifest_bytes`.
    let wanted = path.replace('-', "_");
    let leaf = wanted.rsplit('.').next().unwrap_or(&wanted);
    let near = paths
        .iter()
        .find(|known| **known == wanted || known.rsplit('.').next() == Some(leaf))
        .map(String::as_str)
        .or_else(|| nearest(&wanted, paths.iter().map(String::as_str)))
        .or_else(|| {
            let near = nearest(leaf, paths.iter().filter_map(|known| known.rsplit('.').next()))?;
            paths.iter().map(String::as_str).find(|known| known.rsplit('.').next() == Some(near))
        });
    match near {
        Some(near) => format!("there is no setting {path}; did you mean {near}?"),
        None => format!("there is no setting {path}; `msr-lite config example` shows them all"),
    }
}

/// The nearest of `known`, if it is near enough to be a slip of the hand: a third of its letters at most.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
