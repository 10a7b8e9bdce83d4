//! The table of devices, kept over restarts.
//!
//! ```text
//!  devices.jsonl, one line a device:
//!  {"address":"10.20.0.1","name":"r1","rank":"learned","first":1790000000000000,"last":...,"messages":12,"engine":"8000...",
//!   "before":{"name":"r0","until":1790086400000001}}
//! ```
//!
//! Times are microseconds since 1970 (UTC). `rank` is `address`, `dns` or `learned`; `shared` and `relayed` are `true` or
//! absent, as is `counts_log` (its numbers are of what it logs), and `shared_since` stands beside `shared`; `name`, `engine` (hex) and `before` are absent where there is none.
//! `before` is what events were keyed by until the last change, said as `previous_hostname` up to `until`; without `name` it
//! is the address. An older line has no `before` and no `shared_since`, which is `first` then, and members that are not
//! known are passed over: older and newer versions read each other's file.
//!
//! It is a convenience, not a ledger: a line that cannot be read is skipped and counted, and without the file everything
//! is learned again. The file is written beside the old one and takes its place in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Names;
use super::device::Device;
use super::sequence::Sequence;
use super::standing::{Rank, Standing};
use crate::normalize::hostname;
use crate::time::UnixMicros;

/// Longer lines are none of ours: a name has 255 bytes, an engine 32.
const LINE_BYTES_MAX: usize = 2_048;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    address: IpAddr,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    rank: StoredRank,
    first: i64,
    last: i64,
    messages: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared_since: Option<i64>,
    /// Only relays speak for it, last the one of this address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    relayed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    counts_log: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    engine: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
}

/// What its events were keyed by before.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// Empty: the address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    until: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredRank {
    Address,
    Dns,
    Learned,
}

/// What a load found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Devices that are known again.
    pub devices: usize,
    /// Lines that could not be read.
    pub bad_lines: usize,
}

/// Reads the file into the tables. A file that is not there is an empty one.
///
/// # Errors
/// The file is there and cannot be read.
pub fn load(path: &Path, names: &Names) -> io::Result<Loaded> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(error) => return Err(error),
    };
    let mut loaded = Loaded::default();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let device = Some(line.as_slice())
            .filter(|line| line.len() <= LINE_BYTES_MAX)
            .and_then(|line| serde_json::from_slice::<Line>(line).ok());
        match device {
            // A relay that names an address names the device there: older versions wrote it as one behind the relay.
            Some(line) if line.relayed && hostname::address_of(&line.name).is_some() => {}
            Some(line) => {
                loaded.devices += 1;
                match line.relayed {
                    true => {
                        let relay = line.address;
                        let mut device = device_of(line);
                        device.heard_via(Some(relay));
                        names.relayed.restore(device);
                    }
                    false => names.devices.restore(line.address, device_of(line)),
                }
            }
            None => loaded.bad_lines += 1,
        }
    }
    Ok(loaded)
}

/// Writes all known devices. The old file stays until the new one is whole and on the disk.
///
/// # Errors
/// The folder cannot be written.
pub fn save(path: &Path, names: &Names) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    let mut out = BufWriter::new(file);
    let mut lines = Vec::new();
    names
        .devices
        .each(|address, device| lines.push(line_of(address, device)));
    names.relayed.each(|device| {
        if let Some(relay) = device.via() {
            let line = line_of(relay, device);
            lines.push(Line {
                relayed: true,
                ..line
            });
        }
    });
    for line in &lines {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}

fn line_of(address: IpAddr, device: &Device) -> Line {
    let standing = &device.standing;
    let engine = device.engine_id.as_deref().unwrap_or_default();
    Line {
        address,
        name: standing.name.to_string(),
        rank: match standing.rank {
            Rank::Address => StoredRank::Address,
            Rank::Dns => StoredRank::Dns,
            Rank::Learned => StoredRank::Learned,
        },
        first: standing.first_heard.0,
        last: standing.last_heard.0,
        messages: standing.messages,
        shared: standing.is_shared,
        shared_since: standing.shared_since().map(|since| since.0),
        relayed: false,
        counts_log: device.sequence.as_ref().is_some_and(|it| it.is_of_log()),
        engine: engine.iter().map(|byte| format!("{byte:02x}")).collect(),
        before: standing.previous().map(|(name, until)| Before {
            name: name.to_owned(),
            until: until.0,
        }),
    }
}

fn device_of(line: Line) -> Device {
    // A name that an older version took and that can be none is no name.
    let is_name = hostname::is_sane(line.name.as_bytes());
    let name = if is_name { line.name.as_str() } else { "" };
    let rank = match line.rank {
        _ if name.is_empty() => Rank::Address,
        StoredRank::Address => Rank::Address,
        StoredRank::Dns => Rank::Dns,
        StoredRank::Learned => Rank::Learned,
    };
    let mut standing = Standing {
        name: name.into(),
        rank,
        first_heard: UnixMicros(line.first),
        last_heard: UnixMicros(line.last),
        messages: line.messages,
        ..Standing::default()
    };
    if line.shared {
        standing.put_shared_since(UnixMicros(line.shared_since.unwrap_or(line.first)));
    }
    if let Some(before) = &line.before {
        standing.put_previous(&before.name, UnixMicros(before.until));
    }
    Device {
        standing,
        engine_id: bytes_of(&line.engine),
        sequence: line.counts_log.then(|| Box::new(Sequence::of_log())),
        ..Device::default()
    }
}

fn bytes_of(hex: &str) -> Option<Box<[u8]>> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Box<[u8]> = digits
        .chunks_exact(2)
        .filter_map(|pair| Some(pair.first()? << 4 | pair.last()?))
        .collect();
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::news::news_of;
    use crate::names::{Config, View};
    use crate::normalize::device::{Claim, Names as _};

    #[test]
    fn what_was_learned_is_known_after_a_restart_and_bad_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.jsonl");
        let names = Names::new(Config::default());
        let devices = &names.devices;
        assert_eq!(load(&path, &names).unwrap(), Loaded::default());
        let address: IpAddr = [10, 0, 0, 1].into();
        for seconds in [0, 30, 60] {
            let now = UnixMicros(seconds * 1_000_000);
            devices.with(address, now, |device, tell| {
                device.engine_id = Some([0x80, 0, 1].into());
                let mut claims = devices.claims(address, now);
                news_of(device.standing.hear_name("r1", now, &mut claims)).map(tell);
            });
            names
                .relayed
                .with("r2", address, now, |device, _| device.standing.hear(now));
        }
        save(&path, &names).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"no json\n{\"address\":1}\n").unwrap();
        let later = Names::new(Config::default());
        let loaded = load(&path, &later).unwrap();
        assert_eq!((loaded.devices, loaded.bad_lines), (2, 2));
        assert_eq!(later.relayed.get("r2").unwrap().via(), Some(address));
        let found = later.devices.get(address).unwrap();
        assert_eq!(found.standing.name, "r1");
        assert_eq!(found.engine_id.as_deref(), Some(&[0x80, 0, 1][..]));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    /// What events of this address are keyed by, and were before.
    fn said(
        names: &std::sync::Arc<Names>,
        address: IpAddr,
        name: &str,
        seconds: i64,
    ) -> [String; 2] {
        let claim = Claim {
            address: Some(address),
            name: Some(name).filter(|name| !name.is_empty()),
            received: UnixMicros(seconds * 1_000_000),
            ..Claim::default()
        };
        let (mut name, mut previous) = (Vec::new(), Vec::new());
        View::new(names.clone()).identify(&claim, &mut name, &mut previous);
        [name, previous].map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_name_before_is_said_for_the_rest_of_its_day_after_a_restart() {
        const DAY: i64 = 86_400;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.jsonl");
        let names = std::sync::Arc::new(Names::new(Config::default()));
        let addresses: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        for seconds in [0, 30, 60] {
            said(&names, addresses[0], "old", seconds);
        }
        for seconds in [100, 130, 160] {
            said(&names, addresses[0], "new", seconds);
            said(&names, addresses[1], "r2", seconds);
        }
        save(&path, &names).unwrap();
        let after = |seconds| {
            let later = std::sync::Arc::new(Names::new(Config::default()));
            load(&path, &later).unwrap();
            addresses.map(|address| said(&later, address, "", seconds).join(" before "))
        };
        // The other one's events were never keyed by its address.
        let within = ["new before old", "r2 before "];
        assert_eq!(after(200), within);
        assert_eq!(after(160 + DAY), within);
        assert_eq!(after(161 + DAY), ["new before ", "r2 before "]);
    }

    #[test]
    fn a_line_of_an_older_version_has_no_name_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.jsonl");
        let older = r#"{"address":"10.0.0.1","name":"r1","rank":"learned","first":0,"last":9,"messages":3}"#;
        fs::write(&path, older).unwrap();
        let names = std::sync::Arc::new(Names::new(Config::default()));
        let whole = Loaded {
            devices: 1,
            bad_lines: 0,
        };
        assert_eq!(load(&path, &names).unwrap(), whole);
        assert_eq!(said(&names, [10, 0, 0, 1].into(), "", 1), ["r1", ""]);
    }

    #[test]
    fn a_name_of_an_older_version_that_can_be_none_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.jsonl");
        let older = r#"{"address":"10.0.0.1","name":"127.0.0.1","rank":"learned","first":0,"last":9,"messages":3}"#;
        fs::write(&path, older).unwrap();
        let names = std::sync::Arc::new(Names::new(Config::default()));
        load(&path, &names).unwrap();
        assert_eq!(names.devices.owner("127.0.0.1"), None);
        assert_eq!(said(&names, [10, 0, 0, 1].into(), "", 1), ["10.0.0.1", ""]);
    }

    #[test]
    fn a_device_that_an_older_version_knew_by_its_address_behind_a_relay_is_no_second_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.jsonl");
        let line = |name| {
            format!(
                r#"{{"address":"10.9.9.9","name":"{name}","rank":"address","first":0,"last":9,"messages":3,"relayed":true}}"#
            )
        };
        fs::write(&path, line("10.0.0.1") + "\n" + &line("r1")).unwrap();
        let names = Names::new(Config::default());
        let one = Loaded {
            devices: 1,
            bad_lines: 0,
        };
        assert_eq!(load(&path, &names).unwrap(), one);
        assert_eq!(names.relayed.len(), 1);
        assert!(names.relayed.get("r1").is_some());
    }
}
