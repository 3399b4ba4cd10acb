//! What must hold: in every state, over every step, and in the end.

use crate::state::{FILES, SESSIONS, Session, State, Sweep, disk, manifest, phase};
use crate::steps::{Step, World};

/// What was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// What was answered 200 or 201 is gone before the promise ran out: a client that did everything right would get
    /// `MANIFEST_BLOB_UNKNOWN`.
    Promise,
    /// A manifest that was acknowledged lost something that it refers to, and no user had asked for that.
    Reference,
    /// A tagged manifest was collected.
    Tagged,
    /// A row names a file that is not on disk for good.
    RowWithoutFile,
    /// A repository has a blob that has no row.
    LinkWithoutRow,
    /// A file is named twice.
    NamedTwice,
    /// The file of an open upload is gone.
    UploadWithoutFile,
    /// An incomplete manifest was accepted in place of content that this repository had.
    IncompleteInPlaceOfTheLost,
    /// A file was left behind though nothing crashed.
    Leak,
    /// Something that nothing needs stays for ever.
    LivesForEver,
}

/// What is wrong with a state.
pub(crate) fn in_state(world: &World, s: &State) -> Option<Broken> {
    for blob in 0..world.bounds.blobs {
        if s.row[blob] > 0 {
            let file = s.row[blob] as usize - 1;
            if s.disk[file] != disk::SYNCED {
                return Some(Broken::RowWithoutFile);
            }
            if s.is_doomed(file) || (blob > 0 && s.row[0] == s.row[blob]) {
                return Some(Broken::NamedTwice);
            }
        }
    }
    for repo in 0..world.bounds.repos {
        for blob in 0..world.bounds.blobs {
            if s.has(repo, blob) && s.row[blob] == 0 {
                return Some(Broken::LinkWithoutRow);
            }
            if s.promise[repo][blob] > 0 && !s.has(repo, blob) {
                return Some(Broken::Promise);
            }
        }
        for k in 0..world.bounds.manifests {
            if s.promise[repo][manifest(k)] > 0 && !s.has(repo, manifest(k)) {
                return Some(Broken::Promise);
            }
        }
    }
    for session in s.sessions {
        let has_file = matches!(session.phase, phase::FILE | phase::SEALED);
        if has_file && s.disk[session.file as usize] == disk::ABSENT {
            return Some(Broken::UploadWithoutFile);
        }
    }
    None
}

/// What is wrong with a step.
pub(crate) fn in_step(world: &World, s: &State, step: Step, n: &State) -> Option<Broken> {
    if let Step::Put { repo, missing, .. } = step
        && missing & s.had[repo as usize] != 0
    {
        return Some(Broken::IncompleteInPlaceOfTheLost);
    }
    if n.present != s.present && !step.is_deletion() {
        for repo in 0..world.bounds.repos {
            let gone = s.present[repo] & !n.present[repo];
            if (0..world.bounds.manifests).any(|k| n.has(repo, manifest(k)) && world.bounds.references(k) & gone != 0) {
                return Some(Broken::Reference);
            }
            if s.tag[repo] > 0 && gone >> manifest(s.tag[repo] as usize - 1) & 1 == 1 {
                return Some(Broken::Tagged);
            }
        }
    }
    if !step.may_orphan() && (0..world.bounds.files).any(|file| is_orphan(n, file) && !is_orphan(s, file)) {
        return Some(Broken::Leak);
    }
    None
}

fn is_orphan(s: &State, file: usize) -> bool {
    s.disk[file] != disk::ABSENT && !s.is_named(file) && !s.is_owned(file)
}

/// The state once every client has gone, all uploads have expired and every lease has run out.
pub(crate) fn left_alone(world: &World, s: &State) -> State {
    let mut n = *s;
    for slot in 0..SESSIONS {
        if n.sessions[slot].is_open() {
            world.expire(&mut n, slot);
        }
        n.sessions[slot] = Session::default();
    }
    n.lease = Default::default();
    n.promise = Default::default();
    n.lost = [0; 2];
    n.had = [0; 2];
    n.sweep = Sweep::default();
    n.seen = 0;
    n
}

/// What stays for ever in a state that is left alone: collector, purger and sweep run until they find nothing.
pub(crate) fn in_the_end(world: &World, alone: &State) -> Option<Broken> {
    let mut n = *alone;
    loop {
        let before = n;
        for repo in 0..world.bounds.repos {
            // Parents before children.
            for k in (0..world.bounds.manifests).rev() {
                if world.manifest_is_free(&n, repo, k) {
                    world.clean_up(&mut n, repo, k);
                }
            }
            for blob in 0..world.bounds.blobs {
                if world.link_is_free(&n, repo, blob) {
                    world.collect_link(&mut n, repo, blob);
                }
            }
        }
        for blob in 0..world.bounds.blobs {
            if world.row_is_free(&n, blob) {
                World::collect_row(&mut n, blob);
            }
        }
        for file in 0..FILES {
            if n.is_doomed(file) {
                n = world.purge(&n, file).1;
            } else if is_orphan(&n, file) {
                n.disk[file] = disk::ABSENT;
            }
        }
        if n == before {
            break;
        }
    }
    for repo in 0..world.bounds.repos {
        let mut needed = 0;
        for k in 0..world.bounds.manifests {
            if n.has(repo, manifest(k)) {
                needed |= world.bounds.references(k);
            }
        }
        if world.bounds.untagged {
            needed |= n.tag[repo].checked_sub(1).map_or(0, |k| 1 << manifest(k as usize));
            if n.present[repo] & !needed != 0 {
                return Some(Broken::LivesForEver);
            }
        } else if (0..world.bounds.blobs).any(|blob| n.has(repo, blob) && needed >> blob & 1 == 0) {
            return Some(Broken::LivesForEver);
        }
    }
    let unlinked =
        (0..world.bounds.blobs).any(|blob| n.row[blob] > 0 && !(0..world.bounds.repos).any(|repo| n.has(repo, blob)));
    let kept = (0..FILES).any(|file| n.is_doomed(file) || (n.disk[file] != disk::ABSENT && !n.is_published(file)));
    (unlinked || kept).then_some(Broken::LivesForEver)
}
