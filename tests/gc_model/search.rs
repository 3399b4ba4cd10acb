//! Breadth first through every state, so that what is found first is a shortest way there. Deterministic: the same
//! world gives the same numbers and the same counterexample.

use std::fmt;

use crate::invariants::{self, Broken};
use crate::rules::Rules;
use crate::state::State;
use crate::steps::{Next, Step, World};

/// What a search found.
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) counterexample: Option<Counterexample>,
}

/// A shortest run to something broken.
pub(crate) struct Counterexample {
    pub(crate) broken: Broken,
    pub(crate) steps: Vec<(Step, State)>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} after {} steps:", self.broken, self.steps.len())?;
        self.steps.iter().try_for_each(|(step, _)| writeln!(f, "  {step:?}"))
    }
}

/// States in the order in which they were found, and an index over them: an open hash table of their numbers with
/// some bits of their hashes, since these tests run unoptimised, where the standard library's map is slow.
struct Seen {
    states: Vec<u128>,
    table: Vec<u64>,
}

impl Seen {
    fn new() -> Self {
        Self { states: Vec::new(), table: vec![0; 1 << 12] }
    }

    /// Adds a state; `false` if it was there.
    fn insert(&mut self, packed: u128) -> bool {
        if (self.states.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let hash = hash(packed);
        let tag_bits = hash & !0xffff_ffff;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.table[at];
            if entry == 0 {
                break;
            }
            if entry & !0xffff_ffff == tag_bits && self.states[(entry & 0xffff_ffff) as usize - 1] == packed {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.states.push(packed);
        self.table[at] = tag_bits | self.states.len() as u64;
        true
    }

    fn grow(&mut self) {
        let mut table = vec![0; self.table.len() * 2];
        let mask = table.len() - 1;
        for (index, packed) in self.states.iter().enumerate() {
            let hash = hash(*packed);
            let mut at = hash as usize & mask;
            while table[at] != 0 {
                at = (at + 1) & mask;
            }
            table[at] = hash & !0xffff_ffff | (index as u64 + 1);
        }
        self.table = table;
    }
}

fn hash(packed: u128) -> u64 {
    let mixed = ((packed >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (packed as u64);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

/// Searches a world until something is broken or every state has been seen.
pub(crate) fn search(world: &World) -> Outcome {
    let mut seen = Seen::new();
    let mut alone = Seen::new();
    let mut parents = vec![0_u32];
    let mut transitions = 0;
    let mut next = Next::new();
    seen.insert(State::default().pack());
    let mut at = 0;
    while at < seen.states.len() {
        let s = State::unpack(seen.states[at]);
        world.next(&s, &mut next);
        transitions += next.len();
        for (_, n) in &next {
            // The rule that reuses names is the one under which files are not alike.
            let n = if world.rules == Rules::FileNamesAreReused { *n } else { n.canonical() };
            let mut broken = None;
            if seen.insert(n.pack()) {
                parents.push(at as u32);
                broken = invariants::in_state(world, &n);
                let left = invariants::left_alone(world, &n);
                let left = if world.rules == Rules::FileNamesAreReused { left } else { left.canonical() };
                if broken.is_none() && alone.insert(left.pack()) {
                    broken = invariants::in_the_end(world, &left);
                }
            }
            if let Some(broken) = broken {
                let steps = path(world, &seen.states, &parents, seen.states.len() - 1);
                let counterexample = Some(Counterexample { broken, steps });
                return Outcome { states: seen.states.len(), transitions, counterexample };
            }
        }
        for (step, n) in &next {
            if let Some(broken) = invariants::in_step(world, &s, *step, n) {
                let mut steps = path(world, &seen.states, &parents, at);
                steps.push((*step, *n));
                let counterexample = Some(Counterexample { broken, steps });
                return Outcome { states: seen.states.len(), transitions, counterexample };
            }
        }
        at += 1;
    }
    Outcome { states: seen.states.len(), transitions, counterexample: None }
}

/// The steps that first led to a state.
fn path(world: &World, states: &[u128], parents: &[u32], to: usize) -> Vec<(Step, State)> {
    let mut steps = Vec::new();
    let mut next = Next::new();
    let mut to = to;
    while to > 0 {
        let from = parents[to] as usize;
        world.next(&State::unpack(states[from]), &mut next);
        let leads = |n: &State| states[to] == n.pack() || states[to] == n.canonical().pack();
        steps.extend(next.iter().find(|(_, n)| leads(n)).copied());
        to = from;
    }
    steps.reverse();
    steps
}
