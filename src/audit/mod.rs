//! The audit: what the agents' reports say was produced, held against what the topics hold.
//!
//! ```text
//!  records of all topics ──record::read──▶ Seen ──History::take──▶ per agent, topic and boot: numbers that are there
//!                                          └ report ────────────▶ per agent: windows, losses that were declared
//!                                                                        │ judge
//!                                                                        ▼
//!               Findings: per window produced, found, missing, declared, repeated, out of order ──▶ exit code, text, JSON
//! ```
//!
//! Pure: reading the topics is the produce stage's business, printing the command's. The shape of a report is written
//! down a second time here ([`record`]), so that the audit does not share the agent's mistakes.

mod chain;
mod declared;
pub mod findings;
pub mod history;
pub mod judge;
mod judged;
pub mod numbers;
pub mod record;
pub mod statement;

#[cfg(test)]
mod failing;
#[cfg(test)]
mod model;
