//! A restart in the middle of an upload: the upload is finished after it.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::support::image::{digest, noise};
use crate::support::lab::Lab;
use crate::support::server::{Answer, Server};
use crate::support::tally::needs;

const MIB: usize = 1 << 20;

#[test]
fn upload_goes_on_after_sigterm_between_chunks() {
    let _running = needs!();
    finishes_after(Cut::Between, |server| server.terminate(Duration::from_secs(40)));
}

#[test]
fn upload_goes_on_after_sigkill_between_chunks() {
    let _running = needs!();
    finishes_after(Cut::Between, Server::kill);
}

#[test]
fn upload_goes_on_after_sigterm_within_a_chunk() {
    let _running = needs!();
    finishes_after(Cut::Within, |server| server.terminate(Duration::from_secs(40)));
}

#[test]
fn upload_goes_on_after_sigkill_within_a_chunk() {
    let _running = needs!();
    finishes_after(Cut::Within, Server::kill);
}

/// Where the restart falls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// After a chunk was answered with 202 and before the next one.
    Between,
    /// While a chunk is on its way.
    Within,
}

#[track_caller]
fn finishes_after(cut: Cut, stop: impl FnOnce(&mut Server)) {
    let lab = Lab::new();
    let mut server = lab.server(|options| options);
    let content = noise(3, 12 * MIB);
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = server.scratch().join(name);
        fs::write(&path, bytes).expect("a file of our own");
        path
    };
    let (first, second) = (file("first", &content[..5 * MIB]), file("second", &content[5 * MIB..]));

    let begun = server.signed_in("POST", "/v2/lab/words/blobs/uploads/").send().is(202);
    let sent = server
        .signed_in("PATCH", location(&begun))
        .header("Content-Range", &format!("0-{}", 5 * MIB - 1))
        .body(&first)
        .send()
        .is(202);
    assert_eq!(offset(&sent), 5 * MIB);

    match cut {
        Cut::Between => stop(&mut server),
        Cut::Within => {
            let slow = server
                .signed_in("PATCH", location(&sent))
                .header("Content-Range", &format!("{}-{}", 5 * MIB, 12 * MIB - 1))
                .body(&second)
                .option("--limit-rate", "2M");
            let mut patch = lab.server_service("patch", &slow.command());
            sleep(Duration::from_millis(1500));
            stop(&mut server);
            patch.terminate(Duration::from_secs(5));
        }
    }
    server.start_again();

    // The session's address is the last one that the client was given.
    let status = server.signed_in("GET", location(&sent)).send().is(204);
    let offset = offset(&status);
    match cut {
        // What a 202 has acknowledged is on disk.
        Cut::Between => assert_eq!(offset, 5 * MIB),
        Cut::Within => assert!((5 * MIB..=12 * MIB).contains(&offset), "the server claims {offset} bytes"),
    }
    let mut target = location(&status).to_owned();
    // A server that is told to stop lets a running chunk end: then there is nothing left to send.
    if offset < content.len() {
        let rest = server.scratch().join("rest");
        fs::write(&rest, &content[offset..]).expect("a file of our own");
        let patched = server
            .signed_in("PATCH", &target)
            .header("Content-Range", &format!("{offset}-{}", content.len() - 1))
            .body(&rest)
            .send()
            .is(202);
        location(&patched).clone_into(&mut target);
    }
    let name = digest(&content);
    let sign = if target.contains('?') { '&' } else { '?' };
    server.signed_in("PUT", &format!("{target}{sign}digest={name}")).header("Content-Length", "0").send().is(201);

    let back = server.scratch().join("back");
    server.signed_in("GET", &format!("/v2/lab/words/blobs/{name}")).send_to_file(&back);
    assert!(fs::read(&back).expect("what curl wrote").ends_with(&content), "other bytes came back");
}

#[track_caller]
fn location(answer: &Answer) -> &str {
    answer.header("Location").unwrap_or_else(|| panic!("no Location: {answer:?}"))
}

/// The number of bytes that `Range: 0-<last>` says are there. `0-0` and no header at all are how servers say none.
fn offset(answer: &Answer) -> usize {
    let last = answer.header("Range").and_then(|range| range.rsplit_once('-')).and_then(|(_, last)| last.parse().ok());
    match last {
        None | Some(0) => 0,
        Some(last) => last + 1_usize,
    }
}
