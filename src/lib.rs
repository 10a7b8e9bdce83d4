//! trapline: an edge agent that turns syslog and SNMP traps into keyed JSON events in Kafka.
//!
//! This page is the architecture; `pipeline` is the file to read first.
//!
//! ```text
//!            bytes                    borrowed                owned bytes                      owned bytes
//! receive ──Packet──▶ decode ──Decoded<'_>──▶ normalize ──Event<'_>──▶ route ──Record──▶ spool ──Batch──▶ produce
//! (udp tcp tls)       (syslog, snmp)          (who, when, what)        (topic)           (the only queue) (kafka)
//! └──────────── run to completion on the receiving thread, no queue between ──────────┘          └ producer thread ┘
//! ```
//!
//! - [`packet`], [`event`] and [`record`] hold the nouns at the borders; [`time`] the instant they share.
//! - [`receive`] owns sockets and framing. Each thread that reads calls [`packet::Sink::take`] and never waits.
//! - [`decode`] reads bytes that strangers wrote. It imports nothing of ours but the instant, and does no I/O.
//! - [`mib`] knows what OIDs mean: modules are compiled offline into a file, and the file is looked up.
//! - [`usm`] judges SNMPv3 messages: user, digest, time window, decryption. The pipeline asks it before normalising.
//! - [`normalize`] says who, when and what: an [`event::Event`].
//! - [`route`] chooses the topic and writes the record; [`pipeline`] is the walk from packet to record.
//! - [`spool`] is the only queue. A record leaves it when the broker has acknowledged it.
//! - [`produce`] is the only stage that knows the Kafka client.
//! - [`observe`] holds the ledger, metrics, logs; [`status`] shows them over HTTP.
//! - [`audit`] holds the reports that agents made against what the topics hold.
//! - [`config`] turns a file into each stage's own `Config`; [`agent`] wires the stages; [`cli`] is what people type.
//!
//! Invariants: a stage never imports the next one; no stage imports `config`; only `agent` sees every stage
//! (`tests/tidy.rs` reads the `use` lines and fails where this does not hold).

#![warn(missing_docs)]

pub mod agent;
pub mod audit;
pub mod cli;
pub mod config;
pub mod decode;
pub mod event;
pub mod mib;
pub mod names;
pub mod normalize;
pub mod observe;
pub mod packet;
pub mod pipeline;
pub mod produce;
pub mod receive;
pub mod record;
pub mod route;
pub mod spool;
pub mod status;
pub mod time;
pub mod usm;
