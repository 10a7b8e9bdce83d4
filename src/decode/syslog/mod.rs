//! Syslog in any dialect.

pub mod rfc5424;
