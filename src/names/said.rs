//! What the inventory says of a sender, kept in the sender's own entry.
//!
//! ```text
//!  entry: Said { generation, renamed, line, facts, .. } ── both still so? ─yes─▶ nothing is looked up
//!                                                          └ no ─▶ Said::ask(inventory, address) ─▶ entry
//! ```
//!
//! A reload counts `generation` up, another stored name counts `renamed` up; all else leaves the inventory's answer as it
//! is. So most messages of most devices need their own entry and nothing beside it.

use std::net::IpAddr;

use super::inventory::Inventory;
use super::standing::Standing;

/// The answer for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// The state of the inventory that was asked, as reloads count it from 1; 0: none was.
    generation: u32,
    /// [`Standing::renamed`] at that time.
    renamed: u32,
    /// The line, where there is one, from 1.
    line: u32,
    /// What it says beside the name, from 1.
    facts: u32,
    /// Whose name the line has.
    pub hostname: Hostname,
    /// The line is of this one address.
    pub is_host: bool,
    /// Neither the inventory nor the table of owners gives the stored name to another address.
    pub is_checked: bool,
}

/// The name that a line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Hostname {
    /// None: the other sources choose.
    #[default]
    Open,
    /// The one that is stored: it stands in the entry too.
    Stored,
    /// Another: it stands in the line.
    Other,
}

impl Said {
    /// Asks.
    pub fn ask(
        inventory: &Inventory,
        generation: u32,
        address: IpAddr,
        standing: &Standing,
    ) -> Said {
        let said = Said {
            generation,
            renamed: standing.renamed,
            ..Said::default()
        };
        let number = inventory.number(address);
        let Some((number, line)) = number.and_then(|it| Some((it, inventory.line(it)?))) else {
            return said;
        };
        Said {
            line: number + 1,
            facts: line.facts_number + 1,
            hostname: match line.hostname.as_deref() {
                None => Hostname::Open,
                Some(hostname) if standing.name == hostname => Hostname::Stored,
                Some(_) => Hostname::Other,
            },
            is_host: line.is_host(),
            ..said
        }
    }

    /// Whether it is the answer of this inventory to a sender of this standing.
    pub fn is_of(&self, generation: u32, standing: &Standing) -> bool {
        self.generation == generation && self.renamed == standing.renamed
    }

    /// The number of the line.
    pub fn line(&self) -> Option<u32> {
        self.line.checked_sub(1)
    }

    /// The number of what it says beside the name.
    pub fn facts(&self) -> Option<u32> {
        self.facts.checked_sub(1)
    }
}
