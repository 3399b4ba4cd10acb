//! The administration socket: how verbs of the command line reach a running server.
//!
//! `<data-dir>/admin.sock` (0600) takes one request per connection: one line of JSON, answered by one line of JSON.
//! Who connects is told by the kernel (`SO_PEERCRED`), not by the caller: only root and the service's own user are
//! heard. There are no passwords and no network here, so this is also the way back in when every password is lost.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::base::{RepoId, Secret};
use crate::oci::Digest;
use crate::ops::Status;
use crate::ops::accounts::{AccessReply, AccessRequest};
use crate::ops::certificates::{CaRequest, CertReply, CertRequest};
use crate::ops::gc::{GcReply, GcRequest};
use crate::registry::audit::export::{ExportPage, Mark, Wanted};
use crate::registry::kinds::Reindexed;

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Bytes of a request or an answer; a certificate chain with its key is a tenth of this.
const MESSAGE_BYTES: u64 = 1024 * 1024;

/// For a request to arrive, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// For the client: longer than anything the server does on request, of which issuing a certificate is the longest.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);

/// `sun_path` has 108 bytes, one of them the terminating zero (unix(7)).
const SUN_PATH: usize = 107;

/// What a verb asks of the running server. It may hold a key: not for logs, hence no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", content = "what", rename_all = "kebab-case")]
pub enum AdminRequest {
    /// How is the registry? Answered by [`AdminAnswer::Status`].
    Status,
    /// Give this account a new random password. Answered by [`AdminAnswer::Password`].
    ResetPassword {
        /// The account's name.
        account: String,
    },
    /// `msr-lite ca …`. Answered by [`AdminAnswer::Certificate`].
    Ca(CaRequest),
    /// `msr-lite cert …`. Answered by [`AdminAnswer::Certificate`].
    Cert(CertRequest),
    /// `msr-lite gc …`. Answered by [`AdminAnswer::Gc`].
    Gc(GcRequest),
    /// One page of `msr-lite audit export`. Answered by [`AdminAnswer::Events`].
    Events {
        /// What is wanted.
        wanted: Wanted,
        /// Where to go on; `None` to begin.
        mark: Option<Mark>,
    },
    /// Accounts, organizations, teams, rights and tokens. Answered by [`AdminAnswer::Access`].
    Access(Box<AccessRequest>),
    /// Decide again what manifests are, from behind this one on. Answered by [`AdminAnswer::Reindexed`].
    Reindex {
        /// Where to go on; `None` to begin.
        after: Option<(RepoId, Digest)>,
    },
}

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", content = "what", rename_all = "kebab-case")]
pub enum AdminAnswer {
    /// Done; a sentence about what was done.
    Done {
        /// The sentence.
        message: String,
    },
    /// How the registry is.
    Status(Box<Status>),
    /// A new password, shown once.
    Password {
        /// The password.
        #[serde(with = "crate::base::secret::revealed")]
        password: Secret,
    },
    /// What there is to say about the certificates.
    Certificate(Box<CertReply>),
    /// What there is to say about garbage collection.
    Gc(Box<GcReply>),
    /// A page of an export.
    Events(ExportPage),
    /// What there is to say about accounts and rights.
    Access(Box<AccessReply>),
    /// How far indexing has come.
    Reindexed(Reindexed),
    /// It was not done.
    Failed {
        /// Why, and what to do.
        message: String,
    },
}

/// Why the socket could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The system refused something.
    #[error("{what} {path}: {error}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// The socket.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The path is longer than a socket address holds, and `/proc` is not there to shorten it.
    #[error(
        "the path {path} is longer than the {SUN_PATH} bytes that a Unix socket may have, and /proc is not mounted: use a \
         shorter data directory"
    )]
    PathTooLong {
        /// The socket.
        path: String,
    },
    /// Another server answers on the socket.
    #[error("another server already answers on {0}")]
    Taken(String),
    /// What was said makes no sense.
    #[error(
        "the running server said something that this program does not understand ({0}); are their versions the same?"
    )]
    Garbled(String),
    /// The user may not.
    #[error("{0} belongs to the registry's user: run this as root (sudo) or as that user")]
    NotAllowed(String),
}

/// A socket's address that fits: the path itself, or, when that is too long, one through an open directory. The
/// directory must stay open for as long as the address is used.
struct Address {
    path: PathBuf,
    _directory: Option<OwnedFd>,
}

fn address(data_dir: &Path) -> Result<Address, AdminError> {
    let path = data_dir.join(SOCKET);
    if path.as_os_str().len() <= SUN_PATH {
        return Ok(Address { path, _directory: None });
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(data_dir, flags, Mode::empty()).map_err(|error| AdminError::Socket {
        what: "cannot open",
        path: data_dir.display().to_string(),
        error: error.into(),
    })?;
    let link = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    if !link.exists() {
        return Err(AdminError::PathTooLong { path: path.display().to_string() });
    }
    Ok(Address { path: link.join(SOCKET), _directory: Some(directory) })
}

/// Binds the socket. To be called by the process that has the store open: a socket file that nobody answers on is then
/// surely left over from a process that was killed, and is replaced.
///
/// # Errors
/// [`AdminError::Taken`] when somebody answers; otherwise what the system says.
pub fn bind_admin(data_dir: &Path) -> Result<UnixListener, AdminError> {
    let shown = data_dir.join(SOCKET).display().to_string();
    let failed = |what| {
        let path = shown.clone();
        move |error| AdminError::Socket { what, path, error }
    };
    let address = address(data_dir)?;
    match UnixStream::connect(&address.path) {
        Ok(_) => return Err(AdminError::Taken(shown)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(_) => fs::remove_file(&address.path).map_err(failed("cannot remove the left-over socket"))?,
    }
    let listener = UnixListener::bind(&address.path).map_err(failed("cannot bind"))?;
    // Between these two lines the umask decides; it does not matter, because the peer's credentials are asked too.
    fs::set_permissions(&address.path, fs::Permissions::from_mode(0o600)).map_err(failed("cannot set the mode of"))?;
    Ok(listener)
}

/// Answers requests until the task is dropped; each connection on its own, so that a silent one holds nobody up.
pub async fn serve_admin<H, F>(listener: UnixListener, handler: H)
where
    H: Fn(AdminRequest) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = AdminAnswer> + Send,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let handler = handler.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, handler).await {
                        tracing::debug!(%error, "a connection to the administration socket broke off");
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: it passes when others close theirs.
                tracing::warn!(%error, "the administration socket cannot accept a connection");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer<H, F>(stream: tokio::net::UnixStream, handler: H) -> io::Result<()>
where
    H: Fn(AdminRequest) -> F,
    F: Future<Output = AdminAnswer>,
{
    let peer = rustix::net::sockopt::socket_peercred(&stream)?;
    let (read, mut write) = stream.into_split();
    let answer = if is_heard(peer.uid.as_raw(), rustix::process::geteuid().as_raw()) {
        let mut line = String::new();
        let mut reader = tokio::io::BufReader::new(read.take(MESSAGE_BYTES));
        tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
        match serde_json::from_str(&line) {
            Ok(request) => handler(request).await,
            Err(error) => failed(format!("this server does not understand the request ({error})")),
        }
    } else {
        tracing::warn!(uid = peer.uid.as_raw(), "refused a user on the administration socket");
        failed("only root and the registry's own user may use the administration socket".to_owned())
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    tokio::time::timeout(PATIENCE, write.write_all(&line)).await??;
    write.shutdown().await
}

fn failed(message: String) -> AdminAnswer {
    AdminAnswer::Failed { message }
}

/// Root, and the user that the server runs as.
fn is_heard(peer: u32, own: u32) -> bool {
    peer == 0 || peer == own
}

/// Asks the server that runs on this data directory; `None` when none does.
///
/// # Errors
/// When there is a server, but it cannot be asked.
pub fn ask(data_dir: &Path, request: &AdminRequest) -> Result<Option<AdminAnswer>, AdminError> {
    let shown = data_dir.join(SOCKET).display().to_string();
    if !data_dir.exists() {
        return Ok(None);
    }
    let address = address(data_dir)?;
    let stream = match UnixStream::connect(&address.path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(AdminError::NotAllowed(shown)),
        Err(error) => return Err(AdminError::Socket { what: "cannot connect to", path: shown, error }),
    };
    converse(stream, request).map(Some).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => AdminError::Garbled(error.to_string()),
        _ => AdminError::Socket { what: "no answer from", path: shown, error },
    })
}

fn converse<T: DeserializeOwned>(mut stream: UnixStream, request: &AdminRequest) -> io::Result<T> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    match stream.write_all(&line) {
        // A refusal is written before the request is read: its answer is still there to be had.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other?,
    }
    let mut answer = String::new();
    BufReader::new(stream.take(MESSAGE_BYTES)).read_line(&mut answer)?;
    serde_json::from_str(&answer).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
}

/// How a verb reached the registry; each verb says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the socket.
    Server,
    /// By opening the store.
    Store,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "asked the running server",
            Self::Store => "opened the store; no server is running",
        })
    }
}

#[cfg(test)]
mod tests;
