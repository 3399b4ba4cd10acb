//! What a list's address asks for, and the addresses of the same list sorted otherwise, filtered otherwise, or further
//! on.

use super::{Failure, Fields};
use crate::oci::kind::Kind;
use crate::registry::listing::{Cursor, Sort, filters};

/// Rows of a page that a person may choose.
pub(super) const ROWS: [usize; 3] = [50, 100, 500];

/// The longest text that a list is filtered by, in bytes; names are no longer.
const MAX_TEXT: usize = 255;

/// A list as its address asks for it.
#[derive(Clone, Debug)]
pub(super) struct ListQuery {
    path: String,
    /// Part of a name.
    pub(super) text: Option<String>,
    /// A namespace, in the list of repositories.
    pub(super) namespace: Option<String>,
    /// A kind.
    pub(super) kind: Option<Kind>,
    /// The order.
    pub(super) sort: Sort,
    /// Where the page begins.
    pub(super) after: Option<Cursor>,
    /// Where the page of untagged manifests begins.
    pub(super) untagged_after: Option<Cursor>,
    /// Whether untagged manifests are shown, in a list of tags.
    pub(super) untagged: bool,
    /// Whether signatures, attestations and bills of materials are shown, in a list of tags of every type.
    pub(super) signatures: bool,
    /// How many rows a page has.
    pub(super) rows: usize,
}

impl ListQuery {
    /// Reads the fields of a list at `path`.
    ///
    /// # Errors
    /// What is no kind, no order, no number of rows, or too long, in words.
    pub(super) fn read(path: String, fields: &Fields) -> Result<Self, Failure> {
        let bad = |what: &str| Failure::Bad(format!("This list has no {what}. Choose one on the page."));
        let text = |name| fields.get(name).map(str::to_owned);
        for name in ["q", "ns"] {
            if fields.get(name).is_some_and(|text| text.len() > MAX_TEXT) {
                return Err(Failure::Bad(format!("No name is longer than {MAX_TEXT} bytes; look for less of it.")));
            }
        }
        let kind = fields.get("type").map(|name| Kind::from_name(name).ok_or_else(|| bad("type of this name")));
        let sort = fields.get("sort").map(|name| {
            Sort::ALL.into_iter().find(|sort| sort_name(*sort) == name).ok_or_else(|| bad("order of this name"))
        });
        let rows = fields.get("rows").map(|rows| {
            ROWS.into_iter().find(|offered| offered.to_string() == rows).ok_or_else(|| bad("pages of so many rows"))
        });
        Ok(Self {
            path,
            text: text("q"),
            namespace: text("ns"),
            kind: kind.transpose()?,
            sort: sort.transpose()?.unwrap_or_default(),
            after: text("after").map(Cursor),
            untagged_after: text("uafter").map(Cursor),
            untagged: fields.ticked("untagged"),
            signatures: fields.ticked("signatures"),
            rows: rows.transpose()?.unwrap_or(ROWS[0]),
        })
    }

    /// Whether it shows less than everything.
    pub(super) fn is_filtered(&self) -> bool {
        self.text.is_some() || self.namespace.is_some() || self.kind.is_some()
    }

    /// Whether this is where the list begins.
    pub(super) fn is_first(&self) -> bool {
        self.after.is_none()
    }

    /// The list without its filters.
    pub(super) fn plain(&self) -> &str {
        &self.path
    }

    /// The list from its beginning, in another order.
    pub(super) fn sorted(&self, sort: Sort) -> String {
        Self { sort, after: None, ..self.clone() }.address()
    }

    /// The path with all but the place, ending in `?` or `&`: what follows is `after=…`.
    pub(super) fn before_place(&self) -> String {
        open_ended(Self { after: None, ..self.clone() }.address())
    }

    /// The same for the page of untagged manifests.
    pub(super) fn before_untagged_place(&self) -> String {
        open_ended(Self { untagged_after: None, ..self.clone() }.address())
    }

    /// The address.
    fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [("q", &self.text), ("ns", &self.namespace)];
        for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            query.append_pair(name, value);
        }
        if let Some(kind) = self.kind {
            query.append_pair("type", kind.name());
        }
        if self.sort != Sort::default() {
            query.append_pair("sort", sort_name(self.sort));
        }
        for (name, _) in [("untagged", self.untagged), ("signatures", self.signatures)].iter().filter(|(_, on)| *on) {
            query.append_pair(name, "1");
        }
        if self.rows != ROWS[0] {
            query.append_pair("rows", &self.rows.to_string());
        }
        for (name, place) in [("after", &self.after), ("uafter", &self.untagged_after)] {
            if let Some(Cursor(place)) = place {
                query.append_pair(name, place);
            }
        }
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// The kinds to choose from: those that are `offered`, and the one that is chosen.
    pub(super) fn kinds(&self, offered: impl Fn(Kind) -> bool) -> Vec<Choice> {
        let choice = |kind: &Kind| Choice {
            value: kind.name().to_owned(),
            words: kind.label().to_owned(),
            chosen: self.kind == Some(*kind),
        };
        filters().iter().filter(|kind| offered(**kind) || self.kind == Some(**kind)).map(choice).collect()
    }

    /// The numbers of rows to choose from.
    pub(super) fn row_choices(&self) -> Vec<Choice> {
        let choice =
            |rows: usize| Choice { value: rows.to_string(), words: format!("{rows} rows"), chosen: self.rows == rows };
        ROWS.into_iter().map(choice).collect()
    }

    /// A heading that sorts, and whether the list is sorted by it.
    pub(super) fn heading(&self, words: &'static str, sort: Sort) -> Heading {
        let order = if sort == Sort::Name { "ascending" } else { "descending" };
        Heading { words, address: self.sorted(sort), order: (self.sort == sort).then_some(order) }
    }

    /// The order, for a form's hidden field; `None` for the usual one.
    pub(super) fn sort_field(&self) -> Option<&'static str> {
        (self.sort != Sort::default()).then(|| sort_name(self.sort))
    }
}

/// Something to choose from in a form.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) words: String,
    pub(super) chosen: bool,
}

/// A column's heading that sorts the list.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub(super) words: &'static str,
    pub(super) address: String,
    /// `ascending` or `descending`, if the list is sorted by it.
    pub(super) order: Option<&'static str>,
}

const fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Pushed => "pushed",
        Sort::Name => "name",
        Sort::Size => "size",
    }
}

fn open_ended(address: String) -> String {
    let end = if address.contains('?') { '&' } else { '?' };
    address + &end.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<ListQuery, Failure> {
        ListQuery::read("/repositories".to_owned(), &Fields::parse(query.as_bytes()))
    }

    #[test]
    fn an_address_leads_to_the_list_that_it_came_from() {
        for query in
            ["", "q=a%26b&ns=lab&type=application&sort=size&rows=100&after=AbC-_", "untagged=1&signatures=1&uafter=x"]
        {
            let list = read(query).unwrap();
            let address = list.address();
            let (_, again) = address.split_once('?').unwrap_or((&address, ""));
            assert_eq!(again, query);
        }
        let list = read("q=a&after=x&sort=name").unwrap();
        assert_eq!(list.before_place(), "/repositories?q=a&sort=name&");
        assert_eq!(list.sorted(Sort::Pushed), "/repositories?q=a");
        assert_eq!(read("after=x").unwrap().before_place(), "/repositories?");
        assert_eq!(list.heading("Name", Sort::Name).order, Some("ascending"));
        assert_eq!(list.heading("Size", Sort::Size).order, None);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let long = format!("q={}", "x".repeat(256));
        for query in ["type=nothing", "sort=tag", "rows=7", "rows=99999999999999999999", &long] {
            assert!(matches!(read(query), Err(Failure::Bad(_))), "{query}");
        }
        assert!(read("type=&sort=&rows=&q=&after=").is_ok(), "an empty field is none");
    }
}
