//! Markdown as HTML, by an allow-list: what is not written here cannot come out.
//!
//! The texts are anybody's who may push. No HTML of theirs gets through (tags are left out, the text between them
//! stays), no picture is loaded (it becomes a link), links lead to http, https or a path and say nothing about where
//! the reader came from. Headings begin one level below the page's own. Size and nesting are bounded.

use std::collections::HashMap;
use std::fmt::Write as _;

use pulldown_cmark::{Alignment, CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Bytes of a text that are read.
const MAX_TEXT: usize = 64 * 1024;

/// Bytes of HTML that are written: a short text can name a long link many times.
const MAX_HTML: usize = 512 * 1024;

/// Blocks and spans within one another; what is deeper loses its form and keeps its text.
const MAX_DEPTH: usize = 24;

/// Bytes of a link's address.
const MAX_ADDRESS: usize = 2048;

/// The text as HTML, safe to stand in a page as it is.
pub fn html(text: &str) -> String {
    let cut = text.floor_char_boundary(MAX_TEXT);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer::default();
    for event in Parser::new_ext(&text[..cut], options) {
        if writer.html.len() > MAX_HTML {
            writer.cut = true;
            break;
        }
        writer.event(event);
    }
    while writer.open.pop().is_some_and(|end| {
        writer.html.push_str(end);
        true
    }) {}
    if cut < text.len() || writer.cut {
        writer.html.push_str("<p><em>The rest of this text is too long to be shown.</em></p>\n");
    }
    writer.html
}

#[derive(Default)]
struct Writer {
    html: String,
    /// How each open element ends; empty for one that was left out.
    open: Vec<&'static str>,
    /// Inside a link, where no other can begin.
    in_link: bool,
    /// Raw HTML of the block that is being read.
    raw: Option<String>,
    /// Where the heading began that is being read.
    heading: Option<Heading>,
    /// The last heading's level in the text, and those of the headings that it stands below.
    outline: Vec<HeadingLevel>,
    ids: HashMap<String, u32>,
    /// Alignment of a table's columns, and the column.
    columns: (Vec<Alignment>, usize),
    in_head: bool,
    cut: bool,
}

struct Heading {
    /// Where its start tag stands in the HTML.
    at: usize,
    level: u8,
    text: String,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            // Math and footnotes are not among the options.
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::Code(code) => {
                self.html.push_str("<code>");
                self.text(&code);
                self.html.push_str("</code>");
            }
            Event::Html(html) => {
                if let Some(raw) = &mut self.raw {
                    raw.push_str(&html);
                } else {
                    self.text(&without_tags(&html));
                }
            }
            Event::InlineHtml(tag) => {
                if tag.get(..3).is_some_and(|tag| tag.eq_ignore_ascii_case("<br")) {
                    self.html.push_str("<br>");
                }
            }
            Event::SoftBreak => self.html.push('\n'),
            Event::HardBreak => self.html.push_str("<br>\n"),
            Event::Rule => self.html.push_str("<hr>\n"),
            Event::TaskListMarker(done) => self.html.push_str(if done { "\u{2611} " } else { "\u{2610} " }),
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(heading) = &mut self.heading {
            heading.text.push_str(text);
        }
        escape(&mut self.html, text);
    }

    /// Begins an element, unless it would be too deep.
    fn begin(&mut self, start: &str, end: &'static str) {
        if self.open.len() < MAX_DEPTH {
            self.html.push_str(start);
            self.open.push(end);
        } else {
            self.open.push("");
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.begin("<p>", "</p>\n"),
            Tag::Heading { level, .. } => {
                let level = self.nested(level);
                self.heading = Some(Heading { at: self.html.len(), level, text: String::new() });
                self.open.push("");
            }
            Tag::BlockQuote(_) => self.begin("<blockquote>\n", "</blockquote>\n"),
            Tag::CodeBlock(kind) => {
                // The language is a word of the author's, of no use without script.
                let (CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) = kind;
                self.begin("<pre tabindex=\"0\"><code>", "</code></pre>\n");
            }
            Tag::HtmlBlock => {
                self.raw = Some(String::new());
                self.open.push("");
            }
            Tag::List(None) => self.begin("<ul>\n", "</ul>\n"),
            Tag::List(Some(1)) => self.begin("<ol>\n", "</ol>\n"),
            Tag::List(Some(from)) => self.begin(&format!("<ol start=\"{from}\">\n"), "</ol>\n"),
            Tag::Item => self.begin("<li>", "</li>\n"),
            Tag::Table(alignment) => {
                self.columns = (alignment, 0);
                self.begin(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n",
                    "</tbody></table></div>\n",
                );
            }
            Tag::TableHead => {
                (self.in_head, self.columns.1) = (true, 0);
                self.begin("<thead><tr>", "</tr></thead><tbody>\n");
            }
            Tag::TableRow => {
                self.columns.1 = 0;
                self.begin("<tr>", "</tr>\n");
            }
            Tag::TableCell => {
                let right = self.columns.0.get(self.columns.1) == Some(&Alignment::Right);
                self.columns.1 += 1;
                match (self.in_head, right) {
                    (true, false) => self.begin("<th scope=\"col\">", "</th>"),
                    (true, true) => self.begin("<th scope=\"col\" class=\"num\">", "</th>"),
                    (false, false) => self.begin("<td>", "</td>"),
                    (false, true) => self.begin("<td class=\"num\">", "</td>"),
                }
            }
            Tag::Emphasis => self.begin("<em>", "</em>"),
            Tag::Strong => self.begin("<strong>", "</strong>"),
            Tag::Strikethrough => self.begin("<s>", "</s>"),
            Tag::Link { dest_url, .. } => self.link(&dest_url, ""),
            Tag::Image { dest_url, .. } => self.link(&dest_url, "Picture: "),
            // Not among the options.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => self.open.push(""),
        }
    }

    /// Begins a link, if its address is one that may be followed and no other link is open.
    fn link(&mut self, address: &CowStr<'_>, before: &str) {
        let Some(address) = (!self.in_link && self.open.len() < MAX_DEPTH).then(|| followed(address)).flatten() else {
            self.open.push("");
            return;
        };
        self.html.push_str("<a href=\"");
        escape(&mut self.html, &address);
        // Nothing tells the other side where its visitor comes from, and nothing there reaches this page.
        self.html.push_str("\" rel=\"nofollow noopener noreferrer\">");
        self.html.push_str(before);
        self.in_link = true;
        self.open.push("</a>");
    }

    fn end(&mut self, end: TagEnd) {
        let close = self.open.pop().unwrap_or_default();
        match end {
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::HtmlBlock => {
                let text = without_tags(&self.raw.take().unwrap_or_default());
                if !text.trim().is_empty() {
                    self.html.push_str("<p>");
                    escape(&mut self.html, text.trim());
                    self.html.push_str("</p>\n");
                }
            }
            TagEnd::TableHead => self.in_head = false,
            _ => {}
        }
        if close == "</a>" {
            self.in_link = false;
        }
        self.html.push_str(close);
    }

    /// The level of a heading on the page, where the page's own is the first: one below the heading that it belongs to.
    /// So a text that begins with a small heading, or leaves one out, skips no level: who goes through a page by its
    /// headings would look for what is between.
    fn nested(&mut self, level: HeadingLevel) -> u8 {
        while self.outline.last().is_some_and(|above| *above >= level) {
            self.outline.pop();
        }
        self.outline.push(level);
        u8::try_from(self.outline.len() + 1).map_or(6, |level| level.min(6))
    }

    /// Puts the start tag before what stands in the heading: its id is made of that.
    fn end_heading(&mut self) {
        let Some(Heading { at, level, text }) = self.heading.take() else { return };
        let slug = slug(&text);
        let count = self.ids.entry(slug.clone()).or_default();
        *count += 1;
        let id = if *count == 1 { slug } else { format!("{slug}-{count}") };
        self.html.insert_str(at, &format!("<h{level} id=\"{ANCHOR}{id}\">"));
        let _ = writeln!(self.html, "</h{level}>");
    }
}

/// What the ids of a text's headings begin with, so that they are never those of the page around it.
const ANCHOR: &str = "md-";

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().take(64) {
        match c {
            c if c.is_alphanumeric() => slug.extend(c.to_lowercase()),
            ' ' | '-' | '_' if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug
}

/// The address of a link that may be followed: http, https, or without a scheme and on this host.
fn followed(address: &str) -> Option<String> {
    if address.is_empty() || address.len() > MAX_ADDRESS || address.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return None;
    }
    if let Some(anchor) = address.strip_prefix('#') {
        return Some(format!("#{ANCHOR}{anchor}"));
    }
    let head = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
    match head.split_once(':') {
        Some((scheme, "")) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            address[head.len()..].starts_with("//").then(|| address.to_owned())
        }
        Some(_) => None,
        // Browsers read `//host`, and `\` as `/`.
        None if address.starts_with("//") || address.contains('\\') => None,
        None => Some(address.to_owned()),
    }
}

/// The text of raw HTML between its tags and comments.
fn without_tags(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some(begin) = rest.find('<') {
        text.push_str(&rest[..begin]);
        let tag = &rest[begin..];
        let end =
            if tag.starts_with("<!--") { tag.find("-->").map(|at| at + 3) } else { tag.find('>').map(|at| at + 1) };
        match end {
            Some(end) => rest = &tag[end..],
            None => return text,
        }
    }
    text.push_str(rest);
    text
}

/// Writes text so that it stays text, in content and in quoted attributes.
fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // Nothing that a page could show.
            '\0' => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headings_leave_no_level_out() {
        let levels = |text: &str| -> String {
            html(text).split("<h").skip(1).map(|rest| rest.chars().next().unwrap()).collect()
        };
        assert_eq!(levels("# a\n## b\n### c\n# d"), "2342");
        assert_eq!(levels("## a\n### b\n## c"), "232", "what begins small begins below the page's heading");
        assert_eq!(levels("###### a\n# b\n#### c\n## d"), "2233");
        assert_eq!(levels("# a\n## b\n### c\n#### d\n##### e\n###### f"), "234566");
    }

    #[test]
    fn the_usual_forms() {
        for (text, expected) in [
            (
                "# One\n\ntwo *three* **four** `five`",
                "<h2 id=\"md-one\">One</h2>\n<p>two <em>three</em> <strong>four</strong> <code>five</code></p>\n",
            ),
            ("###### Deep", "<h2 id=\"md-deep\">Deep</h2>\n"),
            ("## A b\n## A b", "<h2 id=\"md-a-b\">A b</h2>\n<h2 id=\"md-a-b-2\">A b</h2>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("3. a", "<ol start=\"3\">\n<li>a</li>\n</ol>\n"),
            ("```sh\na < b\n```", "<pre tabindex=\"0\"><code>a &lt; b\n</code></pre>\n"),
            ("> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"),
            ("~~a~~ b  \nc", "<p><s>a</s> b<br>\nc</p>\n"),
            (
                "| a | b |\n|---|--:|\n| 1 | 2 |",
                "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n<thead><tr><th scope=\"col\">a</th><th scope=\"col\" class=\"num\">b</th></tr></thead><tbody>\n<tr><td>1</td><td class=\"num\">2</td></tr>\n</tbody></table></div>\n",
            ),
        ] {
            assert_eq!(html(text), expected, "{text}");
        }
    }

    #[test]
    fn links_lead_to_the_web_or_to_a_path() {
        let link = |address: &str| html(&format!("[a]({address})"));
        for good in ["https://registry.lab/x?y=1", "HTTP://registry.lab/", "/r/a", "docs/a.md", "?q=1", "a:b/c"] {
            let followed =
                link(good).contains(&format!("<a href=\"{good}\" rel=\"nofollow noopener noreferrer\">a</a>"));
            assert_eq!(followed, !good.starts_with("a:"), "{good}");
        }
        assert!(link("#some-part").contains("href=\"#md-some-part\""));
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "javascript&colon;alert(1)",
            "&#106;avascript:alert(1)",
            "<java\tscript:alert(1)>",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "mailto:alice@registry.lab",
            "//registry.lab/x",
            "/\\registry.lab",
            "\\\\registry.lab",
            "https:registry.lab",
            "http:/registry.lab",
        ] {
            assert!(!link(bad).contains("<a "), "{bad}: {}", link(bad));
        }
        assert!(!html("<javascript:alert(1)>").contains("<a "));
        assert!(html("<https://registry.lab>").contains("<a href=\"https://registry.lab\""));
    }

    #[test]
    fn pictures_are_links() {
        assert_eq!(
            html("![a *b*](https://registry.lab/x.png \"t\")"),
            "<p><a href=\"https://registry.lab/x.png\" rel=\"nofollow noopener noreferrer\">Picture: a <em>b</em></a></p>\n"
        );
        // A badge: a picture inside a link.
        assert_eq!(
            html("[![build](https://registry.lab/b.svg)](https://registry.lab/b)"),
            "<p><a href=\"https://registry.lab/b\" rel=\"nofollow noopener noreferrer\">build</a></p>\n"
        );
    }

    #[test]
    fn html_loses_its_tags_and_keeps_its_text() {
        assert_eq!(html("<p align=\"center\">\n  Hello <b>you</b>\n</p>"), "<p>Hello you</p>\n");
        assert_eq!(html("a <img src=x onerror=alert(1)> b"), "<p>a  b</p>\n");
        assert_eq!(html("a<br/>b"), "<p>a<br>b</p>\n");
        assert_eq!(html("<!-- note\n<script> -->\n\ntext"), "<p>text</p>\n");
        assert!(!html("<script>alert(1)</script>").contains("<script"));
        assert_eq!(html("<div\n\nx"), "<p>x</p>\n");
        assert!(html("&lt;img src=x onerror=alert(1)&gt;").contains("&lt;img src=x"));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let long = html(&"word ".repeat(100_000));
        assert!(long.len() < MAX_TEXT + 200 && long.ends_with("too long to be shown.</em></p>\n"));
        let many = html(&format!("[a]: https://registry.lab/{}\n\n{}", "x".repeat(1900), "[a] ".repeat(15_000)));
        assert!(many.len() < MAX_HTML + 8192, "{}", many.len());
        let deep = html(&format!("{}x", "> ".repeat(500)));
        assert_eq!(deep.matches("<blockquote>").count(), MAX_DEPTH);
        assert_eq!(deep.matches("</blockquote>").count(), MAX_DEPTH);
    }

    proptest! {
        /// Whatever comes in, only these elements and attributes come out, and all that begin end.
        #[test]
        fn nothing_else_comes_out(
            text in prop::collection::vec(
                prop::sample::select(vec![
                    "<img src=x onerror=alert(1)>", "<script>", "</script>", "<", ">", "\"", "'", "&", "&lt;", "[a](", "![", "](", ")",
                    "javascript:", "https://registry.lab", "\n\n", "\n", "# ", "- ", "> ", "| ", "|---|\n", "```\n", "`", "*", "**", "~~",
                    "<!--", "-->", "<a href=\"x\" onclick=\"y\">", "<div", "word", "\u{202e}", " ", "1. ", "    ", "\\", "onload=x",
                ]),
                0..60,
            )
        ) {
            const ELEMENTS: [&str; 24] = [
                "p", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "ul", "ol", "li", "div", "table", "thead", "tbody",
                "tr", "th", "td", "em", "strong", "s", "a", "p",
            ];
            let html = html(&text.concat());
            let mut open = Vec::new();
            let mut rest = html.as_str();
            while let Some(at) = rest.find('<') {
                let end = rest[at..].find('>').expect("a tag ends") + at;
                let tag = &rest[at + 1..end];
                rest = &rest[end + 1..];
                let name = tag.trim_start_matches('/').split(' ').next().unwrap();
                if matches!(name, "br" | "hr") {
                    continue;
                }
                prop_assert!(ELEMENTS.contains(&name), "<{tag}> in {html}");
                for attribute in tag.split("\" ").map(|part| part.split_once(' ').map_or(part, |(_, a)| a)) {
                    if let Some((name, _)) = attribute.split_once("=\"") {
                        let name = name.rsplit(' ').next().unwrap();
                        prop_assert!(["id", "class", "href", "rel", "tabindex", "role", "aria-label", "scope", "start"].contains(&name), "{name} in {html}");
                    }
                }
                if tag.starts_with('/') {
                    prop_assert_eq!(open.pop(), Some(name), "in {}", html);
                } else {
                    open.push(name);
                }
            }
            prop_assert!(open.is_empty(), "{open:?} open in {html}");
            prop_assert!(!html.contains("href=\"javascript:"));
        }
    }
}
