//! What every page must be like, whoever wrote the texts in it: a reader of HTML that is stricter than a browser.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::HeaderMap;

/// Elements without an end.
const VOID: [&str; 8] = ["meta", "link", "input", "br", "hr", "img", "use", "rect"];

/// Attributes whose values are addresses.
const ADDRESSES: [&str; 7] = ["href", "src", "action", "formaction", "cite", "poster", "data"];

/// What names a form's field.
const FIELDS: [&str; 3] = ["input", "select", "textarea"];

struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    /// Names of the elements around it, the outermost first.
    within: Vec<String>,
    /// What stands in it, tags left out.
    text: String,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    fn is_within(&self, name: &str) -> bool {
        self.within.iter().any(|found| found == name)
    }
}

/// Reads a page; anything that a browser would have to mend is a fault.
fn read(path: &str, html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!doctype html>").unwrap_or_else(|| panic!("{path} has no doctype: {html}"));
    let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        let text = unescaped(path, &rest[..at]);
        for &within in &open {
            elements[within].text.push_str(&text);
        }
        let tag_end = end_of_tag(&rest[at..]).unwrap_or_else(|| panic!("{path}: a tag does not end: {}", &rest[at..]));
        let tag = &rest[at + 1..at + tag_end];
        rest = &rest[at + tag_end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().unwrap_or_else(|| panic!("{path}: </{name}> ends nothing"));
            assert_eq!(elements[last].name, name, "{path}: </{name}> ends <{}>", elements[last].name);
            continue;
        }
        let (name, attributes) = attributes(path, tag);
        let within = open.iter().map(|&at| elements[at].name.clone()).collect();
        elements.push(Element { name: name.clone(), attributes, within, text: String::new() });
        if !VOID.contains(&name.as_str()) || (name == "use" || name == "rect") && !tag.ends_with('/') {
            open.push(elements.len() - 1);
        }
    }
    assert!(open.is_empty(), "{path}: <{}> does not end", elements[*open.last().unwrap()].name);
    assert!(rest.trim().is_empty(), "{path}: text behind the end: {rest}");
    elements
}

/// Where the `>` of a tag stands; one in a quoted value does not count.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    })
}

fn attributes(path: &str, tag: &str) -> (String, BTreeMap<String, String>) {
    let tag = tag.trim_end_matches('/').trim_end();
    let (name, mut rest) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{path}: <{tag}>");
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (name.to_owned(), attributes);
        }
        let end = rest.find(['=', ' ', '\n']).unwrap_or(rest.len());
        let attribute = &rest[..end];
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'-';
        assert!(!attribute.is_empty() && attribute.bytes().all(plain), "{path}: {attribute} in <{tag}>");
        rest = &rest[end..];
        let value = if let Some(quoted) = rest.strip_prefix("=\"") {
            let (value, behind) = quoted.split_once('"').unwrap_or_else(|| panic!("{path}: <{tag}>"));
            rest = behind;
            value
        } else {
            assert!(!rest.starts_with('='), "{path}: a value without quotes in <{tag}>");
            ""
        };
        let before = attributes.insert(attribute.to_owned(), unescaped(path, value));
        assert!(before.is_none(), "{path}: {attribute} twice in <{tag}>");
    }
}

fn unescaped(path: &str, text: &str) -> String {
    assert!(!text.contains('<') && !text.contains('>'), "{path}: not escaped: {text}");
    for (at, _) in text.match_indices('&') {
        let entity = text[at + 1..].split(';').next().unwrap_or_default();
        let known = ["amp", "lt", "gt", "quot", "nbsp"].contains(&entity) || entity.starts_with('#');
        assert!(known, "{path}: & is not escaped: {text}");
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

/// Fails unless the page is complete, keeps to the Content Security Policy by itself, loads and leads nowhere else, and
/// can be used by who reads it with a keyboard or a screen reader.
pub(crate) fn check(path: &str, html: &str) {
    let elements = read(path, html);
    let all = |name: &'static str| elements.iter().filter(move |element| element.name == name);
    let one = |name: &'static str| {
        let found: Vec<_> = all(name).collect();
        assert_eq!(found.len(), 1, "{path} has {} <{name}>", found.len());
        found[0]
    };
    assert_eq!(one("html").get("lang"), Some("en"), "{path}");
    assert!(
        one("title").text.ends_with(" · msr-lite") && one("title").text.len() > 12,
        "{path}: {}",
        one("title").text
    );
    assert!(!one("h1").text.trim().is_empty(), "{path} has an empty heading");
    assert_eq!(one("main").get("id"), Some("main"), "{path}");
    assert!(elements.iter().any(|element| element.get("href") == Some("#main")), "{path} has no skip link");

    let ids: Vec<_> = elements.iter().filter_map(|element| element.get("id")).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{path} has an id twice: {ids:?}");
    let labelled: BTreeSet<_> = all("label").filter_map(|label| label.get("for")).collect();
    for element in &elements {
        check_element(path, element, &labelled, &ids);
    }
    // Headings go down one step at a time.
    let mut level = 1;
    for heading in
        elements.iter().filter(|element| matches!(element.name.as_str(), "h1" | "h2" | "h3" | "h4" | "h5" | "h6"))
    {
        let this = u32::from(heading.name.as_bytes()[1] - b'0');
        assert!(this <= level + 1, "{path}: <{}> after level {level}", heading.name);
        level = this;
    }
    let forms = html.matches("method=\"post\"").count();
    assert_eq!(forms, html.matches("name=\"csrf\"").count(), "{path}: a form without its text");
}

fn check_element(path: &str, element: &Element, labelled: &BTreeSet<&str>, ids: &[&str]) {
    let Element { name, attributes, text, .. } = element;
    let said = format!("{path}: <{name} {attributes:?}>");
    for (attribute, value) in attributes {
        assert!(!attribute.starts_with("on") && attribute != "style" && attribute != "srcdoc", "{said}");
        if ADDRESSES.contains(&attribute.as_str()) {
            let away = name == "a" && element.get("rel") == Some("nofollow noopener noreferrer");
            let own = value.starts_with('#') || value.starts_with('/') && !value.starts_with("//");
            let web = value.starts_with("https://") || value.starts_with("http://");
            assert!(own || away && (web || !value.contains(':')), "{said} leads elsewhere");
            if let Some(anchor) = value.strip_prefix('#') {
                assert!(ids.contains(&anchor), "{said} leads to nothing");
            }
        }
    }
    match name.as_str() {
        "script" => assert!(element.get("src").is_some() && text.is_empty(), "{said}"),
        "style" | "iframe" | "object" | "embed" | "base" | "font" | "center" | "frame" => panic!("{said}"),
        "a" => assert!(!text.trim().is_empty() && element.get("href").is_some() && !element.is_within("a"), "{said}"),
        "button" | "summary" => {
            assert!(!text.trim().is_empty() || element.get("aria-label").is_some(), "{said} says nothing");
        }
        "form" => assert!(element.get("action").is_some() && !element.is_within("form"), "{said}"),
        "meter" | "progress" | "nav" => assert!(element.get("aria-label").is_some(), "{said} has no name"),
        "th" => assert!(element.get("scope").is_some(), "{said} has no scope"),
        "img" => assert!(element.get("alt").is_some(), "{said}"),
        field if FIELDS.contains(&field) && element.get("type") != Some("hidden") => {
            let labelled = element.get("id").is_some_and(|id| labelled.contains(id));
            let named = element.get("aria-label").is_some() || element.is_within("label");
            assert!(labelled || named, "{said} has no label");
        }
        _ => {}
    }
    if element.get("class").is_some_and(|class| class.split(' ').any(|class| class == "scroll")) {
        let reached = element.get("tabindex") == Some("0") && element.get("role") == Some("region");
        assert!(reached && element.get("aria-label").is_some(), "{said} cannot be scrolled by keyboard");
    }
}

/// Fails unless a page's headers are those of ui-design §5.
pub(crate) fn check_headers(path: &str, headers: &HeaderMap) {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                          font-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                          require-trusted-types-for 'script'; trusted-types 'none'";
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ("cache-control", "no-store"),
    ] {
        let found: Vec<_> = headers.get_all(name).iter().collect();
        assert!(found.len() == 1 && found[0] == value, "{path}: {name} is {found:?}");
    }
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("strict-transport-security"), "{path}");
}

#[test]
fn the_reader_finds_what_is_wrong() {
    let page = |main: &str| {
        format!(
            "<!doctype html><html lang=\"en\"><head><title>A page · msr-lite</title></head><body><a href=\"#main\">Skip</a>\
             <main id=\"main\"><h1>A page</h1>{main}</main></body></html>"
        )
    };
    let good = |main: &str| std::panic::catch_unwind(|| check("test", &page(main))).is_ok();
    for main in [
        "<p>a &lt; b</p>",
        "<a href=\"/r/a\">a</a>",
        "<a href=\"https://registry.lab\" rel=\"nofollow noopener noreferrer\">a</a>",
        "<label for=\"x\">X</label><input id=\"x\" name=\"x\">",
        "<label>X <input name=\"x\"></label>",
        "<svg width=\"1\"><use href=\"/a/x#y\"></use></svg>",
    ] {
        assert!(good(main), "{main}");
    }
    for main in [
        "<p>a < b</p>",
        "<p>",
        "</p>",
        "<b><i></b></i>",
        "<p>a & b</p>",
        "<p onclick=\"x\">a</p>",
        "<p style=\"color:red\">a</p>",
        "<p class=x>a</p>",
        "<script>x</script>",
        "<style>x</style>",
        "<a href=\"https://registry.lab\">a</a>",
        "<a href=\"//registry.lab\">a</a>",
        "<a href=\"javascript:x\" rel=\"nofollow noopener noreferrer\">a</a>",
        "<a href=\"#nothing\">a</a>",
        "<img src=\"https://registry.lab/x.png\" alt=\"\">",
        "<input name=\"x\">",
        "<button></button>",
        "<h1>another</h1>",
        "<h3>too deep</h3>",
        "<p id=\"main\">a</p>",
        "<form action=\"/x\" method=\"post\"></form>",
        "<div class=\"scroll\"></div>",
    ] {
        assert!(!good(main), "{main}");
    }
}
