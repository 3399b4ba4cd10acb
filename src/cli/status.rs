//! `msr-lite status`: one screen.

use std::fmt::Write as _;
use std::time::Duration;

use super::{CliError, Context, Exit};
use crate::base::Timestamp;
use crate::ops::Status;
use crate::ops::status::{Certificate, Serves, Storage};
use crate::serve::STORE;
use crate::serve::admin::{AdminAnswer, AdminRequest};
use crate::space::Size;

/// The words after `--help`.
pub const AFTER_HELP: &str = "\
Exit codes: 0 the server runs, 5 it does not.

Examples:
  msr-lite status
  msr-lite status --json | jq -r .leaf.not_after";

/// Runs the verb.
///
/// # Errors
/// When no server runs, or it cannot be asked.
pub fn run(context: &Context) -> Result<Exit, CliError> {
    match context.ask(&AdminRequest::Status)? {
        Some(AdminAnswer::Status(status)) if context.json() => context.print_json(&status)?,
        Some(AdminAnswer::Status(status)) => context.print(&screen(&status))?,
        Some(_) => return Err(CliError::failed("the running server answered something else than its status")),
        None => {
            let dir = context.data_dir()?;
            let what = if dir.join(STORE).exists() { "holds a registry" } else { "holds no registry yet" };
            return Err(CliError::not_running(format!(
                "no server is running on {0}, which {what}. To start it: msr-lite serve --data-dir {0}",
                dir.display()
            )));
        }
    }
    Ok(Exit::Done)
}

fn screen(status: &Status) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:14}{value}");
    };
    row("msr-lite", format!("{}, up {} (process {})", status.version, ago(status.uptime()), status.pid));
    row("URL", status.url.clone());
    for listener in &status.listeners {
        let serves = match listener.serves {
            Serves::Https => "the registry, TLS",
            Serves::Http => "the registry, in clear",
            Serves::Trust => "CA certificate and trust scripts, in clear",
        };
        row("Listens on", format!("{} ({serves})", listener.address));
    }
    row("Data", status.data_dir.clone());
    row("Disk", disk(&status.storage));
    row("Instance", status.instance.clone());
    row("Names", status.leaf.names.join(", "));
    let whose = if status.brought { "brought by you; " } else { "" };
    row("Certificate", format!("{whose}{}", validity(&status.leaf, status.now)));
    row("", format!("SHA-256 {}", status.leaf.fingerprint));
    row("Authority", validity(&status.ca, status.now));
    row("", format!("SHA-256 {}", status.ca.fingerprint));
    row("Repositories", status.repositories.to_string());
    row("Uploads open", status.uploads.to_string());
    if status.refused_handshakes > 0 {
        row(
            "Refusals",
            format!("{} handshakes broken off by clients; the log names each and the cure", status.refused_handshakes),
        );
    }
    text
}

fn disk(storage: &Storage) -> String {
    let Storage { total_bytes, free_bytes, reserve_bytes, full } = *storage;
    let reserve = Size(reserve_bytes);
    match (total_bytes, full) {
        (0, _) => "does not tell how much is free".to_owned(),
        (_, false) => format!("{} of {} free, {reserve} kept in reserve", Size(free_bytes), Size(total_bytes)),
        (_, true) => {
            let free = Size(free_bytes);
            format!("FULL: {free} free, {reserve} kept in reserve; pushes are refused, pulls and deletions go on")
        }
    }
}

fn validity(certificate: &Certificate, now: Timestamp) -> String {
    let until: String = certificate.not_after.to_string().chars().take(10).collect();
    if certificate.not_after <= now {
        return format!("EXPIRED on {until}");
    }
    format!("valid until {until}, {} days left", certificate.not_after.since(now).as_secs() / 86_400)
}

/// A span of time in its two greatest units.
fn ago(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::Listener;
    use crate::serve::banner::tests::certificate;

    fn status() -> Status {
        let started = Timestamp(1_795_305_600_000);
        Status {
            version: "0.1.0".into(),
            instance: "abc".into(),
            pid: 42,
            started,
            now: started.plus(Duration::from_hours(74)),
            data_dir: "/srv/data".into(),
            url: "https://registry.lab".into(),
            listeners: vec![Listener { address: "0.0.0.0:443".into(), serves: Serves::Https }],
            ca: certificate(&[]),
            leaf: certificate(&["registry.lab", "192.0.2.7"]),
            brought: false,
            storage: Storage { total_bytes: 252 << 30, free_bytes: 66 << 30, reserve_bytes: 5 << 30, full: false },
            uploads: 2,
            repositories: 17,
            refused_handshakes: 3,
        }
    }

    #[test]
    fn one_screen_has_it_all() {
        let text = screen(&status());
        for line in [
            "0.1.0, up 3 d 2 h (process 42)",
            "0.0.0.0:443 (the registry, TLS)",
            "registry.lab, 192.0.2.7",
            "valid until 2027-12-24, 393 days left",
            "66 GiB of 252 GiB free, 5 GiB kept in reserve",
            "AA:BB",
            "17",
            "3 handshakes",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.lines().count() <= 24 && text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn a_full_disk_is_not_overlooked() {
        let mut full = status();
        full.storage = Storage { free_bytes: 300 << 20, full: true, ..full.storage };
        assert!(screen(&full).contains("FULL: 300 MiB free, 5 GiB kept in reserve; pushes are refused"));
    }

    #[test]
    fn an_expired_certificate_is_not_overlooked() {
        let mut late = status();
        late.now = late.leaf.not_after;
        assert!(screen(&late).contains("EXPIRED on 2027-12-24"));
    }

    #[test]
    fn spans_of_time() {
        for (seconds, text) in [(5, "5 s"), (61, "1 min"), (3700, "1 h 1 min"), (90_000, "1 d 1 h")] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }
}
