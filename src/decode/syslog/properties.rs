//! What holds for every reader, whatever the bytes: it ends, it borrows, and it takes linear time.

use proptest::prelude::*;

use super::{Message, read};
use crate::decode::reader::steps_of;

/// Pieces of every dialect, so that any of them is tried on anything.
const PIECES: &[&str] = &[
    "<34>",
    "1 ",
    "- ",
    "2003-10-11T22:14:15.003Z ",
    "Oct 11 22:14:15 ",
    "Oct 11 2026 10:14:15 PM.003 UTC ",
    "2018-7-23 01:00:34.270.1 ",
    "1784118896.774 ",
    "*Mar  1 18:48:50.483 UTC: ",
    "host ",
    "app[12]: ",
    "Ebra: ",
    "rpd[1]: ",
    "TMNX: ",
    "[a b=\"c\\]\"]",
    "[junos@2636.1 a=\"b\"]",
    "[",
    "]",
    "%SYS-5-CONFIG_I: ",
    "#DOT1X-3-X: ",
    "*task: ",
    "%%01IFNET/4/X(l)[3]:",
    "123: ",
    "247 Base A-B-c-1 [x]: ",
    ": ",
    ":",
    " ",
    "RP/0/RSP0/CPU0:",
    "CEF:0|",
    "LEEF:1.0|",
    "LEEF:2.0|a|b|c|d|^|",
    "|",
    "a=b ",
    "a=\"b\\\"c\" ",
    "a='b",
    "a=b,",
    "\\",
    "=",
    "\"",
    "\t",
    "date=2026-07-15 time=12:34:56 devid=FG1 logid=1 ",
    "CISE_X 1 2 0 ",
    "NetScreen device_id=1 [R]x: ",
    "Message forwarded from ",
    "[ID 1 auth.info] ",
    "user.info ",
    "%[ a =b]",
    "UC_A-5-B",
    "<ios-log-msg><time>*",
    "fpc1 ",
    "1,2026/07/15 12:34:56,1,SYSTEM,a,",
    "1,2026/07/15 12:34:56,1,TRAFFIC,end,",
    "time=1784118896|loguid=1|",
    "CheckPoint 1 - [a:\"b\"; ",
    "device=\"SFW\" log_id=1 ",
    "id=f sn=1 m=1 ",
    "2026:07:15-12:34:56 ",
    "07/15/2026:12:34:56 GMT h 0-PPE-0 : ",
    "default A B 1 0 :  ",
    "<124198> <ERRS> ",
    "Event|1|LOG_X|a|b|",
    "00077 ports: ",
    "info tmm[1]: 01070638:5: ",
    "<Info:a.b> ",
    "CP1 [x] 0x00000001 ",
    "(OS10) %A: ",
    "%STKUNIT0-M:CP ",
    "raslogd: 2026/07/15-12:34:56, [A-1], ",
    "a,18e8294876c3,v4 ",
    "[Originator@6876 ",
    "cpu1:2)",
    "vobd: [esx.a]",
    "[local] Sev:1 a(1): ",
    "system,info ",
    "httpd: 2026-07-15 12:34:56.789Z [a]: ",
    "1784118896.789 BLOCK_A_1-a-b-c-d-e-f",
    "src=1 logType=WF ",
    "\"\"",
    ",",
    "\u{feff}",
    "last message repeated 2 times",
    "%FTD-1-430003: ",
    ", A: b",
    "INFO bgp#a[1]: ",
    "Stp: 12: ",
    "%$ VDC-1 %$ ",
    "[syslog@9 s_id=\"a\" s_sn=\"5\"]: ",
    "2001:db8::5: ",
    "%LINK-W-Down: ",
    "%Viptela-a-b-6-INFO-1: ",
    "(FPC Slot 1) ",
    "h/r ",
    "Type: a, State: b, Event: ",
    "Wed Jul 15 12:34:56 2026 Info: ",
    "Begin Logfile",
    "é",
    "%",
    "<",
    ">",
    "\0",
    "\n",
];

fn pieces(most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..most)
        .prop_map(|pieces| pieces.concat())
}

/// Whether `part` is a part of `whole`'s own bytes. An empty one may lie anywhere.
fn lies_in(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || whole.start <= part.start && part.end <= whole.end
}

fn borrowed<'a>(message: &Message<'a>) -> Vec<&'a [u8]> {
    let zone = message.time.and_then(|time| time.zone);
    let mut parts: Vec<&[u8]> = [
        message.hostname,
        message.app_name,
        message.proc_id,
        message.msg_id,
        message.event_code,
        zone,
        Some(message.text),
    ]
    .into_iter()
    .flatten()
    .collect();
    let fields = message.fields.iter().flat_map(|fields| fields.iter());
    parts.extend(fields.map(|field| field.value.bytes));
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_read_is_a_part_of_the_packet_and_can_be_written(text in pieces(14)) {
        let message = read(text.as_bytes());
        for part in borrowed(&message) {
            prop_assert!(lies_in(text.as_bytes(), part), "{:?} of {message:?}", part);
        }
        if let Some(fields) = message.fields {
            let written: serde_json::Value = serde_json::to_value(fields).unwrap();
            prop_assert_eq!(written.as_object().unwrap().len(), fields.iter().count());
            prop_assert!(fields.iter().all(|field| !field.name.is_empty()));
        }
    }

    #[test]
    fn any_bytes_behind_any_start_are_survived(start in pieces(5), bytes: Vec<u8>) {
        let packet = [start.as_bytes(), &bytes].concat();
        let message = read(&packet);
        for part in borrowed(&message) {
            prop_assert!(lies_in(&packet, part));
        }
    }
}

proptest! {
    #[test]
    fn what_was_read_before_changes_nothing(before in pieces(14), text in pieces(14)) {
        let alone = format!("{:?}", read(text.as_bytes()));
        _ = read(before.as_bytes());
        prop_assert_eq!(alone, format!("{:?}", read(text.as_bytes())));
    }
}

/// Twice the bytes may take twice the steps, and a few for the start: nobody can make a reader slow by what he sends.
#[test]
fn no_reader_takes_more_than_linear_time() {
    let starts = [
        "<34>",
        "<34>Oct 11 22:14:15 h ",
        "<34>Oct 11 22:14:15 h app[1]: ",
        "<34>1 - h a p m ",
        "<34>38: ",
        "<34>Oct 11 22:14:15 h 38: ",
        "<34>CEF:0|a|b|c|d|e|f|",
        "<34>CEF:0|a|b|c|d|e|f|x=",
        "<34>LEEF:1.0|a|b|c|d|",
        "<34>date=2026-07-15 devid=F logid=1 ",
        "<34>Oct 11 22:14:15 h CISE_X 1 2 0 ",
        "<34>1: Oct 11 22:14:15: %UC_A-5-B: %",
        "<34>1 1784118896.774 m t ",
        "<34>1,2026/07/15 12:34:56,1,TRAFFIC,end,",
        "<34>1,2026/07/15 12:34:56,1,SYSTEM,a,0,2026/07/15 12:34:56,,e,,0,0,m,high,\"",
        "time=1784118896|loguid=1|",
        "<34>1 - h CheckPoint 1 - [a:\"",
        "<34>src=1 logType=WF ",
        "<34>Oct 11 22:14:15 h vobd: ",
        "<34>07/15/2026:12:34:56 GMT h 0-PPE-0 : ",
        "<34>2026-07-15T12:34:56Z h : %FTD-1-430003: a: ",
        "<34>Oct 11 22:14:15 h Wed Jul 15 12:34:56 2026 Info: ",
        "<34>Oct 11 22:14:15 h/r",
        "<34>Oct 11 22:14:15 h (FPC Slot ",
    ];
    let repeats = PIECES.iter().copied().chain([
        "a", "a ", "=a", "a=", " a/=", "\\=", "\\\"", "[a]", "[a=b]", "a,", "{", "(", "::", ".-_",
        ", a: ", "a_2=", "/h", "h@", ", a: ", "a_2=", "/h", "h@",
    ]);
    for repeated in repeats {
        for start in starts {
            let steps = |times: usize| {
                let text = [start, &repeated.repeat(times)].concat();
                // syslog_loose is the only reader that is not ours; it is asked last, and does not count here.
                steps_of(|| {
                    let message = read(text.as_bytes());
                    if let Some(fields) = message.fields {
                        serde_json::to_writer(std::io::sink(), &fields).unwrap();
                    }
                })
            };
            let (once, twice) = (steps(250), steps(500));
            assert!(
                twice <= once * 2 + once / 8 + 1000,
                "{start} and {repeated:?}: {once} steps, {twice} for twice the bytes"
            );
        }
    }
}
