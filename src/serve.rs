//! Floor 5: the composition root, readable top to bottom.

pub mod admin;
mod administration;
pub mod banner;
mod first_start;
mod service_manager;
mod sockets;
mod tickets;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use admin::AdminRequest;
use banner::{Banner, TrustCommand};

use crate::access::{ADMIN, Access, AccessSettings};
use crate::base::{Clock, Config, Timestamp};
use crate::blobs::{BlobError, BlobOptions, Blobs};
use crate::http::listen::{Kind, Listener};
use crate::http::request::Front;
use crate::http::service::Shell;
use crate::http::{App, Metrics, listen};
use crate::jobs::Runner;
use crate::meta::{Engine, EngineOptions, MetaError, Mode, lease, migrate};
use crate::oci::manifest::ManifestLimits;
use crate::ops::handshakes::Handshakes;
use crate::pki::trust::{self, RegistryHost, TrustMaterial};
use crate::pki::{NameSettings, Pki, SubjectName};
use crate::registry::audit::Keep;
use crate::registry::{self, Registry, RegistryError};
use crate::space::{Space, SpaceOptions};

/// The store's file in the data directory: where it is, a registry is.
pub const STORE: &str = "metadata.redb";

/// The file in the data directory that holds the first password of `admin` until it is changed.
pub const INITIAL_PASSWORD: &str = "initial-admin-password";

/// Trust commands that the banner shows; `msr-lite trust show` has all.
const BANNER_COMMANDS: usize = 3;

/// How often, and at what distance, a store is asked for that another process has open.
const IN_USE_PATIENCE: u32 = 50;
const IN_USE_PAUSE: Duration = Duration::from_millis(100);

/// What the command line has settled before anything is opened.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Every setting, merged and checked.
    pub config: Config,
    /// The data directory: absolute; it exists and is a directory (mode 0700 when it was made by us).
    pub data_dir: PathBuf,
    /// A file with the first password of `admin`, read only when the directory is initialised.
    pub admin_password_file: Option<PathBuf>,
    /// The instance id that `/etc/msr-lite/instance` promises for this directory. A store with another id is not
    /// served: [`ServeError::WrongInstance`].
    pub instance: Option<String>,
}

/// Where tests reach in: the time, and how strictly the metadata engine treats its closures.
#[derive(Clone, Debug)]
pub struct Seams {
    /// The clock.
    pub clock: Clock,
    /// The engine's mode.
    pub engine: Mode,
}

impl Default for Seams {
    /// The system's clock. `MSR_LITE_TEST_ENGINE=strict` runs the binary on the strict engine, for the conformance
    /// suite; it is slow, and no setting of a registry.
    fn default() -> Self {
        let strict = std::env::var("MSR_LITE_TEST_ENGINE").is_ok_and(|mode| mode == "strict");
        Self { clock: Clock::system(), engine: if strict { Mode::Strict } else { Mode::Normal } }
    }
}

/// Why the server did not start or had to stop, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store in the data directory is not the one that this machine was set up with.
    #[error(
        "{data_dir} holds the registry {found}, but this machine was set up with {expected}: mount the right data, or \
         remove /etc/msr-lite/instance if the change is meant"
    )]
    WrongInstance {
        /// The data directory.
        data_dir: String,
        /// The id found there.
        found: String,
        /// The id promised.
        expected: String,
    },
    /// Another process has the store open: a server, or a command that is about to end.
    #[error(
        "another msr-lite has {data_dir} open. If it is a server, ask it with: msr-lite status --data-dir {data_dir}"
    )]
    InUse {
        /// The data directory.
        data_dir: String,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl ServeError {
    /// From any error, by its words.
    fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What an initialised data directory is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The instance id: random, made once, the audience of every token.
    pub instance: String,
    /// Whether this call made it.
    pub fresh: bool,
    /// Where the generated first password of `admin` stands, while it does.
    pub password_file: Option<PathBuf>,
}

/// Makes what is missing in the data directory (store, CA, certificate, the account `admin`) and opens no socket.
/// Calling it again changes nothing. `serve` begins with it, and `msr-lite init` is nothing else.
///
/// # Errors
/// [`ServeError`] in words.
pub fn initialise(options: &ServeOptions) -> Result<Initialised, ServeError> {
    let house = House::open(options, &Seams::default())?;
    let made = Initialised {
        instance: house.access.instance().to_owned(),
        fresh: house.fresh,
        password_file: first_start::password_file(&options.data_dir),
    };
    house.close();
    Ok(made)
}

/// The registry of a data directory on which no server runs, for verbs that open the store. It makes no keys and no
/// accounts, so that root may use it on a directory that belongs to the service's user.
pub struct Stopped {
    meta: Engine,
    registry: Registry,
}

impl Stopped {
    /// Opens it. Blocks.
    ///
    /// # Errors
    /// [`ServeError`] in words, also when a server does run.
    pub fn open(config: &Config, data_dir: &Path) -> Result<Self, ServeError> {
        let Seams { clock, engine } = Seams::default();
        let space = Space::open(data_dir, space_options(config), clock.clone());
        let meta = open_store(config, data_dir, engine, space.clone(), &clock)?;
        let registry = open_registry(&meta, config, data_dir, space, &clock)?;
        Ok(Self { meta, registry })
    }

    /// Accounts and rights over the same store. Blocks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn access(&self, config: &Config) -> Result<Access, ServeError> {
        let settings = AccessSettings { anonymous: config.anonymous, ..AccessSettings::default() };
        Access::open(self.meta.clone(), self.registry.clock().clone(), settings).map_err(ServeError::of)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Remembers the time and closes the store. Blocks.
    pub fn close(self) {
        let Self { meta, registry } = self;
        let clock = registry.clock().clone();
        drop(registry);
        close_store(meta, &clock);
    }
}

/// Everything that stands behind the sockets.
struct House {
    meta: Engine,
    pki: Pki,
    access: Access,
    registry: Registry,
    clock: Clock,
    config: Arc<Config>,
    data_dir: PathBuf,
    fresh: bool,
}

impl House {
    /// Opens the house from the ground up. Blocks; not for a thread that drives async tasks.
    fn open(options: &ServeOptions, seams: &Seams) -> Result<Self, ServeError> {
        let ServeOptions { config, data_dir, .. } = options;
        let clock = seams.clock.clone();
        let config = Arc::new(config.clone());

        let fresh = !data_dir.join(STORE).exists();
        if let Some(file) = options.admin_password_file.as_deref().filter(|_| fresh) {
            first_start::given_password(file)?;
        } else if options.admin_password_file.is_some() {
            tracing::warn!("--admin-password-file is for the first start; the password of admin stays as it is");
        }
        let space = Space::open(data_dir, space_options(&config), clock.clone());
        let meta = open_store(&config, data_dir, seams.engine, space.clone(), &clock)?;

        let settings = AccessSettings { anonymous: config.anonymous, ..AccessSettings::default() };
        let access = Access::open(meta.clone(), clock.clone(), settings).map_err(ServeError::of)?;
        check_instance(options, access.instance())?;
        let pki = Pki::open(data_dir, name_settings(&config)?, clock.clone()).map_err(ServeError::of)?;
        first_start::create_admin(&access, data_dir, options.admin_password_file.as_deref())?;

        let registry = open_registry(&meta, &config, data_dir, space, &clock)?;
        let keep = Keep { time: config.audit.time(), events: config.audit.events() };
        registry.set_up_audit(keep, access.refusals().clone());
        Ok(Self { meta, pki, access, registry, clock, config, data_dir: data_dir.clone(), fresh })
    }

    /// Remembers the time and closes the store. Blocks.
    fn close(self) {
        let Self { meta, pki, access, registry, clock, .. } = self;
        drop((pki, access, registry));
        close_store(meta, &clock);
    }
}

/// Opens the store. A command that has it open (`init`, `user reset-password`), or a server that is just stopping, is
/// waited for; a server that answers on its administration socket is not.
fn open_engine(data_dir: &Path, options: &EngineOptions) -> Result<Engine, ServeError> {
    let store = data_dir.join(STORE);
    for patience in (0..IN_USE_PATIENCE).rev() {
        match Engine::open(&store, options.clone()) {
            Err(MetaError::InUse)
                if patience > 0 && !matches!(admin::ask(data_dir, &AdminRequest::Status), Ok(Some(_))) =>
            {
                std::thread::sleep(IN_USE_PAUSE);
            }
            Err(MetaError::InUse) => break,
            opened => return opened.map_err(|error| ServeError::Failed(format!("{}: {error}", store.display()))),
        }
    }
    Err(ServeError::InUse { data_dir: data_dir.display().to_string() })
}

/// Opens the store and takes up its schema and its time.
fn open_store(config: &Config, data_dir: &Path, mode: Mode, space: Space, clock: &Clock) -> Result<Engine, ServeError> {
    let options = EngineOptions { cache: config.metadata_cache_mib << 20, mode, space, ..Default::default() };
    let meta = open_engine(data_dir, &options)?;
    migrate::migrate(&meta).map_err(ServeError::of)?;
    clock.resume_steady(meta.read(lease::remembered_steady).map_err(ServeError::of)?);
    Ok(meta)
}

fn open_registry(
    meta: &Engine,
    config: &Config,
    data_dir: &Path,
    space: Space,
    clock: &Clock,
) -> Result<Registry, ServeError> {
    let blobs = open_blobs(meta, config, data_dir, space, clock)?;
    let settings = registry::Settings {
        accept_incomplete: config.accept_incomplete,
        create_on_push: config.create_on_push,
        lease: config.gc.lease(),
        untagged: config.gc.untagged(),
        collect_every: config.gc.every(),
        manifest: ManifestLimits { references: config.limits.manifest_references, depth: config.limits.json_depth },
    };
    Ok(Registry::new(meta.clone(), blobs, clock.clone(), settings))
}

/// Remembers the time and closes the store. Blocks.
fn close_store(meta: Engine, clock: &Clock) {
    let steady = clock.steady();
    let remembered = meta.write_blocking(move |tx| {
        lease::remember_steady(tx, steady);
        Ok::<_, MetaError>(())
    });
    if let Err(error) = remembered {
        tracing::warn!(%error, "the time that has passed could not be remembered; leases will last longer");
    }
    meta.close();
}

fn check_instance(options: &ServeOptions, found: &str) -> Result<(), ServeError> {
    match &options.instance {
        Some(expected) if expected != found => Err(ServeError::WrongInstance {
            data_dir: options.data_dir.display().to_string(),
            found: found.to_owned(),
            expected: expected.clone(),
        }),
        _ => Ok(()),
    }
}

/// What decides the certificate's names, from the settings.
///
/// # Errors
/// When `san` has something that is neither name nor address.
pub(crate) fn name_settings(config: &Config) -> Result<NameSettings, ServeError> {
    let extra = config.san.iter().map(|name| name.parse::<SubjectName>()).collect::<Result<_, _>>();
    let extra = extra.map_err(|error| ServeError::Failed(format!("san: {error}")))?;
    Ok(NameSettings { fqdn: config.fqdn.clone(), extra })
}

fn space_options(config: &Config) -> SpaceOptions {
    let reserve = config.storage.reserve_mib;
    SpaceOptions { reserve: (reserve > 0).then_some(reserve << 20), ballast: config.storage.ballast_mib << 20 }
}

fn open_blobs(
    meta: &Engine,
    config: &Config,
    data_dir: &Path,
    space: Space,
    clock: &Clock,
) -> Result<Blobs, ServeError> {
    let options = BlobOptions {
        session_ttl: Duration::from_secs(config.uploads.expire_hours * 3600),
        max_blob: config.limits.blob_bytes,
    };
    let named = |file| {
        meta.read(|tx| registry::uploads::is_named(tx, file))
            .map_err(|error: RegistryError| BlobError::Io(error.to_string()))
    };
    Blobs::open_within(data_dir, space, options, clock.clone(), named).map_err(ServeError::of)
}

/// A registry that serves.
pub struct Server {
    house: House,
    app: Arc<App>,
    runner: Runner,
    addresses: Vec<(SocketAddr, Kind)>,
    notices: Vec<String>,
    url: String,
    started: Timestamp,
    stopping: watch::Sender<bool>,
    wire: JoinHandle<()>,
    background: Vec<JoinHandle<()>>,
}

impl Server {
    /// Opens the house, binds its sockets and serves.
    ///
    /// # Errors
    /// [`ServeError`] in words; nothing is half open then.
    pub async fn start(options: ServeOptions, seams: Seams) -> Result<Self, ServeError> {
        let started = seams.clock.now();
        let house =
            tokio::task::spawn_blocking(move || House::open(&options, &seams)).await.map_err(ServeError::of)??;
        let bound = sockets::bind(&house.config)?;
        // Bound before the first request is answered: who sees a ready registry can administer it.
        let administration = admin::bind_admin(&house.data_dir).map_err(ServeError::of)?;
        let addresses: Vec<(SocketAddr, Kind)> = bound.sockets.iter().map(sockets::Bound::address).collect();
        let url = public_url(&house.config, &house.pki, &addresses);

        // What notices clients that refuse our certificate.
        let handshakes = Handshakes::new(house.pki.clone(), house.clock.clone());
        handshakes.load(&house.meta).map_err(ServeError::of)?;
        let metrics = Metrics::new();
        metrics.register(|registry| handshakes.register(registry));
        metrics.register(|registry| house.registry.collector().register(registry));
        metrics.register(|registry| house.registry.space().register(registry));

        // What answers.
        let front = Front::new(&house.config, house.pki.clone()).map_err(ServeError::Failed)?;
        let ready = {
            let meta = house.meta.clone();
            move || meta.read(lease::remembered_steady).map(|_| ()).map_err(|error| error.to_string())
        };
        let password_changed = {
            let data_dir = house.data_dir.clone();
            move |account: &str| {
                if account == ADMIN {
                    first_start::forget_password_file(&data_dir);
                }
            }
        };
        let app = Arc::new(App {
            registry: house.registry.clone(),
            access: house.access.clone(),
            pki: house.pki.clone(),
            config: house.config.clone(),
            clock: house.clock.clone(),
            metrics: metrics.clone(),
            handshakes: handshakes.clone(),
            started,
            data_dir: house.data_dir.clone(),
            tls_port: tls_port(&addresses).unwrap_or(443),
            ready: Box::new(ready),
            survey: tokio::sync::Mutex::default(),
            password_changed: Box::new(password_changed),
        });
        let shell = Shell::new(
            app.clone(),
            front,
            house.pki.server_config(),
            house.config.limits.clone(),
            metrics,
            handshakes.clone(),
            house.clock.clone(),
        );
        let listeners = bound.sockets.into_iter().map(|bound| Listener::from_std(bound.socket, bound.kind));
        let listeners = listeners.collect::<Result<Vec<_>, _>>().map_err(ServeError::of)?;
        let (stopping, _) = watch::channel(false);
        let wire = tokio::spawn(listen::serve(shell, listeners, until(&stopping)));

        // What works in the background.
        let runner = Runner::new(house.registry.clone(), house.pki.clone()).with_access(house.access.clone());
        runner.prepare().await.map_err(ServeError::of)?;
        let memory = house.meta.clone();
        let background = vec![
            tokio::spawn(async move { handshakes.keep(memory).await }),
            tokio::spawn(watch_space(house.registry.space().clone())),
        ];
        let notices = bound.notices;
        let mut server = Self { house, app, runner, addresses, notices, url, started, stopping, wire, background };
        server.administer(administration);
        Ok(server)
    }

    /// The sockets that it listens on, those with TLS first.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|(address, _)| *address).collect()
    }

    /// Sign-in and permissions.
    pub fn access(&self) -> &Access {
        &self.house.access
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.house.registry
    }

    /// The certificates.
    pub fn pki(&self) -> &Pki {
        &self.house.pki
    }

    /// The clients that refused the certificate.
    pub fn handshakes(&self) -> &Handshakes {
        &self.app.handshakes
    }

    /// The job runner. Tests call its `drain`; [`run`] lets it run.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// Lets the jobs run by themselves.
    fn run_jobs(&mut self) {
        let (runner, stop) = (self.runner.clone(), until(&self.stopping));
        self.background.push(tokio::spawn(async move { runner.run(stop).await }));
    }

    /// Answers on the administration socket.
    fn administer(&mut self, socket: tokio::net::UnixListener) {
        let desk = administration::Desk::new(self);
        self.background.push(tokio::spawn(admin::serve_admin(socket, move |request| {
            let desk = desk.clone();
            async move { desk.answer(request).await }
        })));
    }

    /// Takes no new requests, lets those that run end (for `limits.shutdown_seconds` at most), and closes the store.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        let _ = self.wire.await;
        for task in self.background {
            task.abort();
            let _ = task.await;
        }
        if let Err(error) = self.app.handshakes.flush(&self.house.meta).await {
            tracing::warn!(%error, "refused handshakes could not be remembered");
        }
        if let Err(error) = self.house.registry.flush_usage().await {
            tracing::warn!(%error, "the last pulls could not be written down");
        }
        drop((self.app, self.runner));
        let house = self.house;
        let _ = tokio::task::spawn_blocking(move || house.close()).await;
    }

    fn banner(&self, program: String) -> Banner {
        let pki = &self.house.pki;
        Banner {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: self.url.clone(),
            data_dir: self.house.data_dir.clone(),
            ca: (&pki.ca_facts()).into(),
            leaf: (&pki.leaf_facts()).into(),
            trust: trust_commands(pki, &self.url),
            password_file: first_start::password_file(&self.house.data_dir),
            program,
            notices: self.notices.iter().cloned().chain(pki.warnings()).collect(),
        }
    }
}

/// Looks after the disk's room for as long as the server runs.
async fn watch_space(space: Space) {
    loop {
        tokio::time::sleep(space.pause()).await;
        let space = space.clone();
        let _ = tokio::task::spawn_blocking(move || space.settle()).await;
    }
}

/// Ends when the server is told to stop (or is gone).
fn until(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = stopping.subscribe();
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// The port of the first TLS listener.
fn tls_port(addresses: &[(SocketAddr, Kind)]) -> Option<u16> {
    addresses.iter().find(|(_, kind)| *kind == Kind::Tls).map(|(address, _)| address.port())
}

/// The URL that commands are shown with: the reverse proxy's; else our full name on the standard port; else, by hand on
/// another port, the name that was asked for, or `localhost`, which always works where somebody tries this out.
fn public_url(config: &Config, pki: &Pki, addresses: &[(SocketAddr, Kind)]) -> String {
    if let Some(url) = &config.external_url {
        return url.trim_end_matches('/').to_owned();
    }
    let port = tls_port(addresses).unwrap_or(443);
    let host = if config.fqdn.is_some() || port == 443 { pki.fqdn() } else { "localhost".to_owned() };
    format!("https://{}", crate::http::request::authority("https", &host, port))
}

/// The commands that make clients trust us; none when a proxy in front has a certificate of its own.
fn trust_commands(pki: &Pki, url: &str) -> Vec<TrustCommand> {
    let Ok(host) = url.trim_start_matches("https://").parse::<RegistryHost>() else { return Vec::new() };
    if !pki.covers(&host.host()) {
        return Vec::new();
    }
    trust::one_liners(&TrustMaterial::from(pki).inputs(&host))
        .into_iter()
        .take(BANNER_COMMANDS)
        .map(|line| TrustCommand { client: line.client.to_owned(), command: line.command })
        .collect()
}

/// Serves until SIGTERM or SIGINT. In this order: store, keys, accounts, sessions, listeners (passed in by systemd,
/// or bound here: `config.listen`, else 443 where this process may, else 8443 with a notice), the administration
/// socket, jobs, READY=1, the [`banner`] on standard output. SIGHUP looks again at addresses and age of the certificate.
/// Ends when running requests are done or `limits.shutdown_seconds` have passed; a second signal ends it at once.
///
/// `program` is how this program has to be called for this registry, for the commands of the banner.
///
/// # Errors
/// [`ServeError`] in words; nothing is half open then.
pub async fn run(options: ServeOptions, program: String) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::of)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::of)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::of)?;

    let mut server = Server::start(options, Seams::default()).await?;
    server.run_jobs();
    if let Some(watchdog) = service_manager::watchdog(&server) {
        server.background.push(tokio::spawn(watchdog));
    }
    service_manager::ready(&server.url);
    for (address, kind) in &server.addresses {
        tracing::info!(%address, listener = kind.label(), "listening");
    }
    print_banner(&server.banner(program));

    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: looking at this machine's addresses and the certificate's age");
                server.runner.bell().notify_one();
                let pki = server.house.pki.clone();
                let _ = tokio::task::spawn_blocking(move || pki.refresh()).await;
            }
        }
    }
    service_manager::stopping();
    let grace = server.house.config.limits.shutdown_seconds;
    tracing::info!("stopping; running requests get {grace} s, a second signal ends at once");
    tokio::select! {
        () = server.stop() => Ok(()),
        _ = terminate.recv() => Err(ServeError::Failed("ended at once by a second signal".to_owned())),
        _ = interrupt.recv() => Err(ServeError::Failed("ended at once by a second signal".to_owned())),
    }
}

/// Writes the banner; a closed standard output is no reason not to serve.
fn print_banner(banner: &Banner) {
    use std::io::Write as _;
    let _ = std::io::stdout().lock().write_all(banner.text().as_bytes());
}
