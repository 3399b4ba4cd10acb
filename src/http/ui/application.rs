//! An application: its parts, what it asks for, and the bundle as pushed (ui-design, S4).

use askama::Template;
use hyper::StatusCode;

use super::ManifestPage;
use super::document::{self, Shown};
use super::kind_words;
use super::manifest::{Link, NAME, ROWS, digest_link, short_link, tag_link};
use super::manifest_header::Header;
use super::page::{Frame, render};
use super::shown::{self, Room};
use crate::http::reply::Reply;
use crate::oci::Digest;
use crate::oci::bundle::Bundle;
use crate::registry::apps::{Application, Member, MemberRole, MemberState};

/// Characters of what a parameter, a credential, an action is for.
const DESCRIPTION: usize = 1_000;

/// The page of one of an application's tabs.
pub(super) fn page(frame: Frame, header: Header, page: ManifestPage, application: &Application) -> Reply {
    match page {
        ManifestPage::Parameters => render(StatusCode::OK, &ParametersPage::new(frame, header, &application.bundle)),
        ManifestPage::Bundle => render(StatusCode::OK, &BundlePage::new(frame, header, application)),
        _ => render(StatusCode::OK, &ComponentsPage::new(frame, header, application)),
    }
}

#[derive(Template)]
#[template(path = "components.html")]
struct ComponentsPage {
    frame: Frame,
    header: Header,
    about: About,
    /// The components that it lists, in words.
    components: String,
    /// How many more its bundle names, which come from elsewhere.
    foreign: usize,
    /// Invocation image first, then components, then the bundle's own manifest.
    rows: Vec<Row>,
    /// Rows that are not shown.
    more: usize,
}

/// What an application says of itself.
struct About {
    name: String,
    version: String,
    description: String,
    authors: Vec<String>,
    keywords: Vec<String>,
    schema: String,
}

/// A part of an application, or a platform of one.
struct Row {
    role: MemberRole,
    /// What the part is called, and where it leads when it is here.
    name: String,
    /// A platform of the row above.
    is_nested: bool,
    path: Option<String>,
    /// Its page by digest, when it is here: the name of an invocation image leads to its tag.
    pinned: Option<String>,
    /// The image as the author wrote it.
    original: Option<String>,
    digest: Option<Digest>,
    platforms: String,
    size: Option<u64>,
    state: State,
    /// Other applications with the same part.
    shared: Vec<Link>,
}

/// The state of a part, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The class of its colour.
    class: &'static str,
    words: &'static str,
    more: &'static str,
}

impl State {
    fn of(member: &Member) -> Self {
        match (member.state, member.kind) {
            (MemberState::Present, _) => Self { class: "yes", words: "present", more: "" },
            (MemberState::Missing, None) => {
                Self { class: "bad", words: "missing", more: "not in this registry: a pull will fail" }
            }
            (MemberState::Missing, Some(_)) => Self {
                class: "bad",
                words: "incomplete",
                more: "a part of it is not in this registry: a pull will fail",
            },
            (MemberState::Foreign, _) => Self {
                class: "bad",
                words: "foreign",
                more: "the bundle names it and the application does not list it: it comes from elsewhere",
            },
        }
    }
}

impl ComponentsPage {
    fn new(frame: Frame, header: Header, application: &Application) -> Self {
        let of = |role| application.members.iter().filter(move |member| member.role == role);
        let ordered = of(MemberRole::Invocation).chain(of(MemberRole::Component)).chain(of(MemberRole::Config));
        let mut rows = Vec::new();
        let mut all = 0;
        for member in ordered {
            all += 1 + member.children.len();
            if rows.len() < ROWS {
                rows.push(Row::of(application, member));
                let room = ROWS - rows.len();
                rows.extend(member.children.iter().take(room).map(|child| Row::of(application, child)));
            }
        }
        let Bundle { name, version, description, authors, keywords, schema, .. } = &application.bundle;
        let words = |list: &[String]| list.iter().take(50).map(|text| shown::line(text, NAME)).collect();
        let foreign = of(MemberRole::Component).filter(|member| member.state == MemberState::Foreign).count();
        let listed = match header.components {
            // The images of a Compose application stand in an index of their own, which lists do not count.
            0 => (of(MemberRole::Component).count() - foreign) as u64,
            listed => listed,
        };
        Self {
            frame,
            header,
            about: About {
                name: shown::line(name, NAME),
                version: shown::line(version, NAME),
                description: shown::lines(description, 2_000),
                authors: words(authors),
                keywords: words(keywords),
                schema: shown::line(schema, NAME),
            },
            components: kind_words::components(listed),
            foreign,
            more: all - rows.len(),
            rows,
        }
    }

    /// The row of the invocation image.
    fn invocation(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.role == MemberRole::Invocation)
    }
}

impl Row {
    fn of(application: &Application, member: &Member) -> Self {
        let repo = &application.repo;
        // Only what is a manifest here has a page.
        let here = member.digest.filter(|_| member.kind.is_some());
        let pinned = here.map(|digest| digest_link(repo, &digest).path);
        let mut path = pinned.clone();
        let name = match member.role {
            MemberRole::Invocation => match &application.invocation_tag {
                Some(tag) => {
                    path = path.map(|_| tag_link(repo, tag).path);
                    tag.to_string()
                }
                None => "invocation image (no tag)".to_owned(),
            },
            MemberRole::Config => "bundle.json".to_owned(),
            MemberRole::Platform => shown::line(&member.platforms.join(", "), NAME),
            MemberRole::Component if member.name.trim().is_empty() => "(no name)".to_owned(),
            MemberRole::Component => shown::line(&member.name, NAME),
        };
        let known_size = member.kind.is_some() || member.state == MemberState::Present;
        Self {
            role: member.role,
            name,
            is_nested: member.role == MemberRole::Platform,
            path,
            pinned,
            original: member.original_name.as_deref().map(|name| shown::line(name, NAME)),
            digest: member.digest,
            platforms: platforms(&member.platforms),
            size: known_size.then_some(member.size),
            state: State::of(member),
            shared: member.shared_with.iter().map(|reference| short_link(repo, reference)).collect(),
        }
    }
}

/// Platforms in one cell.
fn platforms(platforms: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text: Vec<_> = platforms.iter().take(SHOWN).map(|platform| shown::line(platform, 60)).collect();
    if platforms.len() > SHOWN {
        text.push(format!("and {} more", platforms.len() - SHOWN));
    }
    text.join(", ")
}

#[derive(Template)]
#[template(path = "parameters.html")]
struct ParametersPage {
    frame: Frame,
    header: Header,
    parameters: Vec<Parameter>,
    credentials: Vec<Input>,
    actions: Vec<Action>,
    /// Rows that are not shown.
    more: usize,
}

struct Parameter {
    input: Input,
    kind: String,
    default: Option<String>,
    /// Its name says that the default may be a secret.
    is_masked: bool,
}

struct Input {
    name: String,
    required: bool,
    description: String,
    destination: String,
}

struct Action {
    name: String,
    modifies: bool,
    stateless: bool,
    description: String,
}

impl Input {
    fn new(room: &mut Room, name: &str, required: bool, description: &str, destination: &str) -> Self {
        Self {
            name: room.line(name, NAME),
            required,
            description: room.lines(description, DESCRIPTION),
            destination: room.line(destination, NAME),
        }
    }
}

impl ParametersPage {
    fn new(frame: Frame, header: Header, bundle: &Bundle) -> Self {
        let Bundle { parameters, credentials, actions, .. } = bundle;
        let over = |all: usize| all.saturating_sub(ROWS);
        let mut room = Room::new();
        Self {
            frame,
            header,
            more: over(parameters.len()) + over(credentials.len()) + over(actions.len()),
            parameters: (parameters.iter().take(ROWS))
                .map(|parameter| Parameter {
                    input: Input::new(
                        &mut room,
                        &parameter.name,
                        parameter.required,
                        &parameter.description,
                        &parameter.destination,
                    ),
                    kind: room.line(&parameter.kind, NAME),
                    default: parameter.default.as_deref().map(|default| room.line(default, NAME)),
                    is_masked: shown::is_secret_name(&parameter.name)
                        && parameter.default.as_deref().is_some_and(|default| !matches!(default, "\"\"" | "null")),
                })
                .collect(),
            credentials: (credentials.iter().take(ROWS))
                .map(|c| Input::new(&mut room, &c.name, c.required, &c.description, &c.destination))
                .collect(),
            actions: (actions.iter().take(ROWS))
                .map(|action| Action {
                    name: room.line(&action.name, NAME),
                    modifies: action.modifies,
                    stateless: action.stateless,
                    description: room.lines(&action.description, DESCRIPTION),
                })
                .collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "bundle.html")]
struct BundlePage {
    frame: Frame,
    header: Header,
    digest: Option<Digest>,
    document: Option<Shown>,
    download: String,
}

impl BundlePage {
    fn new(frame: Frame, header: Header, application: &Application) -> Self {
        let bytes = application.document.as_ref().and_then(|(_, bytes)| bytes.as_deref());
        Self {
            digest: application.document.as_ref().map(|(digest, _)| *digest),
            document: bytes.map(document::show),
            download: header.download(),
            frame,
            header,
        }
    }
}
