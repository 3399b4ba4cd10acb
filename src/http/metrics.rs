//! What the wire counts, in `OpenMetrics` (names by Prometheus's conventions: base units, `_total`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Seconds; a ping takes microseconds, a large layer minutes.
const DURATIONS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Every label comes from a closed set of ours: nothing that a client writes makes a new time series.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    operation: &'static str,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Listener {
    listener: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// The registry's metrics. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    durations: Family<Operation, Histogram, fn() -> Histogram>,
    sent: Counter,
    open: Family<Listener, Gauge>,
    turned_away: Family<Reason, Counter>,
    handshakes: Family<Outcome, Counter>,
    totals: Totals,
}

/// What [`Metrics::status`] tells, over all listeners.
#[derive(Debug, Default)]
struct Totals {
    open: AtomicU64,
    accepted: AtomicU64,
    turned_away: AtomicU64,
    requests: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of the wire's metrics, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("msrlite");
        let inner = Inner {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            sent: Counter::default(),
            open: Family::default(),
            turned_away: Family::default(),
            handshakes: Family::default(),
            registry: Mutex::default(),
            totals: Totals::default(),
        };
        registry.register("build", "This build", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("http_requests", "Answered requests", inner.requests.clone());
        let help = "Time from a request's head to the end of its answer, in seconds";
        registry.register("http_request_duration_seconds", help, inner.durations.clone());
        registry.register("http_response_bytes", "Bytes of answers' bodies", inner.sent.clone());
        registry.register("connections", "Open connections", inner.open.clone());
        let help = "Connections closed at once because a limit was reached";
        registry.register("connections_refused", help, inner.turned_away.clone());
        registry.register("tls_handshakes", "TLS handshakes by how they ended", inner.handshakes.clone());
        *inner.registry.lock() = registry;
        Self(Arc::new(inner))
    }

    /// Lets another module register what it counts; names get the prefix `msrlite_`.
    pub fn register(&self, with: impl FnOnce(&mut Registry)) {
        with(&mut self.0.registry.lock());
    }

    /// Everything as `OpenMetrics` text (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.0.registry.lock());
        text
    }

    /// Connections and requests as nginx's stub of a status page writes them, which is what MSR shows. How many of the
    /// connections read, write and wait is not known here, and not told.
    pub fn status(&self) -> String {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let Totals { open, accepted, turned_away, requests } = &self.0.totals;
        // In this order, for each open one was accepted before.
        let open = of(open);
        let (handled, requests) = (of(accepted), of(requests));
        let accepts = handled + of(turned_away);
        format!("Active connections: {open} \nserver accepts handled requests\n {accepts} {handled} {requests} \n")
    }

    /// A request has been answered, to the last byte or as far as it came.
    pub fn request(&self, operation: &'static str, code: u16, took: Duration, sent: u64) {
        self.0.requests.get_or_create(&Request { operation, code }).inc();
        self.0.durations.get_or_create(&Operation { operation }).observe(took.as_secs_f64());
        self.0.sent.inc_by(sent);
        self.0.totals.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is open until the returned value is dropped.
    pub fn connection(&self, listener: &'static str) -> OpenConnection {
        let gauge = self.0.open.get_or_create_owned(&Listener { listener });
        gauge.inc();
        self.0.totals.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.totals.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection { gauge, of: self.0.clone() }
    }

    /// A connection was closed at once.
    pub fn turned_away(&self, reason: &'static str) {
        self.0.totals.turned_away.fetch_add(1, Ordering::Relaxed);
        self.0.turned_away.get_or_create(&Reason { reason }).inc();
    }

    /// A TLS handshake ended: `done`, `refused` by the client, `failed`, `timeout`, or `plain` (it was none).
    pub fn handshake(&self, result: &'static str) {
        self.0.handshakes.get_or_create(&Outcome { result }).inc();
    }
}

/// Counts one open connection.
#[derive(Debug)]
pub struct OpenConnection {
    gauge: Gauge,
    of: Arc<Inner>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.gauge.dec();
        self.of.totals.open.fetch_sub(1, Ordering::Relaxed);
    }
}
