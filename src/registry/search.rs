//! Search over what a caller may see: repositories, tags, digest prefixes and annotations.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use super::repos::RepoEntry;
use super::{Registry, RegistryError, listing, repos, terms};
use crate::access::rights::{Places, Visible};
use crate::base::RepoId;
use crate::meta::key::Key;
use crate::meta::order::Sort;
use crate::meta::repo::{List, Visibility};
use crate::meta::{MetaError, Read, blob, manifest, repo, tag, term};
use crate::oci::kind::Kind;
use crate::oci::{Algorithm, Digest, RepoName, Tag};

/// Names of repositories that one search looks at.
const NAMES: usize = 20_000;
/// Repositories that a search looks into one by one for who sees some places only; and manifests in them whose terms it
/// reads. So it finds what is there whatever others have, and takes a time that tells nothing of it. Of who sees more than
/// that, the rest is looked for among the rows of all.
const PLACES: usize = 2_000;
const MANIFESTS: usize = 5_000;
/// Rows of all repositories that one search looks at, first; and when those were not enough for somebody who may not see
/// all of them, so that what others have does not stand in front of what the caller has.
const ROWS: usize = 1_000;
const MANY_ROWS: usize = 5_000;
/// Rows of a list of repositories that are read at once.
const CHUNK: usize = 500;
/// Manifests whose terms are read at once.
const TERMS: usize = 250;
/// Searches that run at once. Each may take a tenth of a second of a processor, and whoever may read may ask for many.
pub(super) const AT_ONCE: usize = 2;
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
    /// Whether there is more that the caller may see: a list was cut, or not everything was looked at that the caller may see
    /// (which is not told where it would count what the caller may not see).
    pub more: bool,
}

impl Registry {
    /// Runs a search on a thread that serves nobody else; no more than two run, others wait for their turn. One that has
    /// begun keeps its place until it ends, also when whoever asked has left.
    ///
    /// # Errors
    /// The search's; [`RegistryError::Store`] when it panics.
    pub async fn search_aside<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Self) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let failed = |error: &dyn Error| RegistryError::Store(MetaError::Storage(error.to_string()));
        let turn = self.0.searches.clone().acquire_owned().await.map_err(|error| failed(&error))?;
        let registry = self.clone();
        let searching = tokio::task::spawn_blocking(move || {
            let found = search(&registry);
            drop(turn);
            found
        });
        searching.await.map_err(|error| failed(&error))?
    }

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
    /// there is: for who sees places, those in the places.
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
            let within = match visible {
                Visible::Some(places) => Some(Within::read(tx, places)?),
                Visible::All | Visible::Ask => None,
            };
            let mut search = Search { tx, limit, places: visible, readable: &readable, known, within, found };
            search.repositories(&text.to_ascii_lowercase())?;
            search.tags(text)?;
            search.digests(text)?;
            search.annotations(text)?;
            Ok(search.found)
        })
    }

    /// At most `limit` repositories, by name, whose name contains `text` (ASCII case is ignored), of one `namespace` if one
    /// is named, in the places that are visible to the caller, and which `readable` lets the caller see. Among 20,000 names
    /// that may be visible, and no more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn repositories_with(
        &self,
        text: &str,
        namespace: Option<&str>,
        limit: usize,
        visible: &Visible,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Vec<RepoEntry>, RegistryError> {
        let text = text.trim().to_ascii_lowercase();
        self.meta().read(|tx| {
            let mut found = Vec::new();
            names(tx, visible, namespace, |name| {
                if listing::has_text(name.as_str(), &text) && readable(&name) {
                    found.push(name);
                }
                Ok(found.len() >= limit)
            })?;
            let mut entries = Vec::with_capacity(found.len());
            for name in found {
                let Some(id) = repo::id_of(tx, &name)? else { continue };
                if let Some(row) = repo::get(tx, id)? {
                    entries.push(repos::entry(tx, id, row)?);
                }
            }
            Ok(entries)
        })
    }
}

/// Gives the names of the repositories that may be visible, of one namespace if one is named, by name until `enough`; at
/// most [`NAMES`]. Tells whether these were all.
fn names(
    tx: &impl Read,
    visible: &Visible,
    namespace: Option<&str>,
    mut enough: impl FnMut(RepoName) -> Result<bool, MetaError>,
) -> Result<bool, RegistryError> {
    let places = if let Visible::Some(places) = visible { Some(places) } else { None };
    let whole = places.is_none_or(|places| namespace.is_some_and(|asked| places.namespaces.contains(asked)));
    let lists: Vec<List<'_>> = match namespace {
        // A zero byte is in no name, and so in no namespace.
        Some(namespace) if namespace.contains('\0') => return Ok(true),
        Some(namespace) if whole => vec![List::Namespace(namespace)],
        // Of the namespaces that are visible it is none.
        Some(_) => places.filter(|places| places.public).map(|_| List::Public).into_iter().collect(),
        None => places.into_iter().flat_map(repos::lists_of).collect(),
    };
    // By name, those of a namespace stand together.
    let front = namespace.filter(|namespace| !namespace.is_empty()).map(|namespace| format!("{namespace}/"));
    let after = front.as_deref().filter(|_| !whole).map(str::as_bytes);
    let mut rows = repo::listed(tx, lists, Sort::Name, after, CHUNK);
    if !whole {
        rows = rows.with(repos::singles(tx, places, Sort::Name)?, after);
    }
    let (mut all, mut last) = (Vec::new().into_iter(), None::<RepoName>);
    for _ in 0..NAMES {
        let next = if namespace.is_none() && whole {
            if all.len() == 0 {
                all = repo::names(tx, last.as_ref().map(RepoName::as_str), CHUNK)?.into_iter();
            }
            last = all.next();
            last.clone()
        } else {
            rows.next_entry()?.map(|(place, _)| repo::name_at(&place)).transpose()?
        };
        let Some(name) = next else { return Ok(true) };
        if namespace.is_some_and(|namespace| name.namespace() != namespace) {
            if front.is_some() {
                return Ok(true);
            }
            continue;
        }
        if enough(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The repositories of somebody's places, which are looked into one by one.
struct Within {
    repositories: Vec<(RepoName, RepoId)>,
    /// Whether these are all.
    whole: bool,
}

impl Within {
    /// The caller's own before what is public: there may be much of that.
    fn read(tx: &impl Read, places: &Places) -> Result<Self, RegistryError> {
        let (own, public) = (Places { public: false, ..places.clone() }, places.public.then_some(List::Public));
        let (mut repositories, mut known) = (Vec::new(), HashSet::new());
        let own = repo::listed(tx, repos::lists_of(&own), Sort::Name, None, CHUNK)
            .with(repos::singles(tx, Some(&own), Sort::Name)?, None);
        let public = repo::listed(tx, public, Sort::Name, None, CHUNK);
        for mut rows in [own, public] {
            while let Some((place, id)) = rows.next_entry()? {
                let id = repo::listed_id(&id)?;
                if !known.insert(id) {
                    continue;
                }
                if repositories.len() == PLACES {
                    return Ok(Self { repositories, whole: false });
                }
                repositories.push((repo::name_at(&place)?, id));
            }
        }
        Ok(Self { repositories, whole: true })
    }
}

/// The least of what was found, and whether there was more.
struct Least<T> {
    limit: usize,
    found: Vec<T>,
}

impl<T: Ord> Least<T> {
    fn new(limit: usize) -> Self {
        Self { limit, found: Vec::new() }
    }

    fn extend(&mut self, found: impl IntoIterator<Item = T>) {
        self.found.extend(found);
        if self.found.len() > 8 * (self.limit + 1) {
            self.found.sort_unstable();
            self.found.truncate(self.limit + 1);
        }
    }

    fn cut(mut self, more: &mut bool) -> Vec<T> {
        self.found.sort_unstable();
        *more |= self.found.len() > self.limit;
        self.found.truncate(self.limit);
        self.found
    }
}

struct Search<'s, R, F> {
    tx: &'s R,
    limit: usize,
    places: &'s Visible,
    readable: &'s F,
    /// The names of the repositories that were come across; `None` for those that the caller may not see.
    known: HashMap<RepoId, Option<RepoName>>,
    /// Where to look, for who sees some places.
    within: Option<Within>,
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
        let (readable, limit, found) = (self.readable, self.limit, &mut self.found);
        let all = names(self.tx, self.places, None, |name| {
            Ok(listing::has_text(name.as_str(), text)
                && readable(&name)
                && full(&mut found.repositories, limit, &mut found.more, name))
        })?;
        // Names in places are the caller's own.
        self.found.more |= !all && !matches!(self.places, Visible::Ask);
        Ok(())
    }

    /// Looks into each of the repositories that the caller sees; `find` gives what it has, which `told` makes into a line.
    /// False when they were not all, and the rows of all repositories are to be looked at.
    fn each<T: Ord>(
        &mut self,
        mut find: impl FnMut(&R, RepoId, usize) -> Result<Option<Vec<T>>, MetaError>,
        mut told: impl FnMut(&mut Self, RepoName, RepoId, T) -> Result<(), MetaError>,
    ) -> Result<bool, RegistryError> {
        let Some(within) = &self.within else { return Ok(false) };
        let (mut least, mut whole) = (Least::new(self.limit), within.whole);
        for (name, id) in &within.repositories {
            let Some(found) = find(self.tx, *id, self.limit + 1)? else {
                whole = false;
                break;
            };
            if !found.is_empty() && (self.readable)(name) {
                least.extend(found.into_iter().map(|found| (found, name.clone(), *id)));
            }
        }
        self.found.more |= !whole;
        for (found, name, id) in least.cut(&mut self.found.more) {
            told(self, name, id, found)?;
        }
        Ok(whole)
    }

    fn add_tag(&mut self, name: RepoName, id: RepoId, tag: Tag) -> Result<bool, MetaError> {
        let Some(row) = tag::get(self.tx, id, &tag)? else { return Ok(false) };
        let kind = manifest::get(self.tx, id, &row.digest)?.map_or(Kind::Unknown, |row| row.kind());
        Ok(full(&mut self.found.tags, self.limit, &mut self.found.more, (name, tag, kind)))
    }

    fn tags(&mut self, text: &str) -> Result<(), RegistryError> {
        let within = |tx: &R, id, most| tag::of_repo_beginning_with(tx, id, text, most).map(Some);
        if self.each(within, |search, name, id, tag| search.add_tag(name, id, tag).map(drop))? {
            return Ok(());
        }
        let read = |tx: &R, most| tag::beginning_with(tx, text, most);
        self.look(read, |search, (tag, id)| {
            let Some(name) = search.visible(id)? else { return Ok(false) };
            search.add_tag(name, id, tag)
        })
    }

    fn digests(&mut self, text: &str) -> Result<(), RegistryError> {
        for beginning in Beginning::read(text).into_iter().flatten() {
            let (from, to) = (&beginning.from, beginning.to.as_deref());
            let within = |tx: &R, id, most| manifest::of_repo_in_range(tx, id, from, to, most).map(Some);
            let manifests = self.each(within, |search, name, id, digest| {
                let kind = manifest::get(search.tx, id, &digest)?.map(|row| row.kind());
                search.add_digest(name, digest, kind);
                Ok(())
            })?;
            let within = |tx: &R, id, most| blob::of_repo_in_range(tx, id, from, to, most).map(Some);
            let blobs = self.each(within, |search, name, _, digest| {
                search.add_digest(name, digest, None);
                Ok(())
            })?;
            if manifests && blobs {
                continue;
            }
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
        let mut left = MANIFESTS;
        let first = |terms: Vec<String>| terms.into_iter().filter(|term| term.starts_with(&text)).min();
        let within = |tx: &R, id, _| {
            let (mut found, mut last) = (Vec::new(), None);
            // Some kilobytes each: not all of them at once.
            loop {
                let rows = term::of_repo(tx, id, last.as_ref(), TERMS)?;
                if rows.len() > left {
                    return Ok(None);
                }
                left -= rows.len();
                let all = rows.len() < TERMS;
                last = rows.last().map(|(digest, _)| *digest);
                found.extend(rows.into_iter().filter_map(|(digest, terms)| Some((first(terms)?, digest))));
                if all {
                    return Ok(Some(found));
                }
            }
        };
        let told = |search: &mut Self, name, _, (term, digest)| {
            full(&mut search.found.annotations, search.limit, &mut search.found.more, (name, digest, term));
            Ok(())
        };
        if self.each(within, told)? {
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

/// Adds to a list what is not in it; tells whether it was full before, so that there is more than it shows.
fn full<T: PartialEq>(list: &mut Vec<T>, limit: usize, more: &mut bool, found: T) -> bool {
    if list.contains(&found) {
        return false;
    }
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
