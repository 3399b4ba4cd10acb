//! What the lists of repositories and of tags have in common: orders, pages and the mark that leads to the next one.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Registry, RegistryError};
use crate::base::RepoId;
use crate::base::id::random;
use crate::meta::key::Key;
pub use crate::meta::order::Sort;
use crate::meta::order::{Entry, Merged};
use crate::meta::tables::META;
use crate::meta::{MetaError, Read, WriteTx};
use crate::oci::kind::Kind;

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

/// The row of [`META`] with the secret that seals marks.
const SECRET: &[u8] = b"marks";

/// Seals marks: a page may have to end at a name that its reader must not learn of, and what is made up must not be
/// taken for a place.
pub(super) struct Seal(RandomizedNonceKey);

impl Seal {
    fn new(secret: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, secret).expect("a secret of 32 bytes"))
    }

    /// The stored secret; `None` before it was made.
    fn stored(tx: &impl Read) -> Result<Option<Self>, MetaError> {
        let secret: Option<[u8; 32]> = tx.get(META, SECRET)?.and_then(|value| value.try_into().ok());
        Ok(secret.map(|secret| Self::new(&secret)))
    }

    /// Stores a secret, if there is none yet.
    pub(super) fn prepare(tx: &mut WriteTx, secret: &[u8; 32]) -> Result<(), MetaError> {
        tx.put_new(META, SECRET, secret.to_vec()).map(drop)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Registry {
    /// What seals marks. Nobody has stored a secret in a store that never served: there, one of this process will do.
    pub(super) fn seal(&self) -> Result<&Seal, RegistryError> {
        if let Some(seal) = self.0.seal.get() {
            return Ok(seal);
        }
        let stored = self.meta().read(Seal::stored)?;
        Ok(self.0.seal.get_or_init(|| stored.unwrap_or_else(|| Seal::new(&random()))))
    }
}

/// The list that a mark belongs to: everything that was asked for but the page.
pub(super) struct Scope<'s> {
    seal: &'s Seal,
    name: Key,
}

impl<'s> Scope<'s> {
    pub(super) fn new(seal: &'s Seal, list: &str, sort: Sort) -> Self {
        Self { seal, name: Key::new().text(list).text(&format!("{sort:?}")) }
    }

    pub(super) fn repo(self, id: RepoId) -> Self {
        Self { name: self.name.u64(id.0), ..self }
    }

    /// Something that was asked for, or that nothing was. (A client's text may have zero bytes, hence its length.)
    pub(super) fn filter(self, text: Option<&str>) -> Self {
        let name = match text {
            None => self.name.u64(u64::MAX),
            Some(text) => self.name.u64(text.len() as u64).raw(text.as_bytes()),
        };
        Self { name, ..self }
    }

    /// The mark of a place.
    pub(super) fn mark(&self, place: &[u8]) -> Cursor {
        let mut sealed = place.to_vec();
        let about = Aad::from(self.name.as_bytes());
        let nonce = self.seal.0.seal_in_place_append_tag(about, &mut sealed).expect("a place is no gigabytes");
        Cursor(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// The place behind which the page begins.
    ///
    /// # Errors
    /// [`RegistryError::ForeignCursor`] when the mark is of another list, or none at all.
    pub(super) fn place(&self, after: Option<&Cursor>) -> Result<Option<Vec<u8>>, RegistryError> {
        let Some(Cursor(text)) = after else { return Ok(None) };
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
            let mut sealed = sealed.to_vec();
            let about = Aad::from(self.name.as_bytes());
            let place = self.seal.0.open_in_place(Nonce::from(nonce), about, &mut sealed).ok()?;
            Some(place.to_vec())
        };
        open().map(Some).ok_or(RegistryError::ForeignCursor)
    }
}

/// Fills a page from a list's rows: `make` makes an entry of a place and its value, or passes over it.
///
/// # Errors
/// What `make` ends with; when the store fails.
pub(super) fn fill<T, R: Read>(
    rows: &mut Merged<'_, R>,
    limit: usize,
    scope: &Scope<'_>,
    make: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, RegistryError>,
) -> Result<(Vec<T>, Option<Cursor>), RegistryError> {
    fill_from(|| rows.next_entry(), limit, SCAN, scope, make)
}

/// The same from any source of rows, of which at most `scan` are looked at.
///
/// # Errors
/// What `make` ends with; when the store fails.
pub(super) fn fill_from<T>(
    mut next: impl FnMut() -> Result<Option<Entry>, MetaError>,
    limit: usize,
    scan: usize,
    scope: &Scope<'_>,
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
        let seal = Seal::new(&[7; 32]);
        let of = |id| Scope::new(&seal, "tags", Sort::Pushed).repo(RepoId(id));
        let own = || of(7).filter(Some("a")).filter(None);
        let mark = own().mark(b"\0\xffplace\0");
        assert!(mark.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{mark:?}");
        assert_eq!(own().place(Some(&mark)).unwrap().as_deref(), Some(&b"\0\xffplace\0"[..]));
        assert_ne!(own().mark(b"\0\xffplace\0"), mark, "the same place is not known again");
        let other = Seal::new(&[8; 32]);
        for foreign in [
            Scope::new(&seal, "tags", Sort::Name).repo(RepoId(7)).filter(Some("a")).filter(None),
            Scope::new(&other, "tags", Sort::Pushed).repo(RepoId(7)).filter(Some("a")).filter(None),
            of(7).filter(None).filter(None),
            of(7).filter(Some("b")).filter(None),
            of(8).filter(Some("a")).filter(None),
            of(7).filter(None).filter(Some("a")),
        ] {
            assert!(matches!(foreign.place(Some(&mark)), Err(RegistryError::ForeignCursor)));
        }
        for no_mark in ["", "!", "AAAA", "a b", "\u{1f433}", &mark.0[1..], &mark.0[..mark.0.len() - 1]] {
            let found = own().place(Some(&Cursor(no_mark.to_owned())));
            assert!(matches!(found, Err(RegistryError::ForeignCursor)), "{no_mark}");
        }
        assert!(own().place(None).unwrap().is_none());
    }
}
