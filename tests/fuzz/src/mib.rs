//! The part of the crate's `mib` that reads compiled files: all but the compiler, which strangers' bytes never reach.

#[path = "../../../src/mib/copy.rs"]
mod copy;
#[path = "../../../src/mib/date.rs"]
pub mod date;
#[path = "../../../src/mib/format.rs"]
pub mod format;
#[path = "../../../src/mib/hint.rs"]
pub mod hint;
#[path = "../../../src/mib/index.rs"]
pub mod index;
#[path = "../../../src/mib/reader.rs"]
pub mod reader;
