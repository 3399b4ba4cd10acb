//! Who is signed in: their password, and how pages look to them.

use super::page::Theme;
use super::{Failure, Outcome, Visit, local, redirect, session};

/// For how long a browser remembers the theme: a year.
const REMEMBER: u64 = 365 * 24 * 3600;

/// `/account/prefs`.
pub(super) fn preferences(visit: &Visit<'_>) -> Outcome {
    let theme = visit.form.get("theme").and_then(Theme::parse);
    let theme = theme.ok_or_else(|| Failure::Bad("A theme is auto, light or dark.".to_owned()))?;
    let mut reply = redirect(local(visit.form.get("next")).unwrap_or("/"));
    match theme {
        Theme::Auto => session::clear(&mut reply, session::THEME),
        chosen => session::set(&mut reply, session::THEME, chosen.as_str(), Some(REMEMBER)),
    }
    Ok(reply)
}
