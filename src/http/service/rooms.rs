//! Rooms for the futures of requests, used one request after the other.
//!
//! Such a future has some kilobytes, too many for what malloc keeps ready for each thread: made anew for every request,
//! it would take the lock that all threads share, twice (docs/performance.md, "Threads and memory").

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::{Request, Response};
use parking_lot::Mutex;

use super::{Routes, Shell};
use crate::http::body::Outgoing;
use crate::http::conn::Link;

/// Shelves that empty rooms stand on. A thread uses one of them, so that it gets back what is in its processor's cache;
/// with more threads than shelves some share.
const SHELVES: usize = 16;

/// Empty rooms on one shelf, at most: some 200 KiB.
const KEPT: usize = 32;

type Answer = Result<Response<Outgoing>, Infallible>;

/// Empty rooms.
pub(in crate::http) struct Rooms<R>([Mutex<Vec<Box<dyn Room<R>>>>; SHELVES]);

impl<R> Default for Rooms<R> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<R> fmt::Debug for Rooms<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rooms").finish_non_exhaustive()
    }
}

impl<R> Rooms<R> {
    /// The shelf of this thread.
    fn shelf(&self) -> &Mutex<Vec<Box<dyn Room<R>>>> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static PLACE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES);
        &self.0[PLACE.with(|place| *place)]
    }
}

/// What a room does, whatever future is in it.
trait Room<R>: Send {
    fn begin(&mut self, shell: Arc<Shell<R>>, link: Arc<Link>, request: Request<Incoming>);
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer>;
    fn clear(&mut self);
}

struct Slot<M, F> {
    make: M,
    future: Pin<Box<Option<F>>>,
}

impl<R, M, F> Room<R> for Slot<M, F>
where
    M: Fn(Arc<Shell<R>>, Arc<Link>, Request<Incoming>) -> F + Send,
    F: Future<Output = Answer> + Send,
{
    fn begin(&mut self, shell: Arc<Shell<R>>, link: Arc<Link>, request: Request<Incoming>) {
        self.future.set(Some((self.make)(shell, link, request)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let future = self.future.as_mut().as_pin_mut();
        future.expect("a room is polled between begin and clear").poll(cx)
    }

    fn clear(&mut self) {
        self.future.set(None);
    }
}

fn room<R, M, F>(make: M) -> Box<dyn Room<R>>
where
    M: Fn(Arc<Shell<R>>, Arc<Link>, Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    Box::new(Slot { make, future: Box::pin(None) })
}

impl<R: Routes> Shell<R> {
    /// [`Shell::handle`] in a room.
    pub(in crate::http) fn attend(self: &Arc<Self>, link: Arc<Link>, request: Request<Incoming>) -> Attending<R> {
        let empty = self.rooms.shelf().lock().pop();
        let mut room = empty.unwrap_or_else(|| room(Self::handle));
        room.begin(self.clone(), link, request);
        Attending { room: Some(room), shell: self.clone() }
    }
}

/// A request that is being answered.
pub(in crate::http) struct Attending<R> {
    /// `None` only while this is being dropped.
    room: Option<Box<dyn Room<R>>>,
    shell: Arc<Shell<R>>,
}

impl<R> Future for Attending<R> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        self.room.as_mut().expect("the room leaves only with its request").poll(cx)
    }
}

impl<R> Drop for Attending<R> {
    fn drop(&mut self) {
        let Some(mut room) = self.room.take() else { return };
        room.clear();
        let mut empty = self.shell.rooms.shelf().lock();
        if empty.len() < KEPT {
            empty.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use crate::http::testing::{Server, limits, start};

    /// One thread serves a test, so one shelf has all.
    fn empty(server: &Server) -> usize {
        server.shell.rooms.shelf().lock().len()
    }

    #[tokio::test]
    async fn one_request_after_the_other_uses_one_room_and_those_at_once_their_own() {
        let server = start(limits()).await;
        for _ in 0..3 {
            assert!(server.get("/ping", "").await.ends_with("pong"));
            assert_eq!(empty(&server), 1);
        }
        let (one, other) = tokio::join!(server.get("/slow", ""), server.get("/slow", ""));
        assert!(one.ends_with("slow") && other.ends_with("slow"));
        assert_eq!(empty(&server), 2);
    }

    #[tokio::test]
    async fn a_room_is_empty_again_when_its_client_has_left_or_its_request_panicked() {
        let server = start(limits()).await;
        let mut stream = server.connect().await;
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
        let left = async {
            while empty(&server) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), left).await.expect("the room is given back");
        assert!(server.get("/panic", "").await.starts_with("HTTP/1.1 500 "));
        assert!(server.get("/ping", "").await.ends_with("pong"));
        assert_eq!(empty(&server), 1);
    }
}
