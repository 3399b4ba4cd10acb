//! The configuration of an image (image-spec, config.md; Docker's image.md), leniently.

/// What an image's configuration says. Texts are an author's, never trusted; lists are cut at 10,000 entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// When it was made, as it says (RFC 3339).
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The user it runs as.
    pub user: String,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Command.
    pub cmd: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// `NAME=value`; a value whose name looks secret is to be masked by those who show it.
    pub env: Vec<(String, String)>,
    /// Ports, such as `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Stop signal.
    pub stop_signal: String,
    /// Steps, oldest first.
    pub history: Vec<Step>,
    /// The digests of the unpacked layers, as text.
    pub diff_ids: Vec<String>,
}

/// A step of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// When, as it says.
    pub created: Option<String>,
    /// The command, without the shell's prefix (`/bin/sh -c #(nop)`) and BuildKit's comment.
    pub command: String,
    /// The command as it stands.
    pub raw: String,
    /// A comment.
    pub comment: String,
    /// Whether it made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration; `None` when the bytes are not a JSON object.
    pub fn read(config: &[u8]) -> Option<Self> {
        todo!("{config:?}")
    }

    /// For each layer of the manifest, in order, the step of the history that made it, if the history has as many
    /// steps that made a layer as the manifest has layers.
    pub fn layer_steps(&self, layers: usize) -> Vec<Option<&Step>> {
        todo!("{layers}")
    }
}
