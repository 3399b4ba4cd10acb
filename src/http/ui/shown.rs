//! Texts that somebody else wrote, made fit for a page: bounded, and without signs that move or hide their neighbours.
//!
//! Escaping is the templates' work. What is done here is for what HTML does not mind: controls that turn the direction
//! of writing around ("Trojan source"), that are invisible, or that break a line in the middle of a table.

/// A name, a label, a path: one line of at most so many characters.
pub(super) fn line(text: &str, characters: usize) -> String {
    cut(text.chars(), characters, |_| false)
}

/// A command, a description: lines and tabs stay.
pub(super) fn lines(text: &str, characters: usize) -> String {
    cut(text.chars(), characters, |c| matches!(c, '\n' | '\t'))
}

/// What the long texts of one page may take together: 500 rows of a thousand characters each would be a page that no
/// browser likes. When it is used up, texts are an ellipsis.
pub(super) struct Room(usize);

impl Room {
    /// The room of one page, in characters.
    pub(super) fn new() -> Self {
        Self(100_000)
    }

    /// [`line`], as long as there is room.
    pub(super) fn line(&mut self, text: &str, characters: usize) -> String {
        line(text, self.take(text, characters))
    }

    /// [`lines`], as long as there is room.
    pub(super) fn lines(&mut self, text: &str, characters: usize) -> String {
        lines(text, self.take(text, characters))
    }

    fn take(&mut self, text: &str, characters: usize) -> usize {
        let taken = text.chars().take(characters.min(self.0)).count();
        self.0 -= taken;
        taken
    }
}

/// The first `characters`, with an ellipsis where more follow.
fn cut(mut text: impl Iterator<Item = char>, characters: usize, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for c in text.by_ref().take(characters) {
        if is_hidden(c) && !stays(c) { escape(c, &mut shown) } else { shown.push(c) }
    }
    if text.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a sign is not seen itself, but changes how others are: controls, marks of direction (Unicode Standard Annex
/// 9), separators of lines, and blanks without width. Joiners stay, which scripts and emoji need.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        || matches!(c, '\u{00ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Writes a sign as JSON escapes it, so that a pretty document stays the same document.
pub(super) fn escape(c: char, to: &mut String) {
    use std::fmt::Write as _;
    match c {
        '\n' => to.push_str("\\n"),
        '\t' => to.push_str("\\t"),
        '\r' => to.push_str("\\r"),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}").expect("a string takes what is written to it");
            }
        }
    }
}

/// Whether a name says that its value is nobody's business who only looks at the page.
pub(super) fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "PRIVATE", "APIKEY", "AUTH"];
    const ENDS: [&str; 3] = ["KEY", "PASS", "PWD"];
    let name = name.to_ascii_uppercase();
    let is_directory = matches!(name.as_str(), "PWD" | "OLDPWD");
    !is_directory && (WORDS.iter().any(|word| name.contains(word)) || ENDS.iter().any(|end| name.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(line("a\nb\u{202e}c\u{7}", 20), "a\\nb\\u202ec\\u0007");
        assert_eq!(lines("a\n\tb\r\u{2066}", 20), "a\n\tb\\r\\u2066");
        assert_eq!(line("\u{e0041}", 20), "\\udb40\\udc41");
        assert_eq!(line("web 网 \u{200d}", 20), "web 网 \u{200d}");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
    }

    #[test]
    fn room_ends() {
        let mut room = Room(5);
        assert_eq!(room.line("abc", 2), "ab…");
        assert_eq!(room.lines("abc", 9), "abc");
        assert_eq!((room.line("abc", 9).as_str(), room.line("", 9).as_str()), ("…", ""));
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["DB_PASSWORD", "token", "AWS_SECRET_ACCESS_KEY", "SSH_KEY", "MYSQL_PWD", "API_KEY", "BASIC_AUTH"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["PATH", "PWD", "OLDPWD", "KEYBOARD", "LANG", "docker_param1", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>(), characters in 0_usize..40) {
            prop_assert!(!line(&text, characters).contains(is_hidden));
        }
    }
}
