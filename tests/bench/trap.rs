//! The traps that the benchmarks send, numbered. Their names are in compiled MIB files.
//!
//! ```text
//!   sysUpTime (the number) │ snmpTrapOID │ five varbinds
//!
//!   linkWentDown   TRAPLINE-LINK-MIB (`tests/bench/mibs`): what most traps are like: numbers, labels, a name, one index
//!   exampleAlarm   TRAPLINE-EXAMPLE-MIB (`fixtures/mibs`): a number with a hint, a date, and two varbinds of a table
//!                  whose index has five parts (address, MAC address, IpAddress, string)
//! ```

use crate::secured::tlv;

/// exampleAlarm behind sysUpTime, as BER.
const ALARM: &str = "3018060a2b060106030101040100060a2b0601040181fd5900013011060b2b0601040181fd590101000202019b3010060b2b06\
01040181fd590102000201ff301a060b2b0601040181fd59010400040b07ea0b15020e07012b0100302c06222b0601040181fd59\
0105010301040a000001001b21812a813b814c0a0000096574680406001b21aabbcc302706222b0601040181fd59010501060104\
0a000001001b21812a813b814c0a000009657468020102";

/// So that every number has four octets, the first of them no zero.
const NUMBERS_FROM: u32 = 0x1000_0000;

/// 1.3.6.1.4.1.32473.2: the module's own node.
const LINK: [u8; 9] = [0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 2];

/// linkWentDown behind sysUpTime.
pub fn link() -> Vec<u8> {
    let binding = |name: &[u8], value: &[u8]| tlv(0x30, &[&tlv(6, &[name]), value]);
    let column =
        |number, value: &[u8]| binding(&[&LINK[..], &[1, 1, 1, number, 7]].concat(), value);
    [
        binding(
            &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0],
            &tlv(6, &[&LINK, &[0, 1]]),
        ),
        column(1, &[2, 1, 7]),
        column(2, &tlv(4, &[b"GigabitEthernet0/7"])),
        column(3, &[2, 1, 2]),
        column(4, &[2, 1, 2]),
        column(5, &[0x42, 2, 3, 0xe8]),
    ]
    .concat()
}

/// exampleAlarm behind sysUpTime.
pub fn alarm() -> Vec<u8> {
    let digit = |octet: u8| (octet as char).to_digit(16).unwrap_or_default() as u8;
    let pairs = ALARM.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// The SNMPv2-Trap-PDU of what stands behind sysUpTime, with this number.
pub fn pdu(bindings: &[u8], number: u64) -> Vec<u8> {
    let octets = ticks(number);
    let up_time = tlv(
        0x30,
        &[&[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0], &tlv(0x43, &[&octets])],
    );
    let bindings = tlv(0x30, &[&up_time, bindings]);
    tlv(0xa7, &[&tlv(2, &[&octets]), &[2, 1, 0, 2, 1, 0], &bindings])
}

/// The same as a message of version 2c, and where in it the number's octets stand.
pub fn v2c(bindings: &[u8]) -> (Vec<u8>, usize) {
    let message = tlv(
        0x30,
        &[&[2, 1, 1], &tlv(4, &[b"public"]), &pdu(bindings, 0)],
    );
    let up_time = [&[0x43, 4], ticks(0).as_slice()].concat();
    let at = message.windows(6).position(|six| six == up_time);
    (message, at.expect("sysUpTime") + 2)
}

/// What sysUpTime holds for this number.
pub fn ticks(number: u64) -> [u8; 4] {
    let number = u32::try_from(number).expect("a bench sends fewer");
    (NUMBERS_FROM + number).to_be_bytes()
}

/// The number in an event, where it is one of these traps.
pub fn number(payload: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"uptime_ticks\":";
    let at = memchr::memmem::find(payload, KEY)?;
    let digits = payload.get(at + KEY.len()..)?;
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    let ticks = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    ticks.checked_sub(NUMBERS_FROM.into())
}
