//! `trapline mib lookup`: an OID or a name → all that the files know of it.
//!
//! ```text
//!  1.3.6.1.2.1.2.2.1.8.2 ──▶ IF-MIB::ifOperStatus.2
//!                              oid     1.3.6.1.2.1.2.2.1.8
//!                              index   ifIndex=2
//!                              values  up(1) down(2) …
//! ```

use std::path::Path;
use std::process::ExitCode;

use super::super::output::{Output, complain, tamed};
use super::Files;
use crate::decode::snmp::Oid;
use crate::mib::format::{Base, Form};
use crate::mib::index::{self, Parts};
use crate::mib::reader::Longest;
use crate::mib::{Node, Set};
use crate::normalize::mib::{self as builtin, Entry};

/// What to look up, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An OID (1.3.6.1.2.1.2.2.1.8.2) or a name (ifOperStatus, IF-MIB::ifOperStatus) in any case, with or without an index
    #[arg(value_name = "OID|NAME", required = true)]
    wanted: Vec<String>,
    #[command(flatten)]
    files: Files,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let set = match arguments.files.open() {
        Ok(set) => set,
        Err(code) => return code,
    };
    let mut output = Output::default();
    let mut all_known = true;
    for wanted in &arguments.wanted {
        let known = look_up(wanted, &set);
        match known {
            Some(text) => write!(output, "{}", text),
            None => {
                all_known = false;
                complain(&format!(
                    "trapline: nothing is known of {wanted:?}; expected an OID like 1.3.6.1.6.3.1.1.5.3, or a name of \
                     the files that `trapline mib ls` shows"
                ));
            }
        }
    }
    let printed = output.end();
    if all_known {
        printed
    } else {
        ExitCode::FAILURE
    }
}

fn look_up(wanted: &str, set: &Set) -> Option<String> {
    if let Some(arcs) = arcs_of(wanted.trim_start_matches('.')) {
        return of_oid(&arcs, set);
    }
    let (name, index) = match wanted.split_once('.') {
        Some((name, index)) => (name, arcs_of(index)?),
        None => (wanted, Vec::new()),
    };
    of_name(name, &index, set, |one, other| one == other)
        .or_else(|| of_name(name, &index, set, str::eq_ignore_ascii_case))
}

/// What bears the name, in the files and else among the built-in names.
fn of_name(
    name: &str,
    index: &[u32],
    set: &Set,
    is_same: fn(&str, &str) -> bool,
) -> Option<String> {
    let (module, short) = match name.split_once("::") {
        Some((module, short)) => (Some(module), short),
        None => (None, name),
    };
    let bears_it = |node: &Node<'_>| {
        let is_of = |module: &str| node.module().is_some_and(|found| is_same(found, module));
        node.name().is_some_and(|found| is_same(found, short)) && module.is_none_or(is_of)
    };
    let mut text = String::new();
    for (path, db) in set.files() {
        for node in db.named().filter(bears_it) {
            let arcs = [node.oid().as_slice(), index].concat();
            let octets = ber(&node.oid())?.len();
            text.push_str(&described(Longest { node, octets }, &ber(&arcs)?, path));
        }
    }
    if text.is_empty() {
        let entry = builtin::entries().find(|entry| {
            is_same(entry.name, name) || module.is_none() && is_same(entry.short_name(), name)
        })?;
        text = described_builtin(entry, index);
    }
    Some(text)
}

fn of_oid(arcs: &[u32], set: &Set) -> Option<String> {
    let oid = ber(arcs)?;
    let entry = builtin::lookup(&oid);
    match (set.longest(&oid), entry) {
        (Some(found), entry) if entry.is_none_or(|entry| entry.ber().len() <= found.octets) => {
            let file = set
                .files()
                .find(|(_, db)| std::ptr::eq(*db, found.node.db()));
            let path = file.map_or(Path::new(""), |(path, _)| path);
            Some(described(found, &oid, path))
        }
        (_, Some(entry)) => {
            let known = entry.oid.split('.').count();
            Some(described_builtin(
                entry,
                arcs.get(known..).unwrap_or_default(),
            ))
        }
        _ => None,
    }
}

fn described(found: Longest<'_>, oid: &[u8], path: &Path) -> String {
    let Longest { node, octets } = found;
    let rest: Vec<String> = Oid(oid)
        .arcs_after(octets)
        .map(|arc| format!(".{arc}"))
        .collect();
    let mut text = format!(
        "{}::{}{}\n",
        node.module().unwrap_or_default(),
        node.name().unwrap_or_default(),
        rest.concat()
    );
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {key:<8} {}\n", tamed(value)));
        }
    };
    line("oid", &dotted(&node.oid()));
    line("kind", node.kind().as_str());
    line("clause", &clause(node));
    let mut parts = Parts::default();
    index::split(node, Oid(oid).arcs_after(octets), &mut parts);
    line("index", &index_text(&parts));
    if let Some(syntax) = node.syntax() {
        line("syntax", base(syntax.base));
        line("hint", syntax.hint().unwrap_or_default());
        let labels: Vec<String> = syntax
            .labels()
            .map(|(value, label)| format!("{label}({value})"))
            .collect();
        line("values", &labels.join(" "));
    }
    line("units", node.units().unwrap_or_default());
    let objects: Vec<&str> = node.objects().collect();
    line("objects", &objects.join(" "));
    line("means", node.description().unwrap_or_default());
    let severity = builtin::exact(oid).and_then(|entry| entry.severity);
    line(
        "severity",
        severity.map_or("", |severity| severity.as_str()),
    );
    line("file", &path.display().to_string());
    text
}

fn described_builtin(entry: &Entry, index: &[u32]) -> String {
    let rest: Vec<String> = index.iter().map(|arc| format!(".{arc}")).collect();
    let mut text = format!(
        "{}{}\n  oid      {}\n",
        entry.name,
        rest.concat(),
        entry.oid
    );
    let labels: Vec<String> = entry
        .labels
        .iter()
        .map(|(value, label)| format!("{label}({value})"))
        .collect();
    if !labels.is_empty() {
        text.push_str(&format!("  values   {}\n", labels.join(" ")));
    }
    if let Some(severity) = entry.severity {
        text.push_str(&format!("  severity {}\n", severity.as_str()));
    }
    text.push_str("  file     built in\n");
    text
}

/// The INDEX clause: `ifIndex`, `vacmGroupName, IMPLIED name`.
fn clause(node: Node<'_>) -> String {
    let parts: Vec<String> = node
        .components()
        .map(|component| match component.form {
            Form::Implied | Form::ImpliedOid => format!("IMPLIED {}", component.name),
            _ => component.name.to_owned(),
        })
        .collect();
    match parts.len() {
        0 => String::new(),
        _ => format!("INDEX {{ {} }}", parts.join(", ")),
    }
}

fn index_text(parts: &Parts) -> String {
    let shown: Vec<String> = parts
        .list
        .iter()
        .map(|part| {
            let label = part
                .label
                .as_ref()
                .map(|label| format!("({})", parts.get(label)));
            let (name, value) = (parts.get(&part.name), parts.get(&part.value));
            format!("{name}={value}{}", label.unwrap_or_default())
        })
        .collect();
    shown.join(" ")
}

fn base(base: Base) -> &'static str {
    match base {
        Base::Unknown => "",
        Base::Integer => "INTEGER",
        Base::OctetString => "OCTET STRING",
        Base::ObjectIdentifier => "OBJECT IDENTIFIER",
        Base::Bits => "BITS",
        Base::IpAddress => "IpAddress",
        Base::Opaque => "Opaque",
    }
}

fn arcs_of(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|arc| arc.parse().ok()).collect()
}

fn dotted(arcs: &[u32]) -> String {
    let arcs: Vec<String> = arcs.iter().map(u32::to_string).collect();
    arcs.join(".")
}

/// The BER content of an OID of at least two arcs (X.690, 8.19).
fn ber(arcs: &[u32]) -> Option<Vec<u8>> {
    let (&[top, second], rest) = arcs.split_first_chunk::<2>()?;
    if top > 2 || top < 2 && second >= 40 {
        return None;
    }
    let mut out = Vec::new();
    let first = u64::from(top) * 40 + u64::from(second);
    for arc in std::iter::once(first).chain(rest.iter().map(|&arc| u64::from(arc))) {
        for digit in (0..5).rev() {
            if digit == 0 || arc >> (7 * digit) != 0 {
                let more = if digit > 0 { 0x80 } else { 0 };
                out.push((arc >> (7 * digit)) as u8 & 0x7f | more);
            }
        }
    }
    Some(out)
}
