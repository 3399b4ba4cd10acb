//! Loads: so many connections at once, each with its next request as soon as the last was answered.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use crate::client::{Connection, Endpoint, Stream};
use crate::measure::{Meter, Sample, Unit};
use crate::{Error, Result};

/// Read buffer of a connection that only asks for small things.
const SMALL: usize = 64 * 1024;

/// A request without a body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET` or `HEAD`.
    pub(crate) method: &'static str,
    /// The path and query.
    pub(crate) path: String,
}

/// What is asked for, in turn, and how.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Connections at once (streams of one connection over HTTP/2).
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) duration: Duration,
    /// The requests, asked for in turn.
    pub(crate) requests: Vec<Request>,
    /// More header lines: credentials.
    pub(crate) headers: String,
    /// How connections are used.
    pub(crate) way: Way,
}

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Kept for all requests.
    Kept,
    /// Opened for each request; over TLS with a full handshake.
    Fresh,
    /// One connection with HTTP/2, its streams in place of connections.
    Http2,
}

/// A runtime for one thread of the client.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// What the tasks of one thread share.
struct Shared {
    endpoint: Endpoint,
    way: Way,
    /// Each request's head, and whether its answer has no body.
    heads: Vec<(Vec<u8>, bool)>,
    stop: Arc<AtomicBool>,
}

/// Asks for small things for a while.
pub(crate) fn requests(endpoint: &Endpoint, load: &Load, threads: usize, meter: &mut Meter) -> Result<Sample> {
    let threads = if load.way == Way::Http2 { 1 } else { threads.clamp(1, load.connections) };
    let stop = Arc::new(AtomicBool::new(false));
    let (ready, go) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let (took, answers) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let share = (load.connections + thread) / threads;
                let (stop, ready, go) = (&stop, &ready, &go);
                scope.spawn(move || worker(endpoint, load, (thread, share), stop, (ready, go)))
            })
            .collect();
        ready.wait();
        meter.start();
        let begun = Instant::now();
        go.wait();
        std::thread::sleep(load.duration);
        stop.store(true, Ordering::Relaxed);
        let answers = gather(workers);
        (begun.elapsed(), answers)
    });
    meter.stop(Unit::Requests, answers?, took)
}

fn gather<T>(workers: Vec<std::thread::ScopedJoinHandle<'_, Result<Vec<T>>>>) -> Result<Vec<T>> {
    // All are waited for before one's error is told.
    let joined: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
    let mut all = Vec::new();
    for part in joined {
        all.append(&mut part.map_err(|_| Error::from("a client thread panicked"))??);
    }
    Ok(all)
}

fn worker(
    endpoint: &Endpoint,
    load: &Load,
    (thread, share): (usize, usize),
    stop: &Arc<AtomicBool>,
    (ready, go): (&Barrier, &Barrier),
) -> Result<Vec<Duration>> {
    let prepared = runtime().and_then(|runtime| {
        let opened = runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..share {
                let kept = load.way == Way::Kept;
                connections.push(if kept { Some(Connection::with_buffer(endpoint, SMALL).await?) } else { None });
            }
            let stream = if load.way == Way::Http2 { Some(endpoint.stream(b"h2").await?) } else { None };
            Ok::<_, Error>((connections, stream))
        });
        Ok((runtime, opened?))
    });
    // Both barriers are passed whatever happened, or the others would wait for ever.
    ready.wait();
    go.wait();
    let (runtime, (connections, stream)) = prepared?;
    let heads = load
        .requests
        .iter()
        .map(|request| (endpoint.head(request.method, &request.path, &load.headers, None), request.method == "HEAD"));
    let heads = heads.collect();
    let shared = Rc::new(Shared { endpoint: endpoint.clone(), way: load.way, heads, stop: stop.clone() });
    runtime.block_on(LocalSet::new().run_until(async {
        if let Some(stream) = stream {
            return streams(endpoint, load, stream, stop).await;
        }
        let tasks: Vec<_> = (connections.into_iter().enumerate())
            .map(|(number, kept)| tokio::task::spawn_local(ask(shared.clone(), kept, thread * 7919 + number * 31)))
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.append(&mut task.await??);
        }
        Ok(latencies)
    }))
}

/// One connection's requests, from the `first` on, until it is time to stop.
async fn ask(shared: Rc<Shared>, mut connection: Option<Connection>, first: usize) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for (head, is_head) in shared.heads.iter().cycle().skip(first % shared.heads.len()) {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        let used = match &mut connection {
            Some(kept) => kept,
            none => none.insert(Connection::with_buffer(&shared.endpoint, SMALL).await?),
        };
        let (status, _) = used.probe(head, *is_head).await?;
        if shared.way == Way::Fresh {
            connection = None;
        }
        if status != 200 {
            return Err(Error::from(format!("status {status}")));
        }
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

/// The same over the streams of one HTTP/2 connection.
async fn streams(
    endpoint: &Endpoint,
    load: &Load,
    stream: Box<dyn Stream>,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let scheme = if endpoint.tls.is_some() { "https" } else { "http" };
    let requests = load.requests.iter().map(|request| {
        let uri = format!("{scheme}://{}{}", endpoint.authority, request.path);
        let mut builder = hyper::Request::builder().method(request.method).uri(uri);
        for (name, value) in load.headers.lines().filter_map(|line| line.split_once(':')) {
            builder = builder.header(name.to_ascii_lowercase(), value.trim());
        }
        Ok(builder.body(Empty::<Bytes>::new())?)
    });
    let requests = Rc::new(requests.collect::<Result<Vec<_>>>()?);
    let tasks: Vec<_> = (0..load.connections)
        .map(|number| {
            let (mut sender, requests, stop) = (sender.clone(), requests.clone(), stop.clone());
            tokio::task::spawn_local(async move {
                let mut latencies = Vec::new();
                for request in requests.iter().cycle().skip(number * 31 % requests.len()) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let begun = Instant::now();
                    let answer = sender.send_request(request.clone()).await?;
                    if answer.status() != hyper::StatusCode::OK {
                        return Err(Error::from(format!("status {}", answer.status())));
                    }
                    answer.into_body().collect().await?;
                    latencies.push(begun.elapsed());
                }
                Ok::<_, Error>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.append(&mut task.await??);
    }
    connection.abort();
    Ok(latencies)
}

/// Does `jobs` over so many connections, each taking the next one when it is done with its last. `unit` says what a
/// job counts for.
pub(crate) fn jobs<J, F>(
    endpoint: &Endpoint,
    connections: usize,
    threads: usize,
    jobs: &[J],
    unit: Unit,
    meter: &mut Meter,
    job: F,
) -> Result<Sample>
where
    J: Sync,
    F: AsyncFn(&mut Connection, &J) -> Result<()> + Sync,
{
    let connections = connections.clamp(1, jobs.len());
    let threads = threads.clamp(1, connections);
    let next = AtomicUsize::new(0);
    let (ready, go) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let (took, done) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let share = (connections + thread) / threads;
                let (next, ready, go, job) = (&next, &ready, &go, &job);
                scope.spawn(move || {
                    let prepared = runtime().and_then(|runtime| {
                        let opened = runtime.block_on(async {
                            let mut opened = Vec::new();
                            for _ in 0..share {
                                opened.push(Connection::open(endpoint).await?);
                            }
                            Ok::<_, Error>(opened)
                        });
                        Ok((runtime, opened?))
                    });
                    ready.wait();
                    go.wait();
                    let (runtime, opened) = prepared?;
                    runtime.block_on(together(opened.into_iter().map(|mut connection| async move {
                        let mut latencies = Vec::new();
                        while let Some(one) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                            let begun = Instant::now();
                            job(&mut connection, one).await?;
                            latencies.push(begun.elapsed());
                        }
                        Ok(latencies)
                    })))
                })
            })
            .collect();
        ready.wait();
        meter.start();
        let begun = Instant::now();
        go.wait();
        let done = gather(workers);
        (begun.elapsed(), done)
    });
    meter.stop(unit, done?, took)
}

/// Runs futures at the same time on this thread and puts together what they return. Every wake-up looks at all of them,
/// which is no matter beside a push.
async fn together<T>(each: impl Iterator<Item = impl Future<Output = Result<Vec<T>>>>) -> Result<Vec<T>> {
    let mut running: Vec<_> = each.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(move |cx| {
        let mut failed = None;
        running.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(mut part)) => {
                done.append(&mut part);
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if running.is_empty() => Poll::Ready(Ok(std::mem::take(&mut done))),
            None => Poll::Pending,
        }
    })
    .await
}
