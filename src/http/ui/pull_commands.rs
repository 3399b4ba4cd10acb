//! The commands that pull something, by what it is. Each names a tag or a digest: without one, clients take `latest`,
//! which may be something else or nothing.

use crate::oci::kind::{Kind, Pull, ReferrerTag};
use crate::oci::{Digest, Reference, RepoName};

/// A command of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Whose command it is, as the page names it.
    pub client: &'static str,
    /// The line to type.
    pub text: String,
}

/// What is pulled.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The registry as commands name it: host, and port unless it is 443.
    pub host: &'t str,
    /// The repository.
    pub repo: &'t RepoName,
    /// Which manifest of it.
    pub reference: &'t Reference,
    /// What it is attached to, if it is.
    pub subject: Option<Digest>,
}

impl Target<'_> {
    /// The commands for something of this kind, the usual one first; none for what nobody pulls by hand.
    pub fn commands(&self, kind: Kind, format: Option<&str>) -> Vec<Command> {
        let reference = self.name(self.reference);
        let version = match self.reference {
            // Helm writes a version's `+` as `_`, which tags may contain.
            Reference::Tag(tag) => tag.as_str().replace('_', "+"),
            Reference::Digest(_) => String::new(),
        };
        let command = |client, text: String| Command { client, text };
        let all = |client, text: String| vec![command(client, text), command("oras", format!("oras pull {reference}"))];
        match kind.about(format).pull {
            Pull::Docker => vec![
                command("docker", format!("docker pull {reference}")),
                command("podman", format!("podman pull {reference}")),
                command("nerdctl", format!("nerdctl pull {reference}")),
                command("crictl", format!("crictl pull {reference}")),
                command("ctr", format!("ctr images pull {reference}")),
                command("skopeo", self.skopeo("copy")),
            ],
            Pull::DockerApp => vec![
                command("docker app", format!("docker app pull {reference}")),
                command("cnab-to-oci", format!("cnab-to-oci pull {reference}")),
                command("porter", format!("porter inspect --reference {reference}")),
                command("skopeo", self.skopeo("copy --all")),
            ],
            Pull::Cnab => vec![
                command("porter", format!("porter inspect --reference {reference}")),
                command("cnab-to-oci", format!("cnab-to-oci pull {reference}")),
                command("skopeo", self.skopeo("copy --all")),
            ],
            Pull::Compose => all("docker compose", format!("docker compose -f oci://{reference} config")),
            Pull::DockerPlugin => vec![command("docker", format!("docker plugin install {reference}"))],
            Pull::Helm if version.is_empty() => all("helm", format!("helm pull oci://{reference}")),
            Pull::Helm => all("helm", format!("helm pull oci://{}/{} --version {version}", self.host, self.repo)),
            Pull::HelmPlugin => all("helm", format!("helm plugin install oci://{reference}")),
            Pull::Flux => all("flux", format!("flux pull artifact oci://{reference} --output .")),
            Pull::Wasm => all("wkg", format!("wkg oci pull {reference}")),
            Pull::Spin => vec![command("spin", format!("spin registry pull {reference}"))],
            Pull::Cosign => match (self.subject_name(), kind) {
                (Some(subject), Kind::Signature) => all("cosign", format!("cosign download signature {subject}")),
                (Some(subject), Kind::Attestation) => all("cosign", format!("cosign download attestation {subject}")),
                (Some(subject), Kind::Sbom) => all("cosign", format!("cosign download sbom {subject}")),
                _ => vec![command("oras", format!("oras pull {reference}"))],
            },
            Pull::Notation => match self.subject_name() {
                Some(subject) => all("notation", format!("notation inspect {subject}")),
                None => vec![command("oras", format!("oras pull {reference}"))],
            },
            Pull::Singularity => vec![
                command("singularity", format!("singularity pull oras://{reference}")),
                command("apptainer", format!("apptainer pull oras://{reference}")),
            ],
            Pull::DockerModel => all("docker model", format!("docker model pull {reference}")),
            Pull::Ollama => all("ollama", format!("ollama pull {reference}")),
            Pull::Kit => all("kit", format!("kit pull {reference}")),
            Pull::Zarf => all("zarf", format!("zarf package pull oci://{reference}")),
            Pull::Oras => vec![command("oras", format!("oras pull {reference}"))],
            Pull::None => Vec::new(),
        }
    }

    fn name(&self, reference: &Reference) -> String {
        let Self { host, repo, .. } = self;
        match reference {
            Reference::Tag(tag) => format!("{host}/{repo}:{tag}"),
            Reference::Digest(digest) => format!("{host}/{repo}@{digest}"),
        }
    }

    /// What it is attached to: its own word, or the name of its tag.
    fn subject_name(&self) -> Option<String> {
        let by_tag = match self.reference {
            Reference::Tag(tag) => ReferrerTag::of(tag).and_then(|tag| tag.subject),
            Reference::Digest(_) => None,
        };
        self.subject.or(by_tag).map(|subject| self.name(&Reference::Digest(subject)))
    }

    /// skopeo copies into a directory; the repository's own name is as good as any.
    fn skopeo(&self, verb: &str) -> String {
        format!("skopeo {verb} docker://{} dir:{}", self.name(self.reference), self.repo.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(kind: Kind, format: Option<&str>, reference: &str) -> Vec<String> {
        let repo = RepoName::parse("lab/web").unwrap();
        let reference = Reference::parse(reference).unwrap();
        let target = Target { host: "registry.lab", repo: &repo, reference: &reference, subject: None };
        target.commands(kind, format).into_iter().map(|command| command.text).collect()
    }

    #[test]
    fn each_kind_has_its_own_command_first() {
        let tag = format!("sha256-{}.sig", "a".repeat(64));
        let subject = format!("sha256:{}", "a".repeat(64));
        for (kind, format, reference, expected) in [
            (Kind::Application, None, "0.1.0", "docker app pull registry.lab/lab/web:0.1.0".to_owned()),
            (Kind::CnabBundle, None, "1", "porter inspect --reference registry.lab/lab/web:1".to_owned()),
            (Kind::Image, Some("oci"), "1", "docker pull registry.lab/lab/web:1".to_owned()),
            (Kind::MultiArch, None, &subject, format!("docker pull registry.lab/lab/web@{subject}")),
            (Kind::Plugin, None, "1", "docker plugin install registry.lab/lab/web:1".to_owned()),
            (Kind::Chart, None, "1.0_b2", "helm pull oci://registry.lab/lab/web --version 1.0+b2".to_owned()),
            (Kind::Chart, None, &subject, format!("helm pull oci://registry.lab/lab/web@{subject}")),
            (Kind::Wasm, Some("spin"), "1", "spin registry pull registry.lab/lab/web:1".to_owned()),
            (Kind::Signature, None, &tag, format!("cosign download signature registry.lab/lab/web@{subject}")),
            (Kind::Signature, None, "1", "oras pull registry.lab/lab/web:1".to_owned()),
            (Kind::Unknown, None, "1", "oras pull registry.lab/lab/web:1".to_owned()),
        ] {
            assert_eq!(commands(kind, format, reference)[0], expected);
        }
        assert!(commands(Kind::BuildkitCache, None, "1").is_empty(), "nobody pulls a cache by hand");
    }

    #[test]
    fn every_command_says_which() {
        for kind in Kind::ALL {
            for reference in ["1.0", &format!("sha256:{}", "b".repeat(64))] {
                for command in commands(*kind, None, reference) {
                    assert!(command.contains(reference), "{kind}: {command}");
                }
            }
        }
    }
}
