//! An inventory's file: its lines, each read or named as bad.
//!
//! ```text
//!  CSV   address,hostname,zone,encoding,vendor,silent_seconds,site,role          every other column is a label
//!        10.20.0.1,lax-cor-r1,America/Los_Angeles,,cisco,3600,lax,core
//!        10.30.0.0/16,,+01:00,gb18030,,,ham,
//!  JSON  [{"address":"10.20.0.1","hostname":"lax-cor-r1","labels":{"site":"lax"}}, ...]
//!           │
//!           ▼ open, or what a pipe gave ─▶ decode, parse
//!  Parsed { inventory, bad lines with what was expected and what came }
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use compact_str::CompactString;
use ipnet::IpNet;
use serde::Deserialize;

use super::{Device, Inventory};
use crate::normalize::DomainPolicy;
use crate::normalize::device::{Facts, prefix};
use crate::normalize::hostname::canonical;
use crate::normalize::zone::Zone;

/// A line costs up to half a kilobyte of memory, so a million lines is half a gigabyte: more than a branch has.
pub const DEVICES_MAX: usize = 1_000_000;

/// What Elasticsearch's `flattened` and a person's eye can bear.
pub const LABELS_MAX: usize = 32;

/// A label's value, in bytes: it goes into every event.
pub const LABEL_BYTES_MAX: usize = 256;

/// The longest file: [`DEVICES_MAX`] lines of 256 bytes.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How many bad lines are kept to be shown; all are counted.
const BAD_LINES_MAX: usize = 100;

/// Runs of bad lines whose numbers are kept: a log line of some kilobytes.
const BAD_RANGES_MAX: usize = 256;

/// A line that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line in the file, or the place in the JSON list, from 1.
    pub line: u64,
    /// What was expected and what came.
    pub why: String,
}

/// An inventory and what was wrong with its file.
#[derive(Debug, Default)]
pub struct Parsed {
    /// What could be read.
    pub inventory: Inventory,
    /// The first bad lines.
    pub bad_lines: Vec<BadLine>,
    /// How many there were in all.
    pub bad_count: u64,
    /// The numbers of all of them, as far as they are kept: [`BAD_RANGES_MAX`].
    pub bad_ranges: Vec<RangeInclusive<u64>>,
}

impl Parsed {
    /// The numbers of the bad lines: `3, 7-9000, 9002`.
    pub fn bad_numbers(&self) -> String {
        let kept: u64 = self
            .bad_ranges
            .iter()
            .map(|lines| lines.end() - lines.start() + 1)
            .sum();
        let ranges = self.bad_ranges.iter().map(|lines| match lines {
            one if one.start() == one.end() => one.start().to_string(),
            lines => format!("{}-{}", lines.start(), lines.end()),
        });
        let mut text = ranges.collect::<Vec<_>>().join(", ");
        if kept < self.bad_count {
            text.push_str(&format!(" and {} more", self.bad_count - kept));
        }
        text
    }
}

/// What tells that a file was replaced or written: device and inode, length, and when it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of the regular file at `path`; `None` where there is none to see. A pipe has none: it gives what it has once, so
    /// nobody looks for a change of it.
    pub fn of(path: &Path) -> Option<Stamp> {
        let metadata = std::fs::metadata(path).ok()?;
        if !metadata.is_file() {
            return None;
        }
        Some(Stamp {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the inventory {}: {why}", .path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: InventoryError,
}

/// Why nothing of a file could be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The first line does not name the columns.
    #[error(
        "expected column names with `address` among them and commas between them, got `{0}`; \
         for example: address,hostname,site"
    )]
    NoHeader(String),
    /// Not a JSON list of objects.
    #[error("expected a JSON list of objects with `address`: {0}")]
    Json(#[from] serde_json::Error),
    /// The system does not give it.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A pipe, which is read at a start and a reload only, a device or a socket.
    #[error("is no regular file")]
    NoFile,
    /// A million lines have some 100 MB.
    #[error("is longer than {0} bytes, and no inventory is")]
    TooLarge(u64),
    /// Names of devices are ASCII, and labels are text.
    #[error("is not UTF-8 text")]
    NotUtf8,
    /// The CSV reader gave up.
    #[error("the first line cannot be read as CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// A line as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    address: String,
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    silent_seconds: Option<u32>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Reads an inventory: JSON if it begins like a list, else CSV. `domain` as for every other source of names.
///
/// # Errors
/// Nothing at all can be read. A bad line alone is skipped and named in the result.
pub fn parse(text: &str, domain: DomainPolicy) -> Result<Parsed, InventoryError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reading = Reading {
        domain,
        ..Reading::default()
    };
    match text.trim_start().starts_with('[') {
        true => reading.json(text)?,
        false => reading.csv(text)?,
    }
    Ok(reading.finish())
}

/// Reads the regular file at `path`, and waits for nothing else that may be there.
///
/// # Errors
/// It cannot be read, is larger than [`FILE_BYTES_MAX`], or is no inventory at all.
pub fn open(path: &Path, domain: DomainPolicy) -> Result<Parsed, OpenError> {
    let octets = octets(path).map_err(|why| OpenError {
        path: path.to_owned(),
        why,
    })?;
    decode(path, octets, domain)
}

fn octets(path: &Path) -> Result<Vec<u8>, InventoryError> {
    let mut options = File::options();
    // A pipe that nobody writes to would not be open before somebody did.
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(InventoryError::NoFile);
    }
    let mut octets = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > FILE_BYTES_MAX {
        return Err(InventoryError::TooLarge(FILE_BYTES_MAX));
    }
    Ok(octets)
}

/// Reads what the file at `path` held.
///
/// # Errors
/// It is no inventory at all.
pub fn decode(path: &Path, octets: Vec<u8>, domain: DomainPolicy) -> Result<Parsed, OpenError> {
    let text = String::from_utf8(octets).map_err(|_| InventoryError::NotUtf8);
    let parsed = text.and_then(|text| parse(&text, domain));
    parsed.map_err(|why| OpenError {
        path: path.to_owned(),
        why,
    })
}

/// What a line says beside address and name, as it stands there: labels, zone, character set, vendor.
type Beside = (
    Option<Arc<BTreeMap<String, String>>>,
    Option<String>,
    Option<&'static str>,
    Option<CompactString>,
);

#[derive(Default)]
struct Reading {
    domain: DomainPolicy,
    devices: Vec<Device>,
    seen: HashSet<IpNet>,
    labels: HashSet<Arc<BTreeMap<String, String>>>,
    facts: Vec<Arc<Facts>>,
    numbers: HashMap<Beside, u32>,
    bad_lines: Vec<BadLine>,
    bad_count: u64,
    bad_ranges: Vec<RangeInclusive<u64>>,
}

impl Reading {
    fn json(&mut self, text: &str) -> Result<(), InventoryError> {
        let values: Vec<serde_json::Value> = serde_json::from_str(text)?;
        for (index, value) in values.into_iter().enumerate() {
            let line = serde_json::from_value::<Line>(value).map_err(|error| error.to_string());
            self.take(index as u64 + 1, line);
        }
        Ok(())
    }

    fn csv(&mut self, text: &str) -> Result<(), InventoryError> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut columns: Option<Vec<String>> = None;
        for row in reader.records() {
            match (row, &columns) {
                (Err(error), None) => return Err(error.into()),
                (Err(error), Some(_)) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    self.bad(line, error.to_string());
                }
                // The reader's own comments would be counted as part of the line behind them.
                (Ok(row), _) if row.get(0).is_some_and(|first| first.starts_with('#')) => {}
                (Ok(row), None) => columns = Some(columns_of(&row)?),
                (Ok(row), Some(columns)) => {
                    let line = row.position().map_or(0, csv::Position::line);
                    self.take(line, line_of(columns, &row));
                }
            }
        }
        match columns {
            Some(_) => Ok(()),
            None => Err(InventoryError::NoHeader(String::new())),
        }
    }

    fn take(&mut self, number: u64, line: Result<Line, String>) {
        match line.and_then(|line| self.device(line)) {
            Ok(device) => self.devices.push(device),
            Err(why) => self.bad(number, why),
        }
    }

    fn bad(&mut self, line: u64, why: String) {
        self.bad_count += 1;
        let has_room = self.bad_ranges.len() < BAD_RANGES_MAX;
        match self.bad_ranges.last_mut() {
            Some(last) if line == last.end() + 1 => *last = *last.start()..=line,
            _ if has_room => self.bad_ranges.push(line..=line),
            _ => {}
        }
        if self.bad_lines.len() < BAD_LINES_MAX {
            self.bad_lines.push(BadLine { line, why });
        }
    }

    fn device(&mut self, line: Line) -> Result<Device, String> {
        let net = net(&line.address)?;
        if self.devices.len() >= DEVICES_MAX {
            return Err(format!("more than {DEVICES_MAX} lines"));
        }
        if self.seen.contains(&net) {
            return Err(format!("{net} stands there already; the first line counts"));
        }
        let hostname = filled(line.hostname)
            .map(|name| {
                canonical(name.as_bytes(), self.domain)
                    .ok_or_else(|| format!("`{}` is no host name", shown(&name)))
            })
            .transpose()?;
        let zone_text = filled(line.zone);
        let zone = zone_text
            .as_deref()
            .map(|zone| {
                Zone::from_str(zone).map_err(|why| format!("zone `{}`: {why}", shown(zone)))
            })
            .transpose()?;
        let encoding = filled(line.encoding)
            .map(
                |label| {
                    encoding_rs::Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                        format!(
                            "encoding `{}` is none of the WHATWG Encoding Standard (utf-8, gb18030, shift_jis, ...)",
                            shown(&label)
                        )
                    })
                },
            )
            .transpose()?;
        let labels = self.labels(line.labels)?;
        self.seen.insert(net);
        let vendor = filled(line.vendor).map(|vendor| vendor.to_ascii_lowercase().into());
        let facts = Facts {
            labels,
            zone,
            encoding,
            vendor,
        };
        let (facts_number, facts) = self.facts(zone_text, facts);
        Ok(Device {
            net,
            hostname,
            facts,
            facts_number,
            silent_seconds: line.silent_seconds,
        })
    }

    /// Lines that say the same share it.
    fn facts(&mut self, zone: Option<String>, facts: Facts) -> (u32, Arc<Facts>) {
        let encoding = facts.encoding.map(encoding_rs::Encoding::name);
        let beside = (facts.labels.clone(), zone, encoding, facts.vendor.clone());
        // There are no more of them than lines.
        let next = self.facts.len() as u32;
        let number = *self.numbers.entry(beside).or_insert(next);
        if let Some(known) = self.facts.get(number as usize) {
            return (number, known.clone());
        }
        let facts = Arc::new(facts);
        self.facts.push(facts.clone());
        (number, facts)
    }

    /// Lines with the same labels share one map: a site's hundred devices cost one.
    fn labels(
        &mut self,
        labels: BTreeMap<String, String>,
    ) -> Result<Option<Arc<BTreeMap<String, String>>>, String> {
        if labels.is_empty() {
            return Ok(None);
        }
        if labels.len() > LABELS_MAX {
            return Err(format!(
                "{} labels, at most {LABELS_MAX} are taken",
                labels.len()
            ));
        }
        let too_long = |text: &str| text.len() > LABEL_BYTES_MAX;
        if let Some((name, _)) = labels
            .iter()
            .find(|(name, value)| too_long(name) || too_long(value))
        {
            return Err(format!(
                "label `{}` is longer than {LABEL_BYTES_MAX} bytes",
                shown(name)
            ));
        }
        if let Some(known) = self.labels.get(&labels) {
            return Ok(Some(known.clone()));
        }
        let labels = Arc::new(labels);
        self.labels.insert(labels.clone());
        Ok(Some(labels))
    }

    fn finish(self) -> Parsed {
        Parsed {
            inventory: Inventory::new(self.devices, self.facts),
            bad_lines: self.bad_lines,
            bad_count: self.bad_count,
            bad_ranges: self.bad_ranges,
        }
    }
}

/// Columns that are no labels, as spreadsheets may write them: in any case.
const COLUMNS: [&str; 6] = [
    "address",
    "hostname",
    "zone",
    "encoding",
    "vendor",
    "silent_seconds",
];

/// What the columns are called.
fn columns_of(row: &csv::StringRecord) -> Result<Vec<String>, InventoryError> {
    let name = |text: &str| {
        let known = COLUMNS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(text));
        known.map_or(text, |known| *known).to_owned()
    };
    let columns: Vec<String> = row.iter().map(name).collect();
    if columns.iter().any(|column| column == "address") {
        Ok(columns)
    } else {
        let found: String = row.iter().collect::<Vec<_>>().join(",");
        Err(InventoryError::NoHeader(shown(&found)))
    }
}

fn line_of(columns: &[String], row: &csv::StringRecord) -> Result<Line, String> {
    if row.len() > columns.len() {
        return Err(format!(
            "{} fields, the first line names {}",
            row.len(),
            columns.len()
        ));
    }
    let mut line = Line::default();
    for (column, value) in columns.iter().zip(row) {
        let text = || Some(value.to_owned());
        match column.as_str() {
            "address" => line.address = value.to_owned(),
            "hostname" => line.hostname = text(),
            "zone" => line.zone = text(),
            "encoding" => line.encoding = text(),
            "vendor" => line.vendor = text(),
            "silent_seconds" if value.is_empty() => {}
            "silent_seconds" => {
                line.silent_seconds = Some(value.parse().map_err(|_| {
                    format!(
                        "silent_seconds: expected a number of seconds, got `{}`",
                        shown(value)
                    )
                })?);
            }
            _ if value.is_empty() => {}
            label => {
                line.labels.insert(label.to_owned(), value.to_owned());
            }
        }
    }
    Ok(line)
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// An address or a prefix; host bits of a prefix are cleared, IPv4 in IPv6 becomes IPv4.
fn net(text: &str) -> Result<IpNet, String> {
    let net = prefix(text.trim()).map(|net| net.trunc());
    net.ok_or_else(|| {
        format!(
            "expected an address or a prefix, got `{}`",
            shown(text.trim())
        )
    })
}

/// Enough of a bad value to find it.
fn shown(text: &str) -> String {
    text.chars()
        .take(40)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{name, read};
    use super::*;

    #[test]
    fn comments_may_stand_above_the_columns_and_those_may_be_written_in_any_case() {
        let parsed = read("# what we have\n\nAddress,HostName,Site\n10.0.0.1,r1,lax\nx,,\n");
        assert_eq!(name(&parsed, "10.0.0.1").as_deref(), Some("r1"));
        assert_eq!(parsed.bad_lines.first().map(|bad| bad.line), Some(5));
        let semicolons = parse("address;hostname\n10.0.0.1;r1\n", DomainPolicy::Keep);
        let error = semicolons.unwrap_err().to_string();
        assert!(error.contains("commas between them"), "{error}");
    }

    #[test]
    fn every_bad_line_is_named_by_its_number_and_the_others_count() {
        let parsed = read(
            "address,hostname,zone,silent_seconds\n\
             10.0.0.1,r1,,\n\
             nonsense,r2,,\n\
             # a comment\n\
             10.0.0.3,r 3,,\n\
             10.0.0.1,again,,\n\
             10.0.0.4,r4,Mars/Olympus,\n\
             10.0.0.5,r5,,soon\n\
             10.0.0.6,r6,,60\n",
        );
        let lines: Vec<u64> = parsed.bad_lines.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 5, 6, 7, 8], "{:?}", parsed.bad_lines);
        assert_eq!(parsed.bad_count, 5);
        assert_eq!(parsed.bad_numbers(), "3, 5-8");
        assert_eq!(name(&parsed, "10.0.0.1").as_deref(), Some("r1"));
        let last = parsed.inventory.find("10.0.0.6".parse().unwrap()).unwrap();
        assert_eq!(last.silent_seconds, Some(60));
    }

    #[test]
    fn of_thousands_of_bad_lines_all_are_counted_and_their_numbers_are_kept_within_a_bound() {
        let mut text = "address,hostname\n".to_owned();
        text.push_str(&"nonsense,r1\n".repeat(5_000));
        for number in 0..2_000 {
            let [high, low] = u16::to_be_bytes(number);
            text.push_str(&format!("10.0.{high}.{low},r{number}\nnonsense,r\n"));
        }
        let parsed = read(&text);
        assert_eq!(parsed.bad_count, 7_000);
        assert_eq!(parsed.inventory.len(), 2_000);
        assert!(
            parsed.bad_lines.len() <= BAD_LINES_MAX && parsed.bad_ranges.len() <= BAD_RANGES_MAX
        );
        let shown = parsed.bad_numbers();
        assert!(shown.starts_with("2-5001, 5003, 5005"), "{shown}");
        assert!(shown.ends_with(" and 1745 more"), "{shown}");
    }

    #[test]
    fn json_and_csv_say_the_same() {
        let csv = read("address,hostname,site,role\n10.0.0.1,R1,lax,core\n10.0.0.2,R2,lax,core\n");
        let json = read(
            r#"[{"address":"10.0.0.1","hostname":"R1","labels":{"site":"lax","role":"core"}},
                {"address":"10.0.0.2","hostname":"R2","labels":{"site":"lax","role":"core"}}]"#,
        );
        assert_eq!(csv.inventory.devices, json.inventory.devices);
        assert_eq!(name(&csv, "10.0.0.1").as_deref(), Some("r1"));
        let labels = |index: usize| csv.inventory.devices[index].facts.labels.clone().unwrap();
        assert!(
            Arc::ptr_eq(&labels(0), &labels(1)),
            "equal labels are kept once"
        );
    }

    #[test]
    fn a_file_without_column_names_is_refused_with_an_example() {
        let error = parse("10.0.0.1,r1\n", DomainPolicy::Keep)
            .unwrap_err()
            .to_string();
        assert!(error.contains("address,hostname,site"), "{error}");
        assert!(parse("[1, 2", DomainPolicy::Keep).is_err());
        assert!(parse("", DomainPolicy::Keep).is_err());
    }
}
