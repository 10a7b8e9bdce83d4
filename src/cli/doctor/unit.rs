//! What the unit of systemd forbids the agent beyond rights.
//!
//! ```text
//!  trapline.service, and what stands in trapline.service.d ──▶ may a socket be given to another group?
//! ```
//!
//! In a user namespace of its own (`PrivateUsers=`) there is no group but the agent's, and a filter without `@chown` lets
//! it give no file away.

use std::fs;
use std::path::{Path, PathBuf};

/// Where units stand (systemd.unit(5)), the first that has one wins.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const UNIT: &str = "trapline.service";

/// What allows it.
pub(super) const ALLOW_GROUPS: &str = "trapline.service keeps the agent from it: run `systemctl edit trapline`, write [Service], PrivateUsers=no and SystemCallFilter=@chown, a line each, and restart the agent";

/// The unit and all that was added to it, in its order; empty without one.
pub(super) fn of_host() -> String {
    let mut units = FOLDERS.iter().map(|folder| Path::new(folder).join(UNIT));
    let unit = units.find_map(|path| fs::read_to_string(path).ok());
    let mut added: Vec<PathBuf> = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(Path::new(folder).join(format!("{UNIT}.d"))).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    added.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    let added = added
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    let texts: Vec<String> = unit.into_iter().chain(added).collect();
    texts.join("\n")
}

/// Whether a unit keeps the agent from giving a file to a group that is not its own.
pub(super) fn forbids_groups(unit: &str) -> bool {
    let (mut is_private, mut may_chown) = (false, true);
    for line in unit.lines() {
        let Some((key, value)) = line.trim().split_once('=') else {
            continue;
        };
        let value = value.trim();
        let mut words = value.trim_start_matches('~').split_whitespace();
        match key.trim() {
            "PrivateUsers" => {
                is_private = !["", "no", "false", "off", "0"].contains(&value);
            }
            "SystemCallFilter" if value.is_empty() => may_chown = true,
            "SystemCallFilter" if value.starts_with('~') => {
                may_chown &=
                    !words.any(|word| ["@privileged", "@chown", "fchownat"].contains(&word));
            }
            "SystemCallFilter" => {
                let allowing = ["@system-service", "@privileged", "@chown", "fchownat"];
                may_chown |= words.any(|word| allowing.contains(&word));
            }
            _ => {}
        }
    }
    is_private || !may_chown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_s_unit_forbids_groups_until_both_lines_are_added() {
        let unit = include_str!("../../../packaging/systemd/trapline.service");
        let own_ports = include_str!("../../../packaging/systemd/own-ports.conf");
        let with = |more: &str| forbids_groups(&format!("{unit}\n{more}"));
        assert!(with(""));
        assert!(with(own_ports), "it opens the namespace alone");
        assert!(with("[Service]\nSystemCallFilter=@chown"));
        assert!(!with("[Service]\nPrivateUsers=no\nSystemCallFilter=@chown"));
        assert!(!with(&format!("{own_ports}\nSystemCallFilter=@chown")));
        assert!(!forbids_groups("[Service]\nUser=trapline"));
    }
}
