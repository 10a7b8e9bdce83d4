//! What is to be typed on devices: each snippet says where it is from, and sends to what trapline listens on by default.
//!
//! ```text
//!  packaging/devices/*.txt ─▶ source, what was not checked, syslog and v3 traps, addresses, ports
//!  packaging/trapline.toml ─▶ the ports of the default listeners ─────────────────────────┘
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Where trapline is in every snippet, from the addresses for documentation (RFC 5737).
const AGENT: &str = "192.0.2.10";

/// A device's own address, where a command wants one.
const DEVICE: &str = "10.0.0.1";

struct Snippet {
    name: String,
    text: String,
}

impl Snippet {
    /// Lines that are commands, without those that stand in comments.
    fn commands(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines();
        lines.filter(|line| !line.starts_with(['!', '#']))
    }

    /// The dashboard's steps and calls are all that Meraki has; elsewhere comments are explanation.
    fn instructions(&self) -> Vec<&str> {
        match self.name.as_str() {
            "meraki" => self.text.lines().collect(),
            _ => self.commands().collect(),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

fn snippets() -> Vec<Snippet> {
    let files = std::fs::read_dir(folder().join("devices")).expect("the folder is there");
    let paths = files.map(|file| file.expect("an entry").path());
    let texts = paths.filter(|path| path.extension().is_some_and(|it| it == "txt"));
    texts
        .map(|path| Snippet {
            name: path.file_stem().expect("a name").display().to_string(),
            text: std::fs::read_to_string(&path).expect("text"),
        })
        .collect()
}

/// Ports of the listeners in the shipped file, which are the defaults.
fn shipped_ports() -> BTreeSet<u16> {
    let text = std::fs::read_to_string(folder().join("trapline.toml")).expect("the shipped file");
    let binds = text.lines().filter(|line| line.contains("bind = \"[::]:"));
    binds
        .filter_map(|line| line.rsplit(':').next()?.trim_end_matches('"').parse().ok())
        .collect()
}

/// Numbers that a command gives as a port.
fn ports(line: &str) -> Vec<u16> {
    let words: Vec<&str> = line.split([' ', '/', '"', ':', ',', '.']).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let names = ["port", "Port", "udp-port", "trap-rport", "udp", "tcp"];
    let is_port = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        before.is_some_and(|word| names.contains(word)) || words.get(at + 1) == Some(&"protocol")
    };
    let numbers = words.iter().enumerate().filter(|&(at, _)| is_port(at));
    numbers.filter_map(|(_, word)| word.parse().ok()).collect()
}

#[test]
fn every_family_has_a_snippet() {
    let found: BTreeSet<String> = snippets().into_iter().map(|it| it.name).collect();
    let asked = [
        "asa",
        "eos",
        "fortios",
        "huawei-vrp",
        "ios",
        "ios-xe",
        "ios-xr",
        "junos",
        "meraki",
        "nx-os",
        "pan-os",
    ];
    assert_eq!(found, asked.map(str::to_owned).into());
}

#[test]
fn every_snippet_names_its_source_and_what_was_not_checked() {
    for Snippet { name, text } in snippets() {
        let head: Vec<&str> = text.lines().take_while(|line| line.len() > 1).collect();
        let head = head.join("\n");
        for word in ["Source: https://", "Checked: ", "Not checked: "] {
            let is_there = head.contains(word);
            assert!(is_there, "{name}: {word:?} is missing in {head}");
        }
    }
}

#[test]
fn every_snippet_sends_syslog_and_authenticated_encrypted_traps() {
    for snippet in snippets() {
        let name = &snippet.name;
        let text = snippet.instructions().join("\n");
        let syslog = ["logging", "syslog", "loghost"];
        assert!(
            syslog.iter().any(|word| text.contains(word)),
            "{name}: no syslog"
        );
        let v3 = ["v3", "V3", "version 3", "auth-priv"];
        assert!(v3.iter().any(|word| text.contains(word)), "{name}: no v3");
        assert!(text.contains("trapline"), "{name}: no user");
        // Huawei asks for the passwords, Meraki has one for both.
        if name != "huawei-vrp" {
            assert!(text.contains("AUTH-PASSWORD"), "{name}: no authentication");
        }
        if name != "huawei-vrp" && name != "meraki" {
            assert!(text.contains("PRIV-PASSWORD"), "{name}: no privacy");
        }
    }
}

#[test]
fn every_snippet_sends_to_one_address_and_to_ports_that_trapline_listens_on() {
    let shipped = shipped_ports();
    assert!(shipped.is_superset(&[162, 514].into()), "{shipped:?}");
    for snippet in snippets() {
        let name = &snippet.name;
        let lines = snippet.instructions();
        let words = lines.iter().flat_map(|line| line.split([' ', '"', ',']));
        let addresses: BTreeSet<&str> = words
            .filter(|word| word.parse::<Ipv4Addr>().is_ok())
            .collect();
        assert!(addresses.contains(AGENT), "{name}: {addresses:?}");
        let known: BTreeSet<&str> = [AGENT, DEVICE].into();
        assert!(addresses.is_subset(&known), "{name}: {addresses:?}");
        let used: BTreeSet<u16> = lines.iter().flat_map(|line| ports(line)).collect();
        assert!(
            used.is_subset(&shipped),
            "{name}: {used:?}, not all of {shipped:?}"
        );
        assert!(!used.contains(&601), "{name}: devices send to 514");
    }
}

#[test]
fn ports_are_read_from_every_form_that_vendors_use() {
    for line in [
        "logging host 192.0.2.10 transport udp port 514",
        "logging host inside 192.0.2.10 udp/514",
        "logging vrf MGMT host 192.0.2.10 514 protocol udp",
        "    set port 514",
        "#     -d '{\"servers\":[{\"host\":\"192.0.2.10\",\"port\":514,\"roles\":[]}]}'",
    ] {
        assert_eq!(ports(line), [514], "{line}");
    }
    assert_eq!(
        ports("logging server 192.0.2.10 6 port 514 use-vrf default"),
        [514]
    );
}
