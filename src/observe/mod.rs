//! What the agent says about itself: the ledger, metrics, logs.

pub mod ledger;
pub mod mute;
