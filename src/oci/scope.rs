//! Token scopes: `repository:NAME:pull,push` (Docker registry token authentication specification).

use serde::{Deserialize, Serialize};

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
    pub fn parse(text: &str) -> Option<Self> {
        let _ = text;
        todo!()
    }

    /// Parses a list separated by spaces, as the form and some clients' queries carry it; unreadable ones are left out.
    pub fn parse_list(text: &str) -> Vec<Self> {
        text.split_ascii_whitespace().filter_map(Self::parse).collect()
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}
