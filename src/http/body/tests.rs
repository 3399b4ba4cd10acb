use std::io::Write as _;
use std::task::Waker;

use super::*;

/// A file whose bytes tell where they stand, open for reading.
fn file(length: usize) -> (File, Vec<u8>) {
    let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(&bytes).expect("written");
    (file, bytes)
}

async fn next(flow: &mut FileFlow) -> io::Result<Bytes> {
    std::future::poll_fn(|cx| flow.poll(cx)).await
}

async fn whole(mut flow: FileFlow) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    while flow.left() > 0 {
        let before = flow.left();
        let part = next(&mut flow).await?;
        assert!(!part.is_empty() && part.len() <= READ);
        assert_eq!(flow.left(), before - part.len() as u64);
        read.extend_from_slice(&part);
    }
    Ok(read)
}

#[tokio::test]
async fn the_bytes_are_the_same_from_the_cache_and_from_blocking_threads() {
    let length = 6 * READ + 4321;
    let (file, bytes) = file(length);
    let parts = [(0, length), (0, 1), (0, READ), (0, READ + 1), (READ - 1, 2), (777, 2 * READ), (length - 1, 1)];
    for (offset, length) in parts {
        for cold in [false, true] {
            let mut flow = FileFlow::new(file.try_clone().expect("a handle"), offset as u64, length as u64);
            flow.cold = cold;
            let read = whole(flow).await.expect("read");
            assert!(read == bytes[offset..offset + length], "{length} from {offset}, cold: {cold}");
        }
    }
}

#[tokio::test]
async fn what_the_cache_did_not_hold_is_read_behind_what_it_did() {
    let (file, bytes) = file(READ);
    let mut flow = FileFlow::new(file, 0, READ as u64);
    let (mut buffer, offset) = flow.take();
    buffer.memory[..1000].copy_from_slice(&bytes[..1000]);
    buffer.filled = 1000;
    flow.reading = Some(flow.start(buffer, offset));
    assert!(whole(flow).await.expect("read") == bytes);
}

#[tokio::test]
async fn a_file_that_has_to_come_from_the_disk_is_read_whole() {
    let (file, bytes) = file(4 * READ);
    file.sync_all().expect("synced");
    // All of it, or its second half. A memory file system cannot forget; the bytes are the same there too.
    for forgotten in [0, 2 * READ as u64] {
        rustix::fs::fadvise(&file, forgotten, None, rustix::fs::Advice::DontNeed).expect("advised");
        let flow = FileFlow::new(file.try_clone().expect("a handle"), 0, bytes.len() as u64);
        assert!(whole(flow).await.expect("read") == bytes);
    }
}

#[tokio::test]
async fn a_file_that_is_too_short_is_an_error_and_not_an_end() {
    let (file, bytes) = file(READ + 10);
    let mut flow = FileFlow::new(file, 0, 2 * READ as u64);
    assert_eq!(next(&mut flow).await.expect("the first part"), bytes[..READ]);
    let error = next(&mut flow).await.expect_err("the file ends");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains(&format!("byte {}", READ + 10)), "{error}");
}

#[test]
fn a_warm_file_lets_others_have_their_turn() {
    let (file, _) = file(READ / 64);
    let mut flow = FileFlow::new(file, 0, 1);
    flow.in_a_row = IN_A_ROW;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(flow.poll(&mut cx).is_pending());
    assert_eq!(flow.left(), 1);
    assert!(flow.poll(&mut cx).is_ready());
}
