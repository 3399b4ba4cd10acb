//! `msr-lite serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use toml::Value;

use super::config::FlagValue;
use super::{CliError, Context, Exit, logging};
use crate::serve;

/// Flags that set the registry's names; `init` takes them too.
#[derive(Clone, Debug, Default, Args)]
pub struct NameArgs {
    /// The registry's full name [default: guessed from the system]
    #[arg(long, value_name = "NAME")]
    pub fqdn: Option<String>,
    /// Another name or address for the certificate, such as a NAT or floating address; may be repeated
    #[arg(long, value_name = "NAME|IP")]
    pub san: Vec<String>,
    /// Read the first password of `admin` from this file instead of making one up (first start only)
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: Option<PathBuf>,
}

impl NameArgs {
    /// The flags that were given, as settings.
    pub fn values(&self) -> Vec<FlagValue> {
        let mut values = Vec::new();
        if let Some(fqdn) = &self.fqdn {
            values.push(("fqdn", "--fqdn", Value::String(fqdn.clone())));
        }
        if !self.san.is_empty() {
            values.push(("san", "--san", list(&self.san)));
        }
        values
    }
}

/// `msr-lite serve …`
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// Serve the registry over TLS here; may be repeated [default: port 443 where it may, else 8443]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = socket_address)]
    pub listen: Vec<SocketAddr>,
    /// Serve the full API in clear here, for a reverse proxy on this machine; may be repeated [default: off]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = socket_address)]
    pub http: Vec<SocketAddr>,
    /// Serve only the CA certificate, the trust scripts and a redirect here, in clear [default: off]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = socket_address)]
    pub trust_http: Option<SocketAddr>,
    /// The names.
    #[command(flatten)]
    pub names: NameArgs,
}

impl ServeArgs {
    /// The flags that were given, as settings.
    pub fn values(&self) -> Vec<FlagValue> {
        let mut values = self.names.values();
        if !self.listen.is_empty() {
            values.push(("listen", "--listen", list(&self.listen)));
        }
        if !self.http.is_empty() {
            values.push(("http", "--http", list(&self.http)));
        }
        if let Some(address) = self.trust_http {
            values.push(("trust_http", "--trust-http", Value::String(address.to_string())));
        }
        values
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an address and a port, such as 0.0.0.0:8443, 127.0.0.1:8443 or '[::]:8443'; names do not do".to_owned()
    })
}

fn list(items: &[impl ToString]) -> Value {
    Value::Array(items.iter().map(|item| Value::String(item.to_string())).collect())
}

/// The words after `--help`.
pub const AFTER_HELP: &str = "\
On an empty data directory `serve` first makes what a registry needs: a certificate authority, a certificate for \
every name and address of this machine, and the account `admin` with a password that nobody else knows. Then it \
prints the commands that make docker and podman trust it, sign in, push and pull.

Examples:
  msr-lite serve --data-dir ./data --listen 0.0.0.0:8443
  msr-lite serve --fqdn registry.lab --san 192.0.2.10
  msr-lite serve --http 127.0.0.1:5000      # behind a reverse proxy; set external_url too";

/// Runs the verb.
///
/// # Errors
/// When the settings or the data directory do not do, or the server cannot start.
pub fn run(context: &Context, args: &ServeArgs) -> Result<Exit, CliError> {
    let loaded = context.config()?;
    let _log = logging::set_up(&loaded.config.log, loaded.config.log_format)?;
    let options = context.serve_options(args.names.admin_password_file.clone())?;
    super::allocator::keep_freed_buffers();
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(serve::run(options, context.program()))?;
    Ok(Exit::Done)
}

/// Lets the process have as many files open as it may give itself. The limit that shells and systemd set by default (1,024)
/// is for programs that use `select`; connections and uploads take one each.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, now = limit.current, "the limit of open files stays as it is");
    }
}

impl From<serve::ServeError> for CliError {
    fn from(error: serve::ServeError) -> Self {
        match error {
            serve::ServeError::WrongInstance { .. } => Self::setup(error),
            serve::ServeError::InUse { .. } | serve::ServeError::Failed(_) => Self::failed(error),
        }
    }
}
