//! The organizations that somebody belongs to; all of them, for administrators.

use askama::Template;
use hyper::StatusCode;

use super::page::{Frame, Nav, render};
use super::people::{Pages, ROWS, cut, filter, problem};
use super::routes::organization_path;
use super::{Failure, Outcome, Visit, redirect};
use crate::access::accounts::{AccountFilter, NewAccount};
use crate::base::Timestamp;
use crate::model::account::{AccountKind, MAX_FULL_NAME, MAX_NAME};
use crate::model::operation::Requirement;

#[derive(Template)]
#[template(path = "organizations.html")]
struct OrganizationsPage {
    frame: Frame,
    /// Whether the reader sees all there are, and makes new ones.
    all: bool,
    text: String,
    rows: Vec<Row>,
    pages: Pages,
    done: Option<&'static str>,
    form: Form,
    longest_name: usize,
    longest_full_name: usize,
}

struct Row {
    name: String,
    path: String,
    full_name: String,
    /// The reader's own role there.
    role: &'static str,
    created: Timestamp,
}

/// The form for a new one, with what was typed and what is wrong with it.
#[derive(Default)]
struct Form {
    name: String,
    full_name: String,
    owner: String,
    problem: Option<String>,
}

/// How a member stands, in a word.
pub(super) const fn role(owner: bool) -> &'static str {
    if owner { "owner" } else { "member" }
}

/// `/orgs`: the list; sent a form, a new one.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    if visit.is_get() {
        return list(visit, StatusCode::OK, Form::default());
    }
    if !visit.may(Requirement::Admin) {
        let refused =
            Failure::Forbidden("Organizations are made by administrators of the registry; ask one.".to_owned());
        visit.note_refusal(&refused);
        return Err(refused);
    }
    create(visit).await
}

fn list(visit: &Visit<'_>, status: StatusCode, form: Form) -> Outcome {
    let access = &visit.app.access;
    let (user, all) = (visit.caller.principal.name(), visit.may(Requirement::Admin));
    let (after, text) = (visit.query.get("after"), filter(&visit.query, "q")?);
    let (mut rows, next, api) = if all {
        let (found, next) = access.find_accounts(AccountFilter::Organizations, text, after, ROWS)?;
        let mut rows = Vec::new();
        for organization in found {
            let role = access.member(&organization.name, user)?.map_or("", |member| role(member.owner));
            rows.push((organization, role));
        }
        (rows, next, "/enzi/v0/accounts?filter=orgs".to_owned())
    } else {
        let mut found = access.organizations_of(user, after, ROWS + 1)?;
        let next = cut(&mut found, |(organization, _)| organization.name.clone());
        let rows = found.into_iter().map(|(organization, member)| (organization, role(member.owner))).collect();
        (rows, next, format!("/enzi/v0/accounts/{user}/organizations"))
    };
    let page = OrganizationsPage {
        frame: visit.frame("Organizations", Nav::People).with_api(api),
        all,
        text: text.to_owned(),
        rows: rows
            .drain(..)
            .map(|(organization, role)| Row {
                path: organization_path(&organization.name),
                name: organization.name,
                full_name: organization.full_name,
                role,
                created: organization.created,
            })
            .collect(),
        pages: Pages::new(visit, "/orgs", &["q"], "after", next),
        done: match visit.query.get("done") {
            Some("deleted") => Some("The organization was deleted, with its teams and what they were given."),
            Some("left") => Some("You are no member of it any more."),
            _ => None,
        },
        form,
        longest_name: MAX_NAME,
        longest_full_name: MAX_FULL_NAME,
    };
    Ok(render(status, &page))
}

async fn create(visit: &Visit<'_>) -> Outcome {
    let typed = |name| visit.form.get(name).unwrap_or_default().to_owned();
    let form = Form { name: typed("name"), full_name: typed("full-name"), owner: typed("owner"), problem: None };
    let (access, actor) = (&visit.app.access, visit.actor());
    // Before it is made: an organization without the owner that was wanted is not what was asked for.
    let made = async {
        if !form.owner.is_empty() {
            access.user(&form.owner)?;
        }
        let new = NewAccount {
            name: form.name.clone(),
            kind: AccountKind::Organization,
            full_name: form.full_name.clone(),
            ..NewAccount::default()
        };
        let made = access.create_account(&actor, new).await?;
        if !form.owner.is_empty() {
            access.set_member(&actor, &made.name, &form.owner, true).await?;
        }
        Ok(made)
    };
    match made.await {
        Ok(made) => Ok(redirect(&format!("{}?done=made", organization_path(&made.name)))),
        Err(error) => {
            let (status, words) = problem(error)?;
            list(visit, status, Form { problem: Some(words), ..form })
        }
    }
}
