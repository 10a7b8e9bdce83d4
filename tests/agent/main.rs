//! End to end: devices on one side, a real Kafka broker on the other, the real binary between.
//!
//! - [`syslog`]: numbered messages in, the same numbers out; keys, partitions, timestamps, codecs, consumer groups.
//! - [`hostile`]: what nobody should send, and secrets that must stay in.
//! - [`audit`]: what `trapline audit` says of losses that were declared, losses that were not, and repeats.
//! - [`lifecycle`]: no broker at the start, SIGTERM under load, SIGHUP.
//! - [`crash`]: kill -9 again and again, on one spool.
//! - [`cluster`]: three brokers, of which one is killed, restarted or hangs.
//! - [`proxy`]: a network that drops, resets, stalls, cuts and crawls.
//! - [`rights`]: a broker that refuses credentials and topics, until it does not.
//! - [`encrypted`]: TLS to the broker, certificates on both sides, OAuth tokens; what is wrong with each, until it is not.
//! - [`faults`]: a broker that goes, hangs and comes back; an outage longer than memory.
//! - [`mibs`]: compiled MIB files that change, are damaged and go while traps come.
//! - [`outage`]: one that lasts; what it costs, and the replay beside live traffic.
//! - [`reload`]: a configuration whose storage does not answer.
//! - [`replay`]: after an outage within its cap, and the urgent first.
//! - [`disk`]: disks that are full, read-only, gone, somebody else's.
//! - [`topics`]: a topic that is not there, a record that the broker refuses, a spool that is full.
//! - [`routes`]: rules that send elsewhere, drop and sample; limits; our own log lines.
//! - [`snmp_tcp`]: SNMP over TCP (RFC 3430) with net-snmp, and streams that hold none.
//! - [`snmpv3`]: SNMPv3 with net-snmp: every protocol and level, failures, restarts, repeats.
//! - [`engines`]: SNMPv3 engines in numbers, learned and forged.
//! - [`identity`]: one device, however it is heard, has one key; what becomes known of it is told.
//! - [`inventory`]: the inventory, replaced by a change and by a reload while messages flow.
//! - [`senders`]: programs of others: logger, loggen, rsyslog, net-snmp; kcat reads back.
//! - [`unix`]: processes of this host, by unix sockets.
//!
//! Every test checks the agent's ledger, and checks it against numbers that it put into the messages itself.

mod audit;
mod cluster;
mod crash;
mod disk;
mod encrypted;
mod engines;
mod faults;
mod hostile;
mod identity;
mod inventory;
mod lifecycle;
mod mibs;
mod outage;
mod proxy;
mod reload;
mod replay;
mod rights;
mod routes;
mod senders;
mod snmp_tcp;
mod snmpv3;
mod syslog;
mod topics;
mod unix;

#[path = "../bench/secured.rs"]
mod secured;
#[path = "../support/mod.rs"]
mod support;
