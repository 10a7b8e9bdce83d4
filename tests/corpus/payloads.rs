//! Payloads from captures: what devices really sent.

use super::{Exception, Exceptions, corpus, event, own_hostname, unframed};

/// By the start of the message behind its PRI. None of these says who sent it.
const NAMELESS: &[Exception] = &[
    ("854 08/20/2013-19:05:", "host", ARRAY),
    (
        "snmpd[6956]: ",
        "host",
        "a local daemon's line for the host's own syslog: a tag and no header",
    ),
    ("7", "host", "IOS without `logging origin-id`"),
    ("6", "host", "IOS without `logging origin-id`"),
    ("3", "host", "IOS without `logging origin-id`"),
    ("9", "host", "IOS without `logging origin-id`"),
    (
        "2013-09-12T19:16:",
        "host",
        "the name in the header is `localhost`, which names nobody",
    ),
    (
        "1 2021-04-18T14:51:48+04:00 iPhone7,2 ",
        "host",
        "a model with a comma in it is no name of a host",
    ),
    ("Apr  5 12:56:51 robin: ", "host", "a tag and no host"),
    ("X", "host", "one letter behind padding"),
    (
        "This is not really a syslog message",
        "host",
        "no header at all",
    ),
];

const ARRAY: &str = "a storage array's own lines, without any name";

#[test]
fn every_payload_names_its_sender_or_has_a_reason_not_to() {
    let Some(cases) = corpus("pcap-payloads.jsonl") else {
        return;
    };
    let (mut named, mut nameless) = (0, Exceptions::of(NAMELESS));
    let mut wrong = Vec::new();
    for case in &cases {
        let hex = case["hex"]
            .as_str()
            .expect("the corpus gives inputs in hex");
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
        let bytes = unframed(&bytes);
        let event = event(&bytes);
        let input = String::from_utf8_lossy(&bytes).into_owned();
        let body = input
            .split_once('>')
            .map_or(input.as_str(), |(_, body)| body);
        match own_hostname(&event) {
            Some(_) => named += 1,
            None if nameless.covers(body, "host") => {}
            None => wrong.push(input),
        }
    }
    println!(
        "\ncaptures: {} payloads, {named} with a hostname, the others:",
        cases.len()
    );
    nameless.print();
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.len() >= 101, "the corpus has been cut short");
}
