//! Claims about a compiled file: it says what was written, and no octets of it can do harm.

use proptest::prelude::*;

use super::*;
use crate::mib::format::{self, Base, Convention, Definition, Form, Kind};

/// The BER content of some arcs.
fn ber(arcs: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    let first = arcs.first().copied().unwrap_or(0) * 40;
    let second = arcs.get(1).copied().unwrap_or(0);
    let rest = arcs.iter().skip(2).copied();
    for arc in std::iter::once(u64::from(first) + u64::from(second)).chain(rest.map(u64::from)) {
        for digit in (0..5).rev() {
            if digit == 0 || arc >> (7 * digit) != 0 {
                let more = if digit > 0 { 0x80 } else { 0 };
                out.push((arc >> (7 * digit)) as u8 & 0x7f | more);
            }
        }
    }
    out
}

fn definition(oid: &[u32], name: &str, kind: Kind) -> Definition {
    let syntax = format::Syntax {
        base: Base::Integer,
        convention: Convention::Other,
        hint: "d-1".to_owned(),
        labels: vec![
            (7, "seven".to_owned()),
            (-1, "minus".to_owned()),
            (2, "two".to_owned()),
        ],
    };
    Definition {
        oid: oid.to_vec(),
        module: "TEST-MIB".to_owned(),
        name: name.to_owned(),
        kind,
        index: vec![format::Component {
            name: "index".to_owned(),
            form: Form::Fixed,
            size: 6,
            syntax: syntax.clone(),
        }],
        syntax: kind.has_values().then_some(syntax),
        units: "volts".to_owned(),
        objects: vec!["one".to_owned(), "other".to_owned()],
        description: "It fell".to_owned(),
    }
}

fn sample() -> Vec<u8> {
    let definitions = [
        definition(&[1, 3, 6, 1], "internet", Kind::Place),
        definition(&[1, 3, 6, 1, 2, 1, 5], "column", Kind::Column),
        definition(&[1, 3, 6, 1, 2, 1, 5], "second name", Kind::Column),
        definition(&[1, 3, 6, 1, 2, 1, 500_000, 1], "scalar", Kind::Scalar),
        definition(&[2, 999], "fell", Kind::Notification),
        definition(&[0], "itu", Kind::Place),
    ];
    format::write(&definitions, 1_795_227_247).unwrap()
}

#[test]
fn what_was_written_is_what_is_read() {
    let db = Mibdb::from_bytes(&sample()).unwrap();
    assert_eq!(db.made(), 1_795_227_247);
    assert_eq!(db.modules().collect::<Vec<_>>(), [("TEST-MIB", 5)]);
    let found = db.longest(&ber(&[1, 3, 6, 1, 2, 1, 5, 77, 300])).unwrap();
    assert_eq!(
        (found.octets, found.node.name(), found.node.kind()),
        (6, Some("column"), Kind::Column)
    );
    assert_eq!(found.node.oid(), [1, 3, 6, 1, 2, 1, 5]);
    assert_eq!(found.node.module(), Some("TEST-MIB"));
    assert_eq!(found.node.units(), Some("volts"));
    let syntax = found.node.syntax().unwrap();
    assert_eq!((syntax.base, syntax.hint()), (Base::Integer, Some("d-1")));
    for (value, label) in [
        (7, Some("seven")),
        (-1, Some("minus")),
        (2, Some("two")),
        (3, None),
    ] {
        assert_eq!(syntax.label(value), label);
    }
    assert_eq!(syntax.label(1 << 32), None);
    let component = found.node.components().next().unwrap();
    assert_eq!(
        (component.name, component.form, component.size),
        ("index", Form::Fixed, 6)
    );
    let fell = db.longest(&ber(&[2, 999])).unwrap().node;
    assert_eq!(fell.description(), Some("It fell"));
    assert_eq!(fell.objects().collect::<Vec<_>>(), ["one", "other"]);
    assert_eq!(fell.oid(), [2, 999]);
    let large = db
        .longest(&ber(&[1, 3, 6, 1, 2, 1, 500_000, 1, 0]))
        .unwrap();
    assert_eq!(large.node.name(), Some("scalar"));
    // What is between has no name, so the one above it counts.
    let between = db.longest(&ber(&[1, 3, 6, 1, 2, 1])).unwrap();
    assert_eq!((between.node.name(), between.octets), (Some("internet"), 3));
    assert_eq!(db.by_name("TEST-MIB::scalar").count(), 1);
    assert_eq!(db.by_name("OTHER-MIB::scalar").count(), 0);
    for nothing in [&[][..], &[0x80], &[0xff; 40]] {
        assert!(db.longest(nothing).is_none());
    }
}

#[test]
fn a_file_that_is_not_whole_is_refused_in_words() {
    let whole = sample();
    let fault = |bytes: &[u8]| Mibdb::from_bytes(bytes).unwrap_err();
    assert_eq!(fault(b""), Fault::NotAMibdb);
    assert_eq!(fault(b"# MIB files\n"), Fault::NotAMibdb);
    assert!(matches!(
        fault(&whole[..whole.len() - 1]),
        Fault::Length { .. }
    ));
    assert!(matches!(
        fault(&[&whole[..], b"x"].concat()),
        Fault::Length { .. }
    ));
    let mut later = whole.clone();
    later[8] = 9;
    assert_eq!(fault(&later), Fault::Version { found: 9 });
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("set.mibdb");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let error = Mibdb::open(&pipe).unwrap_err().to_string();
    assert!(error.contains("name a regular file"), "{error}");
}

#[test]
fn a_flip_of_any_octet_is_found() {
    let whole = sample();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert!(Mibdb::from_bytes(&damaged).is_err(), "octet {at}");
    }
}

#[test]
fn a_flip_of_any_octet_under_a_right_checksum_does_no_harm() {
    let whole = sample();
    for at in CHECKED_FROM..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut hostile = whole.clone();
            hostile[at] ^= change;
            use_everything(&mut hostile);
        }
    }
}

proptest! {
    #[test]
    fn along_the_way_to_any_other_oid_is_found_what_is_found_from_the_root(
        picks in prop::collection::vec((0..6_usize, 0..14_usize, prop::collection::vec(any::<u8>(), 0..4)), 1..40),
    ) {
        let db = Mibdb::from_bytes(&sample()).unwrap();
        let known = [
            ber(&[1, 3, 6, 1, 2, 1, 5, 7]),
            ber(&[1, 3, 6, 1, 2, 1, 500_000, 1, 0]),
            ber(&[2, 999, 1]),
            ber(&[1, 3, 6, 1, 4, 1, 9]),
            vec![0x2b, 6, 1, 2, 1, 0x80, 0x80, 5, 1],
            [&[0x2b, 6, 1][..], &[0x80; 700], &[2, 1, 5, 1]].concat(),
        ];
        let mut trail = Trail::default();
        for (which, keep, more) in picks {
            let known = &known[which];
            let oid = [&known[..keep.min(known.len())], &more].concat();
            for oid in [&oid, known] {
                let seen = |found: Option<Longest<'_>>| found.map(|it| (it.node.number, it.octets));
                prop_assert_eq!(seen(db.longest_along(oid, &mut trail)), seen(db.longest(oid)));
            }
        }
    }
}

/// Seals the octets and asks all that can be asked of them.
fn use_everything(octets: &mut [u8]) {
    format::seal(octets);
    let Ok(db) = Mibdb::from_bytes(octets) else {
        return;
    };
    let mut parts = crate::mib::index::Parts::default();
    for oid in [
        &[1, 3, 6, 1, 2, 1, 5, 6, 1, 2, 3, 4, 5][..],
        &[2, 999, 1],
        &[1, 3, 6, 1, 2, 1, 500_000, 1, 0],
    ] {
        let oid = ber(oid);
        if let Some(found) = db.longest(&oid) {
            ask(found.node);
            parts.clear();
            crate::mib::index::split(found.node, [1, 2, 3, 4, 5, 6].into_iter(), &mut parts);
        }
    }
    db.modules().take(100).for_each(drop);
    db.named().take(100).for_each(ask);
}

fn ask(node: Node<'_>) {
    let _ = (node.name(), node.module(), node.units(), node.description());
    assert!(node.oid().len() <= ARCS_MAX);
    node.objects().for_each(drop);
    node.components().for_each(drop);
    if let Some(syntax) = node.syntax() {
        let _ = (syntax.label(7), syntax.hint());
        syntax.labels().for_each(drop);
    }
}

#[test]
fn a_file_is_opened_from_the_disk_and_stays_readable_when_it_is_cut_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.mibdb");
    std::fs::write(&path, sample()).unwrap();
    let opened = [
        Mibdb::open(&path).unwrap(),
        Mibdb::copied(&path, Copy::memory).unwrap(),
    ];
    std::fs::File::create(&path).unwrap();
    for db in opened {
        assert_eq!(
            db.longest(&ber(&[2, 999])).unwrap().node.name(),
            Some("fell")
        );
        assert_eq!(db.bytes(), sample().len());
    }
    let error = Mibdb::open(&path).unwrap_err().to_string();
    assert!(error.contains("no compiled MIB file"), "{error}");
    let error = Mibdb::open(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read"), "{error}");
}

fn tree() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let arc = prop_oneof![8 => 0_u32..6, 1 => 120_u32..140, 1 => any::<u32>()];
    let oid = (0_u32..3, 0_u32..40, prop::collection::vec(arc, 0..6))
        .prop_map(|(top, second, rest)| [vec![top, second], rest].concat());
    prop::collection::vec(oid, 1..60)
}

proptest! {
    #[test]
    fn a_lookup_finds_what_a_search_of_all_definitions_finds(oids in tree(), sought in tree()) {
        let definitions: Vec<Definition> = oids
            .iter()
            .map(|oid| definition(oid, &format!("n{oid:?}"), Kind::Scalar))
            .collect();
        let db = Mibdb::from_bytes(&format::write(&definitions, 0).unwrap()).unwrap();
        for oid in oids.iter().chain(&sought) {
            let slow = oids.iter().filter(|known| oid.starts_with(known)).max_by_key(|known| known.len());
            let fast = db.longest(&ber(oid));
            prop_assert_eq!(fast.map(|found| found.node.oid()), slow.cloned());
            prop_assert_eq!(fast.map(|found| found.octets), slow.map(|known| ber(known).len()));
        }
    }

    #[test]
    fn any_octets_are_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        oid in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut octets = sample();
        for (at, octet) in changes {
            let at = CHECKED_FROM + at.index(octets.len() - CHECKED_FROM);
            octets[at] = octet;
        }
        use_everything(&mut octets);
        if let Ok(db) = Mibdb::from_bytes(&octets) {
            db.longest(&oid);
        }
    }
}
