//! What organizations consist of: members, and teams of them.

use serde::{Deserialize, Serialize};

use crate::base::{Timestamp, Uuid};

/// A team of an organization: what grants are given to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its id, which outlives a change of its name and is never given twice.
    pub id: Uuid,
    /// The organization's name.
    pub organization: String,
    /// Its name, unique within the organization; the grammar of account names.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
}

/// That a user belongs to an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Whether the member owns the organization: manages it, its teams and all its repositories.
    pub owner: bool,
    /// Since when.
    pub since: Timestamp,
}

/// The most teams of one organization that one user may be in: all of them are left within one transaction (design
/// §5: 1,000 keys).
pub const MAX_TEAMS_OF_MEMBER: usize = 300;

/// The most characters of a team's description.
pub const MAX_DESCRIPTION: usize = 1024;
