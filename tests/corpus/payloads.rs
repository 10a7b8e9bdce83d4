//! Payloads from captures: what devices really sent.

use super::{Exception, Exceptions, corpus, event, own_hostname, unframed};

/// By the start of the message behind its PRI. None of these says who sent it.
const NAMELESS: &[Exception] = &[(
    "72: Mar  3 19:57:17.371: %",
    "host",
    "IOS without `logging origin-id`",
)];

/// Payloads without a hostname for which no reason is written yet. Can only fall.
const UNEXPLAINED_MAX: usize = 70;

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
    println!("{} without a reason:\n{}", wrong.len(), wrong.join("\n"));
    assert!(wrong.len() <= UNEXPLAINED_MAX);
    assert!(cases.len() >= 101, "the corpus has been cut short");
}
