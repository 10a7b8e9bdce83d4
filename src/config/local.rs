//! Path, mode, owner and group of a listener → where its unix socket stands.
//!
//! ```text
//!  transport unix_dgram, unix_stream ─▶ path (default: /run/trapline/NAME.sock), mode, owner, group ─▶ unix::Config
//!                                                     owner and group are looked up: a name that is wrong is found here
//!  any other ─────────────────────────▶ none of them means anything there: warned of
//! ```

use std::path::PathBuf;

use super::listener::warn_of_idle;
use super::reader::Reader;
use crate::packet::Transport;
use crate::receive::unix::{Config, Database, GROUPS, MODE, PATH_BYTES_MAX, USERS};

const PATH: &str = "listener.path";
const MODE_KEY: &str = "listener.mode";
const OWNER: &str = "listener.owner";
const GROUP: &str = "listener.group";

/// Where sockets stand when nothing else is said: the folder that the service manager makes for the agent.
const FOLDER: &str = "/run/trapline";

/// The unix socket of a listener called `name`, where its transport is one.
pub(super) fn resolve(reader: &mut Reader<'_>, transport: Transport, name: &str) -> Option<Config> {
    if !transport.is_unix() {
        let keys = [PATH, MODE_KEY, OWNER, GROUP];
        warn_of_idle(reader, transport, &keys, "unix_dgram and unix_stream");
        return None;
    }
    let without_use = ["listener.bind", "listener.allow"];
    warn_of_idle(reader, transport, &without_use, "udp, tcp and tls");
    let default = format!("{FOLDER}/{name}.sock");
    let path = reader.parsed(
        PATH,
        default,
        |text| is_usable(text).then(|| text.to_owned()),
        &format!("an absolute path of at most {PATH_BYTES_MAX} bytes"),
        |_| format!("write a path that begins with /, for example \"{FOLDER}/{name}.sock\""),
    );
    let mode = reader.parsed(
        MODE_KEY,
        Mode(MODE),
        |text| {
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .map(Mode)
        },
        "permission bits as an octal number",
        |_| {
            "write it as chmod takes it: \"0666\" for everybody, \"0660\" for owner and group"
                .to_owned()
        },
    );
    let owner = whose(reader, OWNER, &USERS);
    let group = whose(reader, GROUP, &GROUPS);
    Some(Config {
        path: PathBuf::from(path),
        mode: mode.0,
        owner,
        group,
    })
}

fn is_usable(path: &str) -> bool {
    path.starts_with('/') && path.len() <= PATH_BYTES_MAX && !path.contains('\0')
}

fn whose(reader: &mut Reader<'_>, key: &str, database: &Database) -> Option<String> {
    let name = reader.text(key).map(str::to_owned);
    reader.note(key, &name.as_deref().unwrap_or(AGENTS_OWN));
    if let Some(name) = name.as_deref().filter(|name| database.id(name).is_none()) {
        let kind = database.kind;
        let advice = format!(
            "write a name that `getent {}` knows, or a number; or make the {kind} first, and run `check` where the agent will run",
            database.name
        );
        reader.problem_text(key, format!("this host has no {kind} {name:?}"), advice);
    }
    name
}

/// What `check` shows where neither owner nor group is set.
const AGENTS_OWN: &str = "";

/// Permission bits, shown as chmod takes them.
struct Mode(u32);

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}
