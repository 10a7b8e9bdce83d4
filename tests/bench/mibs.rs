//! What a compiled file of 20 MB of MIB modules costs: memory that stays resident, and time and allocations an OID.
//!
//! ```text
//!  the archive's rfc folder ──compile──▶ set.mibdb ──open──▶ every object's OID looked up    Rss of the mapping before, after
//! ```

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use trapline::decode::snmp::Oid;
use trapline::mib::Mibdb;
use trapline::mib::compile::compile;
use trapline::mib::format::{self, Definition};
use trapline::mib::index::{self, Parts};

use super::{ALLOCATIONS, thread_cpu};

const ROUNDS: usize = 5;

/// Prints it, or that the archive with modules is not there.
pub fn measure() {
    let archive =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/mibs/netdisco-mibs.tar.xz");
    if !archive.is_file() {
        return println!(
            "  a compiled MIB file: skipped, {} is not there",
            archive.display()
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tar = Command::new("tar");
    tar.arg("-xJf")
        .arg(&archive)
        .arg("-C")
        .arg(folder.path())
        .arg("./rfc");
    assert!(tar.status().expect("tar runs").success());
    let compiled = compile(&[folder.path().join("rfc")], false).expect("there are modules");
    let octets = format::write(&compiled.definitions, 0).expect("they fit one file");
    let path = folder.path().join("set.mibdb");
    fs::write(&path, &octets).expect("own folder");

    let oids: Vec<Vec<u8>> = compiled.definitions.iter().filter_map(instance).collect();
    let db = Mibdb::open(&path).expect("what was written is whole");
    let opened = resident();
    let mut parts = Parts::default();
    let (first, _) = look_up_all(&db, &oids, &mut parts);
    let rounds = (0..ROUNDS).map(|_| look_up_all(&db, &oids, &mut parts));
    let (best, allocations) = rounds.fold((f64::MAX, 0), |(best, sum), (ns, allocations)| {
        (best.min(ns), sum + allocations)
    });
    println!(
        "  a compiled MIB file: {} KiB of {} KiB in {} modules; resident {} KiB when opened, {} KiB when all of it was \
         looked up; {first:.0} ns an OID at first, then {best:.0} ns and {:.3} allocations ({} OIDs: name, value's \
         label, index)",
        octets.len().div_ceil(1024),
        compiled.bytes.div_ceil(1024),
        compiled.modules,
        opened,
        resident(),
        allocations as f64 / (ROUNDS * oids.len()) as f64,
        oids.len()
    );
}

/// The BER content of an object's first instance (X.690, 8.19): all are below 1.3.
fn instance(definition: &Definition) -> Option<Vec<u8>> {
    definition.syntax.as_ref()?;
    let mut out = vec![0x2b];
    for arc in definition.oid.iter().skip(2).copied().chain([1]) {
        let digits = (0..5).rev().map(|place| (arc >> (7 * place)) as u8 & 0x7f);
        let digits: Vec<u8> = digits.skip_while(|digit| *digit == 0).collect();
        let (last, more) = digits.split_last().unwrap_or((&0, &[]));
        out.extend(more.iter().map(|digit| digit | 0x80));
        out.push(*last);
    }
    Some(out)
}

/// Time an OID, and allocations in all.
fn look_up_all(db: &Mibdb, oids: &[Vec<u8>], parts: &mut Parts) -> (f64, u64) {
    let before = (thread_cpu(), ALLOCATIONS.load(Ordering::Relaxed));
    for oid in oids {
        let found = db.longest(black_box(oid)).expect("each is of this file");
        black_box((found.node.module(), found.node.name()));
        black_box(found.node.syntax().and_then(|syntax| syntax.label(1)));
        parts.clear();
        index::split(found.node, Oid(oid).arcs_after(found.octets), parts);
        black_box(&parts.list);
    }
    let time = thread_cpu() - before.0;
    (
        time.as_nanos() as f64 / oids.len() as f64,
        ALLOCATIONS.load(Ordering::Relaxed) - before.1,
    )
}

/// KiB of mapped files without a name that are in memory: the open MIB file, and nothing else here.
fn resident() -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").expect("Linux");
    let mut is_ours = false;
    let mut sum = 0;
    for line in maps.lines() {
        if let Some(size) = line.strip_prefix("Rss:") {
            let size = size.trim().trim_end_matches(" kB");
            sum += size.trim().parse::<u64>().unwrap_or(0) * u64::from(is_ours);
        } else if line
            .split_once(' ')
            .is_some_and(|(range, _)| range.contains('-'))
        {
            is_ours = line.ends_with("(deleted)");
        }
    }
    sum
}
