//! The index of the dialects' cases: each dialect has its three kinds of lines, and the table that is shipped is theirs.
//!
//! ```text
//!  fixtures/syslog/dialects.toml ─┬▶ every folder once; ordinary, odd and truncated lines of each dialect
//!  fixtures/syslog/CASE/...      ─┴▶ packaging/dialects.md ◀─ fixtures/measured/*.md (of tests/corpus)
//! ```
//!
//! `UPDATE_DIALECTS=1 cargo test --test golden` writes the table anew; read the difference before it is kept.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// What has to be there, whatever else is: a dialect that goes from the index goes from here, too, and somebody asks why.
const NAMES: &[&str] = &[
    "Cisco IOS, IOS-XE",
    "Cisco IOS-XR",
    "Cisco NX-OS",
    "Cisco ASA",
    "Cisco FTD",
    "Cisco ACI",
    "Cisco WLC (AireOS)",
    "Cisco ISE, ACS",
    "Cisco Meraki",
    "Cisco UCS Manager",
    "Junos",
    "Junos, structured",
    "Juniper SRX",
    "Arista EOS",
    "Huawei VRP",
    "H3C Comware",
    "Nokia SR OS",
    "Fortinet FortiOS",
    "Palo Alto PAN-OS",
    "Check Point, splunk format",
    "Check Point, syslog format",
    "F5 BIG-IP",
    "HPE ProCurve, ArubaOS-Switch",
    "Aruba CX",
    "ArubaOS",
    "Extreme EXOS",
    "Extreme VOSS",
    "Dell OS10",
    "Brocade Fabric OS",
    "Brocade NetIron",
    "MikroTik RouterOS",
    "Ubiquiti UniFi",
    "Ubiquiti EdgeOS",
    "Ciena SAOS",
    "Citrix NetScaler",
    "SonicWall",
    "Sophos Firewall",
    "Sophos UTM",
    "VMware ESXi",
    "Linux, rsyslog",
    "Linux, syslog-ng",
    "Linux, systemd",
    "AIX",
    "CEF",
    "LEEF",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    dialect: Vec<Dialect>,
    theme: Vec<Theme>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialect {
    name: String,
    /// As events call it; empty where the shape is nobody's own.
    vendor: String,
    ordinary: Vec<String>,
    odd: Vec<String>,
    truncated: Vec<String>,
    note: Option<String>,
}

impl Dialect {
    fn cases(&self) -> impl Iterator<Item = &String> {
        self.ordinary.iter().chain(&self.odd).chain(&self.truncated)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Theme {
    name: String,
    cases: Vec<String>,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn index() -> Index {
    toml::from_str(&super::read(&file("fixtures/syslog/dialects.toml"))).expect("an index")
}

fn folder(case: &str) -> PathBuf {
    file("fixtures/syslog").join(case)
}

fn event(case: &str) -> Value {
    let text = super::read(&folder(case).join("expected.json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{case}: {error}"))
}

#[test]
fn every_dialect_has_an_ordinary_an_odd_and_a_truncated_line() {
    let index = index();
    let mut wrong = Vec::new();
    for name in NAMES {
        if !index.dialect.iter().any(|dialect| dialect.name == *name) {
            wrong.push(format!("{name} has no cases"));
        }
    }
    for dialect in &index.dialect {
        for (kind, cases) in [
            ("ordinary", &dialect.ordinary),
            ("odd", &dialect.odd),
            ("truncated", &dialect.truncated),
        ] {
            if cases.is_empty() {
                wrong.push(format!("{} has no {kind} line", dialect.name));
            }
        }
        let is_wide = dialect.name.len() > 32 || dialect.name.contains('|');
        if is_wide {
            wrong.push(format!("{} does not fit the table", dialect.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_stands_in_the_index_once() {
    let index = index();
    let dialects = index.dialect.iter().flat_map(Dialect::cases);
    let themes = index.theme.iter().flat_map(|theme| {
        assert!(!theme.name.is_empty() && !theme.cases.is_empty());
        &theme.cases
    });
    let mut named = BTreeSet::new();
    for case in dialects.chain(themes) {
        assert!(named.insert(case.clone()), "{case} stands there twice");
    }
    let folders: BTreeSet<String> = std::fs::read_dir(file("fixtures/syslog"))
        .expect("the cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into())
        .collect();
    let differ: Vec<&String> = named.symmetric_difference(&folders).collect();
    assert!(differ.is_empty(), "not in both: {differ:?}");
}

#[test]
fn a_line_is_its_own_vendors_and_a_cut_one_is_nobody_elses() {
    for dialect in index()
        .dialect
        .iter()
        .filter(|dialect| !dialect.vendor.is_empty())
    {
        for case in dialect.ordinary.iter().chain(&dialect.odd) {
            assert_eq!(event(case)["device"]["vendor"], *dialect.vendor, "{case}");
        }
        for case in &dialect.truncated {
            let vendor = event(case)["device"]["vendor"].clone();
            assert!(
                vendor.is_null() || vendor == *dialect.vendor,
                "{case}: {vendor}"
            );
        }
    }
}

/// What the packet ends with may be half of it: no name for what happened, and no host.
#[test]
fn a_cut_line_names_no_event_by_half() {
    for dialect in index().dialect {
        for case in dialect.truncated {
            let (bytes, event) = (super::packet(&folder(&case)), event(&case));
            // Host names are in small letters, whatever the packet has.
            let folded = bytes.to_ascii_lowercase();
            for value in [&event["event_code"], &event["device"]["hostname"]] {
                let text = value.as_str().unwrap_or("never").to_ascii_lowercase();
                assert!(!folded.ends_with(text.as_bytes()), "{case}: {value}");
            }
            let lost = words_lost(&folded, &event);
            let is_kept = event["raw"].is_string() || event["raw_base64"].is_string();
            assert!(is_kept || lost.is_empty(), "{case}: lost {lost:?}");
        }
    }
}

/// Words of a packet that its event does not have: those with a letter, and numbers longer than a year, because the parts of
/// a time stand elsewhere in another form.
fn words_lost(packet: &[u8], event: &Value) -> Vec<String> {
    const OF_TIMES: [&str; 9] = ["jul", "nov", "t", "z", "utc", "gmt", "cest", "cet", "15t12"];
    let told = event.to_string().to_ascii_lowercase();
    let packet = String::from_utf8_lossy(packet).to_ascii_lowercase();
    let words = packet.split(|letter: char| !letter.is_alphanumeric());
    let counts =
        |word: &&str| word.len() > 4 || word.chars().any(|letter| !letter.is_ascii_digit());
    words
        .filter(|word| !word.is_empty() && !OF_TIMES.contains(word))
        .filter(counts)
        .filter(|word| !told.contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_word_that_is_left_out_is_seen_as_lost() {
    let event = serde_json::json!({"message": "link is down", "syslog": {"fields": {"a": "1"}}});
    assert!(words_lost(b"<13>jul 15 12:34:56 a=1 link is down", &event).is_empty());
    assert_eq!(
        words_lost(b"link z9 was down 123456", &event),
        ["z9", "was", "123456"]
    );
}

/// What a column says of one event.
type Column = (&'static str, fn(&Value) -> bool);

const COLUMNS: [Column; 5] = [
    ("host", |event| {
        event["device"]["hostname_source"] == "header"
    }),
    ("time", |event| {
        event["time_source"]
            .as_str()
            .is_some_and(|source| source.starts_with("device"))
    }),
    ("code", |event| event["event_code"].is_string()),
    ("message", |event| {
        event["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    }),
    ("fields", |event| {
        event["syslog"]["fields"].is_object() || event["syslog"]["structured_data"].is_object()
    }),
];

#[test]
fn the_table_that_is_shipped_is_that_of_the_cases() {
    let index = index();
    print(&index);
    let (path, text) = (file("packaging/dialects.md"), table(&index));
    if std::env::var_os("UPDATE_DIALECTS").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&path, &text).expect("the table is written");
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = shipped
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        shipped == text,
        "packaging/dialects.md is not what the cases say ({differs:?}); UPDATE_DIALECTS=1 writes it anew"
    );
}

/// Lines of a dialect that give what a column asks for, of its ordinary and odd ones.
fn print(index: &Index) {
    let head = COLUMNS.map(|(name, _)| format!("{name:>10}")).concat();
    println!("\n{:34}{head}", "fixtures");
    for dialect in &index.dialect {
        let cases = dialect.ordinary.iter().chain(&dialect.odd);
        let events: Vec<Value> = cases.map(|case| event(case)).collect();
        let cells = COLUMNS.map(|(_, gives)| {
            let hits = events.iter().filter(|event| gives(event)).count();
            format!("{:>10}", format!("{hits}/{}", events.len()))
        });
        println!("{:34}{}", dialect.name, cells.concat());
    }
}

const HEAD: &str = "# Dialects of syslog

Every message becomes an event, in whatever dialect it is written. These are the dialects that trapline knows by shape (it
is told none, and no port has a dialect), and what it reads out of their lines where they have it:

- **host**: the line itself says who speaks. Without it the inventory, what was learned of the address, reverse DNS, or the
  address.
- **time**: the line's own; a missing year is supplied, a missing zone is the inventory's or the configured one. That one
  also says what a name of several zones means (AST, BST, CST, IST).
- **code**: the vendor's own name for what happened, in `event_code`.
- **message**: the text for people, without header and code.
- **fields**: names and values, in `syslog.fields` or `syslog.structured_data`.

`trapline explain --text '...'` shows it for a line of yours. The lines below are made up, in the shapes that vendors
document; `fixtures/syslog` of the source has them and odd and cut ones of each dialect, with the whole event that each means.
";

/// The table and, behind it, an example of each dialect.
fn table(index: &Index) -> String {
    let mut out = String::from(HEAD);
    out += "\n| dialect | `format` | `vendor`, `os` | host | time | code | message | fields |\n";
    out += "|---|---|---|---|---|---|---|---|\n";
    for dialect in &index.dialect {
        let events: Vec<Value> = dialect.ordinary.iter().map(|case| event(case)).collect();
        let words = |path: fn(&Value) -> &Value| {
            let found: BTreeSet<&str> = events.iter().filter_map(|e| path(e).as_str()).collect();
            found.into_iter().collect::<Vec<_>>().join(", ")
        };
        let formats = words(|event| &event["syslog"]["format"]);
        let vendor = words(|event| &event["device"]["vendor"]);
        let os = words(|event| &event["device"]["os"]);
        let both: Vec<&str> = [vendor.as_str(), &os]
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect();
        // Many devices name themselves only where they are told to: any line that shows it counts.
        let odd: Vec<Value> = dialect.odd.iter().map(|case| event(case)).collect();
        let cells = COLUMNS.map(|(_, gives)| match events.iter().chain(&odd).any(gives) {
            true => " yes |",
            false => " |",
        });
        let _ = writeln!(
            out,
            "| {} | {formats} | {} |{}",
            dialect.name,
            both.join(", "),
            cells.concat()
        );
    }
    out += "\n# One line of each\n";
    for dialect in &index.dialect {
        example(dialect, &mut out);
    }
    out += "\n# Lines of other projects\n\nThe test cases of other projects, read by trapline: right of those for which their owners say what is right. A cell is\n`-` where they do not say. Where a value differs, `tests/corpus` of the source has the reason.\n";
    let mut measured: Vec<PathBuf> = std::fs::read_dir(file("fixtures/measured"))
        .expect("what tests/corpus measured")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    measured.sort();
    for path in measured {
        out.push('\n');
        out += &super::read(&path);
    }
    out
}

/// The first ordinary line, and what is read out of it.
fn example(dialect: &Dialect, out: &mut String) {
    let case = dialect.ordinary.first().expect("a case");
    let bytes = super::packet(&folder(case));
    let line = String::from_utf8_lossy(&bytes);
    let _ = write!(out, "\n## {}\n", dialect.name);
    if let Some(note) = &dialect.note {
        let mut letters = note.chars();
        let first = letters
            .next()
            .map(|letter| letter.to_uppercase().to_string());
        let _ = write!(
            out,
            "\n{}{}.\n",
            first.unwrap_or_default(),
            letters.as_str()
        );
    }
    let _ = write!(out, "\n```\n{line}\n```\n\n");
    let event = event(case);
    let mut said = Vec::new();
    let mut say = |name: &str, value: &Value| match value {
        Value::String(text) => said.push(format!("{name} `{text}`")),
        Value::Number(number) => said.push(format!("{name} {number}")),
        _ => {}
    };
    if COLUMNS[0].1(&event) {
        say("host", &event["device"]["hostname"]);
    }
    if COLUMNS[1].1(&event) {
        say("time", &event["time"]);
    }
    say("code", &event["event_code"]);
    say("app", &event["syslog"]["app_name"]);
    say("sequence", &event["syslog"]["sequence"]);
    say("clock", &event["syslog"]["clock"]);
    if let Some(fields) = event["syslog"]["fields"].as_object() {
        const SHOWN: usize = 4;
        let names: Vec<String> = fields
            .keys()
            .take(SHOWN)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = match fields.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        said.push(format!("fields {}{more}", names.join(", ")));
    }
    let _ = writeln!(out, "{}", said.join("; "));
}
