#![no_main]
//! A compiled MIB file of a stranger's making, and everything that is asked of one.
//!
//! The first octet says what the others are: a whole file, or changes to one that was written as it must be, each
//! `place 2 │ octet 1`. Either is sealed first: a checksum keeps out damage, not malice.

use std::sync::LazyLock;

use trapline_fuzz::mib::format::{
    self, Base, Component, Convention, Definition, Form, Kind, Syntax,
};
use trapline_fuzz::mib::index::{Parts, inet_address, split};
use trapline_fuzz::mib::reader::{Mibdb, Node};
use trapline_fuzz::mib::{date, hint};

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(whole);

/// BER content of OIDs that lead to something in [`whole`], and below it.
const SOUGHT: [&[u8]; 4] = [
    &[0x2b, 6, 1, 2, 1, 5, 6, 1, 2, 3, 4, 5, 1, 4, 10, 0, 0, 1],
    &[0x2b, 6, 1, 2, 1, 0x9e, 0xc2, 0x20, 1, 0],
    &[0x88, 0x37, 1],
    &[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let (changes, sought) = rest.split_at(rest.len() / 2);
    let mut file = match kind % 2 {
        0 => rest.to_vec(),
        _ => WHOLE.clone(),
    };
    if kind % 2 == 1 {
        for change in changes.chunks_exact(3) {
            let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % file.len();
            file[place] = change[2];
        }
    }
    let _ = Mibdb::from_bytes(&file);
    format::seal(&mut file);
    let Ok(db) = Mibdb::from_bytes(&file) else {
        return;
    };
    let mut parts = Parts::default();
    for oid in SOUGHT.into_iter().chain([sought]) {
        if let Some(found) = db.longest(oid) {
            assert!(found.octets <= oid.len());
            let arcs = oid.get(found.octets..).unwrap_or_default();
            ask(found.node, arcs);
            split(
                found.node,
                arcs.iter().map(|arc| u64::from(*arc)),
                &mut parts,
            );
            for part in &parts.list {
                std::hint::black_box((parts.get(&part.name), parts.get(&part.value)));
            }
            parts.clear();
        }
    }
    db.modules()
        .take(100)
        .for_each(|module| drop(std::hint::black_box(module)));
    db.named().take(100).for_each(|node| ask(node, sought));
    db.by_name("TEST-MIB::column")
        .take(10)
        .for_each(|node| ask(node, sought));
});

fn ask(node: Node<'_>, octets: &[u8]) {
    std::hint::black_box((
        node.name(),
        node.module(),
        node.units(),
        node.description(),
        node.kind(),
    ));
    assert!(node.oid().len() <= 128);
    node.objects()
        .for_each(|object| drop(std::hint::black_box(object)));
    node.components()
        .for_each(|component| drop(std::hint::black_box(component)));
    let mut text = String::new();
    if let Some(syntax) = node.syntax() {
        syntax
            .labels()
            .for_each(|label| drop(std::hint::black_box(label)));
        std::hint::black_box(syntax.label(7));
        if let Some(hint) = syntax.hint() {
            hint::octets(hint, octets, &mut text);
            hint::integer(hint, i64::MIN, &mut text);
        }
    }
    date::rfc3339(octets, &mut text);
    inet_address(octets, Some(2), &mut text);
}

fn whole() -> Vec<u8> {
    let syntax = |hint: &str| Syntax {
        base: Base::OctetString,
        convention: Convention::Other,
        hint: hint.to_owned(),
        labels: vec![(-1, "minus".to_owned()), (7, "seven".to_owned())],
    };
    let component = |name: &str, form, size, hint: &str| Component {
        name: name.to_owned(),
        form,
        size,
        syntax: syntax(hint),
    };
    let definition = |oid: &[u32], name: &str, kind: Kind| Definition {
        oid: oid.to_vec(),
        module: "TEST-MIB".to_owned(),
        name: name.to_owned(),
        kind,
        syntax: kind.has_values().then(|| syntax("1x:")),
        index: vec![
            component("mac", Form::Fixed, 6, "1x:"),
            component("number", Form::Integer, 0, "d-2"),
            component("text", Form::Implied, 0, "255t"),
        ],
        units: "volts".to_owned(),
        objects: vec!["one".to_owned(), "other".to_owned()],
        description: "It fell".to_owned(),
    };
    let definitions = [
        definition(&[1, 3, 6, 1], "internet", Kind::Place),
        definition(&[1, 3, 6, 1, 2, 1, 5], "column", Kind::Column),
        definition(&[1, 3, 6, 1, 2, 1, 500_000, 1], "scalar", Kind::Scalar),
        definition(&[2, 999], "fell", Kind::Notification),
    ];
    format::write(&definitions, 0).unwrap()
}
