//! Search over what a caller may see: repositories, tags, digest prefixes and annotations.

use std::collections::HashMap;

use super::{Registry, RegistryError, listing, terms};
use crate::base::RepoId;
use crate::meta::key::Key;
use crate::meta::{MetaError, Read, blob, manifest, repo, tag, term};
use crate::oci::kind::Kind;
use crate::oci::{Algorithm, Digest, RepoName, Tag};

/// Names of repositories that one search looks at.
const NAMES: usize = 20_000;
/// Rows of the other lists that one search looks at.
const ROWS: usize = 1_000;
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
    /// Whether any list was cut.
    pub more: bool,
}

impl Registry {
    /// Searches for `text` in what `readable` lets the caller see. Names of repositories are compared without case,
    /// tags as they are written. A fixed number of rows is looked at, whatever there is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn search(
        &self,
        text: &str,
        limit: usize,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Found, RegistryError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Found::default());
        }
        self.meta().read(|tx| {
            let mut search = Search { tx, limit, readable: &readable, known: HashMap::new(), found: Found::default() };
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
        let name = row.map(|row| row.name).filter(|name| (self.readable)(name));
        self.known.insert(id, name.clone());
        Ok(name)
    }

    fn repositories(&mut self, text: &str) -> Result<(), RegistryError> {
        let names = repo::names(self.tx, None, NAMES)?;
        self.found.more |= names.len() == NAMES;
        for name in names.into_iter().filter(|name| listing::has_text(name.as_str(), text)) {
            if (self.readable)(&name) && full(&mut self.found.repositories, self.limit, &mut self.found.more, name) {
                break;
            }
        }
        Ok(())
    }

    fn tags(&mut self, text: &str) -> Result<(), RegistryError> {
        let rows = tag::beginning_with(self.tx, text, ROWS)?;
        self.found.more |= rows.len() == ROWS;
        for (tag, id) in rows {
            let Some(name) = self.visible(id)? else { continue };
            let Some(row) = tag::get(self.tx, id, &tag)? else { continue };
            let kind = manifest::get(self.tx, id, &row.digest)?.map_or(Kind::Unknown, |row| row.kind());
            if full(&mut self.found.tags, self.limit, &mut self.found.more, (name, tag, kind)) {
                break;
            }
        }
        Ok(())
    }

    fn digests(&mut self, text: &str) -> Result<(), RegistryError> {
        let Some(beginnings) = Beginning::read(text) else { return Ok(()) };
        for beginning in beginnings {
            let (from, to) = (&beginning.from, beginning.to.as_deref());
            let manifests = manifest::in_range(self.tx, from, to, ROWS)?;
            let blobs = blob::in_range(self.tx, from, to, ROWS)?;
            self.found.more |= manifests.len() == ROWS || blobs.len() == ROWS;
            let manifests = manifests.into_iter().map(|found| (found, true));
            for ((digest, id), is_manifest) in manifests.chain(blobs.into_iter().map(|found| (found, false))) {
                let Some(name) = self.visible(id)? else { continue };
                let kind = if is_manifest { manifest::get(self.tx, id, &digest)?.map(|row| row.kind()) } else { None };
                if full(&mut self.found.digests, self.limit, &mut self.found.more, (name, digest, kind)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn annotations(&mut self, text: &str) -> Result<(), RegistryError> {
        let text = terms::normal(text);
        if text.is_empty() {
            return Ok(());
        }
        let rows = term::find(self.tx, &text, ROWS)?;
        self.found.more |= rows.len() == ROWS;
        for (term, id, digest) in rows {
            let Some(name) = self.visible(id)? else { continue };
            // Found by a word and by the pair that it stands in: told once.
            if self.found.annotations.iter().any(|(known, has, _)| (known, has) == (&name, &digest)) {
                continue;
            }
            if full(&mut self.found.annotations, self.limit, &mut self.found.more, (name, digest, term)) {
                break;
            }
        }
        Ok(())
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
