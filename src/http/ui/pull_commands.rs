//! The commands that pull something, by its kind; the most usual one first. Each names a tag or a digest, so that none
//! asks for a `latest` that may not be there.

use crate::oci::kind::Pull;
use crate::oci::{Reference, RepoName};

/// The tools that take something of this kind, each with its command. `host` is the registry as commands name it, with
/// the port unless that is 443. Nothing for what nobody pulls by itself.
pub fn commands(host: &str, repo: &RepoName, reference: &Reference, pull: Pull) -> Vec<(&'static str, String)> {
    let separator = match reference {
        Reference::Tag(_) => ':',
        Reference::Digest(_) => '@',
    };
    let named = format!("{host}/{repo}{separator}{reference}");
    let with = |tool: &'static str, before: &str| (tool, format!("{before}{named}"));
    match pull {
        Pull::Docker => vec![
            with("docker", "docker pull "),
            with("podman", "podman pull "),
            with("nerdctl", "nerdctl pull "),
            with("crictl", "crictl pull "),
            with("ctr", "ctr images pull "),
            ("skopeo", format!("skopeo copy --all docker://{named} oci:{}", repo.name().replace('/', "-"))),
        ],
        Pull::DockerApp => vec![
            with("docker app", "docker app pull "),
            with("cnab-to-oci", "cnab-to-oci pull "),
            with("porter", "porter install --reference "),
        ],
        Pull::Cnab => {
            vec![with("cnab-to-oci", "cnab-to-oci pull "), with("porter", "porter install --reference ")]
        }
        Pull::Compose => vec![("docker compose", format!("docker compose -f oci://{named} up"))],
        Pull::DockerPlugin => vec![with("docker", "docker plugin install ")],
        Pull::Helm => vec![("helm", helm(host, repo, reference)), with("oras", "oras pull ")],
        Pull::HelmPlugin => vec![with("helm", "helm plugin install oci://")],
        Pull::Flux => {
            vec![("flux", format!("flux pull artifact oci://{named} --output .")), with("oras", "oras pull ")]
        }
        Pull::Wasm => vec![with("wkg", "wkg oci pull "), with("oras", "oras pull ")],
        Pull::Spin => vec![with("spin", "spin registry pull ")],
        Pull::Singularity => {
            vec![with("apptainer", "apptainer pull oras://"), with("singularity", "singularity pull oras://")]
        }
        Pull::DockerModel => vec![with("docker", "docker model pull ")],
        Pull::Ollama => vec![with("ollama", "ollama pull ")],
        Pull::Kit => vec![with("kit", "kit pull ")],
        Pull::Zarf => vec![with("zarf", "zarf package pull oci://")],
        // cosign and notation take the image's name and find what is attached to it by themselves.
        Pull::Cosign | Pull::Notation | Pull::Oras => vec![with("oras", "oras pull ")],
        Pull::None => Vec::new(),
    }
}

/// Helm takes a chart's version for its tag, in which `+` stands as `_` (a tag has no `+`).
fn helm(host: &str, repo: &RepoName, reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => format!("helm pull oci://{host}/{repo} --version {}", tag.as_str().replace('_', "+")),
        Reference::Digest(digest) => format!("helm pull oci://{host}/{repo}@{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::kind::Kind;

    #[test]
    fn every_command_names_what_it_pulls() {
        let repo = RepoName::parse("admin/lab-words").unwrap();
        let digest = format!("sha256:{}", "a".repeat(64));
        for reference in ["0.1.0", &digest] {
            let reference = Reference::parse(reference).unwrap();
            for kind in Kind::ALL {
                for (tool, command) in commands("registry.lab:8443", &repo, &reference, kind.about(None).pull) {
                    assert!(command.starts_with(tool.split(' ').next().unwrap()), "{tool}: {command}");
                    assert!(command.contains("registry.lab:8443/admin/lab-words"), "{command}");
                    assert!(command.contains(&reference.to_string()), "{command}");
                }
            }
        }
    }

    #[test]
    fn the_first_command_is_the_kinds_own() {
        let repo = RepoName::parse("a").unwrap();
        let first = |tag: &str, pull| {
            let reference = Reference::parse(tag).unwrap();
            commands("registry.lab", &repo, &reference, pull).into_iter().next().map(|(_, command)| command)
        };
        for (pull, command) in [
            (Pull::Docker, "docker pull registry.lab/a:1_2"),
            (Pull::DockerApp, "docker app pull registry.lab/a:1_2"),
            (Pull::Cnab, "cnab-to-oci pull registry.lab/a:1_2"),
            (Pull::Compose, "docker compose -f oci://registry.lab/a:1_2 up"),
            (Pull::DockerPlugin, "docker plugin install registry.lab/a:1_2"),
            (Pull::Helm, "helm pull oci://registry.lab/a --version 1+2"),
            (Pull::Oras, "oras pull registry.lab/a:1_2"),
        ] {
            assert_eq!(first("1_2", pull).as_deref(), Some(command));
        }
        assert_eq!(first("1", Pull::None), None);
    }
}
