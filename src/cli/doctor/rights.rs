//! Files by which the agent is reached and in which it keeps things: their rights, and whether its user can do its work.
//!
//! ```text
//!  the admin socket's owner, else "trapline", else us ─▶ Account { uid, gids }
//!  a path, and each folder above it ─stat─▶ Rights      ──┴─▶ Account::barred_at ──▶ findings
//! ```
//!
//! A unit that forbids a socket another group is looked for as well (`PrivateUsers=`, `SystemCallFilter=`).
//!
//! Names come from `/etc/passwd` and `/etc/group`; who stands elsewhere (LDAP) goes by number. Access control lists and
//! what a unit forbids beyond rights (`ProtectSystem=`) are not looked at.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Finding, unit};
use crate::packet::Listener;
use crate::receive::Config;
use crate::receive::unix::{self, GROUPS, USERS};

/// The user that the package's unit runs the agent as.
const USER_OF_PACKAGE: &str = "trapline";

/// May be read, entered, and written to, as each of the three digits of a mode says it.
const WRITE_AND_ENTER: u32 = 0o3;
const ENTER: u32 = 0o1;
const ALL: u32 = 0o7;

/// The host's lists of users and groups.
#[derive(Debug, Default)]
struct Names {
    passwd: String,
    group: String,
}

/// A user, as the kernel sees one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gids: Vec<u32>,
}

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// The user of the agent: of the one that runs, of the one that the package would start, or the one who asks.
pub(super) fn account(admin_socket_of_running: Option<&Path>) -> Account {
    let names = Names::of_host();
    let running = admin_socket_of_running.and_then(|path| fs::metadata(path).ok());
    let uid = running
        .map(|socket| socket.uid())
        .or_else(|| USERS.id(USER_OF_PACKAGE))
        // SAFETY: geteuid has no arguments and cannot fail.
        .unwrap_or_else(|| unsafe { libc::geteuid() });
    names.account(uid)
}

/// Each unix socket of a listener, and the agent's own.
pub(super) fn sockets(
    listeners: &[Config],
    admin: Option<&Path>,
    account: &Account,
) -> Vec<Finding> {
    let names = Names::of_host();
    let bound = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let unit = unit::of_host();
    let of_listeners = listeners.iter().filter_map(|config| {
        let unix = config.unix.as_ref()?;
        Some(
            foreign(&config.listener, unix, account, &unit).unwrap_or_else(|| {
                socket(&config.listener.name, &unix.path, &bound, &names, account)
            }),
        )
    });
    let of_agent = admin.map(|path| socket("admin socket", path, &bound, &names, account));
    of_listeners.chain(of_agent).collect()
}

const LET_IN: &str = "the agent has to write there to make the socket: let that user do so, or choose a path below /run/trapline";

/// What the agent would be refused to do with its own socket, whatever the folder allows.
fn foreign(
    listener: &Listener,
    unix: &unix::Config,
    account: &Account,
    unit: &str,
) -> Option<Finding> {
    if account.uid == 0 {
        return None;
    }
    let owner = unix.owner.as_deref().and_then(|name| USERS.id(name));
    let group = unix.group.as_deref().and_then(|name| GROUPS.id(name));
    let is_other = group.is_some_and(|gid| account.gids.first() != Some(&gid));
    let is_packaged = account.name == USER_OF_PACKAGE;
    let (kind, advice) = if owner.is_some_and(|uid| uid != account.uid) {
        ("owner", "only root may give files away: leave owner out")
    } else if group.is_some_and(|gid| !account.gids.contains(&gid)) {
        (
            "group",
            "put that user into the group (usermod -a -G GROUP USER) and restart the agent; then run this again, since the package's unit may forbid it too",
        )
    } else if is_other && is_packaged && unit::forbids_groups(unit) {
        ("group", unit::ALLOW_GROUPS)
    } else {
        return None;
    };
    let what = format!(
        "{}: {}: the user {} may not give it to its {kind}",
        listener.name,
        unix.path.display(),
        account.name
    );
    Some(Finding::fail("socket", what, advice))
}

fn socket(what: &str, path: &Path, bound: &str, names: &Names, account: &Account) -> Finding {
    let shown = format!("{what}: {}", path.display());
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return missing(&shown, path, names, account);
        }
        Err(error) => return unseen("socket", &shown, &error),
    };
    let rights = Rights::of(&found);
    let shown = format!("{shown}: {}", names.rights(rights));
    if !found.file_type().is_socket() {
        return Finding::fail(
            "socket",
            format!("{shown}: it is no socket, and in the way of one"),
            "remove it, or give the socket another path",
        );
    }
    let folder = path.parent().unwrap_or(path);
    match account.barred_at(folder, WRITE_AND_ENTER) {
        Err(error) => unseen("socket", &shown, &error),
        Ok(Some((barred, rights))) => {
            let what = barred_from(account, &shown, &barred, names.rights(rights));
            Finding::fail("socket", what, LET_IN)
        }
        Ok(None) if !is_bound(bound, path) => Finding::warn(
            "socket",
            format!("{shown}: nobody listens"),
            "start the agent (systemctl start trapline), which makes it anew; the journal says what keeps it from that",
        ),
        Ok(None) => Finding::ok("socket", format!("{shown}: somebody listens")),
    }
}

/// A socket that is not there: can the agent make it?
fn missing(shown: &str, path: &Path, names: &Names, account: &Account) -> Finding {
    let folder = path.parent().unwrap_or(path);
    if !folder.exists() {
        return Finding::warn(
            "socket",
            format!("{shown}: its folder is not there"),
            "systemd makes /run/trapline when it starts the agent (systemctl start trapline); any other folder has to be made for it",
        );
    }
    match account.barred_at(folder, WRITE_AND_ENTER) {
        Err(error) => unseen("socket", shown, &error),
        Ok(Some((barred, rights))) => {
            let what = barred_from(account, shown, &barred, names.rights(rights));
            Finding::fail("socket", what, LET_IN)
        }
        Ok(None) => Finding::warn(
            "socket",
            format!("{shown}: is not there"),
            "start the agent, which makes it: systemctl start trapline",
        ),
    }
}

/// `agent.state_folder`.
pub(super) fn state(folder: Option<&Path>, account: &Account) -> Finding {
    let Some(folder) = folder else {
        let what =
            "off: what is learned of devices and SNMPv3 engines is learned again at each start";
        return Finding::ok("state", what);
    };
    if let Some(barred) = kept_out_of("state", folder, account) {
        return barred;
    }
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Finding::fail(
            "state",
            format!("{shown}: is no folder"),
            "remove it, or choose another agent.state_folder",
        ),
        Ok(found) => {
            let rights = Names::of_host().rights(Rights::of(&found));
            let user = &account.name;
            Finding::ok(
                "state",
                format!("{shown}: {rights}: the user {user} can use it"),
            )
        }
        Err(_) => Finding::warn(
            "state",
            format!("{shown}: is not there yet"),
            "the agent makes it at its first start",
        ),
    }
}

/// Why the user cannot use a folder, or make it where it is not there; `None` where it can.
pub(super) fn kept_out_of(
    about: &'static str,
    folder: &Path,
    account: &Account,
) -> Option<Finding> {
    let names = Names::of_host();
    let shown = folder.display().to_string();
    let existing = folder.ancestors().find(|path| path.exists())?;
    let wanted = if existing == folder {
        ALL
    } else {
        WRITE_AND_ENTER
    };
    let user = &account.name;
    let (barred, rights) = match account.barred_at(existing, wanted) {
        Err(error) => return Some(unseen(about, &shown, &error)),
        Ok(barred) => barred?,
    };
    let advice = if barred == folder {
        format!("chown -R {user} {shown}")
    } else if barred == existing {
        format!("make it for that user: install -d -o {user} -m 0750 {shown}")
    } else {
        format!(
            "let that user enter {}, or choose another path",
            barred.display()
        )
    };
    let what = barred_from(account, &shown, &barred, names.rights(rights));
    Some(Finding::fail(about, what, advice))
}

fn barred_from(account: &Account, shown: &str, barred: &Path, rights: String) -> String {
    let (user, at) = (&account.name, barred.display());
    format!("{shown}: the user {user} is kept out by {at} ({rights})")
}

fn unseen(about: &'static str, shown: &str, error: &io::Error) -> Finding {
    Finding::warn(
        about,
        format!("{shown}: cannot be looked at: {error}"),
        "run `trapline doctor` as root",
    )
}

/// Whether a process has a socket bound to the path: the last word of a line (proc_pid_net(5)).
fn is_bound(bound: &str, path: &Path) -> bool {
    let path = path.as_os_str().to_string_lossy();
    bound
        .lines()
        .any(|line| line.split_whitespace().nth(7) == Some(&*path))
}

impl Rights {
    fn of(file: &fs::Metadata) -> Rights {
        Rights {
            mode: file.mode() & 0o7777,
            uid: file.uid(),
            gid: file.gid(),
        }
    }
}

impl Account {
    /// Whether this user may do what the bits of `wanted` say: the first of owner, group and others that fits decides.
    fn may(&self, rights: Rights, wanted: u32) -> bool {
        let granted = if self.uid == 0 {
            ALL
        } else if rights.uid == self.uid {
            rights.mode >> 6
        } else if self.gids.contains(&rights.gid) {
            rights.mode >> 3
        } else {
            rights.mode
        };
        granted & wanted == wanted
    }

    /// The first folder on the way that does not let this user in, or the last one if it does not grant `wanted`.
    fn barred_at(&self, path: &Path, wanted: u32) -> io::Result<Option<(PathBuf, Rights)>> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        for each in way {
            let rights = Rights::of(&fs::metadata(each)?);
            let needed = if each == path { wanted } else { ENTER };
            if !self.may(rights, needed) {
                return Ok(Some((each.to_owned(), rights)));
            }
        }
        Ok(None)
    }
}

impl Names {
    fn of_host() -> Names {
        Names {
            passwd: fs::read_to_string("/etc/passwd").unwrap_or_default(),
            group: fs::read_to_string("/etc/group").unwrap_or_default(),
        }
    }

    /// The user of this number, with its groups.
    fn account(&self, uid: u32) -> Account {
        let user = fields(&self.passwd).find(|user| user.get(2) == Some(&&*uid.to_string()));
        let name = user.as_ref().and_then(|user| user.first().copied());
        let main = user.as_ref().and_then(|user| user.get(3)?.parse().ok());
        let others = fields(&self.group).filter_map(|group| {
            let is_member = group.get(3)?.split(',').any(|member| Some(member) == name);
            group.get(2)?.parse().ok().filter(|_| is_member)
        });
        Account {
            name: name.map_or_else(|| uid.to_string(), str::to_owned),
            uid,
            gids: main.into_iter().chain(others).collect(),
        }
    }

    /// `0750 trapline:trapline`.
    fn rights(&self, rights: Rights) -> String {
        let name = |list, id: u32| {
            let id = id.to_string();
            let entry = fields(list).find(|entry| entry.get(2) == Some(&&*id));
            entry
                .and_then(|entry| entry.first().map(|name| (*name).to_owned()))
                .unwrap_or(id)
        };
        let (owner, group) = (
            name(&self.passwd, rights.uid),
            name(&self.group, rights.gid),
        );
        format!("{:04o} {owner}:{group}", rights.mode)
    }
}

/// The fields of each line (passwd(5), group(5)).
fn fields(list: &str) -> impl Iterator<Item = Vec<&str>> {
    list.lines().map(|line| line.split(':').collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::super::Level;
    use super::*;

    fn names() -> Names {
        Names {
            passwd: "root:x:0:0:root:/root:/bin/sh\ntrapline:x:998:997::/:/bin/false\n".to_owned(),
            group: "root:x:0:\nadm:x:4:syslog,trapline\ntrapline:x:997:\n".to_owned(),
        }
    }

    /// Who is neither root nor anybody of this host.
    fn stranger() -> Account {
        Account {
            name: "stranger".to_owned(),
            uid: 4_000_000,
            gids: vec![4_000_001],
        }
    }

    fn us() -> Account {
        // SAFETY: geteuid has no arguments and cannot fail.
        Names::of_host().account(unsafe { libc::geteuid() })
    }

    /// A folder that everybody may enter, below one that everybody may enter.
    fn folder(mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        folder
    }

    #[test]
    fn a_user_has_its_own_group_and_those_that_name_it() {
        let account = names().account(998);
        assert_eq!(
            (account.name.as_str(), account.gids),
            ("trapline", vec![997, 4])
        );
        assert_eq!(names().account(4711).name, "4711");
        let rights = Rights {
            mode: 0o660,
            uid: 998,
            gid: 4711,
        };
        assert_eq!(names().rights(rights), "0660 trapline:4711");
    }

    #[test]
    fn the_first_of_owner_group_and_others_that_fits_decides() {
        let account = names().account(998);
        let may = |mode, uid, gid| account.may(Rights { mode, uid, gid }, WRITE_AND_ENTER);
        assert!(may(0o300, 998, 0) && may(0o730, 0, 4) && may(0o703, 0, 0));
        assert!(!may(0o077, 998, 997), "an owner is no other");
        assert!(!may(0o707, 0, 4), "and neither is a member of the group");
        assert!(names().account(0).may(
            Rights {
                mode: 0,
                uid: 1,
                gid: 1
            },
            ALL
        ));
    }

    #[test]
    fn a_folder_on_the_way_that_lets_nobody_in_is_the_one_that_is_named() {
        let closed = folder(0o700);
        let inner = closed.path().join("state");
        fs::create_dir(&inner).unwrap();
        let finding = state(Some(&inner), &stranger());
        assert_eq!(finding.level, Level::Fail);
        let words = format!(
            "the user stranger is kept out by {} (0700 ",
            closed.path().display()
        );
        assert!(finding.what.contains(&words), "{finding:?}");
        assert_eq!(state(Some(&inner), &us()).level, Level::Ok);
        assert_eq!(state(Some(&inner.join("new")), &us()).level, Level::Warn);
        assert_eq!(state(None, &us()).level, Level::Ok);
    }

    #[test]
    fn a_folder_that_may_be_read_and_not_written_to_is_no_state_folder() {
        let readable = folder(0o755);
        let finding = state(Some(readable.path()), &stranger());
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.advice.unwrap().starts_with("chown -R stranger "));
    }

    #[test]
    fn each_unix_socket_is_told_with_its_rights_and_who_cannot_make_it() {
        let here = folder(0o755);
        let path = here.path().join("app.sock");
        let text = format!(
            "[[listener]]\nname = \"app\"\ntransport = \"unix_stream\"\npath = {path:?}\n[[listener]]\nbind = \"[::]:5514\"\n"
        );
        let config = crate::config::parse(&text, "host").unwrap();
        let look = |account: &Account| {
            let mut found = sockets(&config.listeners, None, account);
            assert_eq!(found.len(), 1, "{found:?}");
            found.remove(0)
        };
        assert!(look(&us()).what.ends_with("app.sock: is not there"));
        let listening = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        let found = look(&us());
        assert_eq!(found.level, Level::Ok, "{found:?}");
        assert!(found.what.contains("app.sock: 0620 "), "{found:?}");
        let found = look(&stranger());
        assert_eq!(found.level, Level::Fail, "{found:?}");
        drop(listening);
        let found = look(&us());
        assert_eq!(found.level, Level::Warn, "{found:?}");
        assert!(found.what.ends_with("nobody listens"), "{found:?}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(look(&us()).level, Level::Fail);
    }

    #[test]
    fn an_owner_or_group_that_the_agent_may_not_give_its_socket_to_is_told() {
        let text = "[[listener]]\nname = \"app\"\ntransport = \"unix_stream\"\n";
        let level = |more: &str, account: &Account| {
            let config = crate::config::parse(&format!("{text}{more}\n"), "host").unwrap();
            let listener = &config.listeners[0];
            let unix = listener.unix.as_ref().unwrap();
            foreign(&listener.listener, unix, account, "").map(|found| found.level)
        };
        assert_eq!(level("owner = \"root\"", &stranger()), Some(Level::Fail));
        assert_eq!(level("group = \"0\"", &stranger()), Some(Level::Fail));
        assert_eq!(
            level("owner = \"4000000\"\ngroup = \"4000001\"", &stranger()),
            None
        );
        assert_eq!(level("owner = \"4000000\"", &names().account(0)), None);
    }

    #[test]
    fn a_group_that_the_package_s_unit_forbids_is_told_with_what_allows_it() {
        let text = "[[listener]]\nname = \"app\"\ntransport = \"unix_stream\"\ngroup = \"4\"\n";
        let config = crate::config::parse(text, "host").unwrap();
        let listener = &config.listeners[0];
        let look = |unit: &str, account: &Account| {
            foreign(
                &listener.listener,
                listener.unix.as_ref().unwrap(),
                account,
                unit,
            )
        };
        let unit = include_str!("../../../packaging/systemd/trapline.service");
        let mut account = names().account(998);
        let found = look(unit, &account).expect("a finding");
        assert!(found.advice.unwrap().contains("SystemCallFilter=@chown"));
        assert!(look("", &account).is_none(), "another unit, or none");
        account.gids = vec![4];
        assert!(look(unit, &account).is_none(), "it is the agent's own");
        account.name = "somebody".to_owned();
        account.gids = vec![997, 4];
        assert!(look(unit, &account).is_none(), "no unit of the package");
    }
}
