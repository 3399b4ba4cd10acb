//! A registry of our own for one test: the built binary over a temporary data directory.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{Run, Service, word, words};

/// The name that the server's certificate carries in every test.
pub(crate) const NAME: &str = "registry.lab";

/// The account of the first start.
pub(crate) const ADMIN: &str = "admin";

/// How to start a server.
pub(crate) struct Options {
    /// Where it listens and where the test reaches it, e.g. `127.0.0.1:5443`.
    pub(crate) listen: String,
    /// Words before the binary's, e.g. `nsenter --net=…`, for the server and for every command that concerns it.
    pub(crate) wrapper: Vec<String>,
    /// More words for `serve`.
    pub(crate) args: Vec<String>,
    /// The configuration file's text; `None` for none.
    pub(crate) config: Option<String>,
}

impl Options {
    /// A server on this address, with the defaults of a fresh installation.
    pub(crate) fn at(listen: &str) -> Self {
        Self { listen: listen.to_owned(), wrapper: Vec::new(), args: Vec::new(), config: None }
    }

    /// A server on a loopback port that was free a moment ago: no laboratory, no root. Enough for everything but
    /// docker's engine, which verifies no certificate there.
    pub(crate) fn local() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self::at(&free.expect("a free loopback port").to_string())
    }

    /// The same with more words for `serve`.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(words(args));
        self
    }

    /// The same with a configuration file.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }
}

/// A running server. Dropped: SIGTERM, then the data goes.
pub(crate) struct Server {
    options: Options,
    service: Service,
    password: String,
    // Last, so that the server has ended when the directory goes.
    dir: TempDir,
}

impl Server {
    /// Initialises a data directory, starts the server on it and waits until it answers.
    #[track_caller]
    pub(crate) fn start(options: Options) -> Self {
        // The process's number lets `Lab::new` sweep up after one that was killed.
        let prefix = format!("msr-lite-{}-server-", std::process::id());
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary directory");
        let password = random_word();
        fs::write(dir.path().join("password"), &password).expect("a file of our own");
        if let Some(text) = &options.config {
            fs::write(dir.path().join("config.toml"), text).expect("a file of our own");
        }
        let service = serve(&options, dir.path());
        let mut server = Self { options, service, password, dir };
        server.await_ready();
        server
    }

    /// The CA certificate, PEM.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data().join("pki/ca.crt")
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A directory beside the data for what a test makes.
    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The password of [`ADMIN`].
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Everything that the server has said, over all its starts.
    pub(crate) fn log(&self) -> String {
        self.service.log()
    }

    /// Waits for a line of the log behind its first `from` bytes; `None` when it does not come in time.
    pub(crate) fn await_log(&self, from: usize, patience: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(line) = self.log()[from..].lines().find(|line| wanted(line)) {
                return Some(line.to_owned());
            }
            if Instant::now() > deadline {
                return None;
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.service.kill();
    }

    /// SIGTERM; the server must end by itself within this time.
    #[track_caller]
    pub(crate) fn terminate(&mut self, patience: Duration) {
        assert!(self.service.terminate(patience), "SIGTERM did not end the server:\n{}", self.log());
    }

    /// Starts it again on the same data, after [`Server::kill`] or [`Server::terminate`].
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.service = serve(&self.options, self.dir.path());
        self.await_ready();
    }

    /// Runs a verb of the same binary against this data directory.
    pub(crate) fn cli(&self, args: &[&str]) -> Run {
        let mut command = self.options.wrapper.clone();
        command.push(binary());
        command.extend(words(args));
        command.extend(["--data-dir".to_owned(), word(&self.data())]);
        Run::of(&command)
    }

    /// A request by name, over TLS that is verified, to this server wherever the test stands.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        let port = self.port();
        let host = self.options.listen.strip_suffix(&format!(":{port}")).unwrap_or(NAME);
        let mut words = self.options.wrapper.clone();
        words.extend(super::process::words(&["curl", "--silent", "--show-error", "--include", "--http1.1"]));
        words.extend(["--cacert".to_owned(), word(&self.ca())]);
        words.extend(["--resolve".to_owned(), format!("{NAME}:{port}:{host}")]);
        match method {
            // `--request HEAD` would wait for a body.
            "HEAD" => words.push("--head".to_owned()),
            _ => words.extend(["--request".to_owned(), method.to_owned()]),
        }
        let url = if path.starts_with("https://") { path.to_owned() } else { format!("https://{NAME}:{port}{path}") };
        Request { words, url }
    }

    /// The same, signed in as the administrator.
    pub(crate) fn signed_in(&self, method: &str, path: &str) -> Request {
        self.request(method, path).option("--user", &format!("{ADMIN}:{}", self.password))
    }

    fn port(&self) -> &str {
        self.options.listen.rsplit_once(':').map_or("443", |(_, port)| port)
    }

    #[track_caller]
    fn await_ready(&mut self) {
        let probe = self.request("GET", "/v2/");
        let ca = self.ca();
        self.service.until("it answered /v2/", || {
            ca.exists() && matches!(probe.clone().try_send(), Ok(Answer { status: 200 | 401, .. }))
        });
    }
}

/// One request, by curl: what the wire says, without a client of our own between.
#[derive(Clone)]
pub(crate) struct Request {
    words: Vec<String>,
    url: String,
}

impl Request {
    /// Adds an option of curl with its value.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.words.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Adds a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.option("--header", &format!("{name}: {value}"))
    }

    /// Sends a file as the body, as it is.
    pub(crate) fn body(self, file: &Path) -> Self {
        // Without the header curl would announce a form; with an empty Expect it does not wait for a 100.
        self.header("Content-Type", "application/octet-stream")
            .header("Expect", "")
            .option("--data-binary", &format!("@{}", word(file)))
    }

    /// The command line, for a request that is to be cut off.
    pub(crate) fn command(mut self) -> Vec<String> {
        self.words.push(self.url);
        self.words
    }

    /// Sends it.
    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        self.try_send().unwrap_or_else(|problem| panic!("no answer:\n{problem}"))
    }

    /// Sends it and writes the answer, head and body, into a file; the transfer must be whole.
    #[track_caller]
    pub(crate) fn send_to_file(self, file: &Path) {
        Run::of(&self.option("--output", &word(file)).command()).ok();
    }

    fn try_send(self) -> Result<Answer, String> {
        let run = Run::of(&self.command());
        if run.success { Answer::parse(&run.stdout).ok_or_else(|| run.transcript()) } else { Err(run.transcript()) }
    }
}

/// An answer to a [`Request`].
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The first header of this name, in whatever case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status must be this one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        loop {
            let (head, body) = rest.split_once("\r\n\r\n")?;
            let mut lines = head.lines();
            let status = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
            // Interim answers and a proxy's tunnel come before the answer.
            if (100..200).contains(&status) {
                rest = body;
                continue;
            }
            let headers = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect();
            return Some(Self { status, headers, body: body.to_owned() });
        }
    }
}

/// The binary under test: the one that this build made, or another one, e.g. of `make dist`, by `MSR_LITE_TEST_BINARY`.
pub(crate) fn binary() -> String {
    std::env::var("MSR_LITE_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_msr-lite").to_owned())
}

fn serve(options: &Options, dir: &Path) -> Service {
    let mut command = options.wrapper.clone();
    command.extend([binary(), "serve".to_owned()]);
    command.extend(["--data-dir".to_owned(), word(&dir.join("data"))]);
    command.extend(["--listen".to_owned(), options.listen.clone()]);
    command.extend(["--fqdn".to_owned(), NAME.to_owned()]);
    command.extend(["--admin-password-file".to_owned(), word(&dir.join("password"))]);
    if options.config.is_some() {
        command.extend(["--config".to_owned(), word(&dir.join("config.toml"))]);
    }
    command.extend(options.args.iter().cloned());
    Service::start("msr-lite", &command, &dir.join("log"))
}

/// A word that nobody guesses, for one test.
pub(crate) fn random_word() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the system's random source");
    hex::encode(bytes)
}
