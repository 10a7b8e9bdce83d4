//! The way down to the last OID: the next one's way begins where the two part.
//!
//! ```text
//!   last   2b 06 01 04 01 81 fd 59 02 01 01 01 │ 07      after each sub-identifier: the node there, and the deepest
//!   next   2b 06 01 04 01 81 fd 59 02 01 01    │ 02 07   named one so far
//!          └────── not walked again ─────────┘
//! ```
//!
//! The variable bindings of a trap are nearly always of one branch.

use super::{ARCS_MAX, Longest, Mibdb, Node};

/// Octets of an OID that are remembered: an arc of 32 bits takes five, unless it is padded.
const OCTETS_MAX: usize = 5 * ARCS_MAX;

/// A place on the way down.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    /// How many of the OID's octets lead to it.
    pub octets: usize,
    /// Its node; 0 is the root.
    pub node: u32,
    /// The deepest named node up to it, and how many octets lead there.
    pub best: Option<(u32, usize)>,
}

impl Step {
    /// What was found when the way ends here.
    pub fn found(self, db: &Mibdb) -> Option<Longest<'_>> {
        let (number, octets) = self.best?;
        let node = Node { db, number };
        Some(Longest { node, octets })
    }
}

/// The way to the last OID that was looked up in a file. It is of that file alone.
#[derive(Debug, Default)]
pub struct Trail {
    oid: Vec<u8>,
    /// At most [`ARCS_MAX`], and up to [`OCTETS_MAX`]; a longer way is walked anew behind them.
    steps: Vec<Step>,
}

impl Mibdb {
    /// The same as [`Mibdb::longest`], from where `oid` parts from the one before it.
    pub fn longest_along(&self, oid: &[u8], trail: &mut Trail) -> Option<Longest<'_>> {
        let Trail { oid: last, steps } = trail;
        let same = last.iter().zip(oid).take_while(|(last, next)| last == next);
        let shared = same.count();
        while steps.last().is_some_and(|step| step.octets > shared) {
            steps.pop();
        }
        let from = steps.last().copied().unwrap_or_default();
        let found = self.walk(oid, from, |step| {
            if steps.len() < ARCS_MAX && step.octets <= OCTETS_MAX {
                steps.push(step);
            }
        });
        let kept = steps.last().map_or(0, |step| step.octets);
        last.truncate(from.octets);
        last.extend_from_slice(oid.get(from.octets..kept).unwrap_or_default());
        found
    }
}
