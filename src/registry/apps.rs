//! Applications (docker app, CNAB; Compose and Porter bundles) as one unit: what they are made of, what of it is here,
//! and what else uses it.

mod living;
mod pair;

use std::collections::{BTreeSet, HashMap};

use super::content::Look;
use super::kinds::{self, summary_of};
use super::pull::stored_manifest;
use super::{Registry, RegistryError};
use crate::base::RepoId;
use crate::meta::manifest::{self, ManifestRow};
use crate::meta::{Read, blob, referrer, tag};
use crate::model::event::PushedMember;
use crate::oci::bundle::{Bundle, BundleImage, MAX_DOCUMENT};
use crate::oci::kind::{ChildRole, Kind, role_of_child};
use crate::oci::{Descriptor, Digest, Manifest, MediaType, Reference, RepoName, Tag};

pub(super) use living::{Living, living};
pub(super) use pair::{Pair, pair_of};

/// An application of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Where it is.
    pub repo: RepoName,
    /// The tags that point at it.
    pub tags: Vec<Tag>,
    /// Its index (or manifest list, or Compose manifest).
    pub digest: Digest,
    /// Its row: media type, kind, pushes and pulls.
    pub manifest: ManifestRow,
    /// Name, version, description, authors, keywords, parameters, credentials and actions: from the annotations, and
    /// from the bundle where that says more.
    pub bundle: Bundle,
    /// `bundle.json` (or the Compose file) as pushed: its digest, and the bytes if they are here and at most 1 MiB.
    pub document: Option<(Digest, Option<bytes::Bytes>)>,
    /// Its parts, in the order config, invocation image, components as the index lists them.
    pub members: Vec<Member>,
    /// Bytes of all distinct blobs and manifests that it needs and that are here.
    pub size: u64,
    /// The tag of its invocation image, if there is one of the name `<app>-invoc` that points at it, for the tag that
    /// was asked for.
    pub invocation_tag: Option<Tag>,
    /// Whether any part is not here: a pull will fail.
    pub incomplete: bool,
}

/// A part of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The part it plays.
    pub role: MemberRole,
    /// The component's name; empty for config and invocation image.
    pub name: String,
    /// The image as the author wrote it, where that is known.
    pub original_name: Option<String>,
    /// The manifest; `None` when the bundle names the image without a digest.
    pub digest: Option<Digest>,
    /// Its media type as the index gives it.
    pub media_type: Option<MediaType>,
    /// Its kind, where it is here.
    pub kind: Option<Kind>,
    /// `os/architecture[/variant]`, several for a multi-arch component.
    pub platforms: Vec<String>,
    /// Bytes of its distinct blobs and manifests, where it is here; else of the descriptor.
    pub size: u64,
    /// Whether it is here.
    pub state: MemberState,
    /// Tags of this repository that point at it.
    pub tags: Vec<Tag>,
    /// For a multi-arch component, its platforms' manifests.
    pub children: Vec<Member>,
    /// Other applications of this repository that have the same digest as a component or invocation image: by their
    /// tags, or by their digest where only another manifest leads to them; at most ten. What a push of the same
    /// application left behind is none.
    pub shared_with: Vec<Reference>,
}

/// The part that a member plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberRole {
    /// The manifest that carries `bundle.json`.
    Config,
    /// The image that installs the application.
    Invocation,
    /// A service's image.
    Component,
    /// A platform of a multi-arch member.
    Platform,
}

/// Whether a member is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// With everything that it needs.
    Present,
    /// It, or something that it needs, is not in this repository: a pull will fail.
    Missing,
    /// The bundle names it, and it is not among the index's children: it is pulled from elsewhere.
    Foreign,
}

impl MemberRole {
    /// As the REST interface says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Invocation => "invocation",
            Self::Component => "component",
            Self::Platform => "platform",
        }
    }
}

impl MemberState {
    /// As the REST interface says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
        }
    }
}

/// Tags of one manifest that are shown.
const TAGS: usize = 100;
/// Other applications that are named beside a member.
const SHARED: usize = 10;
/// Manifests that are asked whether they share a member, for all members together.
const PARENTS: usize = 1_000;
/// Platforms of multi-arch components that are listed, for all components together: each of thousands of components may
/// be the same index of thousands of platforms.
const PLATFORMS: usize = 5_000;
/// Referrers of a Compose manifest among which the index of its images is looked for.
const ATTACHED: usize = 200;
/// The layer of a Compose application that is its file.
const COMPOSE_FILE: &str = "application/vnd.docker.compose.file+yaml";

/// The members of an application as the event of its push lists them.
pub(super) fn pushed_members(kind: Kind, index: &Manifest) -> Vec<PushedMember> {
    // The images of a Compose application come later, in an index of their own.
    let children = index.children().filter(|_| is_application(kind));
    let member = |child: &Descriptor| {
        let (role, name) = match role_of_child(index, child) {
            ChildRole::CnabConfig => (MemberRole::Config, None),
            ChildRole::CnabInvocation => (MemberRole::Invocation, None),
            ChildRole::CnabComponent { name, .. } => (MemberRole::Component, name),
            _ => (MemberRole::Component, None),
        };
        let mut name = name.unwrap_or_default();
        name.truncate(name.floor_char_boundary(PushedMember::NAME));
        PushedMember { role: role.as_str().to_owned(), name, digest: child.digest }
    };
    children.take(PushedMember::MOST).map(member).collect()
}

/// Whether this is an application, whatever tool made it.
pub const fn is_application(kind: Kind) -> bool {
    matches!(kind, Kind::Application | Kind::CnabBundle | Kind::Compose)
}

impl Registry {
    /// The application that a reference stands for; `None` when it is there and is no application.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or a store's fault.
    pub async fn application(
        &self,
        name: &RepoName,
        reference: &Reference,
    ) -> Result<Option<Application>, RegistryError> {
        let found = self.meta().read(|tx| {
            let (repo, digest, row) = stored_manifest(tx, name, reference)?;
            gather(tx, repo, name, reference, digest, row, PARENTS)
        })?;
        self.complete(found).await
    }

    /// The parts of an application, in the order of [`Application::members`], without who shares them; `None` when the
    /// manifest is no application.
    ///
    /// # Errors
    /// [`RegistryError::NameUnknown`], [`RegistryError::ManifestUnknown`], or a store's fault.
    pub async fn members(&self, name: &RepoName, digest: &Digest) -> Result<Option<Vec<Member>>, RegistryError> {
        let reference = Reference::Digest(*digest);
        let found = self.meta().read(|tx| {
            let (repo, digest, row) = stored_manifest(tx, name, &reference)?;
            gather(tx, repo, name, &reference, digest, row, 0)
        })?;
        Ok(self.complete(found).await?.map(|application| application.members))
    }

    async fn complete(&self, found: Option<Gathered>) -> Result<Option<Application>, RegistryError> {
        let Some(Gathered { mut application, annotations, document }) = found else { return Ok(None) };
        if let Some((digest, stored)) = document {
            // Read outside of the view: it may be a file.
            let bytes = match stored {
                Some(stored) => self.content(Some(stored)).await,
                None => None,
            };
            application.document = Some((digest, bytes));
        }
        let document = application.document.as_ref().and_then(|(_, bytes)| bytes.as_deref());
        application.bundle = Bundle::read(&annotations, document);
        complete(&mut application);
        Ok(Some(application))
    }
}

/// What a view of the metadata tells of an application.
struct Gathered {
    application: Application,
    annotations: crate::oci::descriptor::Annotations,
    /// The document's digest, and where its bytes are, if they are here and not too many.
    document: Option<(Digest, Option<kinds::Found>)>,
}

/// `sharers` manifests are asked whether they share a member.
fn gather(
    tx: &impl Read,
    repo: RepoId,
    name: &RepoName,
    reference: &Reference,
    digest: Digest,
    row: ManifestRow,
    sharers: usize,
) -> Result<Option<Gathered>, RegistryError> {
    let kind = summary_of(tx, repo, &digest, &row)?.kind;
    if !is_application(kind) {
        return Ok(None);
    }
    let mut look = Look::new(tx, repo);
    let Some(read) = look.read(&digest)? else { return Ok(None) };
    let tags = tag::of_manifest(tx, repo, &digest, TAGS)?;
    let asked = match reference {
        Reference::Tag(tag) => std::slice::from_ref(tag),
        Reference::Digest(_) => tags.as_slice(),
    };
    let mut invocation_tag = None;
    for tag in asked {
        if let Some(Pair { other, is_invocation: false }) = pair_of(tx, repo, tag, &digest)? {
            invocation_tag = Some(other);
            break;
        }
    }

    let mut needed = look.needed(&digest)?;
    let images = if kind == Kind::Compose { compose_images(tx, repo, &digest)? } else { None };
    let index = match &images {
        Some((images, index)) => {
            needed.add(&look.needed(images)?);
            index
        }
        None => &read,
    };
    let document = if kind == Kind::Compose { compose_file(&read) } else { bundle_document(&look, &read)? };
    let shared = Sharing { tx, repo, own: digest, left: sharers, known: HashMap::new() };
    let mut gathering = Gathering { look, shared, platforms: HashMap::new(), left: PLATFORMS };
    let mut members = Vec::new();
    for child in index.children() {
        members.push(gathering.member(index, child)?);
    }
    members.sort_by_key(|member| member.role);
    let document = match document {
        Some(document) => Some((document, small_blob(tx, repo, &document, MAX_DOCUMENT)?)),
        None => None,
    };
    Ok(Some(Gathered {
        application: Application {
            repo: name.clone(),
            tags,
            digest,
            manifest: row,
            bundle: Bundle::default(),
            document: None,
            members,
            size: needed.bytes(),
            invocation_tag,
            incomplete: !needed.missing.is_empty(),
        },
        annotations: read.annotations,
        document,
    }))
}

/// The digest of the Compose file: the first layer that is one.
fn compose_file(manifest: &Manifest) -> Option<Digest> {
    manifest.layers().find(|layer| layer.media_type.as_str() == COMPOSE_FILE).map(|layer| layer.digest)
}

/// The index of a Compose application's images: it is attached to the manifest as its subject. Should there be several,
/// the one that was pushed last.
pub(super) fn compose_images(
    tx: &impl Read,
    repo: RepoId,
    manifest: &Digest,
) -> Result<Option<(Digest, Manifest)>, RegistryError> {
    let mut latest: Option<(Digest, ManifestRow)> = None;
    for (attached, _) in referrer::list(tx, repo, manifest, None, ATTACHED)? {
        let Some(row) = manifest::get(tx, repo, &attached)? else { continue };
        let is_later = latest.as_ref().is_none_or(|(_, latest)| latest.pushed < row.pushed);
        if is_later && summary_of(tx, repo, &attached, &row)?.kind == Kind::ComposeImages {
            latest = Some((attached, row));
        }
    }
    let Some((digest, _)) = latest else { return Ok(None) };
    Ok(Look::new(tx, repo).read(&digest)?.map(|read| (digest, read)))
}

/// The digest of `bundle.json`: the config of the config manifest, also in the forms that clients fall back to.
fn bundle_document<T: Read>(look: &Look<'_, T>, index: &Manifest) -> Result<Option<Digest>, RegistryError> {
    let config = index.children().find(|child| role_of_child(index, child) == ChildRole::CnabConfig);
    let Some(config) = config else { return Ok(None) };
    Ok(look.read(&config.digest)?.and_then(|read| read.config().map(|config| config.digest)))
}

/// Where the bytes of a blob of the repository are, if there are at most `limit` of them.
pub(super) fn small_blob(
    tx: &impl Read,
    repo: RepoId,
    digest: &Digest,
    limit: usize,
) -> Result<Option<kinds::Found>, RegistryError> {
    if !blob::is_linked(tx, repo, digest)? {
        return Ok(None);
    }
    let row = blob::get(tx, digest)?.filter(|row| row.size <= limit as u64);
    let Some(row) = row else { return Ok(None) };
    let inline = if row.file.is_none() { blob::inline_body(tx, digest)? } else { None };
    Ok(Some((row, inline)))
}

/// Gathers the members of an application, within bounds for all of them together.
struct Gathering<'t, T> {
    look: Look<'t, T>,
    shared: Sharing<'t, T>,
    /// The platforms of the multi-arch components that were come across.
    platforms: HashMap<Digest, Vec<Member>>,
    /// Platforms that may still be listed.
    left: usize,
}

impl<T: Read> Gathering<'_, T> {
    /// A child of the application's index as its member.
    fn member(&mut self, index: &Manifest, child: &Descriptor) -> Result<Member, RegistryError> {
        let (role, name, original_name) = match role_of_child(index, child) {
            ChildRole::CnabConfig => (MemberRole::Config, None, None),
            ChildRole::CnabInvocation => (MemberRole::Invocation, None, None),
            ChildRole::CnabComponent { name, original_name } => (MemberRole::Component, name, original_name),
            // Compose names no service; whoever writes a title means it.
            _ => (MemberRole::Component, child.annotation("org.opencontainers.image.title").map(str::to_owned), None),
        };
        let mut member = part(&mut self.look, role, child)?;
        member.name = name.unwrap_or_default();
        member.original_name = original_name;
        if role != MemberRole::Config {
            member.shared_with = self.shared.by(&child.digest)?;
        }
        member.children = self.platforms(&child.digest)?;
        Ok(member)
    }

    /// The platforms of a multi-arch component; none of what is none, or once enough are listed.
    fn platforms(&mut self, digest: &Digest) -> Result<Vec<Member>, RegistryError> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let platforms: Vec<Member> = if let Some(known) = self.platforms.get(digest) {
            known.iter().take(self.left).cloned().collect()
        } else {
            let read = self.look.read_within(digest)?.filter(|read| read.is_index);
            let found = read.map_or(Ok(Vec::new()), |read| self.platforms_in(&read))?;
            self.platforms.insert(*digest, found.clone());
            found
        };
        self.left -= platforms.len();
        Ok(platforms)
    }

    fn platforms_in(&mut self, index: &Manifest) -> Result<Vec<Member>, RegistryError> {
        let mut platforms = Vec::new();
        for child in index.children().take(self.left) {
            if let ChildRole::Platform(platform) = role_of_child(index, child) {
                let platform = platform.to_string();
                platforms
                    .push(Member { platforms: vec![platform], ..part(&mut self.look, MemberRole::Platform, child)? });
            }
        }
        Ok(platforms)
    }
}

/// What there is to say of any part, whatever its parent.
fn part<T: Read>(look: &mut Look<'_, T>, role: MemberRole, child: &Descriptor) -> Result<Member, RegistryError> {
    let digest = &child.digest;
    let mut part = Member {
        role,
        name: String::new(),
        original_name: None,
        digest: Some(*digest),
        media_type: Some(child.media_type.clone()),
        kind: None,
        platforms: child.platform.iter().filter(|platform| platform.is_real()).map(ToString::to_string).collect(),
        size: child.size,
        state: MemberState::Missing,
        tags: Vec::new(),
        children: Vec::new(),
        shared_with: Vec::new(),
    };
    if let Some(row) = manifest::get(look.tx, look.repo, digest)? {
        let summary = summary_of(look.tx, look.repo, digest, &row)?;
        let weight = look.weight(digest)?;
        part.size = weight.bytes;
        if weight.complete {
            part.state = MemberState::Present;
        }
        part.kind = Some(summary.kind);
        if part.platforms.is_empty() {
            part.platforms = summary.platforms;
        }
        part.tags = tag::of_manifest(look.tx, look.repo, digest, TAGS)?;
    } else if let Some(size) = look.blob(digest)? {
        // Caches list blobs as children; nothing forbids it here.
        (part.state, part.size) = (MemberState::Present, size);
    }
    Ok(part)
}

/// Finds the other applications that have a member.
struct Sharing<'t, T> {
    tx: &'t T,
    repo: RepoId,
    own: Digest,
    left: usize,
    /// What was found before.
    known: HashMap<Digest, Vec<Reference>>,
}

impl<T: Read> Sharing<'_, T> {
    fn by(&mut self, member: &Digest) -> Result<Vec<Reference>, RegistryError> {
        if let Some(known) = self.known.get(member) {
            return Ok(known.clone());
        }
        let found = self.find(member)?;
        self.known.insert(*member, found.clone());
        Ok(found)
    }

    fn find(&mut self, member: &Digest) -> Result<Vec<Reference>, RegistryError> {
        let parents = manifest::parents(self.tx, self.repo, member, self.left)?;
        self.left -= parents.len();
        let (mut tagged, mut untagged) = (BTreeSet::new(), BTreeSet::new());
        for parent in parents {
            let Some(row) = manifest::get(self.tx, self.repo, &parent)? else { continue };
            let application = match summary_of(self.tx, self.repo, &parent, &row)?.kind {
                Kind::ComposeImages => row.subject,
                kind => is_application(kind).then_some(parent),
            };
            let Some(application) = application.filter(|application| *application != self.own) else { continue };
            let tags = tag::of_manifest(self.tx, self.repo, &application, SHARED)?;
            // One that nothing reaches is what a push of the same application again has left.
            if tags.is_empty() && !manifest::parents(self.tx, self.repo, &application, 1)?.is_empty() {
                untagged.insert(application);
            }
            tagged.extend(tags);
        }
        let tagged = tagged.into_iter().map(Reference::Tag);
        Ok(tagged.chain(untagged.into_iter().map(Reference::Digest)).take(SHARED).collect())
    }
}

/// Says what the bundle knows of the members, and adds those that it names and the index does not have.
fn complete(application: &mut Application) {
    let Application { bundle, members, incomplete, .. } = application;
    let plain = |image: &str| image.split_once('@').map_or(image, |(name, _)| name).to_owned();
    let original = |image: &BundleImage| Some(plain(&image.image)).filter(|image| !image.is_empty());
    let foreign = |role, image: &BundleImage| Member {
        role,
        name: image.name.clone(),
        original_name: original(image),
        digest: image.digest,
        media_type: MediaType::parse(&image.media_type).ok(),
        kind: None,
        platforms: Vec::new(),
        size: 0,
        state: MemberState::Foreign,
        tags: Vec::new(),
        children: Vec::new(),
        shared_with: Vec::new(),
    };
    for image in &bundle.invocation_images {
        // Clients take exactly one, and the bundle may give the digest that it had before the push.
        match members.iter_mut().find(|member| member.role == MemberRole::Invocation) {
            Some(member) => member.original_name = member.original_name.take().or_else(|| original(image)),
            None => members.push(foreign(MemberRole::Invocation, image)),
        }
    }
    for image in &bundle.images {
        let is_it = |member: &&mut Member| {
            member.role == MemberRole::Component
                && (member.name == image.name || (member.name.is_empty() && member.digest == image.digest))
        };
        match members.iter_mut().find(is_it) {
            Some(member) => {
                member.name.clone_from(&image.name);
                member.original_name = member.original_name.take().or_else(|| original(image));
            }
            None => members.push(foreign(MemberRole::Component, image)),
        }
    }
    members.sort_by_key(|member| member.role);
    *incomplete |= members.iter().any(|member| member.state == MemberState::Missing);
}
