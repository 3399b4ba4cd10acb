//! An image: its layers, its configuration and how it was made (ui-design, S5).

use askama::Template;
use hyper::StatusCode;

use super::ManifestPage;
use super::manifest::{NAME, ROWS};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::raw::RawConfig;
use super::shown::{self, Room};
use crate::base::Timestamp;
use crate::http::reply::Reply;
use crate::oci::Digest;
use crate::oci::image_config::{ImageConfig, Step};
use crate::registry::manifests::{Details, Layer};

/// Characters of a command in a table, and of the whole reconstruction.
const COMMAND: usize = 1_000;
const RECONSTRUCTION: usize = 64 * 1024;
/// Characters of a value of the environment or of a label.
const VALUE: usize = 2_000;

/// A time as an image says it: what is none of RFC 3339 stays a text.
enum When {
    Time(Timestamp),
    Words(String),
}

impl When {
    fn read(text: &str, room: &mut Room) -> Self {
        match Timestamp::parse(text) {
            Some(time) => Self::Time(time),
            None => Self::Words(room.line(text, NAME)),
        }
    }
}

/// The page of one of an image's tabs.
pub(super) fn page(
    frame: Frame,
    header: Header,
    page: ManifestPage,
    details: &Details,
    config: Option<&ImageConfig>,
    layers: &[Layer],
) -> Reply {
    match page {
        ManifestPage::Config => {
            let config = config.map(Config::new);
            let raw = RawConfig::new(&frame, &header, details, true);
            render(StatusCode::OK, &ConfigPage { frame, header, config, raw })
        }
        ManifestPage::History => render(StatusCode::OK, &HistoryPage::new(frame, header, config, layers)),
        _ => render(StatusCode::OK, &LayersPage::new(frame, header, config, layers)),
    }
}

#[derive(Template)]
#[template(path = "layers.html")]
struct LayersPage {
    frame: Frame,
    header: Header,
    platform: String,
    created: Option<When>,
    layers: Vec<Row>,
    more: usize,
}

struct Row {
    size: u64,
    command: Option<String>,
    digest: Digest,
    media_type: String,
    class: &'static str,
    state: &'static str,
}

impl Row {
    fn of(layer: &Layer, room: &mut Room) -> Self {
        let foreign = layer.descriptor.media_type.is_nondistributable();
        let (class, state) = match (layer.present, foreign) {
            (true, _) => ("yes", "present"),
            (false, true) => ("no", "foreign: clients fetch it from elsewhere"),
            (false, false) => ("bad", "missing: a pull will fail"),
        };
        Self {
            size: layer.descriptor.size,
            command: layer.command.as_deref().map(|command| room.lines(command, COMMAND)),
            digest: layer.descriptor.digest,
            media_type: layer.descriptor.media_type.to_string(),
            class,
            state,
        }
    }
}

impl LayersPage {
    fn new(frame: Frame, header: Header, config: Option<&ImageConfig>, layers: &[Layer]) -> Self {
        let mut room = Room::new();
        Self {
            frame,
            header,
            platform: config.map(|config| shown::line(&config.platform, NAME)).unwrap_or_default(),
            created: config.and_then(|config| config.created.as_deref()).map(|at| When::read(at, &mut room)),
            layers: layers.iter().take(ROWS).map(|layer| Row::of(layer, &mut room)).collect(),
            more: layers.len().saturating_sub(ROWS),
        }
    }
}

#[derive(Template)]
#[template(path = "image_config.html")]
struct ConfigPage {
    frame: Frame,
    header: Header,
    /// None when it is not here, or no JSON, or too large.
    config: Option<Config>,
    /// The same as it was pushed.
    raw: Option<RawConfig>,
}

struct Config {
    /// What is one word or line: its name, the text.
    lines: Vec<(&'static str, String)>,
    env: Vec<Variable>,
    labels: Vec<(String, String)>,
    ports: Vec<String>,
    volumes: Vec<String>,
    /// Entries that are not shown.
    more: usize,
}

struct Variable {
    name: String,
    value: String,
    is_masked: bool,
}

impl Config {
    fn new(config: &ImageConfig) -> Self {
        let words = |words: &[String]| {
            let words: Vec<_> = words.iter().take(ROWS).map(|word| serde_json::Value::from(word.as_str())).collect();
            if words.is_empty() { String::new() } else { serde_json::Value::from(words).to_string() }
        };
        let lines = [
            ("Entry point", words(&config.entrypoint)),
            ("Command", words(&config.cmd)),
            ("Working directory", config.working_dir.clone()),
            ("User", config.user.clone()),
            ("Stop signal", config.stop_signal.clone()),
            ("Platform", config.platform.clone()),
            ("Created", config.created.clone().unwrap_or_default()),
            ("Author", config.author.clone().unwrap_or_default()),
        ];
        let over = |all: usize| all.saturating_sub(ROWS);
        let mut room = Room::new();
        Self {
            lines: lines
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| (name, shown::line(&text, VALUE)))
                .collect(),
            env: (config.env.iter().take(ROWS))
                .map(|(name, value)| Variable {
                    name: room.line(name, NAME),
                    value: room.line(value, VALUE),
                    is_masked: shown::is_secret_name(name) && !value.is_empty(),
                })
                .collect(),
            labels: (config.labels.iter().take(ROWS))
                .map(|(name, value)| (room.line(name, NAME), room.lines(value, VALUE)))
                .collect(),
            ports: config.exposed_ports.iter().take(ROWS).map(|port| room.line(port, NAME)).collect(),
            volumes: config.volumes.iter().take(ROWS).map(|volume| room.line(volume, NAME)).collect(),
            more: over(config.env.len())
                + over(config.labels.len())
                + over(config.exposed_ports.len())
                + over(config.volumes.len()),
        }
    }
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    header: Header,
    steps: Vec<Made>,
    more: usize,
    /// The steps as a Dockerfile would have them.
    dockerfile: String,
}

/// A step of the history.
struct Made {
    created: When,
    command: String,
    comment: String,
    /// What the layer has that it made; a step may have made none.
    size: Option<u64>,
    empty: bool,
}

impl HistoryPage {
    fn new(frame: Frame, header: Header, config: Option<&ImageConfig>, layers: &[Layer]) -> Self {
        let history: &[Step] = config.map_or(&[], |config| &config.history);
        let matching = history.iter().filter(|step| !step.empty_layer).count() == layers.len();
        let mut sizes = layers.iter().map(|layer| layer.descriptor.size);
        let mut room = Room::new();
        let steps = history.iter().take(ROWS).map(|step| Made {
            created: When::read(step.created.as_deref().unwrap_or_default(), &mut room),
            command: room.lines(&step.command, COMMAND),
            comment: room.line(&step.comment, NAME),
            size: if step.empty_layer || !matching { None } else { sizes.next() },
            empty: step.empty_layer,
        });
        let mut dockerfile = String::new();
        for step in history.iter().filter(|step| !step.command.is_empty()) {
            if dockerfile.len() > RECONSTRUCTION {
                dockerfile.push_str("# … and more\n");
                break;
            }
            dockerfile.push_str(&shown::lines(&step.command, RECONSTRUCTION));
            dockerfile.push('\n');
        }
        Self { steps: steps.collect(), more: history.len().saturating_sub(ROWS), dockerfile, frame, header }
    }
}
