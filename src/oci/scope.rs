//! Token scopes: `repository:NAME:pull,push` (Docker registry token authentication specification).

use serde::{Deserialize, Serialize};

/// The longest scope that is read, in bytes: a host, a name of 255 bytes and the actions fit several times over.
pub const MAX_SCOPE: usize = 1024;

/// What a token gives access to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The resource type without its deprecated class: `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource's name: a repository name, or `catalog`.
    pub name: String,
    /// The actions, sorted and without repetition.
    pub actions: Vec<String>,
}

impl Scope {
    /// Parses one scope: `type[(class)]:name:action[,action]*`. The name may contain a colon (a port), so the type
    /// ends at the first colon and the actions begin after the last.
    ///
    /// The name is not held to the grammar of repository names here, because it may begin with a host; but it is
    /// printable ASCII without quotes, so that it can stand in a `WWW-Authenticate` header. A scope without an action
    /// asks for nothing and is well formed.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let kind = match kind.split_once('(') {
            Some((kind, class)) => class.strip_suffix(')').filter(|class| is_word(class)).map(|_| kind)?,
            None => kind,
        };
        let printable = |b: u8| b.is_ascii_graphic() && !b"\"\\,".contains(&b);
        if !is_word(kind) || name.is_empty() || text.len() > MAX_SCOPE || !name.bytes().all(printable) {
            return None;
        }
        let mut actions: Vec<String> =
            actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned).collect();
        if !actions.iter().all(|action| action == "*" || action.bytes().all(|b| b.is_ascii_lowercase())) {
            return None;
        }
        actions.sort_unstable();
        actions.dedup();
        Some(Self { kind: kind.to_owned(), name: name.to_owned(), actions })
    }

    /// Parses a list separated by spaces, as the form and some clients' queries carry it; unreadable ones are left out.
    pub fn parse_list(text: &str) -> Vec<Self> {
        text.split_ascii_whitespace().filter_map(Self::parse).collect()
    }
}

/// `resourcetypevalue` of the grammar.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(kind: &str, name: &str, actions: &[&str]) -> Scope {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Scope { kind: kind.to_owned(), name: name.to_owned(), actions }
    }

    #[test]
    fn what_clients_ask_for() {
        for (text, expected) in [
            ("repository:admin/lab-words:push,pull", scope("repository", "admin/lab-words", &["pull", "push"])),
            ("repository:lab:pull,pull", scope("repository", "lab", &["pull"])),
            ("repository(plugin):lab/net:pull", scope("repository", "lab/net", &["pull"])),
            ("repository:registry.lab:5000/lab/web:pull", scope("repository", "registry.lab:5000/lab/web", &["pull"])),
            ("registry:catalog:*", scope("registry", "catalog", &["*"])),
            ("repository:lab:", scope("repository", "lab", &[])),
        ] {
            assert_eq!(Scope::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_scope() {
        let long = format!("repository:{}:pull", "a".repeat(MAX_SCOPE));
        for text in [
            "",
            "repository",
            "repository:lab",
            "repository::pull",
            ":lab:pull",
            "Repository:lab:pull",
            "repository(:lab:pull",
            "repository():lab:pull",
            "repository:lab:PULL",
            "repository:lab:pull push",
            "repository:l\"ab:pull",
            "repository:l\\ab:pull",
            "repository:läb:pull",
            &long,
        ] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn lists_leave_out_what_they_cannot_read() {
        let list = Scope::parse_list("repository:lab/a:pull  nonsense repository:lab/b:pull,push");
        assert_eq!(list, [scope("repository", "lab/a", &["pull"]), scope("repository", "lab/b", &["pull", "push"])]);
    }

    proptest! {
        #[test]
        fn scopes_round_trip(kind in "[a-z0-9]{1,12}", name in "[a-z0-9./:_-]{1,60}", actions in proptest::collection::vec("[a-z]{1,6}|\\*", 0..5)) {
            let parsed = Scope::parse(&format!("{kind}:{name}:{}", actions.join(","))).unwrap();
            prop_assert_eq!((&parsed.kind, &parsed.name), (&kind, &name));
            prop_assert!(parsed.actions.is_sorted_by(|a, b| a < b));
            prop_assert!(actions.iter().all(|action| parsed.actions.contains(action)));
            prop_assert_eq!(Scope::parse(&parsed.to_string()), Some(parsed));
        }

        #[test]
        fn no_text_panics(text in "[a-z:,()*\\PC]{0,40}") {
            if let Some(parsed) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&parsed.to_string()), Some(parsed));
            }
        }
    }
}
