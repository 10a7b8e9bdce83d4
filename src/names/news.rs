//! What became known of a sender, and is worth an event.
//!
//! ```text
//!  Devices, Relayed, View, Watch ──▶ News ──▶ Notice { address, name, source, at, news } ──▶ Notices ──▶ Telling
//! ```

use std::net::IpAddr;
use std::ops::RangeInclusive;

use compact_str::CompactString;

use super::standing::Renamed;
use crate::event::HostnameSource;
use crate::time::UnixMicros;

/// Something that became known of a sender, for a `device` or `gap` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The sender.
    pub address: IpAddr,
    /// Its name, empty where the address is all there is.
    pub name: CompactString,
    /// Why it is called so.
    pub source: HostnameSource,
    /// When.
    pub at: UnixMicros,
    /// What.
    pub news: News,
}

/// What became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It has been heard several times over a minute, and was not known before.
    New,
    /// The same of a sender that the inventory does not have, where there is one.
    Unknown,
    /// It goes on using a name that belongs to another address.
    Conflict {
        /// That name.
        claimed: CompactString,
    },
    /// Several names speak side by side from its address: a relay or NAT. None of them is learned any more.
    Shared,
    /// Its stored name, and so the key of messages that bring none, changed.
    Renamed {
        /// The name before, empty for the address.
        from: CompactString,
    },
    /// Nothing came for longer than its limit.
    Silent {
        /// When it was last heard; `None`: never, since the agent started.
        last_heard: Option<UnixMicros>,
    },
    /// It speaks again.
    Back,
    /// These numbers of its own counting never arrived.
    Missing(RangeInclusive<u64>),
}

impl News {
    /// A name in the place of the address.
    pub(super) fn is_first_name(&self) -> bool {
        matches!(self, News::Renamed { from } if from.is_empty())
    }
}

/// What is told of a name that was replaced. Who has never been called otherwise was not renamed.
pub fn news_of(change: Option<Renamed>) -> Option<News> {
    let change = change.filter(|change| !change.was_always_said)?;
    Some(News::Renamed { from: change.from })
}
