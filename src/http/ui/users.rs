//! The users, for administrators (ui-design, S11).

use askama::Template;
use hyper::StatusCode;

use super::list_query::Choice;
use super::page::{Frame, Nav, render};
use super::people::{Pages, Problem, ROWS, filter, mistyped, problem};
use super::routes::user_path;
use super::{Failure, Outcome, Visit, redirect};
use crate::access::accounts::{AccountFilter, NewAccount};
use crate::access::password::MIN_PASSWORD;
use crate::base::{Secret, Timestamp};
use crate::model::account::{AccountKind, MAX_FULL_NAME, MAX_NAME};

/// Which users are shown: the word of the query, what it is called, the filter.
const SHOWN: [(&str, &str, AccountFilter); 5] = [
    ("users", "All users", AccountFilter::Users),
    ("admins", "Administrators", AccountFilter::Admins),
    ("non-admins", "No administrators", AccountFilter::NonAdmins),
    ("active-users", "Active", AccountFilter::ActiveUsers),
    ("inactive-users", "Inactive", AccountFilter::InactiveUsers),
];

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    text: String,
    shown: Vec<Choice>,
    filtered: bool,
    rows: Vec<Row>,
    pages: Pages,
    done: Option<&'static str>,
    form: Form,
    longest_name: usize,
    longest_full_name: usize,
    shortest: usize,
}

struct Row {
    name: String,
    full_name: String,
    admin: bool,
    active: bool,
    created: Timestamp,
}

/// The form for a new user, with what was typed (but the password) and what is wrong with it.
#[derive(Default)]
struct Form {
    name: String,
    full_name: String,
    admin: bool,
    robot: bool,
    problem: Option<String>,
}

/// `/users`: the list; sent a form, a new user.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    if visit.is_get() { list(visit, StatusCode::OK, Form::default()) } else { create(visit).await }
}

fn list(visit: &Visit<'_>, status: StatusCode, form: Form) -> Outcome {
    let text = filter(&visit.query, "q")?;
    let word = visit.query.get("show").unwrap_or(SHOWN[0].0);
    let (_, _, wanted) = SHOWN
        .into_iter()
        .find(|(known, ..)| *known == word)
        .ok_or_else(|| Failure::Bad("There are no users of this sort. Choose one on the page.".to_owned()))?;
    let (accounts, next) = visit.app.access.find_accounts(wanted, text, visit.query.get("after"), ROWS)?;
    let page = UsersPage {
        frame: visit.frame("Users", Nav::People).with_api(format!("/enzi/v0/accounts?filter={word}")),
        filtered: !text.is_empty() || word != SHOWN[0].0,
        text: text.to_owned(),
        shown: SHOWN
            .into_iter()
            .map(|(value, words, _)| Choice { value: value.to_owned(), words: words.to_owned(), chosen: value == word })
            .collect(),
        rows: accounts
            .into_iter()
            .map(|account| Row {
                name: account.name,
                full_name: account.full_name,
                admin: account.admin,
                active: account.active,
                created: account.created,
            })
            .collect(),
        pages: Pages::new(visit, "/users", &["q", "show"], "after", next),
        done: (visit.query.get("done") == Some("deleted")).then_some("The user was deleted."),
        form,
        longest_name: MAX_NAME,
        longest_full_name: MAX_FULL_NAME,
        shortest: MIN_PASSWORD,
    };
    Ok(render(status, &page))
}

/// The new password of a form in which it is typed twice.
pub(super) fn new_password(visit: &Visit<'_>) -> Result<Secret, Problem> {
    let secret = |name| Secret::new(visit.form.raw(name).unwrap_or_default().to_owned());
    let (new, again) = (secret("new"), secret("again"));
    if new.reveal() == again.reveal() {
        Ok(new)
    } else {
        Err(mistyped("The new password was typed in two different ways."))
    }
}

async fn create(visit: &Visit<'_>) -> Outcome {
    let typed = |name| visit.form.get(name).unwrap_or_default().to_owned();
    let form = Form {
        name: typed("name"),
        full_name: typed("full-name"),
        admin: visit.form.ticked("admin"),
        robot: visit.form.ticked("robot"),
        problem: None,
    };
    let refuse = |form: Form, (status, words): Problem| list(visit, status, Form { problem: Some(words), ..form });
    let password = match (form.robot, new_password(visit)) {
        (_, Err(problem)) => return refuse(form, problem),
        (true, Ok(password)) if !password.reveal().is_empty() => {
            return refuse(
                form,
                mistyped("A user without a password was asked for, and a password typed: choose one."),
            );
        }
        (true, Ok(_)) => None,
        (false, Ok(password)) => Some(password),
    };
    let new = NewAccount {
        name: form.name.clone(),
        kind: AccountKind::User,
        full_name: form.full_name.clone(),
        password,
        admin: form.admin,
        active: true,
    };
    match visit.app.access.create_account(&visit.actor(), new).await {
        Ok(account) => Ok(redirect(&format!("{}?done=made", user_path(&account.name)))),
        Err(error) => {
            let problem = problem(error)?;
            refuse(form, problem)
        }
    }
}
