//! What the agent says about itself.
//!
//! ```text
//!  receivers, spool ──counts──▶ ledger ──Snapshot──┐
//!  every stage's state (gathered by the agent) ────┴──▶ picture::Picture ──┬──▶ health     ready, degraded, not ready
//!  long-running threads ──beats──▶ health::Heartbeats ─────────────────────┤    (and: do the threads move?)
//!                                                                          ├──▶ metrics    OpenMetrics text
//!                                                                          └──▶ statement  the ledger as JSON, as a table
//!  tracing events ──▶ log ──▶ stderr or the journal (a thread of its own)      the agent's main thread ──▶ systemd (NOTIFY_SOCKET)
//! ```
//!
//! Everything between a [`picture::Picture`] and its text is pure. [`log`], [`stderr`], `journal`, [`systemd`] and [`process`]
//! are the shells: they touch descriptors, sockets, clocks and /proc.

pub mod health;
mod journal;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod mute;
pub mod picture;
pub mod process;
pub mod rates;
pub mod report;
pub mod statement;
pub mod stderr;
pub mod systemd;
