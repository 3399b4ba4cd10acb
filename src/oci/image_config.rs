//! The configuration of an image (image-spec, config.md; Docker's image.md), leniently.

use serde_json::Value;

use super::lenient;
pub use super::lenient::MAX_DOCUMENT;

/// Entries of one list.
const ENTRIES: usize = 10_000;
/// Bytes of one text; only the document's own size is less.
const TEXT: usize = MAX_DOCUMENT;

/// What an image's configuration says. Texts are an author's, never trusted; lists are cut at 10,000 entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `os/architecture[/variant]`; empty when neither is given.
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
    /// The command as a Dockerfile has it, without the shell's prefix (`/bin/sh -c #(nop)`) and BuildKit's comment.
    pub command: String,
    /// The command as it stands.
    pub raw: String,
    /// A comment.
    pub comment: String,
    /// Whether it made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration; `None` when the bytes are not a JSON object, or more than [`MAX_DOCUMENT`].
    pub fn read(config: &[u8]) -> Option<Self> {
        let document = lenient::object(config)?;
        let run = &document["config"];
        let platform = ["os", "architecture", "variant"].map(|key| lenient::text(&document, key, TEXT));
        let platform: Vec<String> = platform.into_iter().filter(|word| !word.is_empty()).collect();
        let keys = |key| lenient::entries(&run[key], ENTRIES).map(|(name, _)| name.clone()).collect();
        let pair = |text: String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (text, String::new()),
        };
        let label = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap_or_default().to_owned());
        Some(Self {
            platform: platform.join("/"),
            created: lenient::some_text(&document, "created", TEXT),
            author: lenient::some_text(&document, "author", TEXT),
            user: lenient::text(run, "User", TEXT),
            entrypoint: words(&run["Entrypoint"]),
            cmd: words(&run["Cmd"]),
            working_dir: lenient::text(run, "WorkingDir", TEXT),
            env: lenient::texts(&run["Env"], ENTRIES, TEXT).into_iter().map(pair).collect(),
            exposed_ports: keys("ExposedPorts"),
            volumes: keys("Volumes"),
            labels: lenient::entries(&run["Labels"], ENTRIES).map(label).collect(),
            stop_signal: lenient::text(run, "StopSignal", TEXT),
            history: lenient::elements(&document["history"], ENTRIES).map(Step::read).collect(),
            diff_ids: lenient::texts(&document["rootfs"]["diff_ids"], ENTRIES, TEXT),
        })
    }

    /// For each layer of the manifest, in order, the step of the history that made it, if the history has as many
    /// steps that made a layer as the manifest has layers. (Histories are optional and may be squashed: a guess would
    /// put a command beside a layer that it did not make.)
    pub fn layer_steps(&self, layers: usize) -> Vec<Option<&Step>> {
        let steps: Vec<_> = self.history.iter().filter(|step| !step.empty_layer).map(Some).collect();
        if steps.len() == layers { steps } else { vec![None; layers] }
    }
}

/// A command in exec form, or the text that Docker's first images have there.
fn words(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(text) => vec![text.to_owned()],
        None => lenient::texts(value, ENTRIES, TEXT),
    }
}

impl Step {
    fn read(value: &Value) -> Self {
        let raw = lenient::text(value, "created_by", TEXT);
        Self {
            created: lenient::some_text(value, "created", TEXT),
            command: clean(&raw),
            raw,
            comment: lenient::text(value, "comment", TEXT),
            empty_layer: lenient::is_true(value, "empty_layer"),
        }
    }
}

/// The shells by which builders run what a Dockerfile says, as histories write them.
const SHELLS: [&str; 2] = ["/bin/sh -c ", "cmd /S /C "];

/// A command as a Dockerfile has it. The classic builder writes `/bin/sh -c #(nop)  CMD ["x"]` for what it does itself
/// and `|1 ARG=v /bin/sh -c make` for what it runs; `BuildKit` writes `RUN |1 ARG=v /bin/sh -c make # buildkit`.
fn clean(raw: &str) -> String {
    let text = raw.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim_end();
    let (run, rest) = match text.strip_prefix("RUN ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    for shell in SHELLS {
        // Arguments of the build stand before the shell; their values may be anything, so the first shell ends them.
        let command = if rest.starts_with('|') {
            rest.split_once(&format!(" {shell}")).map(|(_, command)| command)
        } else {
            rest.strip_prefix(shell)
        };
        if let Some(command) = command {
            return match command.trim_start().strip_prefix("#(nop)") {
                Some(own) if !run => own.trim().to_owned(),
                _ => format!("RUN {}", command.trim()),
            };
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_read_as_a_dockerfile_has_them() {
        let cases = [
            ("/bin/sh -c #(nop)  CMD [\"/cnab/app/run\"]", "CMD [\"/cnab/app/run\"]"),
            ("/bin/sh -c #(nop) COPY file:04e6 in /cnab/app/run ", "COPY file:04e6 in /cnab/app/run"),
            ("/bin/sh -c apt-get update", "RUN apt-get update"),
            ("|1 VERSION=1 2 /bin/sh -c make", "RUN make"),
            ("RUN /bin/sh -c apk add curl # buildkit", "RUN apk add curl"),
            ("RUN |2 A=1 B=2 /bin/sh -c make all # buildkit", "RUN make all"),
            ("RUN /bin/sh -c # buildkit", "RUN /bin/sh -c"),
            ("RUN /bin/bash -o pipefail -c x | y # buildkit", "RUN /bin/bash -o pipefail -c x | y"),
            ("COPY a b # buildkit", "COPY a b"),
            ("ENV PATH=/bin", "ENV PATH=/bin"),
            ("cmd /S /C #(nop) ENV A=b", "ENV A=b"),
            ("cmd /S /C mkdir c:\\x", "RUN mkdir c:\\x"),
            ("bazel build ...", "bazel build ..."),
            ("|1 no shell", "|1 no shell"),
            ("", ""),
        ];
        for (raw, command) in cases {
            assert_eq!(clean(raw), command, "{raw:?}");
        }
    }

    #[test]
    fn what_docker_writes_is_read() {
        let body = json!({
            "architecture": "arm64", "os": "linux", "variant": "v8", "created": "2026-11-22T02:27:24Z", "author": "lab",
            "config": {
                "User": "app", "Env": ["PATH=/bin", "EMPTY=", "BARE"], "Cmd": ["/cnab/app/run"], "Entrypoint": null,
                "WorkingDir": "/cnab/app", "Labels": {"a": "b", "n": 1}, "ExposedPorts": {"80/tcp": {}},
                "Volumes": {"/data": {}}, "StopSignal": "SIGTERM",
            },
            "history": [
                {"created": "2026-11-22T02:26:33Z", "created_by": "/bin/sh -c #(nop) COPY a in /"},
                {"created_by": "/bin/sh -c #(nop) WORKDIR /cnab/app", "empty_layer": true, "comment": "c"},
                {"created_by": "/bin/sh -c make"},
            ],
            "rootfs": {"type": "layers", "diff_ids": ["sha256:0a", "sha256:0b"]},
        });
        let config = ImageConfig::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(config.platform, "linux/arm64/v8");
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app", "/cnab/app"));
        assert_eq!(config.cmd, ["/cnab/app/run"]);
        assert!(config.entrypoint.is_empty());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.env, [pair("PATH", "/bin"), pair("EMPTY", ""), pair("BARE", "")]);
        assert_eq!(config.labels, [pair("a", "b"), pair("n", "")]);
        assert_eq!((config.exposed_ports[0].as_str(), config.volumes[0].as_str()), ("80/tcp", "/data"));
        assert_eq!(config.diff_ids.len(), 2);
        let steps = config.layer_steps(2);
        assert_eq!(
            steps.iter().map(|step| step.unwrap().command.as_str()).collect::<Vec<_>>(),
            ["COPY a in /", "RUN make"]
        );
        assert_eq!(config.layer_steps(3), [None, None, None], "a history that does not fit says nothing");
        assert_eq!(config.history[1].comment, "c");
    }

    #[test]
    fn what_does_not_read_is_left_out() {
        for bytes in [&b"[]"[..], b"", b"null", b"{", b"\xff"] {
            assert_eq!(ImageConfig::read(bytes), None);
        }
        let odd = br#"{"os":1,"config":[],"history":{"a":1},"rootfs":"x","created":null}"#;
        assert_eq!(ImageConfig::read(odd), Some(ImageConfig::default()));
        let long = [b"{\"a\":\"", vec![b'x'; MAX_DOCUMENT].as_slice(), b"\"}"].concat();
        assert_eq!(ImageConfig::read(&long), None);
        let many: Vec<Value> = (0..ENTRIES + 5).map(|_| json!({})).collect();
        let config = ImageConfig::read(json!({"history": many}).to_string().as_bytes()).unwrap();
        assert_eq!(config.history.len(), ENTRIES);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ImageConfig::read(&bytes);
        }

        #[test]
        fn no_command_panics_or_grows(raw in "(RUN |)(\\|1 a |)(/bin/sh -c |cmd /S /C |)(#\\(nop\\) |)\\PC{0,20}(# buildkit|)") {
            prop_assert!(clean(&raw).len() <= raw.len() + "RUN ".len());
        }
    }
}
