//! The part of the crate's `observe` that the spool counts with.

#[path = "../../../src/observe/ledger.rs"]
pub mod ledger;
