use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::*;

/// Serves the socket in `dir` with a handler that shows what it understood.
fn serve(dir: &Path) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let listener = bind_admin(dir).unwrap();
    runtime.spawn(serve_admin(listener, |request| async move {
        match request {
            AdminRequest::ResetPassword { account } => {
                AdminAnswer::Password { password: Secret::new(format!("new for {account}")) }
            }
            AdminRequest::Cert(CertRequest::Import { cert, key, ca }) => {
                AdminAnswer::Done { message: format!("{cert} {} {}", key.unwrap(), ca.is_some()) }
            }
            _ => AdminAnswer::Failed { message: "no".into() },
        }
    }));
    runtime
}

fn reset(dir: &Path) -> Option<AdminAnswer> {
    ask(dir, &AdminRequest::ResetPassword { account: "alice".into() }).unwrap()
}

#[test]
fn a_request_and_its_answer_cross_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let _server = serve(dir.path());
    assert_eq!(fs::metadata(dir.path().join(SOCKET)).unwrap().permissions().mode() & 0o777, 0o600);
    let Some(AdminAnswer::Password { password }) = reset(dir.path()) else { panic!("no password") };
    assert_eq!(password.reveal(), "new for alice");
    let import = CertRequest::Import { cert: "chain".into(), key: Some("key".into()), ca: None };
    let import = AdminRequest::Cert(import);
    let Some(AdminAnswer::Done { message }) = ask(dir.path(), &import).unwrap() else { panic!("not done") };
    assert_eq!(message, "chain key false");
    assert!(matches!(ask(dir.path(), &AdminRequest::Status).unwrap(), Some(AdminAnswer::Failed { .. })));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let answer = AdminAnswer::Password { password: Secret::new("hush".into()) };
    assert!(!format!("{answer:?}").contains("hush"));
}

#[test]
fn without_a_server_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    assert!(reset(dir.path()).is_none(), "no socket");
    drop(serve(dir.path()));
    assert!(dir.path().join(SOCKET).exists(), "a killed server leaves its socket");
    assert!(reset(dir.path()).is_none(), "a left-over socket");
    assert!(ask(Path::new("/nonexistent"), &AdminRequest::Status).unwrap().is_none(), "no directory");
}

#[test]
fn a_left_over_socket_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    drop(serve(dir.path()));
    let server = serve(dir.path());
    assert!(reset(dir.path()).is_some());
    let _inside = server.enter();
    assert!(matches!(bind_admin(dir.path()), Err(AdminError::Taken(_))));
}

#[test]
fn a_path_longer_than_a_socket_address_works_too() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let _server = serve(&deep);
    assert!(deep.join(SOCKET).exists());
    assert!(reset(&deep).is_some());
}

#[test]
fn nonsense_gets_an_answer_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let _server = serve(dir.path());
    let mut stream = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
    stream.write_all(b"{\"ask\":\"dance\"}\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("does not understand the request"), "{answer}");
}

#[test]
fn only_root_and_the_own_user_are_heard() {
    assert!(is_heard(0, 998));
    assert!(is_heard(998, 998));
    assert!(!is_heard(1000, 998));
    assert!(!is_heard(1000, 0));
}

/// The file's mode already keeps other users out; this opens it on purpose, to see the kernel's word on who connects
/// decide. The other user is this very test, run again as one.
#[test]
fn another_user_is_refused_by_the_kernels_word() {
    const DIR: &str = "MSR_LITE_TEST_ADMIN_DIR";
    const NOBODY: u32 = 65534;
    if let Some(dir) = std::env::var_os(DIR) {
        match reset(Path::new(&dir)) {
            Some(AdminAnswer::Failed { message }) => println!("refused: {message}"),
            other => panic!("not refused: {other:?}"),
        }
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run a client as another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _server = serve(dir.path());
    fs::set_permissions(dir.path().join(SOCKET), fs::Permissions::from_mode(0o666)).unwrap();
    // The test program may stand where only its owner can reach it.
    let program = dir.path().join("client");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let run = Command::new(&program)
        .args(["--exact", "serve::admin::tests::another_user_is_refused_by_the_kernels_word", "--nocapture"])
        .env(DIR, dir.path())
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && shown.contains("refused: only root"), "{shown}");
}
