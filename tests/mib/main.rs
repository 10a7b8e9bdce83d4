//! Compiled MIB files: what our own modules say, and what net-snmp says of the same OIDs.
//!
//! ```text
//!  fixtures/mibs/*.txt ──compile──▶ Mibdb ──▶ names, indexes, labels      written down here
//!  ../shared/corpus/mibs ──compile──▶ Mibdb ──▶ names, INDEX, labels  ═══ snmptranslate -m ALL of the same folder
//! ```
//!
//! - [`vendors`]: a collection of 112 vendors' modules, compiled whole; a sample of each large vendor's OIDs compared.
//! - [`translate`]: snmptranslate and its answers.
//!
//! The comparisons need net-snmp's snmptranslate and the modules; where one is missing they say so.

mod translate;
mod vendors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trapline::mib::compile::{self, Compiled};
use trapline::mib::format::{self, Base, Kind};
use trapline::mib::{Mibdb, Node};

use translate::{described, dotted, name, translate};

/// Fewer OIDs than this would be no proof.
const COMPARED_MIN: usize = 2000;

/// OIDs that one call of snmptranslate is given.
const BATCH: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compiled(paths: &[PathBuf]) -> (Compiled, Mibdb) {
    let compiled = compile::compile(paths, false).expect("there are modules");
    let octets = format::write(&compiled.definitions, 0).expect("they fit one file");
    let db = Mibdb::from_bytes(&octets).expect("what was written can be read");
    (compiled, db)
}

fn only<'m>(db: &'m Mibdb, name: &'m str) -> Node<'m> {
    let nodes: Vec<Node<'_>> = db.by_name(name).collect();
    assert_eq!(nodes.len(), 1, "{name}");
    nodes[0]
}

fn components(node: Node<'_>) -> Vec<String> {
    node.components()
        .map(|part| format!("{} {:?} {}", part.name, part.form, part.size))
        .collect()
}

#[test]
fn our_own_modules_say_what_they_define() {
    let (_, db) = compiled(&[root().join("fixtures/mibs")]);
    let index = [
        "examplePeerType Integer 0",
        "examplePeer Counted 0",
        "exampleMac Fixed 6",
        "exampleRouter IpAddress 0",
        "exampleName Implied 0",
    ];
    assert_eq!(components(only(&db, "exampleUp")), index);
    assert_eq!(components(only(&db, "exampleLosses")), index, "AUGMENTS");
    let path = [
        "examplePathObject CountedOid 0",
        "examplePathText Fixed 3",
        "examplePathNumber Integer 0",
    ];
    assert_eq!(components(only(&db, "examplePathCost")), path);
    let state = only(&db, "TRAPLINE-EXAMPLE-MIB::exampleState")
        .syntax()
        .expect("a SYNTAX");
    assert_eq!(
        state.labels().collect::<Vec<_>>(),
        [(-1, "onFire"), (1, "ok"), (2, "warm")]
    );
    let faults = only(&db, "exampleFaults").syntax().expect("a SYNTAX");
    assert_eq!((faults.base, faults.label(9)), (Base::Bits, Some("door")));
    let warm = only(&db, "exampleTemperature");
    let hint = warm.syntax().and_then(|syntax| syntax.hint());
    assert_eq!((hint, warm.units()), (Some("d-1"), Some("celsius")));
    let alarm = only(&db, "exampleAlarm");
    assert_eq!(alarm.kind(), Kind::Notification);
    assert_eq!(alarm.description(), Some("Something is too warm"));
    assert_eq!(alarm.objects().count(), 6);
    let old = only(&db, "TRAPLINE-OLD-MIB::oldPortFailed");
    assert_eq!(old.oid(), [1, 3, 6, 1, 4, 1, 32473, 99, 0, 7]);
}

#[test]
fn a_broken_module_is_named_with_file_and_line_and_the_rest_is_kept() {
    let (compiled, db) = compiled(&[root().join("fixtures/mibs")]);
    let lines: Vec<usize> = compiled
        .findings
        .iter()
        .filter(|finding| finding.file.ends_with("fixtures/mibs/BROKEN-MIB.txt"))
        .map(|finding| finding.line)
        .collect();
    assert_eq!(lines, [5, 19, 22], "{:?}", compiled.findings);
    assert_eq!(lines.len(), compiled.findings.len());
    only(&db, "BROKEN-MIB::brokenGood");
    only(&db, "exampleAlarm");
}

#[test]
fn names_indexes_and_labels_are_those_that_net_snmp_reads() {
    let folder = root().join("../shared/corpus/mibs/net-snmp-mibs");
    if !folder.is_dir() {
        return eprintln!("skipped: {} is not there", folder.display());
    }
    if !translate::is_installed() {
        return;
    }
    let (_, db) = compiled(std::slice::from_ref(&folder));
    let nodes: Vec<Node<'_>> = db.named().filter(|node| node.oid().len() > 1).collect();
    let mut differences = BTreeMap::new();
    let (mut names, mut labels, mut indexes) = (0, 0, 0);
    for batch in nodes.chunks(BATCH) {
        let theirs = translate(&[&folder], batch, &[]);
        let details = described(&translate(&[&folder], batch, &["-Td"]));
        assert_eq!(theirs.len(), batch.len(), "one line an OID");
        for (node, their_name) in batch.iter().zip(&theirs) {
            names += 1;
            let (oid, name) = (dotted(node), name(node));
            if name != *their_name {
                differences.insert(oid, format!("{name} is {their_name} there"));
                continue;
            }
            let Some(detail) = details.get(&name) else {
                continue;
            };
            let (ours, listed) = (translate::labels(node), &detail.labels);
            if node.kind().has_values() {
                labels += usize::from(!listed.is_empty());
                if ours != *listed {
                    differences.insert(oid, format!("{name}: labels {ours:?}, there {listed:?}"));
                }
            }
        }
    }
    // A row's INDEX is its columns'.
    let rows: Vec<Node<'_>> = nodes
        .iter()
        .copied()
        .filter(|node| node.kind() == Kind::Row)
        .collect();
    for batch in rows.chunks(BATCH) {
        let details = described(&translate(&[&folder], batch, &["-Td"]));
        for row in batch {
            let name = name(row);
            let Some(clause) = details
                .get(&name)
                .map(|detail| &detail.index)
                .filter(|index| !index.is_empty())
            else {
                continue;
            };
            let oid = row.oid();
            let columns = nodes.iter().filter(|node| {
                node.kind() == Kind::Column
                    && node
                        .oid()
                        .split_last()
                        .is_some_and(|(_, above)| above == oid)
            });
            for column in columns {
                indexes += 1;
                let ours = translate::index(column);
                let theirs = clause;
                if ours != *theirs {
                    differences.insert(
                        dotted(column),
                        format!("{name}: INDEX {ours:?}, there {theirs:?}"),
                    );
                }
            }
        }
    }
    println!(
        "compared with snmptranslate: {names} names, {labels} with labels, {indexes} columns' INDEX clauses, {} differences",
        differences.len()
    );
    assert!(
        names >= COMPARED_MIN && labels > 100 && indexes > 300,
        "{names} {labels} {indexes}"
    );
    let unexplained: Vec<String> = differences
        .iter()
        .filter(|(_, text)| explanation(text).is_none())
        .map(|(oid, text)| format!("{oid}: {text}"))
        .collect();
    assert!(
        unexplained.is_empty(),
        "{} unexplained\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
}

/// Why net-snmp says something else, where it does.
///
/// Two modules may register one OID. We take the one that SMIv2 has; snmptranslate the one that it read last.
fn explanation(text: &str) -> Option<&'static str> {
    let is_of = |ours: &str, theirs: &str| {
        text.strip_prefix(ours)
            .and_then(|rest| rest.split_once(" is "))
            .is_some_and(|(name, other)| other == format!("{theirs}{name} there"))
    };
    if is_of("IP-MIB::", "RFC1213-MIB::") {
        return Some("IP-MIB (RFC 4293) obsoletes these groups of RFC 1213 under the same names");
    }
    if is_of("IPV6-TCP-MIB::", "TCP-MIB::") || is_of("IPV6-UDP-MIB::", "UDP-MIB::") {
        return Some("the group's node is written in both modules, and no object");
    }
    None
}
