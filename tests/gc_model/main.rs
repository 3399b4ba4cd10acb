//! The rules of garbage collection as a model whose every state is searched, and traces of the real server that are
//! replayed on it. What is modelled and how to run larger worlds: `docs/gc-model.md`.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]
#![allow(clippy::cast_possible_truncation, reason = "the model's numbers have a few bits")]

#[allow(dead_code, unused_imports, unused_macros, reason = "the harness of the integration tests; a part is enough")]
#[path = "../it/harness.rs"]
mod harness;
mod invariants;
mod replay;
mod rules;
mod search;
mod served;
mod state;
mod steps;

use invariants::Broken;
use rules::{Bounds, Rules};
use search::search;
use state::State;
use steps::World;

/// Two uploads of one blob to two repositories, and an image in each.
const UPLOADS: Bounds = Bounds {
    name: "uploads",
    repos: 2,
    blobs: 1,
    manifests: 1,
    sessions: 2,
    files: 3,
    lease: 3,
    promise: 2,
    untagged: false,
    blob_deletes: true,
};
/// An image of two blobs that are uploaded at once.
const IMAGE: Bounds = Bounds { name: "image", repos: 1, blobs: 2, lease: 2, promise: 1, ..UPLOADS };
/// An index over an index over an image, tagged or not.
const INDEX: Bounds =
    Bounds { name: "index", repos: 1, manifests: 3, sessions: 0, files: 2, untagged: true, ..UPLOADS };
/// An index over an image of two blobs.
const LAYERS: Bounds = Bounds { name: "layers", blobs: 2, manifests: 2, files: 3, lease: 2, promise: 1, ..INDEX };
/// An untagged image in two repositories.
const COPIES: Bounds = Bounds { name: "copies", repos: 2, manifests: 1, ..INDEX };
/// An index over an image, while its blob is uploaded.
const WHOLE: Bounds = Bounds { name: "whole", manifests: 2, sessions: 1, lease: 2, promise: 1, ..INDEX };

/// Searches a world of the rules as built and expects nothing to be broken.
fn expect_clean(bounds: Bounds) {
    let outcome = search(&World { bounds, rules: Rules::AsBuilt });
    println!("{}: {} states, {} transitions", bounds.name, outcome.states, outcome.transitions);
    if let Some(counterexample) = outcome.counterexample {
        panic!("{bounds:?}: {counterexample}");
    }
}

/// Searches a world with a weakened rule and expects the search to notice.
fn expect_caught(rules: Rules, bounds: Bounds, expected: Broken) {
    let outcome = search(&World { bounds, rules });
    let Some(found) = outcome.counterexample else {
        panic!("{rules:?} is not noticed among {} states of {bounds:?}", outcome.states);
    };
    println!(
        "{rules:?} in {}: {:?} after {} steps, {} states",
        bounds.name,
        found.broken,
        found.steps.len(),
        outcome.states
    );
    assert_eq!(found.broken, expected, "{rules:?} in {}: {found}", bounds.name);
}

macro_rules! clean {
    ($($name:ident: $bounds:expr;)*) => {
        mod as_built {
            use super::*;
            $(#[test] fn $name() { expect_clean($bounds); })*
        }
    };
}

clean! {
    uploads: UPLOADS;
    image: IMAGE;
    index: INDEX;
    layers: LAYERS;
    copies: COPIES;
    whole: WHOLE;
}

macro_rules! caught {
    ($($name:ident: $rules:ident in $bounds:expr => $broken:ident;)*) => {
        mod weakened {
            use super::*;
            $(#[test] fn $name() { expect_caught(Rules::$rules, $bounds, Broken::$broken); })*
        }
    };
}

caught! {
    collect_ignores_the_lease: CollectIgnoresLease in UPLOADS => Promise;
    collect_does_not_look_again: CollectDoesNotLookAgain in UPLOADS => Promise;
    collect_looks_at_one_repository_only: CollectLooksAtOneRepositoryOnly in UPLOADS => Reference;
    collect_looks_at_all_repositories: CollectLooksAtAllRepositories in UPLOADS => LivesForEver;
    collect_does_not_mark_what_is_lost: CollectDoesNotMarkWhatIsLost in UPLOADS => IncompleteInPlaceOfTheLost;
    a_row_goes_though_linked: RowGoesThoughLinked in UPLOADS => LinkWithoutRow;
    a_file_goes_before_the_commit: UnlinkBeforeCommit in UPLOADS => RowWithoutFile;
    purge_forgets_first: PurgeForgetsFirst in UPLOADS => Leak;
    head_does_not_renew: HeadDoesNotRenew in UPLOADS => Promise;
    head_trusts_any_lease: HeadTrustsAnyLease in UPLOADS => Promise;
    head_does_not_look_again: HeadDoesNotLookAgain in UPLOADS => Promise;
    head_of_a_manifest_takes_two_views: ManifestHeadTakesTwoViews in COPIES => Promise;
    publish_without_lease: PublishWithoutLease in UPLOADS => Promise;
    publish_before_sync: PublishBeforeSync in UPLOADS => RowWithoutFile;
    publish_does_not_doom_the_second_file: PublishDoesNotDoomTheSecondFile in UPLOADS => Leak;
    mount_without_lease: MountWithoutLease in UPLOADS => Promise;
    mount_does_not_look_again: MountDoesNotLookAgain in UPLOADS => LinkWithoutRow;
    put_without_lease: PutWithoutLease in INDEX => Promise;
    incomplete_in_place_of_the_lost: IncompleteInPlaceOfTheLost in UPLOADS => IncompleteInPlaceOfTheLost;
    sweep_asks_the_table_first: SweepAsksTheTableFirst in UPLOADS => RowWithoutFile;
    sweep_ignores_sessions: SweepIgnoresSessions in UPLOADS => UploadWithoutFile;
    a_file_comes_before_its_session: FileBeforeSession in UPLOADS => Leak;
    names_of_files_are_reused: FileNamesAreReused in UPLOADS => UploadWithoutFile;
    expiry_ignores_the_table: ExpiryIgnoresTheTable in UPLOADS => RowWithoutFile;
    restart_resumes_named_sessions: RestartResumesNamedSessions in UPLOADS => RowWithoutFile;
    leases_in_memory_only: LeasesInMemoryOnly in UPLOADS => Promise;
    clean_up_ignores_leases: CleanUpIgnoresLeases in INDEX => Promise;
    clean_up_ignores_parents: CleanUpIgnoresParents in INDEX => Reference;
    clean_up_ignores_tags: CleanUpIgnoresTags in INDEX => Tagged;
    clean_up_does_not_mark_what_is_lost: CleanUpDoesNotMarkWhatIsLost in INDEX => IncompleteInPlaceOfTheLost;
    delete_leaves_edges: DeleteLeavesEdges in UPLOADS => LivesForEver;
    delete_does_not_mark_what_is_lost: DeleteDoesNotMarkWhatIsLost in UPLOADS => IncompleteInPlaceOfTheLost;
}

/// The larger worlds, which take minutes: `MSR_LITE_MODEL=full cargo test --release --test gc_model larger -- --nocapture`.
#[test]
fn larger_worlds() {
    if std::env::var("MSR_LITE_MODEL").as_deref() != Ok("full") {
        println!("skipped: MSR_LITE_MODEL=full runs them");
        return;
    }
    expect_clean(Bounds { name: "uploads, four files", files: 4, ..UPLOADS });
    expect_clean(Bounds { name: "image, long lease", files: 4, lease: 3, promise: 2, ..IMAGE });
    expect_clean(Bounds { name: "images of two blobs in two repositories", repos: 2, sessions: 1, ..IMAGE });
    expect_clean(Bounds { name: "index in two repositories", repos: 2, manifests: 2, lease: 2, promise: 1, ..INDEX });
    expect_clean(Bounds { name: "index over an image of two blobs, uploaded", blobs: 2, files: 3, ..WHOLE });
    expect_clean(Bounds { name: "nested index, two uploads at once", manifests: 3, sessions: 2, files: 3, ..WHOLE });
}

/// A pseudo-random walk: packing loses nothing, and a canonical state stays as it is.
#[test]
fn states_survive_packing() {
    let world = World { bounds: Bounds::LARGEST, rules: Rules::AsBuilt };
    let (mut state, mut next, mut chance) = (State::default(), Vec::new(), 1_u64);
    for _ in 0..20_000 {
        assert_eq!(State::unpack(state.pack()), state);
        assert_eq!(state.canonical().canonical(), state.canonical());
        world.next(&state, &mut next);
        chance = chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state = next[(chance >> 33) as usize % next.len()].1;
    }
}
