//! Where log lines go and what they look like: standard error, as text or JSON; with priorities for the journal.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::os::unix::fs::MetadataExt as _;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::CliError;
use crate::base::config::LogFormat;

/// Sets up logging for the whole process. `filter` is a level or directives (`info,msr_lite::http=debug`).
///
/// # Errors
/// When `filter` cannot be understood, or logging was set up before.
pub fn set_up(filter: &str, format: LogFormat) -> Result<(), CliError> {
    let filter = parse(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let done = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text if is_journal() => lines.with_ansi(false).event_format(Journal::default()).try_init(),
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).with_target(false).compact().try_init(),
    };
    done.map_err(|error| CliError::failed(format!("logging cannot be set up: {error}")))
}

fn parse(filter: &str) -> Result<EnvFilter, CliError> {
    EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(filter).map_err(|error| {
        CliError::setup(format!(
            "log: {filter:?} is no log level ({error}); use error, warn, info, debug or trace, or \
             info,msr_lite::http=debug"
        ))
    })
}

/// Whether standard error is the journal: systemd names its device and inode in `JOURNAL_STREAM` (systemd.exec(5)). The
/// variable alone proves nothing, since children inherit it whatever becomes of their standard error.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    // `/proc/self/fd/2` follows to the open file itself, as fstat would.
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

/// Text lines that begin with their priority, `<4>` and the like (sd-daemon(3)); the journal keeps the time itself.
struct Journal(Format<Compact, ()>);

impl Default for Journal {
    fn default() -> Self {
        Self(Format::default().compact().without_time().with_level(false).with_target(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(ctx, writer, event)
    }
}

/// The syslog priority (RFC 5424, table 2) of a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn journal_lines_begin_with_their_priority_and_have_no_time() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Journal::default())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(free_bytes = 7, "the disk is nearly full");
            tracing::error!("the disk is full");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "<4>the disk is nearly full free_bytes=7\n<3>the disk is full\n");
    }

    #[test]
    fn a_level_that_does_not_exist_is_told() {
        assert!(parse("info,msr_lite::http=debug").is_ok());
        assert!(parse("msr_lite=loudly").unwrap_err().message.contains("use error, warn, info"));
    }
}
