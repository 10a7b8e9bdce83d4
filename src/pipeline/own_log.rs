//! The agent's own log lines, when they come back.
//!
//! ```text
//!  stderr ──▶ journal ──▶ rsyslog ──"<30>Nov 21 02:14:07 br17 trapline[4711]: ..."──▶ our listener ──▶ own_log
//! ```
//!
//! A host whose syslog daemon sends everything to us sends our own lines too. A line that we write because of a line that
//! we read would go round for ever, so they end here. Only what comes from this host is taken for ours, and only with the
//! number of this very process.

use crate::decode::syslog::Message;
use crate::packet::Peer;

/// The name under which service managers and syslog daemons know the process.
const APP_NAME: &[u8] = b"trapline";

/// By which lines of this process are known.
#[derive(Debug)]
pub(super) struct OwnLog {
    proc_id: String,
}

impl OwnLog {
    /// Lines of the process with this id.
    pub fn of_process(id: u32) -> OwnLog {
        OwnLog {
            proc_id: id.to_string(),
        }
    }

    /// Whether `peer` brings a line of ours.
    pub fn is_own(&self, message: &Message<'_>, peer: Peer) -> bool {
        let is_local = peer.address().is_none_or(|address| address.is_loopback());
        is_local
            && message.app_name == Some(APP_NAME)
            && message.proc_id == Some(self.proc_id.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::syslog;

    #[test]
    fn a_line_of_this_process_from_this_host_is_ours_in_both_formats_and_any_other_is_not() {
        let own = OwnLog::of_process(4711);
        let is_own = |line: &str, peer| own.is_own(&syslog::read(line.as_bytes()), peer);
        let bsd = "<30>Nov 21 02:14:07 br17 trapline[4711]: listening";
        let ietf = "<30>1 2026-11-21T02:14:07Z br17 trapline 4711 - - listening";
        let loopback = Peer::Inet([127, 0, 0, 1].into(), 40_000);
        for line in [bsd, ietf] {
            assert!(
                is_own(line, loopback) && is_own(line, Peer::Local),
                "{line}"
            );
            let elsewhere = Peer::Inet([10, 0, 0, 1].into(), 514);
            assert!(!is_own(line, elsewhere), "{line}");
        }
        assert!(
            !is_own(&bsd.replace("4711", "4712"), loopback),
            "another agent's"
        );
        assert!(!is_own(&bsd.replace("trapline", "cron"), loopback));
        assert!(!is_own("<30>trapline: listening", loopback));
    }
}
