use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Cli {
    Cli::try_parse_from(line.split_whitespace()).unwrap()
}

#[test]
fn clap_finds_no_fault_with_the_definition() {
    Cli::command().debug_assert();
}

#[test]
fn help_teaches() {
    let mut command = Cli::command();
    let help = command.render_long_help().to_string();
    for words in ["First steps", "serve --data-dir ./data", "MSR_LITE_LISTEN", "Exit codes", "config show --origin"] {
        assert!(help.contains(words), "{words} is missing in:\n{help}");
    }
    for verb in ["serve", "init", "status", "config", "ca", "cert", "trust", "user", "completions", "man", "licenses"] {
        assert!(command.find_subcommand(verb).is_some_and(|verb| verb.get_about().is_some()), "{verb}");
    }
    let serve = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
    for flag in ["--listen", "--http", "--trust-http", "--fqdn", "--san", "--admin-password-file", "Examples:"] {
        assert!(serve.contains(flag), "{flag} is missing in:\n{serve}");
    }
}

#[test]
fn every_verb_that_takes_something_has_examples() {
    fn look(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let takes = command.get_arguments().any(|argument| !argument.is_global_set() && argument.get_id() != "help");
        let examples = command.get_after_help().is_some_and(|text| text.to_string().contains("Example"));
        assert!(examples || !takes || command.has_subcommands(), "{path} has no examples");
        command.get_subcommands().for_each(|verb| look(verb, &path));
    }
    look(&Cli::command(), "");
}

#[test]
fn global_flags_stand_before_or_after_the_verb() {
    for line in ["msr-lite --data-dir /d --json status", "msr-lite status --data-dir /d --json"] {
        let cli = parse(line);
        assert_eq!(cli.globals.data_dir.as_deref(), Some(std::path::Path::new("/d")));
        assert!(cli.globals.json);
    }
}

#[test]
fn flags_of_serve_become_settings_with_their_origin() {
    let cli = parse(
        "msr-lite serve --data-dir /d --listen 0.0.0.0:8443 --listen [::]:8443 --san a.lab --san 192.0.2.7 \
         --trust-http 0.0.0.0:80 --log-format json",
    );
    let Command::Serve(args) = &cli.command else { panic!("not serve") };
    let mut globals = cli.globals.clone();
    // A file of the machine that runs the tests must not change their outcome.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "").unwrap();
    globals.config = Some(file);
    let context = Context::new(globals, args.values());
    let loaded = context.config().unwrap();
    assert_eq!(loaded.config.listen.len(), 2);
    assert_eq!(loaded.config.san, ["a.lab", "192.0.2.7"]);
    assert_eq!(loaded.config.trust_http, Some("0.0.0.0:80".parse().unwrap()));
    assert_eq!(loaded.config.log_format, crate::base::config::LogFormat::Json);
    assert_eq!(loaded.origin("listen").to_string(), "--listen");
    assert_eq!(loaded.origin("data_dir").to_string(), "--data-dir");
    assert_eq!(context.data_dir().unwrap(), std::path::Path::new("/d"));
}

#[test]
fn addresses_are_checked_by_the_parser() {
    let error = Cli::try_parse_from(["msr-lite", "serve", "--listen", "8443"]).unwrap_err();
    assert_eq!(error.exit_code(), Exit::Usage as i32);
    assert!(error.to_string().contains("such as 0.0.0.0:8443"), "{error}");
}
