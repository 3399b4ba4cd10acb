//! How clients learn to trust us, for the pages: one entry for each kind of client.

use super::Visit;
use crate::pki::Pki;
use crate::pki::trust::{self, OneLiner, RegistryHost, ScriptInputs, SnippetClient};

/// What one kind of client needs.
#[derive(Debug)]
pub(super) struct ClientTrust {
    pub(super) client: &'static str,
    pub(super) note: &'static str,
    /// A command, or a file's content.
    pub(super) text: String,
}

/// The registry as the reader's commands should name it: as the browser does, if our certificate covers that; else by
/// our full name. None when there is no name that a client can dial.
pub(super) fn registry(visit: &Visit<'_>) -> Option<RegistryHost> {
    let used = visit.ctx.authority.parse::<RegistryHost>().ok();
    used.filter(|host| visit.app.pki.covers(&host.host()))
        .or_else(|| RegistryHost::new(&visit.app.pki.fqdn(), visit.app.tls_port).ok())
}

/// All of them, the most usual first.
pub(super) fn clients(pki: &Pki, host: &RegistryHost) -> Vec<ClientTrust> {
    let (ca_pem, sha256) = (pki.ca_pem(), pki.ca_pem_sha256());
    let inputs = ScriptInputs { ca_pem: &ca_pem, sha256: &sha256, authority: host };
    let line = |line: OneLiner| ClientTrust { client: line.client, note: line.note, text: line.command };
    let snippet = |client, words, note| ClientTrust {
        client: words,
        note,
        text: format!("# {}\n{}", trust::fetch_ca(&inputs), trust::snippet(client, host)),
    };
    let mut all: Vec<_> = trust::one_liners(&inputs).into_iter().map(line).collect();
    all.extend([
        snippet(SnippetClient::Containerd, "containerd, nerdctl, Kubernetes nodes", "no restart"),
        snippet(SnippetClient::K3s, "k3s, RKE2", "on each node, then restart the service"),
        snippet(SnippetClient::Buildkit, "docker buildx, BuildKit", "builders that exist must be made anew"),
    ]);
    all.extend(trust::system_stores(&inputs).into_iter().map(line));
    all
}
