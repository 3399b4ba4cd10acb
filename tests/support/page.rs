//! Commands that stand in a page of the documentation, and what they print.
//!
//! A block whose info string begins with `console test` runs: every line that begins with `$ ` is a command, the lines
//! below it are expected in its output, in this order, `…` standing for anything.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

/// A block that runs.
pub(crate) struct Block {
    /// Where it stands.
    pub(crate) line: usize,
    /// Its info string.
    pub(crate) words: Vec<String>,
    /// What it runs.
    pub(crate) commands: Vec<Command>,
}

/// A command and what it should print.
pub(crate) struct Command {
    /// For a shell.
    pub(crate) text: String,
    expected: Vec<String>,
}

/// The blocks of a page that run.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        match (inside, line.strip_prefix("```")) {
            (false, Some(info)) => {
                inside = true;
                let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
                blocks.push(Block { line: number, words, commands: Vec::new() });
            }
            (true, Some(_)) => inside = false,
            (true, None) => {
                let commands = &mut blocks.last_mut().expect("it was opened").commands;
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(text), _) => commands.push(Command { text: text.to_owned(), expected: Vec::new() }),
                    (None, Some(command)) => command.expected.push(line.to_owned()),
                    (None, None) => panic!("line {number}: a block begins with a command"),
                }
            }
            (false, None) => {}
        }
    }
    assert!(!inside, "a block has no end");
    blocks.retain(|block| block.words.starts_with(&["console".to_owned(), "test".to_owned()]));
    blocks
}

impl Command {
    /// The expected lines stand in the output in their order.
    pub(crate) fn check(&self, place: &str, output: &str) {
        let mut lines = output.lines();
        for wanted in self.expected.iter().filter(|line| !line.is_empty()) {
            assert!(lines.any(|line| fits(wanted, line)), "{place}: no line {wanted:?} in\n$ {}\n{output}", self.text);
        }
    }
}

/// `…` stands for anything, also for nothing.
fn fits(pattern: &str, line: &str) -> bool {
    let Some((before, after)) = pattern.split_once('…') else { return pattern == line };
    let Some(rest) = line.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(after, &rest[at..]))
}

#[test]
fn lines_have_gaps() {
    for (pattern, line, fit) in [
        ("app", "app", true),
        ("app", "apps", false),
        ("sha256:…", "sha256:abc", true),
        ("…b…", "abc", true),
        ("a…c.", "abc.", true),
        ("a…c.", "abc. more", false),
        ("…", "", true),
    ] {
        assert_eq!(fits(pattern, line), fit, "{pattern} {line}");
    }
}
