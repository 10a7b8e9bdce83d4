//! What the end-to-end tests stand on: the real binary, a real broker, and oracles that know nothing of the binary.
//!
//! ```text
//!  device ──UDP/TCP──▶ Agent (the binary) ──▶ Broker (Kafka) ──▶ oracle: numbers, keys, partitions, schema
//!                         └ /ledger, log, last line on stdout ──▶ Ledger
//! ```
//!
//! Nothing here imports the `trapline` library: a test that shares code with what it tests shares its mistakes.

pub mod agent;
pub mod audit;
pub mod cluster;
pub mod device;
pub mod failing_disk;
pub mod kafka;
pub mod ledger;
pub mod load;
pub mod mount;
pub mod oracle;
pub mod preload;
pub mod proxy;
pub mod schema;
pub mod settings;
pub mod snmp;
pub mod tally;
pub mod tool;
pub mod wait;
