//! The binary as the person meets it who types: arguments in; text, exit codes and signals' effects out.
//!
//! - [`help`]: every command's help.
//! - [`capture`]: `explain` of whole captures, and of one packet.
//! - [`check`]: configurations, good and bad.
//! - [`devices`]: who was heard by the running agent, and none.
//! - [`explain`]: one message, by every way in.
//! - [`spool`]: spools on disk, whole and damaged, looked at and sent again.
//! - [`mib`]: modules compiled, looked up, listed, and used by `explain`.
//! - [`start`]: ports that are taken or not permitted, a status page without its port.
//! - [`status`]: the running agent, and none.
//! - [`stop`]: signals, and readers that do not read.
//!
//! None of it needs Kafka: bootstrap servers point to a port that refuses.

mod capture;
mod check;
mod devices;
mod explain;
mod help;
mod mib;
mod process;
mod spool;
mod start;
mod status;
mod stop;

#[path = "../support/wait.rs"]
mod wait;
