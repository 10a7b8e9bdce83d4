//! MIBs: read once, offline, into one compact file; looked up by the agent without allocation.
//!
//! ```text
//!  MIB modules (text) ──compile──▶ Definition… ──format──▶ set.mibdb ──reader──▶ Mibdb ──set──▶ normalize
//!      `trapline mib compile`, offline: up to gigabytes              the agent: mapped, some pages resident
//! ```
//!
//! - [`compile`] is the only file that knows the MIB parser. It never runs inside the agent.
//! - [`format`](mod@format) is the file's layout and its writer; [`reader`] opens, checks and looks up.
//! - [`set`] holds the files of a configuration: the first that knows an OID best wins, and a changed file is noticed.
//! - [`hint`], [`date`] and [`index`] turn octets and sub-identifiers into text as the MIB says.

pub mod compile;
mod copy;
pub mod date;
pub mod format;
pub mod hint;
pub mod index;
pub mod reader;
pub mod set;

pub use reader::{Mibdb, Node};
pub use set::Set;
