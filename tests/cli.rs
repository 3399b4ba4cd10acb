//! The program as scripts and people meet it: exit codes, messages, pipes. No server runs here.

#[path = "support/page.rs"]
mod page;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program with an empty environment and a configuration file of its own, so that neither the variables nor
/// the files of the machine that runs the tests matter.
fn run(dir: &Path, config: &str, args: &[&str]) -> Output {
    let file = dir.join("config.toml");
    fs::write(&file, config).expect("a file of our own");
    Command::new(env!("CARGO_BIN_EXE_msr-lite"))
        .args(args)
        .arg("--config")
        .arg(&file)
        .env_clear()
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_wrong_configuration_ends_every_verb_with_3_and_the_line() {
    let dir = tempfile::tempdir().unwrap();
    for verb in [&["config", "check"][..], &["status"], &["serve"], &["user", "reset-password", "admin"]] {
        let output = run(dir.path(), "\nanonymus = true\n", verb);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{verb:?}: {error}");
        assert!(error.contains("config.toml:2: there is no setting anonymus; did you mean anonymous?"), "{error}");
    }
}

#[test]
fn a_stray_variable_is_told_and_counts_as_a_finding() {
    let output = Command::new(env!("CARGO_BIN_EXE_msr-lite"))
        .args(["config", "check", "--config", "/dev/null"])
        .env_clear()
        .env("MSR_LITE_LISSTEN", "0.0.0.0:1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("did you mean MSR_LITE_LISTEN?"), "{}", text(&output.stderr));
}

#[test]
fn show_tells_where_a_value_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["config", "show", "--origin", "--data-dir", "/srv/data"];
    let shown = text(&run(dir.path(), "fqdn = \"registry.lab\"\n", &args).stdout);
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("fqdn").ends_with("config.toml:1"), "{shown}");
    assert!(line("data_dir").ends_with("# --data-dir"), "{shown}");
    assert!(line("anonymous").ends_with("# default"), "{shown}");
    let json = text(&run(dir.path(), "fqdn = \"registry.lab\"\n", &["config", "show", "--json"]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["fqdn"]["value"], "registry.lab");
}

#[test]
fn status_without_a_server_ends_with_5_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let output = run(dir.path(), "", &["status", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("no server is running"), "{}", text(&output.stderr));
    assert!(!data.exists());
}

#[test]
fn a_password_cannot_be_reset_where_no_registry_is() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let output = run(dir.path(), "", &["user", "reset-password", "admin", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("there is no registry in"), "{}", text(&output.stderr));
    assert!(!data.exists());
}

/// Serves from this directory until it is dropped.
struct Serving(std::process::Child);

impl Serving {
    fn on(data: &str) -> Self {
        Self::with(data, &[])
    }

    /// With these variables and no others.
    fn with(data: &str, variables: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_msr-lite"))
            .args(["serve", "--config", "/dev/null", "--data-dir", data, "--listen", "127.0.0.1:0"])
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let serving = Self(child);
        for _ in 0..600 {
            if std::os::unix::net::UnixStream::connect(Path::new(data).join("admin.sock")).is_ok() {
                return serving;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the server does not answer");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The variables are read before `main`: they must be there from the start of the program that serves, which has the
/// number and the words of the one that was started.
#[test]
#[cfg(target_env = "gnu")]
fn a_server_has_one_heap_for_all_threads() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let server = Serving::on(data);
    let words_of = |file: &str| {
        let words = fs::read(format!("/proc/{}/{file}", server.0.id())).unwrap();
        words.split(|byte| *byte == 0).map(text).collect::<Vec<_>>()
    };
    for word in ["MALLOC_ARENA_MAX=1", "GLIBC_TUNABLES=glibc.malloc.tcache_count=32"] {
        assert!(words_of("environ").contains(&word.to_owned()), "{word}");
    }
    let line = words_of("cmdline");
    assert_eq!(line[..2], [env!("CARGO_BIN_EXE_msr-lite").to_owned(), "serve".to_owned()]);
    assert!(line.contains(&data.to_owned()));
}

/// As where glibc takes the variables away each time.
#[test]
#[cfg(target_env = "gnu")]
fn a_server_that_was_started_again_is_not_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::with(dir.path().to_str().unwrap(), &[("_MSR_LITE_STARTED_AGAIN", "1")]);
    let variables = fs::read(format!("/proc/{}/environ", server.0.id())).unwrap();
    assert!(!text(&variables).contains("MALLOC_ARENA_MAX"));
}

#[test]
fn garbage_is_collected_with_a_server_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let gc = |args: &[&str]| run(dir.path(), "", &[&["gc", "--data-dir", data], args].concat());
    let missing = gc(&["run"]);
    assert_eq!(missing.status.code(), Some(3), "{}", text(&missing.stderr));
    fs::create_dir(data).unwrap();
    let mut server = Some(Serving::on(data));
    // The registry's own first collection comes at some time after the start, and is not to be the last run below.
    let last =
        || serde_json::from_slice::<serde_json::Value>(&gc(&["status", "--json"]).stdout).unwrap()["last"].clone();
    while last().is_null() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for way in ["asked the running server", "opened the store; no server is running"] {
        let ran = gc(&["run"]);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        assert!(text(&ran.stdout).starts_with("Freed 0 B on disk in "), "{}", text(&ran.stdout));
        assert_eq!(text(&ran.stderr), format!("({way})\n"));
        let dry = gc(&["run", "--dry-run", "--now", "--json"]);
        let dry: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
        assert_eq!(dry["goes"]["links"], 0);
        let refused = gc(&["run", "--now"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("MANIFEST_BLOB_UNKNOWN"), "{}", text(&refused.stderr));
        let now = gc(&["run", "--now", "--yes", "--json"]);
        let now: serde_json::Value = serde_json::from_slice(&now.stdout).unwrap();
        assert_eq!(now["ignored_leases"], true);
        let status = text(&gc(&["status"]).stdout);
        assert!(status.contains("by hand: freed 0 B") && status.contains("Waits         nothing"), "{status}");
        server.take();
    }
}

#[test]
fn rows_are_derived_again_with_a_server_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let reindex = |args: &[&str]| run(dir.path(), "", &[&["reindex", "--data-dir", data], args].concat());
    assert_eq!(reindex(&[]).status.code(), Some(3));
    fs::create_dir(data).unwrap();
    let mut server = Some(Serving::on(data));
    for way in ["asked the running server", "opened the store; no server is running"] {
        let done = reindex(&[]);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        assert_eq!(text(&done.stdout), "Looked at 0 manifests, and 0 rows changed.\n");
        assert_eq!(text(&done.stderr), format!("({way})\n"));
        let done: serde_json::Value = serde_json::from_slice(&reindex(&["--json"]).stdout).unwrap();
        assert_eq!(done["changed"], 0);
        server.take();
    }
}

/// Each way makes users, an organization, a team, rights and a token of its own.
#[test]
fn accounts_and_rights_are_managed_with_a_server_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let call = |args: &[&str]| run(dir.path(), "", &[args, &["--data-dir", data]].concat());
    let done = |args: &[&str]| {
        let output = call(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let json =
        |args: &[&str]| -> serde_json::Value { serde_json::from_str(&done(&[args, &["--json"]].concat())).unwrap() };
    assert_eq!(call(&["user", "ls"]).status.code(), Some(3));
    fs::create_dir(data).unwrap();
    let mut server = Some(Serving::on(data));
    for (lab, user, way) in
        [("lab", "alice", "asked the running server"), ("hall", "bob", "opened the store; no server is running")]
    {
        let team = format!("{lab}/dev");
        let place = format!("{lab}/*");
        let password = json(&["user", "add", user, "--full-name", "Somebody"])["password"].as_str().unwrap().to_owned();
        assert_eq!(password.len(), 24);
        assert_ne!(json(&["user", "reset-password", user])["password"], password.as_str());
        let again = call(&["user", "add", user]);
        assert!(text(&again.stderr).contains("already"), "{}", text(&again.stderr));
        assert_eq!(again.status.code(), Some(1));
        assert_eq!(done(&["org", "add", lab]), format!("There is an organization {lab} now.\n"));
        assert_eq!(text(&call(&["org", "ls"]).stderr), format!("({way})\n"));
        done(&["team", "add", &team, "--description", "who builds"]);
        done(&["team", "add-member", &team, user]);
        done(&["org", "add-member", lab, "admin", "--owner"]);
        assert!(done(&["org", "show", lab]).contains("owner"));
        done(&["access", "grant", &place, &team, "read-write"]);
        assert!(done(&["access", "ls", &place]).contains("read-write"));
        assert!(done(&["team", "show", &team]).contains(&place));
        let why = done(&["access", "show", user, &format!("{lab}/web")]);
        assert_eq!(why, format!("read-write, through team dev of {lab}, on the namespace.\n"));
        let csv = done(&["access", "report", "--csv"]);
        assert!(csv.starts_with("account,active,place,level,path\r\n"), "{csv}");
        let line = format!("\"{user}\",yes,\"{place}\",read-write,\"through team dev of {lab}, on the namespace\"\r\n");
        assert!(csv.contains(&line), "{csv}");
        let token = json(&["token", "add", user, "--label", "build", "--scope", &format!("{place}:read-only")]);
        assert!(token["token"].as_str().unwrap().starts_with("mslt_"));
        let id = token["about"]["id"].as_str().unwrap();
        assert!(done(&["token", "ls", "--user", user]).contains("build"));
        done(&["token", "set", id, "--active", "false"]);
        done(&["token", "rm", id]);
        let passwords = dir.path().join("htpasswd");
        fs::write(&passwords, format!("old-{user}:$2y$05${}\nbad:$apr1$x$y\n", "x".repeat(53))).unwrap();
        let imported = call(&["user", "import-htpasswd", passwords.to_str().unwrap()]);
        assert_eq!(imported.status.code(), Some(4), "{}", text(&imported.stderr));
        assert!(text(&imported.stdout).contains(&format!("old-{user}: made")), "{}", text(&imported.stdout));
        let last = call(&["user", "set", "admin", "--active", "false"]);
        assert!(text(&last.stderr).contains("last active administrator"), "{}", text(&last.stderr));
        done(&["access", "read-only", "on", "--reason", "moving"]);
        assert!(done(&["access", "read-only"]).contains("moving"));
        done(&["access", "read-only", "off"]);
        done(&["access", "revoke", &place, &team]);
        done(&["team", "rm-member", &team, user]);
        done(&["team", "rm", &team]);
        done(&["user", "rm", user, "--with-repositories"]);
        done(&["org", "rm", lab]);
        for wrong in [&["access", "grant", "Lab", &team, "admin"][..], &["team", "add", "dev"], &["token", "rm", "x"]] {
            assert_eq!(call(wrong).status.code(), Some(2), "{wrong:?}");
        }
        server.take();
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), "", &["serve", "--listen", "everywhere"]).status.code(), Some(2));
    assert_eq!(run(dir.path(), "", &["dance"]).status.code(), Some(2));
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), "", &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_msr-lite"))
        .args(["completions", "bash"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn man_writes_a_page_for_each_verb() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    let output = run(dir.path(), "", &["man", "--out", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for page in ["msr-lite.1", "msr-lite-serve.1", "msr-lite-config-show.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
    let licenses = text(&run(dir.path(), "", &["licenses"]).stdout);
    assert!(licenses.contains("Apache License") && licenses.contains("\nrustls "), "{licenses}");
}

#[test]
fn a_first_password_that_does_not_do_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("password"));
    fs::write(&file, "short\n").unwrap();
    let args = |file: &Path| {
        ["init", "--data-dir", data.to_str().unwrap(), "--admin-password-file", file.to_str().unwrap()]
            .map(str::to_owned)
    };
    for given in [&file, &dir.path().join("missing")] {
        let output = run(dir.path(), "", &args(given).each_ref().map(String::as_str));
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(&format!("--admin-password-file {}: ", given.display())), "{error}");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn the_record_is_written_out_and_verified_with_a_server_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let audit = |args: &[&str]| run(dir.path(), "", &[&["audit"], args].concat());
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(audit(&["export", "--data-dir", data]).status.code(), Some(3));
    fs::create_dir(data).unwrap();
    let mut server = Some(Serving::on(data));
    for (way, out) in
        [("asked the running server", "one.jsonl"), ("opened the store; no server is running", "two.jsonl")]
    {
        // Something to tell: a password that was changed.
        let reset = run(dir.path(), "", &["user", "reset-password", "admin", "--data-dir", data]);
        assert_eq!(reset.status.code(), Some(0), "{}", text(&reset.stderr));
        let out = file(out);
        let export = audit(&["export", "--data-dir", data, "--out", &out]);
        assert_eq!((export.status.code(), text(&export.stderr)), (Some(0), format!("({way})\n")));
        assert!(!Path::new(&format!("{out}.part")).exists());
        let piped = audit(&["export", "--data-dir", data]);
        assert_eq!(text(&piped.stdout).lines().count(), fs::read_to_string(&out).unwrap().lines().count());
        let whole = audit(&["verify", "--data-dir", data]);
        assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
        assert!(text(&whole.stdout).contains("1 of 1 chains verified"), "{}", text(&whole.stdout));
        server.take();
    }
    // What follows needs neither the server nor the data.
    fs::remove_dir_all(data).unwrap();
    let (one, two) = (file("one.jsonl"), file("two.jsonl"));
    let whole = audit(&["verify", &two, "--against", &one]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stdout));
    let shown = text(&whole.stdout);
    assert!(shown.starts_with("whole   what belongs to no repository (chain registry): 2 events\n"), "{shown}");
    let cut = audit(&["verify", &one, "--against", &two]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stdout).contains("it has 1 events, and had 2 in the earlier export"), "{}", text(&cut.stdout));

    let bad = file("bad.jsonl");
    fs::write(&bad, fs::read_to_string(&two).unwrap().replacen("system", "nobody", 1)).unwrap();
    let broken = audit(&["verify", &bad]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stdout).contains("event 1 was changed"), "{}", text(&broken.stdout));
    let json: serde_json::Value = serde_json::from_slice(&audit(&["verify", &bad, "--json"]).stdout).unwrap();
    assert_eq!(json["chains"][0]["problems"][0]["fault"], "changed");
    assert_eq!(json["chains"][0]["problems"][0]["seq"], 1);

    assert_eq!(audit(&["verify", &file("missing")]).status.code(), Some(1));
    assert_eq!(audit(&["export", "--since", "yesterday", "--data-dir", data]).status.code(), Some(2));
}

/// Makes a repository as a push does; no server runs that could take one.
fn make_repository(data: &Path, name: &str) {
    use msr_lite::base::{RepoId, Timestamp};
    use msr_lite::meta::{Engine, EngineOptions, MetaError, WriteTx, repo};
    let meta = Engine::open(&data.join("metadata.redb"), EngineOptions::default()).expect("a store");
    let row = repo::RepoRow::new(name.parse().expect("a name"), Timestamp(1_800_000_000_000));
    let make = move |tx: &mut WriteTx| {
        repo::create(tx, RepoId(1), &row);
        repo::refresh(tx, RepoId(1))?;
        Ok::<_, MetaError>(())
    };
    meta.write_blocking(make).expect("a row");
}

/// The commands of `docs/accounts.md`, one after the other as they stand there.
#[test]
fn accounts_page_says_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let shell = |script: &str| {
        let program = env!("CARGO_BIN_EXE_msr-lite");
        let script = format!("msr-lite() {{ '{program}' --config /dev/null \"$@\"; }}\n{script}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(&dir).env_clear().env("MSR_LITE_DATA_DIR", &data);
        let output = bash.output().expect("bash runs");
        (output.status.success(), format!("{}\n{}", text(&output.stdout), text(&output.stderr)))
    };
    let (made, said) = shell("msr-lite init");
    assert!(made, "{said}");
    make_repository(&data, "lab/web");
    for block in page::blocks(include_str!("../docs/accounts.md")) {
        for command in &block.commands {
            let place = format!("docs/accounts.md, the block of line {}", block.line);
            let (done, said) = shell(&command.text);
            assert!(done, "{place}: {}\n{said}", command.text);
            command.check(&place, &said);
        }
    }
}

#[test]
fn a_server_may_have_as_many_files_open_as_the_system_lets_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::on(dir.path().to_str().unwrap());
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.0.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = line.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect::<Vec<_>>()[..]
    else {
        panic!("{line}")
    };
    assert_eq!(soft, hard);
}
