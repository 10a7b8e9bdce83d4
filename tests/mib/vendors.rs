//! A collection of 112 vendors' modules: all of it compiles, and net-snmp reads the same out of what we sample.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trapline::mib::format::Kind;
use trapline::mib::{Mibdb, Node};

use super::translate::{self, Detail, described, dotted, index, labels, name, translate};
use super::{compiled, root};

/// The vendors that are compared, and what their modules import from.
const VENDORS: [&str; 10] = [
    "cisco", "juniper", "huawei", "fortinet", "arista", "hp", "paloalto", "f5", "mikrotik", "apc",
];
const COMMON: [&str; 2] = ["rfc", "net-snmp"];

/// OIDs of each vendor, evenly out of all that only its modules define.
const SAMPLE: usize = 300;

/// Fewer than these would be no proof.
const COMPARED_MIN: usize = 2000;
const MODULES_MIN: usize = 4600;

/// What one vendor's comparison found.
#[derive(Default)]
struct Comparison {
    names: usize,
    labels: usize,
    indexes: usize,
    /// Explained by [`is_same_name_of_another_module`].
    registered_twice: usize,
    unexplained: Vec<String>,
}

#[test]
fn a_whole_collection_compiles_and_net_snmp_reads_the_same_names_indexes_and_labels() {
    let archive = root().join("../shared/corpus/mibs/netdisco-mibs.tar.xz");
    if !archive.is_file() {
        return eprintln!("skipped: {} is not there", archive.display());
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tar = Command::new("tar");
    tar.arg("-xJf").arg(&archive).arg("-C").arg(folder.path());
    assert!(tar.status().expect("tar runs").success());

    let (compiled, db) = compiled(&[folder.path().to_owned()]);
    let bad: BTreeSet<&str> = compiled
        .findings
        .iter()
        .map(|finding| finding.file.as_str())
        .collect();
    println!(
        "{} of {} files are modules, {} definitions; {} errors in {} files, each with its line",
        compiled.modules,
        compiled.files,
        compiled.definitions.len(),
        compiled.findings.len(),
        bad.len()
    );
    assert!(compiled.modules >= MODULES_MIN, "{}", compiled.modules);
    for finding in &compiled.findings {
        assert!(finding.line > 0, "no line: {finding}");
    }
    for file in bad {
        assert!(Path::new(file).is_file(), "no file: {file}");
    }
    if translate::is_installed() {
        compare_all(folder.path(), &db);
    }
}

fn compare_all(folder: &Path, db: &Mibdb) {
    let folders = folders_of_modules(folder);
    let mut sum = Comparison::default();
    let of_vendor = |vendor: &'static str| {
        let nodes = sample(db, |module| {
            folders.get(module).map(String::as_str) == Some(vendor)
        });
        (vendor, compare(folder, vendor, &nodes))
    };
    // snmptranslate reads all modules again at each call: two at a time.
    let (one, other) = VENDORS.split_at(VENDORS.len() / 2);
    let found: Vec<(&str, Comparison)> = std::thread::scope(|scope| {
        let other = scope.spawn(|| other.iter().map(|vendor| of_vendor(vendor)).collect());
        let mut found: Vec<_> = one.iter().map(|vendor| of_vendor(vendor)).collect();
        let other: Vec<_> = other.join().expect("no panic");
        found.extend(other);
        found
    });
    for (vendor, found) in found {
        println!(
            "{vendor}: {} names, {} with labels, {} columns' INDEX clauses, {} registered twice",
            found.names, found.labels, found.indexes, found.registered_twice
        );
        sum.names += found.names;
        sum.labels += found.labels;
        sum.indexes += found.indexes;
        sum.registered_twice += found.registered_twice;
        sum.unexplained.extend(found.unexplained);
    }
    println!(
        "compared with snmptranslate: {} names, {} with labels, {} columns' INDEX clauses; {} explained, {} not",
        sum.names,
        sum.labels,
        sum.indexes,
        sum.registered_twice,
        sum.unexplained.len()
    );
    assert!(
        sum.names >= COMPARED_MIN && sum.labels > 100 && sum.indexes > 500,
        "{} {} {}",
        sum.names,
        sum.labels,
        sum.indexes
    );
    assert!(sum.unexplained.is_empty(), "{}", sum.unexplained.join("\n"));
}

/// Which folder a module stands in; modules that stand in several are left out, since their versions differ.
fn folders_of_modules(folder: &Path) -> HashMap<String, String> {
    let mut found: HashMap<String, Option<String>> = HashMap::new();
    for vendor in entries(folder) {
        let of_vendor = vendor.file_name().unwrap_or_default().to_string_lossy();
        for file in entries(&vendor) {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            for (at, _) in text.match_indices("DEFINITIONS") {
                let Some(module) = text[..at].split_whitespace().next_back() else {
                    continue;
                };
                let place = found
                    .entry(module.to_owned())
                    .or_insert_with(|| Some(of_vendor.clone().into_owned()));
                if place.as_deref() != Some(&of_vendor) {
                    *place = None;
                }
            }
        }
    }
    let only = found.into_iter();
    only.filter_map(|(module, folder)| Some((module, folder?)))
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
    entries.collect()
}

/// Evenly out of all nodes of these modules.
fn sample(db: &Mibdb, is_wanted: impl Fn(&str) -> bool) -> Vec<Node<'_>> {
    let nodes: Vec<Node<'_>> = db
        .named()
        .filter(|node| node.module().is_some_and(&is_wanted))
        .collect();
    let step = nodes.len().div_ceil(SAMPLE).max(1);
    nodes.into_iter().step_by(step).collect()
}

fn compare(folder: &Path, vendor: &str, nodes: &[Node<'_>]) -> Comparison {
    let own = folder.join(vendor);
    let common = COMMON.map(|name| folder.join(name));
    let folders = [own.as_path(), &common[0], &common[1]];
    let names = translate(&folders, nodes, &[]);
    assert_eq!(names.len(), nodes.len(), "one line an OID");
    // A column's INDEX stands at its row.
    let rows: Vec<Option<Node<'_>>> = nodes.iter().map(|node| row(node)).collect();
    let asked: Vec<Node<'_>> = nodes
        .iter()
        .copied()
        .chain(rows.iter().flatten().copied())
        .collect();
    let details = described(&translate(&folders, &asked, &["-Td"]));

    let mut found = Comparison::default();
    for ((node, theirs), row) in nodes.iter().zip(&names).zip(&rows) {
        found.names += 1;
        if name(node) != *theirs {
            if is_same_name_of_another_module(node, theirs) {
                found.registered_twice += 1;
            } else {
                let (oid, name) = (dotted(node), name(node));
                found
                    .unexplained
                    .push(format!("{oid}: {name} is {theirs} there"));
            }
            continue;
        }
        if let Some(detail) = details.get(theirs).filter(|_| node.kind().has_values()) {
            found.compare_labels(node, detail);
        }
        let of_row = row.as_ref().and_then(|row| details.get(&name(row)));
        if let Some(detail) = of_row.filter(|detail| !detail.index.is_empty()) {
            found.compare_index(node, detail);
        }
    }
    found
}

/// Two modules may register one OID, and in all cases here under one name: with OBJECT IDENTIFIER in one and
/// MODULE-IDENTITY in the other. Which of the modules is named is a choice; we take MODULE-IDENTITY's.
fn is_same_name_of_another_module(node: &Node<'_>, theirs: &str) -> bool {
    let their_name = theirs.split_once("::").map(|(_, name)| name);
    node.kind() == Kind::Place && their_name.is_some() && their_name == node.name()
}

/// The row that a column stands in.
fn row<'m>(node: &Node<'m>) -> Option<Node<'m>> {
    let oid = node.oid();
    let (_, above) = oid.split_last()?;
    let is_column = node.kind() == Kind::Column;
    let above = is_column.then(|| node.db().longest(&ber(above)))??;
    Some(above.node).filter(|row| row.kind() == Kind::Row)
}

/// BER content of an OID below 1.3 (X.690, 8.19).
fn ber(arcs: &[u32]) -> Vec<u8> {
    let mut out = vec![0x2b];
    for &arc in arcs.iter().skip(2) {
        let digits = (0..5).rev().map(|place| (arc >> (7 * place)) as u8 & 0x7f);
        let digits: Vec<u8> = digits.skip_while(|digit| *digit == 0).collect();
        let (last, more) = digits.split_last().unwrap_or((&0, &[]));
        out.extend(more.iter().map(|digit| digit | 0x80));
        out.push(*last);
    }
    out
}

impl Comparison {
    fn compare_labels(&mut self, node: &Node<'_>, detail: &Detail) {
        let ours = labels(node);
        self.labels += usize::from(!detail.labels.is_empty());
        if ours != detail.labels {
            let text = format!("{}: labels {ours:?}, there {:?}", name(node), detail.labels);
            self.unexplained.push(text);
        }
    }

    fn compare_index(&mut self, node: &Node<'_>, detail: &Detail) {
        let ours = index(node);
        self.indexes += 1;
        if ours != detail.index {
            let text = format!("{}: INDEX {ours:?}, there {:?}", name(node), detail.index);
            self.unexplained.push(text);
        }
    }
}
