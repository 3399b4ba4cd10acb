//! What the lists of repositories and of tags have in common: orders, pages and the mark that leads to the next one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::RegistryError;
use crate::base::RepoId;
use crate::meta::MetaError;
use crate::meta::key::Key;
pub use crate::meta::order::Sort;
use crate::meta::order::{Entry, Merged};
use crate::oci::kind::Kind;
use crate::oci::{Algorithm, Digest};

/// Entries of a page whose query names no number.
pub const PAGE: usize = 50;
/// The most entries of a page, whatever was asked for.
pub const MAX_PAGE: usize = 1_000;
/// Rows that one request looks at to fill a page whose filter has no rows of its own (a text, what the caller may not
/// see): about two milliseconds. Then the page ends, short or empty, and its mark goes on from there.
pub(super) const SCAN: usize = 5_000;
/// Rows read at once while looking for few among many.
const CHUNK: usize = 500;

/// Where a page ended: opaque to those who carry it, bound to the order and the filter that it came from. Letters,
/// digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next page begins, if there is one. A page that searched as much as one request may can be short, or
    /// empty, and still have a next one.
    pub next: Option<Cursor>,
    /// How many entries there are in all, where that is counted.
    pub total: Option<u64>,
}

/// The kinds that a filter offers, in the order of the pages: what people push first, then what goes with it.
pub fn filters() -> &'static [Kind] {
    FILTERS
}

const FILTERS: &[Kind] = &[
    Kind::Application,
    Kind::CnabBundle,
    Kind::Compose,
    Kind::Image,
    Kind::MultiArch,
    Kind::Plugin,
    Kind::Chart,
    Kind::HelmPlugin,
    Kind::Flux,
    Kind::Wasm,
    Kind::Sif,
    Kind::Model,
    Kind::Policy,
    Kind::Package,
    Kind::Signature,
    Kind::Attestation,
    Kind::Sbom,
    Kind::ReferrersIndex,
    Kind::LazyLoadIndex,
    Kind::CnabConfig,
    Kind::ComposeImages,
    Kind::BuildkitCache,
    Kind::Artifact,
    Kind::OciArtifactManifest,
    Kind::Index,
    Kind::DockerSchema1,
    Kind::Unknown,
];

/// How many entries a page may have.
pub(super) fn page_size(limit: usize) -> usize {
    if limit == 0 { PAGE } else { limit.min(MAX_PAGE) }
}

/// Rows to read at once for a page of `limit`; `few` when most of what is read may not be wanted.
pub(super) fn chunk(limit: usize, few: bool) -> usize {
    // One more, for whether there is more.
    if few { CHUNK.max(limit + 1) } else { limit + 1 }
}

/// The list that a mark belongs to: everything that was asked for but the page.
pub(super) struct Scope(Key);

/// Bytes of a mark that name its list.
const SCOPE: usize = 6;

impl Scope {
    pub(super) fn new(list: &str, sort: Sort) -> Self {
        Self(Key::new().text(list).text(&format!("{sort:?}")))
    }

    pub(super) fn repo(self, id: RepoId) -> Self {
        Self(self.0.u64(id.0))
    }

    /// Something that was asked for, or that nothing was. (A client's text may have zero bytes, hence its length.)
    pub(super) fn filter(self, text: Option<&str>) -> Self {
        Self(match text {
            None => self.0.u64(u64::MAX),
            Some(text) => self.0.u64(text.len() as u64).raw(text.as_bytes()),
        })
    }

    fn name(&self) -> Vec<u8> {
        Digest::of(Algorithm::Sha256, self.0.as_bytes()).to_key()[1..=SCOPE].to_vec()
    }

    /// The mark of a place.
    pub(super) fn mark(&self, place: &[u8]) -> Cursor {
        Cursor(URL_SAFE_NO_PAD.encode([self.name().as_slice(), place].concat()))
    }

    /// The place behind which the page begins. What a client made up leads to some other place of the same list at
    /// most.
    ///
    /// # Errors
    /// [`RegistryError::ForeignCursor`] when the mark is of another list, or none at all.
    pub(super) fn place(&self, after: Option<&Cursor>) -> Result<Option<Vec<u8>>, RegistryError> {
        let Some(Cursor(text)) = after else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| RegistryError::ForeignCursor)?;
        match bytes.split_at_checked(SCOPE) {
            Some((name, place)) if name == self.name() => Ok(Some(place.to_vec())),
            _ => Err(RegistryError::ForeignCursor),
        }
    }
}

/// Fills a page from a list's rows: `make` makes an entry of a place and its value, or passes over it.
///
/// # Errors
/// What `make` ends with; when the store fails.
pub(super) fn fill<T, R: crate::meta::Read>(
    rows: &mut Merged<'_, R>,
    limit: usize,
    scope: &Scope,
    make: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, RegistryError>,
) -> Result<(Vec<T>, Option<Cursor>), RegistryError> {
    fill_from(|| rows.next(), limit, SCAN, scope, make)
}

/// The same from any source of rows, of which at most `scan` are looked at.
///
/// # Errors
/// What `make` ends with; when the store fails.
pub(super) fn fill_from<T>(
    mut next: impl FnMut() -> Result<Option<Entry>, MetaError>,
    limit: usize,
    scan: usize,
    scope: &Scope,
    mut make: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, RegistryError>,
) -> Result<(Vec<T>, Option<Cursor>), RegistryError> {
    let mut entries = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    for seen in 0.. {
        let Some((place, value)) = next()? else { return Ok((entries, None)) };
        if entries.len() == limit || seen == scan {
            break;
        }
        entries.extend(make(&place, &value)?);
        last = Some(place);
    }
    Ok((entries, last.map(|place| scope.mark(&place))))
}

/// Whether `name` contains `text`, which is in lower case already; ASCII case is ignored.
pub(super) fn has_text(name: &str, text: &str) -> bool {
    text.is_empty() || name.to_ascii_lowercase().contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_offered_once() {
        let mut offered = filters().to_vec();
        offered.sort_unstable();
        let mut all = Kind::ALL.to_vec();
        all.sort_unstable();
        assert_eq!(offered, all);
    }

    #[test]
    fn a_mark_leads_back_to_its_own_list_only() {
        let scope = |sort, text: Option<&str>| Scope::new("tags", sort).repo(RepoId(7)).filter(text).filter(None);
        let mark = scope(Sort::Pushed, Some("a")).mark(b"\0\xffplace\0");
        assert!(mark.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{mark:?}");
        let own = scope(Sort::Pushed, Some("a")).place(Some(&mark)).unwrap();
        assert_eq!(own.as_deref(), Some(&b"\0\xffplace\0"[..]));
        for foreign in [
            scope(Sort::Name, Some("a")),
            scope(Sort::Pushed, None),
            scope(Sort::Pushed, Some("b")),
            Scope::new("tags", Sort::Pushed).repo(RepoId(8)).filter(Some("a")).filter(None),
            Scope::new("tags", Sort::Pushed).repo(RepoId(7)).filter(None).filter(Some("a")),
        ] {
            assert!(matches!(foreign.place(Some(&mark)), Err(RegistryError::ForeignCursor)));
        }
        for no_mark in ["", "!", "AAAA", "a b", "\u{1f433}"] {
            let found = scope(Sort::Pushed, None).place(Some(&Cursor(no_mark.to_owned())));
            assert!(matches!(found, Err(RegistryError::ForeignCursor)), "{no_mark}");
        }
        assert!(scope(Sort::Pushed, None).place(None).unwrap().is_none());
    }
}
