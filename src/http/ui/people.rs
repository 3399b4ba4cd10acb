//! What the pages of users, organizations, teams and rights share.

use hyper::StatusCode;

use super::list_query::Choice;
use super::{Failure, Fields, Visit, errors};
use crate::access::AccessError;
use crate::model::permission::Level;

/// Rows of one list.
pub(super) const ROWS: usize = 50;

/// Names that a form suggests, and that a page names.
pub(super) const SUGGESTED: usize = 100;

/// The longest filter, in bytes.
const MAX_TEXT: usize = 255;

/// A form that was not taken: the status of the page, and what it says above.
pub(super) type Problem = (StatusCode, String);

/// What a page can say of a refusal where the form is; what is no fault of the form stays a failure.
pub(super) fn problem(error: AccessError) -> Result<Problem, Failure> {
    let words = errors::sentence(&error.to_string());
    match error {
        AccessError::Malformed(_) => Ok((StatusCode::BAD_REQUEST, words)),
        AccessError::Conflict(_) => Ok((StatusCode::CONFLICT, words)),
        AccessError::UnknownAccount(name) => {
            let words =
                format!("There is no user {name}. An administrator makes users; check how the name is written.");
            Ok((StatusCode::NOT_FOUND, words))
        }
        AccessError::NotFound(_) => Ok((StatusCode::NOT_FOUND, words)),
        other => Err(other.into()),
    }
}

/// A problem of what was typed.
pub(super) fn mistyped(words: &str) -> Problem {
    (StatusCode::BAD_REQUEST, words.to_owned())
}

/// What a form says in a field that it must have; what is missing is said in words.
pub(super) fn required<'v>(visit: &'v Visit<'_>, field: &str, words: &str) -> Result<&'v str, Failure> {
    visit.form.get(field).ok_or_else(|| Failure::Bad(words.to_owned()))
}

/// A form whose field says none of what it may say.
pub(super) fn not_ours() -> Failure {
    Failure::Bad("The form says something that no form of this page says. Load the page again.".to_owned())
}

/// A filter's text.
pub(super) fn filter<'f>(fields: &'f Fields, name: &str) -> Result<&'f str, Failure> {
    let text = fields.get(name).unwrap_or_default();
    if text.len() > MAX_TEXT {
        return Err(Failure::Bad(format!("No name is longer than {MAX_TEXT} bytes; look for less of it.")));
    }
    Ok(text)
}

/// The levels to choose from.
pub(super) fn levels(chosen: Level) -> Vec<Choice> {
    let choice = |level: Level| Choice {
        value: level.as_str().to_owned(),
        words: level.as_str().to_owned(),
        chosen: level == chosen,
    };
    Level::ALL.into_iter().map(choice).collect()
}

/// The level that a form says.
pub(super) fn level(visit: &Visit<'_>) -> Result<Level, Failure> {
    visit.form.get("level").and_then(Level::parse).ok_or_else(not_ours)
}

/// Where a list begins and goes on; several may stand on one page, each with a place of its own.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
}

impl Pages {
    /// For the list whose place stands in the query's field `field`; the fields `kept` stay as they are.
    pub(super) fn new(visit: &Visit<'_>, path: &str, kept: &[&str], field: &str, next: Option<String>) -> Self {
        let address = |place: Option<&str>| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for name in kept {
                query.extend_pairs(visit.query.get(name).map(|value| (*name, value)));
            }
            query.extend_pairs(place.map(|place| (field, place)));
            let query = query.finish();
            if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
        };
        Self {
            first: visit.query.get(field).is_some().then(|| address(None)),
            next: next.map(|next| address(Some(&next))),
        }
    }

    /// Whether there is one page only.
    pub(super) fn is_all(&self) -> bool {
        self.first.is_none() && self.next.is_none()
    }
}

/// Cuts a list that was asked for one row more than a page has; where it goes on, by its last row's name.
pub(super) fn cut<T>(rows: &mut Vec<T>, place: impl Fn(&T) -> String) -> Option<String> {
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    rows.last().filter(|_| more).map(place)
}

/// A number that was counted up to a bound.
pub(super) fn counted(count: Option<u64>) -> String {
    count.map_or_else(|| format!("more than {}", crate::access::organizations::COUNTED), super::words::number)
}
