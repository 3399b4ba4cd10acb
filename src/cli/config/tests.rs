use std::path::{Path, PathBuf};

use toml::Value;

use super::*;

fn with_file(text: &str, sources: Sources) -> (tempfile::TempDir, Result<Loaded, CliError>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = load(Sources { file: Some(path), ..sources });
    (dir, loaded)
}

fn problem(text: &str) -> String {
    let (dir, loaded) = with_file(text, Sources::default());
    let error = loaded.unwrap_err();
    assert_eq!(error.exit, Exit::Setup);
    error.message.replace(&dir.path().join("config.toml").display().to_string(), "F")
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn nothing_at_all_gives_the_defaults() {
    let loaded =
        load(Sources { system_file: Some(PathBuf::from("/nonexistent/config.toml")), ..Sources::default() }).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.origin("listen"), &Origin::Default);
    assert_eq!(loaded.file, None);
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let sources = || Sources {
        variables: vec![variable("MSR_LITE_FQDN", "variable.lab"), variable("MSR_LITE_LIMITS__JSON_DEPTH", "40")],
        flags: vec![("fqdn", "--fqdn", Value::String("flag.lab".into()))],
        ..Sources::default()
    };
    let text = "create_on_push = false\nfqdn = \"file.lab\"\n\n[limits]\njson_depth = 50\nh2_streams = 7\n";
    let (dir, loaded) = with_file(text, sources());
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.fqdn.as_deref(), Some("flag.lab"));
    assert_eq!(loaded.config.limits.json_depth, 40);
    assert_eq!(loaded.config.limits.h2_streams, 7);
    assert!(!loaded.config.create_on_push);
    let path = dir.path().join("config.toml");
    assert_eq!(loaded.origin("fqdn").to_string(), "--fqdn");
    assert_eq!(loaded.origin("limits.json_depth").to_string(), "MSR_LITE_LIMITS__JSON_DEPTH");
    assert_eq!(loaded.origin("limits.h2_streams"), &Origin::File(path.clone(), 6));
    assert_eq!(loaded.origin("create_on_push"), &Origin::File(path, 1));
    assert_eq!(loaded.origin("limits.idle_seconds").to_string(), "default");
}

#[test]
fn lists_and_switches_in_variables() {
    let loaded = load(Sources {
        variables: vec![
            variable("MSR_LITE_LISTEN", "0.0.0.0:8443, [::]:8443"),
            variable("MSR_LITE_CREATE_ON_PUSH", "0"),
            variable("MSR_LITE_EXTERNAL_URL", ""),
        ],
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(loaded.config.listen, ["0.0.0.0:8443".parse().unwrap(), "[::]:8443".parse().unwrap()]);
    assert!(!loaded.config.create_on_push);
    assert_eq!(loaded.config.external_url, None, "an empty variable sets nothing");
    let error = load(Sources { variables: vec![variable("MSR_LITE_CREATE_ON_PUSH", "maybe")], ..Sources::default() });
    assert_eq!(error.unwrap_err().message, "MSR_LITE_CREATE_ON_PUSH must be true or false, not \"maybe\"");
    let error = load(Sources { variables: vec![variable("MSR_LITE_LISTEN", "localhost")], ..Sources::default() });
    assert!(
        error.unwrap_err().message.starts_with("MSR_LITE_LISTEN: listen must be a list of IP addresses with ports")
    );
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_key() {
    assert_eq!(problem("\nlissten = []\n"), "F:2: there is no setting lissten; did you mean listen?");
    assert_eq!(
        problem("create-on-push = true"),
        "F:1: there is no setting create-on-push; did you mean create_on_push?"
    );
    assert_eq!(
        problem("[limits]\nmanifest_byte = 1"),
        "F:2: there is no setting limits.manifest_byte; did you mean limits.manifest_bytes?"
    );
    assert_eq!(
        problem("manifest_bytes = 1"),
        "F:1: there is no setting manifest_bytes; did you mean limits.manifest_bytes?",
        "a key in the wrong section"
    );
    assert_eq!(
        problem("zebra = 1"),
        "F:1: there is no setting zebra; `msr-lite config example` shows them all",
        "nothing is near"
    );
}

#[test]
fn values_of_the_wrong_kind_or_out_of_range_are_told_all_at_once() {
    let text = "listen = \"443\"\nfqdn = 7\nlimits.json_depth = 4\n[uploads]\nexpire_hours = 9999\n";
    assert_eq!(
        problem(text).lines().collect::<Vec<_>>(),
        [
            "F:2: fqdn must be text in quotes, not 7",
            "F:1: listen must be a list of IP addresses with ports, such as [\"0.0.0.0:443\", \"[::]:443\"], not \"443\"",
            "F:3: limits.json_depth must be between 8 and 120, not 4",
            "F:5: uploads.expire_hours must be between 1 and 720, not 9999",
        ]
    );
    assert_eq!(problem("limits = 3"), "F:1: limits is a section: write [limits] on its own line");
    assert!(problem("a = \n").starts_with("F:1: this is not TOML: "), "{}", problem("a = \n"));
}

#[test]
fn a_file_that_was_named_must_exist() {
    let error = load(Sources { file: Some(PathBuf::from("/nonexistent/c.toml")), ..Sources::default() }).unwrap_err();
    assert!(error.message.contains("/nonexistent/c.toml"), "{}", error.message);
    assert_eq!(error.exit, Exit::Setup);
}

#[test]
fn a_variable_that_sets_nothing_is_a_warning() {
    let variables = vec![
        variable("MSR_LITE_ANONYMUS", "true"),
        variable("MSR_LITE_SERVICE_HOST", "10.0.0.1"),
        variable("MSR_LITE_PORT_443_TCP", "tcp://10.0.0.1:443"),
    ];
    let loaded = load(Sources { variables, ..Sources::default() }).unwrap();
    assert_eq!(loaded.warnings, ["the variable MSR_LITE_ANONYMUS sets nothing; did you mean MSR_LITE_ANONYMOUS?"]);
}

#[test]
fn the_checked_in_example_is_the_one_the_types_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/msr-lite.example.toml");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, example()).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(checked_in, example(), "run `make bless` and read the difference");
}

#[test]
fn the_example_with_every_key_switched_on_is_a_valid_file() {
    let on: String = example()
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && rest.contains(" = ")).unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n");
    let (_dir, loaded) = with_file(&on, Sources::default());
    let loaded = loaded.unwrap();
    for key in Config::keys() {
        assert!(matches!(loaded.origin(&key.path()), Origin::File(..)), "{} is not in the example", key.path());
    }
}

#[test]
fn what_show_prints_can_be_read_back() {
    let (_dir, loaded) = with_file("san = [\"a.lab\"]\n[gc]\nlease_seconds = 100\n", Sources::default());
    let loaded = loaded.unwrap();
    let shown = as_toml(&loaded, true);
    assert!(shown.contains("gc.lease_seconds = 100"), "{shown}");
    assert!(shown.contains("config.toml:3"), "{shown}");
    let (_dir, again) = with_file(&shown, Sources::default());
    assert_eq!(again.unwrap().config, loaded.config);
    assert_eq!(as_json(&loaded)["san"]["value"][0], "a.lab");
}
