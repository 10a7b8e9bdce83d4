//! Packet → record, in one synchronous call.
