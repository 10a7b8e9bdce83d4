//! What a message says. Borrowed, pure: no I/O, no clock, no configuration from outside the arguments.

pub mod charset;
pub mod reader;
pub mod snmp;
pub mod syslog;
