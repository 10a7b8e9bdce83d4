//! End to end: devices on one side, a real Kafka broker on the other, the real binary between.
//!
//! - [`syslog`]: numbered messages in, the same numbers out; keys, partitions, timestamps, codecs, consumer groups.
//! - [`hostile`]: what nobody should send, and secrets that must stay in.
//! - [`audit`]: what `trapline audit` says of losses that were declared, losses that were not, and repeats.
//! - [`lifecycle`]: no broker at the start, SIGTERM under load, SIGHUP.
//! - [`crash`]: kill -9 again and again, on one spool.
//! - [`faults`]: brokers that go, hang and come back; outages longer than memory; disks that fail.
//! - [`topics`]: a topic that is not there, a record that the broker refuses, a spool that is full.
//! - [`senders`]: programs of others: logger, loggen, rsyslog, net-snmp; kcat reads back.
//!
//! Every test checks the agent's ledger, and checks it against numbers that it put into the messages itself.

mod audit;
mod crash;
mod faults;
mod hostile;
mod lifecycle;
mod senders;
mod syslog;
mod topics;

#[path = "../support/mod.rs"]
mod support;
