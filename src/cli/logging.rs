//! Where log lines go and what they look like: standard error, as text or JSON; with priorities for the journal.
//!
//! Every request is told of at `info`, reads too: whoever looks for why a client fails begins there. So that this costs
//! a request as little as it can, its line is only gathered and written by a thread of its own, some milliseconds later
//! and with its neighbours, and not with a system call for each. What warns is written at once.

use std::fmt;
use std::io::{self, IsTerminal as _, stderr};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::CliError;
use crate::base::config::LogFormat;

/// For how long lines gather before they are written: what a process that is killed may fail to tell.
const GATHER: Duration = Duration::from_millis(10);

/// As many bytes may wait; whoever brings more waits until they are written, so that no line is ever lost.
const WAITING: usize = 256 * 1024;

/// Sets up logging for the whole process. `filter` is a level or directives (`info,msr_lite::http=debug`). What the
/// returned value gathers is written by the time that it has been dropped.
///
/// # Errors
/// When `filter` cannot be understood, or logging was set up before.
pub fn set_up(filter: &str, format: LogFormat) -> Result<impl Drop + use<>, CliError> {
    let filter = parse(filter)?;
    let gathered =
        Lines::start(stderr()).map_err(|error| CliError::failed(format!("no thread for the log: {error}")))?;
    let last = Last(gathered.clone());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(gathered);
    let done = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text if is_journal() => lines.with_ansi(false).event_format(Journal::default()).try_init(),
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).with_target(false).compact().try_init(),
    };
    done.map_err(|error| CliError::failed(format!("logging cannot be set up: {error}")))?;
    Ok(last)
}

/// Lines on their way out, in order. Cheap to clone.
struct Lines<W>(Arc<Gathered<W>>);

struct Gathered<W> {
    waiting: Mutex<Waiting<W>>,
    some: Condvar,
}

struct Waiting<W> {
    lines: Vec<u8>,
    out: W,
}

impl<W: io::Write> Waiting<W> {
    /// Writes them. If the log cannot be written there is nobody to tell.
    fn write(&mut self) {
        let _ = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        self.lines.clear();
    }
}

impl<W> Clone for Lines<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: io::Write + Send + 'static> Lines<W> {
    /// Lines to `out`, and the thread that writes them.
    fn start(out: W) -> io::Result<Self> {
        let waiting = Mutex::new(Waiting { lines: Vec::new(), out });
        let lines = Self(Arc::new(Gathered { waiting, some: Condvar::new() }));
        let writer = lines.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.serve())?;
        Ok(lines)
    }

    fn serve(&self) {
        loop {
            let mut waiting = self.0.waiting.lock();
            self.0.some.wait_while(&mut waiting, |waiting| waiting.lines.is_empty());
            drop(waiting);
            std::thread::sleep(GATHER);
            self.0.waiting.lock().write();
        }
    }
}

impl<'l, W: io::Write + 'l> MakeWriter<'l> for Lines<W> {
    type Writer = Line<'l, W>;

    fn make_writer(&'l self) -> Line<'l, W> {
        Line { lines: self, at_once: true }
    }

    fn make_writer_for(&'l self, event: &Metadata<'_>) -> Line<'l, W> {
        Line { lines: self, at_once: *event.level() <= Level::WARN }
    }
}

/// One line.
struct Line<'l, W> {
    lines: &'l Lines<W>,
    /// With what waits before it.
    at_once: bool,
}

impl<W: io::Write> io::Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lines.0.waiting.lock();
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        if self.at_once || waiting.lines.len() > WAITING {
            waiting.write();
        } else if first {
            self.lines.0.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what still waits.
struct Last<W: io::Write>(Lines<W>);

impl<W: io::Write> Drop for Last<W> {
    fn drop(&mut self) {
        self.0.0.waiting.lock().write();
    }
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

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn journal_lines_begin_with_their_priority_and_have_no_time() {
        let paper = Paper::default();
        let writer = paper.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Journal::default())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(free_bytes = 7, "the disk is nearly full");
            tracing::error!("the disk is full");
        });
        assert_eq!(paper.text(), "<4>the disk is nearly full free_bytes=7\n<3>the disk is full\n");
    }

    /// Lines to `paper` that no thread writes.
    fn gathering(paper: &Paper) -> Lines<Paper> {
        let waiting = Mutex::new(Waiting { lines: Vec::new(), out: paper.clone() });
        Lines(Arc::new(Gathered { waiting, some: Condvar::new() }))
    }

    fn with_lines(lines: &Lines<Paper>, work: impl FnOnce()) {
        let lines = lines.clone();
        let format = Journal::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines).event_format(format).finish();
        tracing::subscriber::with_default(subscriber, work);
    }

    #[test]
    fn what_warns_is_written_at_once_behind_what_came_before_it() {
        let paper = Paper::default();
        let lines = gathering(&paper);
        with_lines(&lines, || {
            tracing::info!("a request");
            assert_eq!(paper.text(), "");
            tracing::error!("the disk is full");
            assert_eq!(paper.text(), "<6>a request\n<3>the disk is full\n");
            tracing::info!("another");
        });
        drop(Last(lines));
        assert!(paper.text().ends_with("<6>another\n"), "{}", paper.text());
    }

    #[test]
    fn no_line_is_lost_when_many_come() {
        let paper = Paper::default();
        with_lines(&Lines::start(paper.clone()).unwrap(), || {
            let long = "x".repeat(WAITING / 4);
            for n in 0..10 {
                tracing::info!(long, n);
            }
            tracing::warn!("the end");
        });
        let text = paper.text();
        let numbers: Vec<_> = text.lines().filter_map(|line| line.rsplit_once("n=")).map(|(_, n)| n).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert!(text.ends_with("the end\n"));
    }

    #[test]
    fn a_line_that_nothing_follows_is_written_soon() {
        let paper = Paper::default();
        with_lines(&Lines::start(paper.clone()).unwrap(), || tracing::info!("a request"));
        for _ in 0..500 {
            if !paper.text().is_empty() {
                return;
            }
            std::thread::sleep(GATHER);
        }
        panic!("it was never written");
    }

    #[test]
    fn a_level_that_does_not_exist_is_told() {
        assert!(parse("info,msr_lite::http=debug").is_ok());
        assert!(parse("msr_lite=loudly").unwrap_err().message.contains("use error, warn, info"));
    }
}
