//! Who may send SNMP, and what answering needs: what all pipelines share beside the spool.
//!
//! ```text
//!   v1, v2c   community in the list? (compared in constant time)
//!   v3        usm::Usm, with the moment of this process's own clock; the messages that came before
//! ```

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::copies::Copies;
use crate::usm::{self, Moment, OwnEngine, Usm};

/// Which communities may be used.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Communities {
    /// Any: a community protects nothing by itself, since it is sent in the clear.
    #[default]
    Any,
    /// Only these; others end as [`crate::packet::Reason::CommunityNotAllowed`].
    These(Vec<Zeroizing<Vec<u8>>>),
}

impl std::fmt::Debug for Communities {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Communities::Any => out.write_str("Any"),
            Communities::These(list) => write!(out, "These({} of them)", list.len()),
        }
    }
}

impl Communities {
    /// Whether this one may be used. All are compared, each in a time that does not depend on where it differs.
    pub fn permit(&self, community: &[u8]) -> bool {
        match self {
            Communities::Any => true,
            Communities::These(list) => list
                .iter()
                .fold(Choice::from(0), |found, one| found | one.ct_eq(community))
                .into(),
        }
    }
}

/// What a configuration says about SNMP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// For v1 and v2c.
    pub communities: Communities,
    /// For v3.
    pub usm: usm::Config,
}

/// Who may send SNMP; shared by all pipelines, and replaced by a reload.
#[derive(Debug)]
pub struct SnmpAccess {
    /// Judges v3.
    pub usm: Usm,
    /// What came before.
    pub(super) copies: Copies,
    communities: RwLock<Arc<Communities>>,
    started: Instant,
}

impl SnmpAccess {
    /// With this engine of our own, whose time begins at `started`. `salt` is any number. Makes the users' master keys:
    /// milliseconds for each pass phrase.
    pub fn new(config: &Config, own: OwnEngine, salt: u64, started: Instant) -> SnmpAccess {
        SnmpAccess {
            usm: Usm::new(&config.usm, own, salt),
            copies: Copies::default(),
            communities: RwLock::new(Arc::new(config.communities.clone())),
            started,
        }
    }

    /// Every community and no user.
    pub fn nobody() -> SnmpAccess {
        SnmpAccess::new(&Config::default(), OwnEngine::NONE, 0, Instant::now())
    }

    /// Puts other users, policies and communities into force.
    pub fn replace(&self, config: &Config) {
        self.usm.replace(&config.usm);
        let communities = Arc::new(config.communities.clone());
        *self
            .communities
            .write()
            .unwrap_or_else(PoisonError::into_inner) = communities;
    }

    /// Whether this community may be used.
    pub fn permits(&self, community: &[u8]) -> bool {
        let communities = self.communities.read();
        communities
            .unwrap_or_else(PoisonError::into_inner)
            .permit(community)
    }

    /// Now, as [`Usm`] counts.
    pub fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_communities_are_permitted_and_none_is_shown() {
        let list = [b"plant3d".as_slice(), b"s3cr3t"].map(|text| Zeroizing::new(text.to_vec()));
        let communities = Communities::These(list.to_vec());
        assert!(communities.permit(b"s3cr3t") && communities.permit(b"plant3d"));
        for wrong in [&b""[..], b"s3cr3", b"s3cr3t ", b"public"] {
            assert!(!communities.permit(wrong));
            assert!(Communities::Any.permit(wrong));
        }
        assert_eq!(format!("{communities:?}"), "These(2 of them)");
    }
}
