//! Search over what a caller may see: repositories, tags, digest prefixes and annotations.

use std::collections::HashMap;

use super::{Registry, RegistryError, catalog, listing, terms};
use crate::access::rights::Visible;
use crate::base::RepoId;
use crate::meta::key::Key;
use crate::meta::repo::Visibility;
use crate::meta::{MetaError, Read, blob, manifest, repo, tag, term};
use crate::oci::kind::Kind;
use crate::oci::{Algorithm, Digest, RepoName, Tag};

/// Names of repositories that one search looks at.
const NAMES: usize = 20_000;
/// Rows of the other lists that one search looks at, first; and when those were not enough for somebody who may not see
/// all of them, so that what others have does not stand in front of what the caller has.
const ROWS: usize = 1_000;
const MANY_ROWS: usize = 5_000;
/// Hexadecimal digits of the shortest beginning of a digest that is looked for.
const SHORTEST_DIGEST: usize = 6;

/// What was found, each list at most `limit` long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Repositories whose name contains the text.
    pub repositories: Vec<RepoName>,
    /// Tags that begin with the text.
    pub tags: Vec<(RepoName, Tag, Kind)>,
    /// What has a digest that begins with the text (six hexadecimal digits or more) in a repository: a manifest with
    /// its kind, or a blob, which has none.
    pub digests: Vec<(RepoName, Digest, Option<Kind>)>,
    /// Manifests with an annotation or label of this `key=value`, or with a title, name or description word that begins
    /// with the text; and what was found.
    pub annotations: Vec<(RepoName, Digest, String)>,
    /// Whether there is more that the caller may see: a list was cut, or (told only to who sees everything, for others could
    /// count with it what they may not see) not everything was looked at.
    pub more: bool,
}

impl Registry {
    /// Searches for `text` in what `readable` lets the caller see. Who knows where that is asks
    /// [`Registry::search_visible`].
    ///
    /// # Errors
    /// When the store fails.
    pub fn search(
        &self,
        text: &str,
        limit: usize,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Found, RegistryError> {
        self.search_visible(text, limit, &Visible::Ask, readable)
    }

    /// Searches for `text` in the places that are visible to the caller, and which `readable` lets the caller see. Names of
    /// repositories are compared without case, tags as they are written. A bounded number of rows is looked at, whatever
    /// there is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn search_visible(
        &self,
        text: &str,
        limit: usize,
        visible: &Visible,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Found, RegistryError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Found::default());
        }
        self.meta().read(|tx| {
            let (known, found) = (HashMap::new(), Found::default());
            let mut search = Search { tx, limit, places: visible, readable: &readable, known, found };
            search.repositories(&text.to_ascii_lowercase())?;
            search.tags(text)?;
            search.digests(text)?;
            search.annotations(text)?;
            Ok(search.found)
        })
    }
}

struct Search<'s, R, F> {
    tx: &'s R,
    limit: usize,
    places: &'s Visible,
    readable: &'s F,
    /// The names of the repositories that were come across; `None` for those that the caller may not see.
    known: HashMap<RepoId, Option<RepoName>>,
    found: Found,
}

impl<R: Read, F: Fn(&RepoName) -> bool> Search<'_, R, F> {
    /// The repository's name, if it is there and the caller may see it.
    fn visible(&mut self, id: RepoId) -> Result<Option<RepoName>, MetaError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let row = repo::get(self.tx, id)?.filter(|row| row.deleted.is_none());
        let may_be_seen = |row: &repo::RepoRow| match self.places {
            Visible::All | Visible::Ask => true,
            Visible::Some(places) => {
                let public = places.public && row.visibility == Visibility::Public;
                public
                    || places.namespaces.contains(row.name.namespace())
                    || places.repositories.contains(&(row.name.clone(), id))
            }
        };
        let name = row.filter(may_be_seen).map(|row| row.name).filter(|name| (self.readable)(name));
        self.known.insert(id, name.clone());
        Ok(name)
    }

    /// Goes over what `read` finds of a list, which takes how many rows it reads at most, until `add` has enough.
    fn look<T>(
        &mut self,
        read: impl Fn(&R, usize) -> Result<Vec<T>, MetaError>,
        mut add: impl FnMut(&mut Self, T) -> Result<bool, MetaError>,
    ) -> Result<(), RegistryError> {
        let mut looked = 0;
        for most in [ROWS, MANY_ROWS] {
            let rows = read(self.tx, most)?;
            let all = rows.len() < most;
            for row in rows.into_iter().skip(looked) {
                looked += 1;
                if add(self, row)? {
                    return Ok(());
                }
            }
            if all {
                return Ok(());
            }
            if matches!(self.places, Visible::All) {
                self.found.more = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn repositories(&mut self, text: &str) -> Result<(), RegistryError> {
        let names = catalog::names(self.tx, self.places, None, NAMES)?;
        // Names in places are the caller's own.
        self.found.more |= names.len() == NAMES && !matches!(self.places, Visible::Ask);
        for name in names.into_iter().filter(|name| listing::has_text(name.as_str(), text)) {
            if (self.readable)(&name) && full(&mut self.found.repositories, self.limit, &mut self.found.more, name) {
                break;
            }
        }
        Ok(())
    }

    fn tags(&mut self, text: &str) -> Result<(), RegistryError> {
        let read = |tx: &R, most| tag::beginning_with(tx, text, most);
        self.look(read, |search, (tag, id)| {
            let Some(name) = search.visible(id)? else { return Ok(false) };
            let Some(row) = tag::get(search.tx, id, &tag)? else { return Ok(false) };
            let kind = manifest::get(search.tx, id, &row.digest)?.map_or(Kind::Unknown, |row| row.kind());
            Ok(full(&mut search.found.tags, search.limit, &mut search.found.more, (name, tag, kind)))
        })
    }

    fn digests(&mut self, text: &str) -> Result<(), RegistryError> {
        for beginning in Beginning::read(text).into_iter().flatten() {
            let (from, to) = (&beginning.from, beginning.to.as_deref());
            let manifests = |tx: &R, most| manifest::in_range(tx, from, to, most);
            self.look(manifests, |search, (digest, id)| {
                let Some(name) = search.visible(id)? else { return Ok(false) };
                let kind = manifest::get(search.tx, id, &digest)?.map(|row| row.kind());
                Ok(search.add_digest(name, digest, kind))
            })?;
            let blobs = |tx: &R, most| blob::in_range(tx, from, to, most);
            self.look(blobs, |search, (digest, id)| {
                let Some(name) = search.visible(id)? else { return Ok(false) };
                Ok(search.add_digest(name, digest, None))
            })?;
        }
        Ok(())
    }

    fn add_digest(&mut self, name: RepoName, digest: Digest, kind: Option<Kind>) -> bool {
        full(&mut self.found.digests, self.limit, &mut self.found.more, (name, digest, kind))
    }

    fn annotations(&mut self, text: &str) -> Result<(), RegistryError> {
        let text = terms::normal(text);
        if text.is_empty() {
            return Ok(());
        }
        let read = |tx: &R, most| term::find(tx, &text, most);
        self.look(read, |search, (term, id, digest)| {
            let Some(name) = search.visible(id)? else { return Ok(false) };
            // Found by a word and by the pair that it stands in: told once.
            if search.found.annotations.iter().any(|(known, has, _)| (known, has) == (&name, &digest)) {
                return Ok(false);
            }
            Ok(full(&mut search.found.annotations, search.limit, &mut search.found.more, (name, digest, term)))
        })
    }
}

/// Adds to a list; tells whether it was full before, so that there is more than it shows.
fn full<T>(list: &mut Vec<T>, limit: usize, more: &mut bool, found: T) -> bool {
    if list.len() == limit {
        *more = true;
        return true;
    }
    list.push(found);
    false
}

/// The keys of the digests that begin with some digits.
struct Beginning {
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

impl Beginning {
    /// `sha256:1234ab`, or the digits alone, for each algorithm; `None` for what is no beginning of a digest.
    fn read(text: &str) -> Option<Vec<Self>> {
        let (algorithms, digits) = match text.split_once(':') {
            Some(("sha256", digits)) => (vec![Algorithm::Sha256], digits),
            Some(("sha512", digits)) => (vec![Algorithm::Sha512], digits),
            Some(_) => return None,
            None => (vec![Algorithm::Sha256, Algorithm::Sha512], text),
        };
        let digits = digits.to_ascii_lowercase();
        if digits.len() < SHORTEST_DIGEST || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let fits = |algorithm: &Algorithm| digits.len() <= 2 * algorithm.size();
        let beginning = |algorithm: Algorithm| {
            // The least and the greatest digest with these digits.
            let padded = |fill: &str| {
                let rest = fill.repeat(2 * algorithm.size() - digits.len());
                Digest::parse(&format!("{}:{digits}{rest}", algorithm.name())).ok().map(|digest| digest.to_key())
            };
            let (from, last) = (padded("0")?, padded("f")?);
            Some(Self { from, to: Key::prefix_end(&last) })
        };
        algorithms.into_iter().filter(fits).map(beginning).collect()
    }
}
