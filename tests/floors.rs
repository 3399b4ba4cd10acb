//! Holds the house to its floors (`src/lib.rs` has the table): which module may name which, and which words stand
//! only where. Comments do not count; code that is compiled for tests alone does.

use std::fs;
use std::path::Path;

/// The modules from the ground up. A module names itself and those of lower steps; modules of one step do not name
/// each other.
const STEPS: &[&[&str]] = &[
    &["oci"],
    &["base"],
    &["model"],
    &["policy"],
    &["space"],
    &["blobs", "meta", "pki"],
    &["client", "access", "signing"],
    &["registry"],
    &["scan", "transfer"],
    &["ops"],
    &["jobs"],
    &["http"],
    &["serve"],
    &["cli"],
    &["lib", "main"],
];

/// Where words may stand: module paths below `src`, each with all that is below it.
enum Where {
    Only(&'static [&'static str]),
    NotIn(&'static [&'static str]),
}
use Where::{NotIn, Only};

/// Words (a path, or `name::` for whatever begins with that crate), where they may stand, and what to do instead.
const WORDS: &[(&[&str], Where, &str)] = &[
    (&["redb::"], Only(&["meta/engine"]), "only the engine names the database: go through meta::engine"),
    (&["rcgen::"], Only(&["pki"]), "only pki makes certificates: ask it for one"),
    (&["StatusCode"], Only(&["http", "client"]), "domain errors know no HTTP: map them to a status in http"),
    (&["unsafe"], Only(&[]), "unsafe code is forbidden: use a crate that wraps it, such as rustix"),
    (
        &["SystemTime::now", "Timestamp::now", "Zoned::now", "OffsetDateTime::now_utc"],
        Only(&["base/clock"]),
        "take a base::Clock, which tests can move",
    ),
    // Time-outs of connections and requests begin and end on the wire: nothing stores or shows them. The store's suite
    // waits for another thread, which no manual clock moves, and gives up at some time.
    (
        &["Instant::now"],
        Only(&["base/clock", "http", "client", "meta/suite"]),
        "take a base::Clock, which tests can move",
    ),
    (
        &["hyper::", "hyper_util::", "http_body_util::"],
        Only(&["http", "client", "serve", "cli"]),
        "HTTP begins on the floor of the wire: take and return types of the lower floors",
    ),
    (&["reqwest::"], Only(&["client"]), "other hosts are asked through client alone"),
    (&["askama::"], Only(&["http/ui"]), "pages are made in http/ui: return what they show as a type"),
    (
        &["tokio::", "rustls::", "tokio_rustls::"],
        NotIn(&["oci", "base", "model", "policy"]),
        "words and nouns are pure: do this on floor 2 or above",
    ),
    (
        &["File::open", "File::create", "OpenOptions", "fs::read", "fs::write", "fs::remove_file"],
        NotIn(&["http"]),
        "the wire opens no files: ask a store for the content",
    ),
];

/// What stands only in pages, as part of a text.
const HTML: &[&str] = &["<!doctype", "<html", "<body", "<div", "text/html"];

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Mark(char),
    Text(&'a str),
}
use Token::{Mark, Text, Word};

/// The tokens of Rust source with their lines, without comments. Numbers are words.
fn tokens(source: &str) -> Vec<(usize, Token<'_>)> {
    let (mut found, mut line, mut rest) = (Vec::new(), 1, source);
    while let Some(c) = rest.chars().next() {
        let (token, length) = if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else if let Some((text, length)) = literal(rest) {
            (Some(Text(text)), length)
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Some(Word(&rest[..end])), end)
        } else {
            ((!c.is_whitespace()).then_some(Mark(c)), c.len_utf8())
        };
        found.extend(token.map(|token| (line, token)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the block comment that `rest` begins with; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            Some(_) => at += 1,
            None => return rest.len(),
        }
    }
}

/// The content and length of the text or character literal that `rest` begins with; a lifetime is none.
fn literal(rest: &str) -> Option<(&str, usize)> {
    let prefix = rest.find(|c| !"bcr".contains(c))?;
    let raw = rest[..prefix].contains('r');
    let hashes = if raw { rest[prefix..].find(|c| c != '#')? } else { 0 };
    if let Some(body) = rest[prefix + hashes..].strip_prefix('"') {
        let end = if raw { body.find(&format!("\"{}", "#".repeat(hashes)))? } else { closing(body, '"')? };
        return Some((&body[..end], prefix + hashes + 1 + end + 1 + hashes));
    }
    let body = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('\'')?;
    let end = if body.starts_with('\\') { closing(body, '\'')? } else { body.chars().next()?.len_utf8() };
    body[end..].starts_with('\'').then(|| (&body[..end], rest.len() - body.len() + end + 1))
}

/// Where the quote stands that ends a literal.
fn closing(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    body.find(|c| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
}

/// Whether `::` stands at `at`.
fn joined(tokens: &[(usize, Token)], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([(_, Mark(':')), (_, Mark(':'))]))
}

/// The modules at the root of the crate that the source of `module` names, by `crate::` or by climbing with `super::`.
fn roots<'a>(module: &str, tokens: &[(usize, Token<'a>)]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    // Brace depths at which the inline modules around the current token began.
    let (mut inline, mut braces) = (Vec::new(), 0_usize);
    for (at, (_, token)) in tokens.iter().enumerate() {
        let mut climbs = 0;
        match token {
            Mark('{') => braces += 1,
            Mark('}') => {
                braces = braces.saturating_sub(1);
                inline.pop_if(|begin| *begin == braces);
            }
            Word("mod") if matches!(tokens.get(at + 2), Some((_, Mark('{')))) => inline.push(braces),
            // Only the first `super` of a chain counts.
            Word("super") if at < 3 || tokens[at - 3].1 != Word("super") => {
                climbs = (at..).step_by(3).take_while(|&at| matches!(tokens.get(at), Some((_, Word("super"))))).count();
            }
            _ => {}
        }
        let begin = match token {
            Word("crate") if joined(tokens, at + 1) => at + 3,
            Word("super") if climbs == module.split('/').count() + inline.len() => at + 3 * climbs,
            _ => continue,
        };
        match tokens.get(begin) {
            Some(&(line, Word(name))) => found.push((line, name)),
            Some((_, Mark('{'))) => {
                let mut depth = 0;
                for (at, (line, token)) in tokens.iter().enumerate().skip(begin) {
                    match token {
                        Mark('{') => depth += 1,
                        Mark('}') => depth -= 1,
                        Word(name) if depth == 1 && matches!(tokens[at - 1].1, Mark('{' | ',')) => {
                            found.push((*line, *name));
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether `pattern` of [`WORDS`] stands at `at`.
fn stands(pattern: &str, tokens: &[(usize, Token)], at: usize) -> bool {
    let (path, crate_only) = pattern.strip_suffix("::").map_or((pattern, false), |name| (name, true));
    let found = path.split("::").enumerate().all(|(i, word)| {
        matches!(tokens.get(at + 3 * i), Some((_, Word(found))) if *found == word)
            && (i == 0 || joined(tokens, at + 3 * i - 2))
    });
    let used = at > 0 && tokens[at - 1].1 == Word("use");
    found && (!crate_only || used || joined(tokens, at + 1))
}

/// The broken rules of one source file; `path` is below `src`.
fn check(path: &str, source: &str) -> Vec<String> {
    let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let own = module.split('/').next().unwrap_or(module);
    let within =
        |places: &[&str]| places.iter().any(|place| module == *place || module.starts_with(&format!("{place}/")));
    let step = |name: &str| STEPS.iter().position(|step| step.contains(&name));
    let mut broken = Vec::new();
    let Some(own_step) = step(own) else {
        return vec![format!("src/{path}:1: the module {own} has no floor: give it one in STEPS of tests/floors.rs")];
    };
    let tokens = tokens(source);
    for (line, name) in roots(module, &tokens).into_iter().filter(|(_, name)| *name != own) {
        match step(name) {
            Some(other) if other < own_step => {}
            Some(_) => broken.push(format!(
                "src/{path}:{line}: {own} names crate::{name}, which does not stand below it: move what both need down, \
                 or hand it in from above"
            )),
            None => broken.push(format!("src/{path}:{line}: crate::{name} has no floor: put it into a module that has")),
        }
    }
    for (at, (line, token)) in tokens.iter().enumerate() {
        for (patterns, places, cure) in WORDS {
            let allowed = match places {
                Only(places) => within(places),
                NotIn(places) => !within(places),
            };
            if let Some(word) = patterns.iter().find(|pattern| !allowed && stands(pattern, &tokens, at)) {
                broken.push(format!("src/{path}:{line}: {word} does not belong into {module}: {cure}"));
            }
        }
        if let Text(text) = token
            && let Some(html) = HTML.iter().find(|html| text.to_ascii_lowercase().contains(**html))
            && !within(&["http"])
        {
            broken.push(format!("src/{path}:{line}: {html} does not belong into {module}: HTML is made in http alone"));
        }
    }
    broken
}

/// Checks all files below `directory`; their number.
fn check_all(directory: &Path, below: &str, broken: &mut Vec<String>) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("src can be listed") {
        let entry = entry.expect("src can be listed");
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            count += check_all(&entry.path(), &format!("{path}/"), broken);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            broken.extend(check(&path, &fs::read_to_string(entry.path()).expect("sources are UTF-8")));
            count += 1;
        }
    }
    count
}

#[test]
fn the_house_stands_on_its_floors() {
    let mut broken = Vec::new();
    let count = check_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut broken);
    assert!(count > 20, "only {count} sources found");
    broken.sort();
    assert!(broken.is_empty(), "{} rules broken:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn planted_faults_are_found() {
    for (path, source, found) in [
        ("oci/tag.rs", "use crate::base::Clock;", "src/oci/tag.rs:1: oci names crate::base"),
        ("meta/mod.rs", "\nfn f() {\n    crate::http::reply();\n}", "src/meta/mod.rs:3: meta names crate::http"),
        ("meta/tables.rs", "use crate::{base::Clock, blobs::{self, http}};", "meta names crate::blobs"),
        ("blobs/mod.rs", "use super::pki;", "blobs names crate::pki"),
        ("blobs/fs.rs", "mod tests { fn f() { super::super::super::meta::open() } }", "blobs names crate::meta"),
        ("access/mod.rs", "use crate::client;", "access names crate::client"),
        ("registry/mod.rs", "#[cfg(test)] mod tests { use crate::jobs::Runner; }", "registry names crate::jobs"),
        ("http/v2/mod.rs", "fn f() -> crate :: serve :: X", "http names crate::serve"),
        ("base/mod.rs", "use crate::surprise;", "crate::surprise has no floor"),
        ("surprise.rs", "", "the module surprise has no floor"),
        ("meta/tables.rs", "use redb::Table;", "redb:: does not belong into meta/tables"),
        ("registry/mod.rs", "use redb as r;", "redb:: does not belong into registry"),
        ("jobs/mod.rs", "let c = rcgen::generate();", "only pki makes certificates"),
        (
            "registry/error.rs",
            "/* StatusCode */ fn f() -> StatusCode {}",
            "StatusCode does not belong into registry/error",
        ),
        ("meta/engine.rs", "\"//\"; unsafe { }", "unsafe does not belong into meta/engine"),
        (
            "pki/ca.rs",
            "let c = '\"'; let t = std::time::SystemTime::now();",
            "SystemTime::now does not belong into pki/ca",
        ),
        (
            "blobs/mod.rs",
            "fn f<'a>(x: &'a str) { tokio::time::Instant::now() }",
            "Instant::now does not belong into blobs",
        ),
        ("registry/apps.rs", "r#\"a \" <DIV>\"#", "<div does not belong into registry/apps"),
        ("model/tag.rs", "use tokio::sync::Mutex;", "tokio:: does not belong into model/tag"),
        ("ops/mod.rs", "reqwest::get(url)", "other hosts are asked through client"),
        ("registry/pull.rs", "use hyper::body::Body;", "hyper:: does not belong into registry/pull"),
        ("http/ui/mod.rs", "std::fs::read(p)", "fs::read does not belong into http/ui"),
        ("http/api/mod.rs", "askama::Template", "askama:: does not belong into http/api"),
    ] {
        let broken = check(path, source);
        assert!(broken.len() == 1 && broken[0].contains(found), "{path}: {source}\nfound {broken:?}\nnot {found:?}");
    }
}

#[test]
fn what_is_allowed_passes() {
    for (path, source) in [
        (
            "oci/tag.rs",
            "// crate::http\n/* crate::http /* unsafe */ redb:: */ use super::name; use crate::oci::Digest;",
        ),
        (
            "oci/name.rs",
            "let s = \"crate::http unsafe \\\" redb::x\"; let r = r#\"unsafe\"#; let c = b'\\''; let d = '\\\\';",
        ),
        ("oci/name.rs", "/// [`crate::http`] is unsafe.\nmod tests { use super::*; use super::super::http; }"),
        ("base/clock.rs", "SystemTime::now(); Instant::now(); jiff::Timestamp::now();"),
        ("meta/engine.rs", "use redb::Database;"),
        ("meta/engine/tests.rs", "use redb::Database; use super::super::key;"),
        ("http/conn.rs", "let t = tokio::time::Instant::now(); let s = hyper::StatusCode::OK; \"text/html\";"),
        ("ops/mod.rs", "use crate::{access, blobs::Blobs, registry::{http, cli}, oci}; let unsafely = predb::x();"),
        ("cli/run.rs", "crate::serve::run(); use crate::http;"),
        ("main.rs", "use msr_lite::cli; fn main() { crate::cli::run() }"),
        ("policy/gate.rs", "use crate::{model::tag, base::id, oci::Tag};"),
    ] {
        let broken = check(path, source);
        assert!(broken.is_empty(), "{path}: {source}\nfound {broken:?}");
    }
}
