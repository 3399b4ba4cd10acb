//! Repositories: the list that the pages and the REST interface show, one repository's description, making, changing
//! and deleting one.

use super::commit::{Change, Proposal, Step};
use super::listing::{self, Cursor, Page, Scope, Sort};
use super::{Actor, Registry, RegistryError, known, tags};
use crate::access::rights::{Places, Visible};
use crate::base::{RepoId, Timestamp};
pub use crate::meta::repo::Visibility;
use crate::meta::repo::{Counter, List, RepoRow};
use crate::meta::{Read, drain, order, repo, tag};
use crate::model::event::Happening;
use crate::oci::kind::Kind;
use crate::oci::{RepoName, Tag};

/// Characters of the longest one-line description.
pub const SHORT_DESCRIPTION: usize = 140;
/// Bytes of the longest README.
pub const LONG_DESCRIPTION: usize = 25_000;
/// Repositories that are counted for a list's total; where there are more, it is not told.
const COUNTED: usize = 2_000;

/// Which repositories are asked for.
#[derive(Clone, Debug, Default)]
pub struct RepoQuery {
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Only those that hold a tag of this kind.
    pub kind: Option<Kind>,
    /// Only those whose name contains this text; ASCII case is ignored.
    pub text: Option<String>,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many; 0 for the usual [`listing::PAGE`].
    pub limit: usize,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoEntry {
    /// Its id, which outlives a deletion and a new repository of the same name.
    pub id: RepoId,
    /// Its name.
    pub name: RepoName,
    /// Who may see it.
    pub visibility: Visibility,
    /// One line about it.
    pub short_description: String,
    /// How many units of each kind its tags are: an application and its invocation image are one.
    pub contains: Vec<(Kind, u64)>,
    /// The tag that was pushed last, when, and by whom.
    pub newest: Option<Newest>,
    /// Tags.
    pub tags: u64,
    /// Bytes of the blobs that it has.
    pub size: u64,
    /// When it came into being.
    pub created: Timestamp,
}

/// The latest push to a tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Newest {
    /// The tag.
    pub tag: Tag,
    /// When.
    pub pushed: Timestamp,
    /// By whom.
    pub pusher: String,
}

/// A repository as its own page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoDetails {
    /// What the list says.
    pub entry: RepoEntry,
    /// The README, as Markdown.
    pub long_description: String,
    /// Pulls of manifests since it came into being; those of the last minutes may be missing.
    pub pulls: u64,
    /// Pushes of manifests.
    pub pushes: u64,
    /// Untagged manifests that nothing tagged refers to, as far as counted: `None` when not known.
    pub untagged: Option<u64>,
}

/// What may be changed about a repository; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoChange {
    /// One line, at most 140 characters.
    pub short_description: Option<String>,
    /// Markdown, at most 25,000 bytes.
    pub long_description: Option<String>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

impl RepoChange {
    fn check(&self) -> Result<(), RegistryError> {
        let (short, long) = (self.short_description.as_ref(), self.long_description.as_ref());
        if let Some(found) = short.map(|text| text.chars().count()).filter(|found| *found > SHORT_DESCRIPTION) {
            let (field, unit) = ("the short description", "characters");
            return Err(RegistryError::TextTooLong { field, limit: SHORT_DESCRIPTION, found, unit });
        }
        if let Some(found) = long.map(String::len).filter(|found| *found > LONG_DESCRIPTION) {
            let (field, unit) = ("the long description", "bytes");
            return Err(RegistryError::TextTooLong { field, limit: LONG_DESCRIPTION, found, unit });
        }
        Ok(())
    }
}

impl Registry {
    /// The repositories that `readable` lets the caller see. Who knows where that is asks
    /// [`Registry::repositories_visible`], which does not look at all the others.
    ///
    /// # Errors
    /// [`RegistryError::ForeignCursor`], or the store's fault.
    pub fn repositories(
        &self,
        query: &RepoQuery,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Page<RepoEntry>, RegistryError> {
        self.repositories_visible(query, &Visible::Ask, readable)
    }

    /// The repositories in the places that are visible to the caller, and which `readable` (which narrows further, for
    /// callers with a token) lets the caller see. A page costs what it shows, wherever it begins and however many
    /// repositories there are that the caller may not see.
    ///
    /// By size, a repository's place follows its size to about two percent, as of its last change of a manifest or tag.
    /// A text, and what may not be seen, is looked for among a few thousand names in one request.
    ///
    /// # Errors
    /// [`RegistryError::ForeignCursor`], or the store's fault.
    pub fn repositories_visible(
        &self,
        query: &RepoQuery,
        visible: &Visible,
        readable: impl Fn(&RepoName) -> bool,
    ) -> Result<Page<RepoEntry>, RegistryError> {
        let limit = listing::page_size(query.limit);
        let text = query.text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let (namespace, sort) = (query.namespace.as_deref(), query.sort);
        let scope = Scope::new(self.seal()?, "repositories", sort).filter(namespace);
        let scope = scope.filter(query.kind.map(Kind::name)).filter(Some(&text));
        let after = scope.place(query.after.as_ref())?;
        let wanted = |name: &RepoName| {
            namespace.is_none_or(|namespace| name.namespace() == namespace)
                && listing::has_text(name.as_str(), &text)
                && readable(name)
        };
        let places = if let Visible::Some(places) = visible { Some(places) } else { None };
        // Whether the whole namespace that is asked for may be seen: then it is one list as for everybody.
        let places = places.filter(|places| namespace.is_none_or(|asked| !places.namespaces.contains(asked)));
        let lists: Vec<List<'_>> = match (query.kind, namespace) {
            _ if places.is_some() => places.into_iter().flat_map(lists_of).collect(),
            (Some(kind), _) => vec![List::Kind(Some(kind))],
            // A zero byte is in no name, and so in no namespace.
            (None, Some(namespace)) if !namespace.contains('\0') => vec![List::Namespace(namespace)],
            (None, Some(_)) => Vec::new(),
            (None, None) => Kind::ALL.iter().copied().map(Some).chain([None]).map(List::Kind).collect(),
        };
        self.meta().read(|tx| {
            // Whether the caller sees all is not known, so few may be what is wanted.
            let chunk = listing::chunk(limit, !text.is_empty());
            // In places, what a repository holds is not what it was found by.
            let holds = |id| match query.kind.filter(|_| places.is_some()) {
                Some(kind) => Ok::<_, RegistryError>(repo::counted(tx, id, Counter::Units(kind))? > 0),
                None => Ok(true),
            };
            let mut rows = repo::listed(tx, lists.iter().copied(), sort, after.as_deref(), chunk)
                .with(singles(tx, places, sort)?, after.as_deref());
            let (entries, next) = listing::fill(&mut rows, limit, &scope, |place, id| {
                let Ok(name) = RepoName::parse(order::name_at(sort, place)?) else { return Ok(None) };
                if !wanted(&name) {
                    return Ok(None);
                }
                let id = repo::listed_id(id)?;
                let Some(row) = repo::get(tx, id)? else { return Ok(None) };
                if holds(id)? { Ok(Some(entry(tx, id, row)?)) } else { Ok(None) }
            })?;
            let mut all = repo::listed(tx, lists.iter().copied(), Sort::Name, None, COUNTED)
                .with(singles(tx, places, Sort::Name)?, None);
            let (names, more) = listing::fill_from(
                || all.next_entry(),
                usize::MAX,
                COUNTED,
                &scope,
                |place, id| {
                    let name = RepoName::parse(order::name_at(Sort::Name, place)?).ok();
                    let found = name.filter(&wanted).is_some() && holds(repo::listed_id(id)?)?;
                    Ok(found.then_some(()))
                },
            )?;
            Ok(Page { entries, next, total: more.is_none().then_some(names.len() as u64) })
        })
    }

    /// One repository.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub fn repository(&self, name: &RepoName) -> Result<RepoDetails, RegistryError> {
        self.meta().read(|tx| {
            let id = known(tx, name)?;
            let row = repo::get(tx, id)?.ok_or_else(|| RegistryError::NameUnknown(name.clone()))?;
            Ok(RepoDetails {
                entry: entry(tx, id, row)?,
                long_description: repo::readme(tx, id)?,
                pulls: count(tx, id, Counter::Pulls)?.saturating_add(self.usage().pulls(id)),
                pushes: count(tx, id, Counter::Pushes)?,
                untagged: tags::count_untagged(tx, id)?,
            })
        })
    }

    /// What a list does not say of its entries. How many manifests are untagged is not looked at; of a repository that
    /// is gone since, what was left.
    ///
    /// # Errors
    /// When the store fails.
    pub fn described(&self, entries: Vec<RepoEntry>) -> Result<Vec<RepoDetails>, RegistryError> {
        self.meta().read(|tx| {
            let details = entries.into_iter().map(|entry| {
                let id = entry.id;
                Ok(RepoDetails {
                    entry,
                    long_description: repo::readme(tx, id)?,
                    pulls: count(tx, id, Counter::Pulls)?.saturating_add(self.usage().pulls(id)),
                    pushes: count(tx, id, Counter::Pushes)?,
                    untagged: None,
                })
            });
            details.collect()
        })
    }

    /// Makes an empty repository. (A first push makes one too.)
    ///
    /// # Errors
    /// [`RegistryError::NameTaken`], [`RegistryError::TextTooLong`], or the store's fault.
    pub async fn create_repository(
        &self,
        actor: Actor,
        name: &RepoName,
        change: RepoChange,
    ) -> Result<RepoDetails, RegistryError> {
        change.check()?;
        self.commit(Proposal { actor, repo: name.clone(), change: Change::CreateRepository(change) }).await?;
        self.repository(name)
    }

    /// Changes what a repository says of itself.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::TextTooLong`], or the store's fault.
    pub async fn change_repository(
        &self,
        actor: Actor,
        name: &RepoName,
        change: RepoChange,
    ) -> Result<RepoDetails, RegistryError> {
        change.check()?;
        self.commit(Proposal { actor, repo: name.clone(), change: Change::ChangeRepository(change) }).await?;
        self.repository(name)
    }

    /// Deletes a repository with all that it holds: it is gone with the answer, and its rows go in bounded steps
    /// behind (ARCHITECTURE.md, "Lists"). A push to its name makes a new one.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], or the store's fault.
    pub async fn delete_repository(&self, actor: Actor, name: &RepoName) -> Result<(), RegistryError> {
        self.commit(Proposal { actor, repo: name.clone(), change: Change::DeleteRepository }).await?;
        Ok(())
    }

    /// Deletes the repositories of a namespace, one by one; how many there were. Those that come into being meanwhile are
    /// deleted too, as far as they come before the end.
    ///
    /// # Errors
    /// When the store fails, or the registry is read-only; those before stay deleted.
    pub async fn delete_namespace(&self, actor: &Actor, namespace: &str) -> Result<usize, RegistryError> {
        let mut deleted = 0;
        loop {
            let names = self.meta().read(|tx| repo::in_namespace(tx, namespace, 100))?;
            if names.is_empty() {
                return Ok(deleted);
            }
            for name in names {
                match self.delete_repository(actor.clone(), &name).await {
                    Ok(()) => deleted += 1,
                    // Somebody else was faster.
                    Err(RegistryError::NameUnknown(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Takes away the rows of deleted repositories, and returns how many repositories that finished. A crash leaves
    /// nothing that the next call does not finish.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drain_deleted(&self) -> Result<usize, RegistryError> {
        let mut finished = 0;
        while let Some(id) = self.meta().read(|tx| repo::buried(tx, 1))?.first().copied() {
            while !self.meta().write(move |tx| Ok::<_, RegistryError>(drain::step(tx, id)?)).await? {}
            finished += 1;
        }
        Ok(finished)
    }
}

/// The lists that hold what is visible in whole namespaces, and to everybody.
pub(super) fn lists_of(places: &Places) -> impl Iterator<Item = List<'_>> {
    let namespaces = places.namespaces.iter().map(|namespace| List::Namespace(namespace));
    namespaces.chain(places.public.then_some(List::Public))
}

/// The rows of repositories that are visible by themselves, as their lists have them.
pub(super) fn singles(tx: &impl Read, places: Option<&Places>, sort: Sort) -> Result<Vec<order::Entry>, RegistryError> {
    let mut rows = Vec::new();
    for (name, id) in places.iter().flat_map(|places| &places.repositories) {
        rows.extend(repo::place_of(tx, *id, name, sort)?);
    }
    Ok(rows)
}

fn count(tx: &impl Read, id: RepoId, counter: Counter) -> Result<u64, RegistryError> {
    Ok(u64::try_from(repo::counted(tx, id, counter)?).unwrap_or(0))
}

pub(super) fn entry(tx: &impl Read, id: RepoId, row: RepoRow) -> Result<RepoEntry, RegistryError> {
    let contains = repo::contains(tx, id)?;
    let kinds: Vec<Kind> = contains.iter().map(|(kind, _)| *kind).collect();
    let mut newest = None;
    if let Some(place) = repo::newest(tx, id, &kinds)?
        && let Ok(name) = Tag::parse(order::name_at(Sort::Pushed, &place)?)
    {
        let row = tag::get(tx, id, &name)?;
        newest = row.map(|row| Newest { tag: name, pushed: row.pushed, pusher: row.pusher });
    }
    let (tags, size) = (count(tx, id, Counter::Tags)?, count(tx, id, Counter::BlobBytes)?);
    let RepoRow { name, created, visibility, short_description, .. } = row;
    Ok(RepoEntry { id, name, visibility, short_description, contains, newest, tags, size, created })
}

/// The rows of a new repository beyond its name.
pub(super) fn create(step: &mut Step<'_>, created: bool, change: &RepoChange) -> Result<(), RegistryError> {
    if !created {
        return Err(RegistryError::NameTaken(step.name.clone()));
    }
    apply(step, change)
}

pub(super) fn change(step: &mut Step<'_>, change: &RepoChange) -> Result<(), RegistryError> {
    apply(step, change)?;
    step.happenings.push(Happening::RepositoryChanged { name: step.name.clone() });
    Ok(())
}

fn apply(step: &mut Step<'_>, change: &RepoChange) -> Result<(), RegistryError> {
    let unknown = || RegistryError::NameUnknown(step.name.clone());
    let mut row = repo::get(step.tx, step.repo)?.ok_or_else(unknown)?;
    if let Some(visibility) = change.visibility.filter(|visibility| *visibility != row.visibility) {
        row.visibility = visibility;
        let (name, public) = (step.name.clone(), visibility == Visibility::Public);
        step.happenings.push(Happening::VisibilityChanged { name, public });
    }
    if let Some(text) = &change.short_description {
        row.short_description.clone_from(text);
    }
    if let Some(text) = &change.long_description {
        repo::put_readme(step.tx, step.repo, text);
    }
    repo::update(step.tx, step.repo, &row);
    Ok(())
}

/// Takes the repository out of sight; a job takes its rows away ([`Registry::drain_deleted`]).
pub(super) fn delete(step: &mut Step<'_>) -> Result<(), RegistryError> {
    let unknown = || RegistryError::NameUnknown(step.name.clone());
    let row = repo::get(step.tx, step.repo)?.ok_or_else(unknown)?;
    repo::bury(step.tx, step.repo, &row, step.stamp.now, step.stamp.lease_until)?;
    step.happenings.push(Happening::RepositoryDeleted { repo: step.repo, name: step.name.clone() });
    Ok(())
}
