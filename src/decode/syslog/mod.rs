//! Syslog in any dialect.
//!
//! ```text
//!  bytes ─▶ trailer off ─▶ PRI off ─▶ rfc5424 ▷ cisco ▷ ... ▷ rfc3164 ▷ (unknown) ─▶ Message ─▶ cef ▷ ... ▷ key_value ▷ loose
//!                                     └ HEADERS: the first with evidence reads ┘   relay?       └ BODIES: refine ┘
//! ```
//!
//! A message is read in two steps, because vendors put their own text behind everybody's headers. A *header* reader
//! takes what stands in front of the text; a *body* reader looks at [`Message::text`] (and at the header, if it
//! likes), and adds vendor, event code, fields, or a better host name. Both look for cheap evidence of their dialect in
//! the bytes (never at the port); the first that finds it reads, and no other is asked.
//!
//! # Why nothing is remembered of a device
//!
//! Trying the dialect first that a device spoke last would have to give the same result as reading without. The first
//! reader with evidence reads, so all readers in front of the remembered one would have to be asked all the same, lest
//! a device that speaks two dialects (an appliance's CEF beside its host's RFC 3164) be read by the wrong one. What is
//! left to be saved is nothing, and what could be saved at most is printed by `make bench`: the evidence that all body
//! readers together look at and do not find. So reading never depends on what came before.
//!
//! # To add a dialect
//!
//! One file with one function, and one line in the table, ordered from the most specific evidence to the least:
//!
//! - a text behind a known header (`CEF:0|...`, `date=... devname=...`, `1,2026/07/15 ...,TRAFFIC,...`): `fn refine(message:
//!   &mut Message<'_>) -> bool` in [`BODIES`]. It returns `false` and changes nothing where the evidence is missing,
//!   judged by the text's first bytes; else it fills in what it finds and calls [`Message::recognised`]. A message
//!   without any header comes here too, with all of it as text.
//! - a header shape of its own: `fn read(pri, input) -> Option<Message>` in [`HEADERS`].
//! - names and values: [`fields::Fields`], with a [`fields::Syntax`] of your own where `key_value` does not fit. The
//!   message's one line for people goes to `text` (with [`Message::set_text`], which knows its escapes).
//!
//! What a reader leaves out of the message must be in a field; else it says [`Fidelity::Changed`]. Its ordinary, odd and
//! truncated lines stand in `fixtures/syslog/DIALECT_...`, and all of them in `fixtures/syslog/dialects.toml`: the table that
//! is shipped and the benchmark take them from there.
//!
//! Reading never fails. What cannot be read stays in [`Message::text`], and [`Message::error`] says what was
//! expected and where.

mod arista;
mod aruba;
mod barracuda;
mod brocade;
mod cef;
mod checkpoint;
mod ciena;
mod cisco;
mod dell;
mod extreme;
mod f5;
pub mod fields;
mod first_word;
mod fortinet;
mod huawei;
mod infoblox;
mod junos;
mod key_value;
mod leef;
mod loose;
mod mikrotik;
mod names;
mod netscaler;
mod netscreen;
mod nokia;
mod opengear;
mod paloalto;
mod priority;
mod procurve;
mod relay;
mod rfc3164;
pub mod rfc5424;
mod sonicwall;
mod sophos;
mod stack_unit;
mod structured_data;
mod tag;
pub mod timestamp;
mod ubiquiti;
mod unix;
mod vendor;
mod vmware;

#[cfg(test)]
mod properties;

use crate::decode::reader::Reader;
use fields::{Escapes, Fields, Value};
use rfc5424::StructuredData;
use timestamp::Stamp;

/// One syslog message, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The dialect that was read.
    pub format: Format,
    /// Facility and severity; `None` where the message has no PRI or an impossible one.
    pub pri: Option<Pri>,
    /// The message's own time stamp.
    pub time: Option<Stamp<'a>>,
    /// What the header calls the sender. Not checked: a header can say anything.
    pub hostname: Option<&'a [u8]>,
    /// RFC 5424 APP-NAME, or the tag of RFC 3164.
    pub app_name: Option<&'a [u8]>,
    /// RFC 5424 PROCID, or what stands in brackets behind the tag.
    pub proc_id: Option<&'a [u8]>,
    /// RFC 5424 MSGID.
    pub msg_id: Option<&'a [u8]>,
    /// RFC 5424 structured data.
    pub structured_data: Option<StructuredData<'a>>,
    /// Names and values of a key=value, CEF, LEEF or CSV message.
    pub fields: Option<Fields<'a>>,
    /// The device's own name for what happened, without the `%`: `SYS-5-CONFIG_I`.
    pub event_code: Option<&'a [u8]>,
    /// How `event_code` says bytes that would end it.
    pub code_escapes: Escapes,
    /// The vendor, where the message's shape shows it.
    pub vendor: Option<&'static str>,
    /// The operating system, where the message's shape shows it.
    pub os: Option<&'static str>,
    /// The device's own message counter: Cisco's, or `sequenceId` of RFC 5424, section 7.3.1.
    pub sequence: Option<u64>,
    /// What that counter counts.
    pub numbering: Numbering,
    /// What the device says of its clock.
    pub clock: Option<Clock>,
    /// What is left for people, without header and event code.
    pub text: &'a [u8],
    /// How `text` says bytes that would end it.
    pub text_escapes: Escapes,
    /// What could not be read.
    pub error: Option<DecodeError>,
    /// Whether the fields say all that the bytes say.
    pub fidelity: Fidelity,
}

impl<'a> Message<'a> {
    /// Nothing but text, for readers to fill in.
    fn of(format: Format, pri: Option<Pri>, text: &'a [u8]) -> Self {
        Message {
            format,
            pri,
            time: None,
            hostname: None,
            app_name: None,
            proc_id: None,
            msg_id: None,
            structured_data: None,
            fields: None,
            event_code: None,
            code_escapes: Escapes::NONE,
            vendor: None,
            os: None,
            sequence: None,
            numbering: Numbering::Sent,
            clock: None,
            text,
            text_escapes: Escapes::NONE,
            error: None,
            fidelity: Fidelity::Exact,
        }
    }

    /// The text without the space with which rsyslog begins each that it writes in the form of RFC 5424: what stood behind
    /// the tag of RFC 3164.
    fn text_behind_space(&self) -> &'a [u8] {
        match (self.format, self.text) {
            (Format::Rfc5424, [b' ', behind @ ..]) => behind,
            (_, text) => text,
        }
    }

    /// A body reader found its evidence, and the message is of its format. That there was no header is no error then.
    fn recognised(&mut self, format: Format) {
        if self.format == Format::Unknown {
            self.error = None;
        }
        self.format = format;
    }

    /// Replaces the text by a field's value. The fields are there already: what none of them says is left out.
    fn set_text(&mut self, value: Value<'a>) {
        let is_whole = self.fields.is_some_and(|fields| fields.is_whole());
        self.fidelity = self.fidelity.changed_if(!is_whole);
        self.text = value.bytes;
        self.text_escapes = value.escapes;
    }

    /// Moves a `%FACILITY-SEVERITY-MNEMONIC:` from the text's start to the event code. Not only Cisco writes these. One
    /// that the text ends with was cut: every sender writes a colon behind it.
    fn with_event_code(mut self) -> Self {
        let marked = self.text_behind_space();
        if let Some((code, text)) = cisco::split_code(marked)
            && code.len() + 1 < marked.len()
        {
            self.event_code = Some(code);
            self.text = text;
        }
        self
    }
}

/// What a device's own counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbering {
    /// What it sent: a number that never arrives is a message that never did.
    #[default]
    Sent,
    /// What it logged, sent or not: it is no [`Message::sequence`].
    Logged,
    /// One of the two: the line alone does not show which.
    Either,
}

/// The dialect that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 5424.
    Rfc5424,
    /// RFC 3164 as devices write it.
    Rfc3164,
    /// Any of Cisco's own header shapes.
    Cisco,
    /// Meraki's: a version and seconds since 1970.
    Meraki,
    /// Opengear's: the host before the time.
    Opengear,
    /// `%%01MODULE/4/MNEMONIC(l)[3]:` of Huawei and H3C, behind whatever header.
    Huawei,
    /// ArcSight's Common Event Format, behind whatever header.
    Cef,
    /// IBM's Log Event Extended Format, behind whatever header.
    Leef,
    /// `name=value` pairs, behind whatever header.
    KeyValue,
    /// Values between commas, named by their places, behind whatever header.
    Csv,
    /// Check Point's pairs between bars or in brackets, behind whatever header.
    CheckPoint,
    /// NetScaler's: the date in slashes, the host and the packet engine.
    NetScaler,
    /// Read by syslog_loose, for header shapes that no reader of ours recognises.
    Loose,
    /// No reader recognised a header: all is text.
    Unknown,
}

impl Format {
    /// The name used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Rfc5424 => "rfc5424",
            Format::Rfc3164 => "rfc3164",
            Format::Cisco => "cisco",
            Format::Meraki => "meraki",
            Format::Opengear => "opengear",
            Format::Huawei => "huawei",
            Format::Cef => "cef",
            Format::Leef => "leef",
            Format::KeyValue => "key_value",
            Format::Csv => "csv",
            Format::CheckPoint => "checkpoint",
            Format::NetScaler => "netscaler",
            Format::Loose => "loose",
            Format::Unknown => "unknown",
        }
    }
}

/// The number at a message's start, taken apart (RFC 5424, section 6.2.1): `facility * 8 + severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pri {
    /// 0 to 23.
    pub facility: u8,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
}

/// What a device says of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It follows a time source.
    Synchronized,
    /// It lost its time source, or never had one.
    Unsynchronized,
}

/// What could not be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// What was expected, in words.
    pub reason: &'static str,
    /// The byte at which reading stopped, counted from the message's first.
    pub at: usize,
}

/// Whether the fields say all that the bytes say, so that the original need not be kept.
///
/// Fixed syntax (a BOM, one line end or NUL behind the message, the padding of a day, the space in front of a text that
/// rsyslog relays) is not content: leaving it out changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fidelity {
    /// PRI, header fields and text account for every byte.
    Exact,
    /// Something was left out or cannot be told from the fields: superfluous spaces, a second time stamp, digits
    /// below the microsecond.
    Changed,
}

impl Fidelity {
    /// `Changed`, where `condition` holds.
    fn changed_if(self, condition: bool) -> Self {
        if condition { Fidelity::Changed } else { self }
    }
}

/// Reads what follows the PRI, if it finds the evidence of its header.
type ReadHeader = for<'a> fn(Option<Pri>, Reader<'a>) -> Option<Message<'a>>;

/// Reads the text behind the header, if it finds the evidence of its dialect; says whether it did.
type RefineBody = for<'a> fn(&mut Message<'a>) -> bool;

/// The header shapes, most specific evidence first.
const HEADERS: &[ReadHeader] = &[
    rfc5424::read,
    cisco::read,
    cisco::meraki::read,
    opengear::read,
    sophos::read,
    netscaler::read,
    rfc3164::read,
];

/// The dialects behind the headers, most specific evidence first.
const BODIES: &[RefineBody] = &[
    cef::refine,
    leef::refine,
    paloalto::refine,
    checkpoint::refine,
    sophos::refine,
    sonicwall::refine,
    barracuda::refine,
    fortinet::refine,
    huawei::refine,
    cisco::refine,
    cisco::ise::refine,
    cisco::ftd::refine,
    cisco::products::refine,
    cisco::wsa::refine,
    junos::refine,
    netscreen::refine,
    nokia::refine,
    arista::refine,
    aruba::refine,
    procurve::refine,
    f5::refine,
    extreme::refine,
    dell::refine,
    brocade::refine,
    ubiquiti::refine,
    vmware::refine,
    infoblox::refine,
    ciena::refine,
    netscaler::refine,
    mikrotik::refine,
    tag::refine,
    unix::refine,
    key_value::refine,
];

/// Reads one message. Never fails.
///
/// ```
/// let message = trapline::decode::syslog::read(b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed");
/// assert_eq!(message.hostname, Some(&b"mymachine"[..]));
/// assert_eq!(message.text, b"'su root' failed");
/// ```
pub fn read(bytes: &[u8]) -> Message<'_> {
    let mut input = Reader::new(without_trailer(bytes));
    skip_start(&mut input);
    let (pri, pri_error) = take_pri(&mut input);
    skip_start(&mut input);
    let read = HEADERS.iter().find_map(|read| read(pri, input));
    let is_unknown = read.is_none();
    let mut message = read.unwrap_or_else(|| unknown(pri, input));
    let mut refined = false;
    if let Some(inner) = relay::inner(&message, input) {
        (message, refined) = inner;
    }
    refined = refined || refine(&mut message);
    // Pairs without a header are a dialect, too: the lenient reader is for what nobody else knows.
    if is_unknown
        && !refined
        && let Some(found) = loose::read(pri, input)
    {
        message = found;
        BODIES.iter().find(|refine| refine(&mut message));
    }
    stack_unit::take(&mut message);
    let is_thin = !refined && first_word::is_thin(&message);
    message.fidelity = message.fidelity.changed_if(is_thin);
    message.error = pri_error.or(message.error);
    message
}

/// Shows the text to the body readers; says whether one knows it. A relay's space in front stays where none does.
fn refine(message: &mut Message<'_>) -> bool {
    let spaced = message.text;
    message.text = message.text_behind_space();
    let refined = BODIES.iter().any(|refine| refine(message));
    if !refined {
        message.text = spaced;
    }
    refined
}

/// Skips a byte order mark, and a line end that a sender put in front as if it ended the message before.
fn skip_start(input: &mut Reader<'_>) {
    input.eat(b'\n');
    if input.rest().starts_with(b"\xef\xbb\xbf") {
        input.take(3);
    }
}

fn unknown<'a>(pri: Option<Pri>, input: Reader<'a>) -> Message<'a> {
    let text = input.rest().trim_ascii_start();
    let mut message = Message::of(Format::Unknown, pri, text).with_event_code();
    // SonicWall writes two spaces in front, others one.
    message.fidelity = message
        .fidelity
        .changed_if(text.len() + 2 < input.rest().len());
    message.error = Some(DecodeError {
        reason: "expected a header: a time stamp, or a tag that ends in a colon",
        at: input.at(),
    });
    message
}

/// Without the one line end or NUL that devices put behind a datagram as if it were a line of a stream. More than one
/// stays: it may be content.
fn without_trailer(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Takes `<n>`. Digits between angle brackets that are no PRI are taken too, with an error, so that the header behind
/// them is still read; anything else is left where it is.
fn take_pri(input: &mut Reader<'_>) -> (Option<Pri>, Option<DecodeError>) {
    let mut after = *input;
    if !after.eat(b'<') {
        return (None, None);
    }
    let digits = after.take_while(|byte| byte.is_ascii_digit());
    if !(1..=9).contains(&digits.len()) || !after.eat(b'>') {
        return (None, None);
    }
    let number = digits
        .iter()
        .fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let at = input.at();
    *input = after;
    match u8::try_from(number) {
        Ok(number @ 0..=191) => {
            let pri = Pri {
                facility: number / 8,
                severity: number % 8,
            };
            (Some(pri), None)
        }
        _ => {
            let reason = "expected a PRI from 0 to 191";
            (None, Some(DecodeError { reason, at }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pri_outside_the_rfc_is_an_error_and_the_header_is_still_read() {
        let message = read(b"<192>Oct 11 22:14:15 r1 su: x");
        assert_eq!(message.pri, None);
        assert_eq!(message.hostname, Some(&b"r1"[..]));
        assert_eq!(
            message.error,
            Some(DecodeError {
                reason: "expected a PRI from 0 to 191",
                at: 0
            })
        );
    }

    #[test]
    fn brackets_that_are_no_pri_stay_in_the_text() {
        for text in ["<>x", "<abc>x", "<1", "<", "<-1>x", "<1234567890>x"] {
            let message = read(text.as_bytes());
            assert_eq!(
                (message.pri, message.text),
                (None, text.as_bytes()),
                "{text}"
            );
            assert_eq!(message.format, Format::Unknown);
        }
    }

    #[test]
    fn text_without_a_header_is_kept_whole_with_the_place_where_reading_stopped() {
        let message = read(b"<13>{\"port\":1,\"state\":\"down\"}");
        assert_eq!(
            message.pri,
            Some(Pri {
                facility: 1,
                severity: 5
            })
        );
        assert_eq!(message.text, b"{\"port\":1,\"state\":\"down\"}");
        assert_eq!(message.error.unwrap().at, 4);
    }

    #[test]
    fn one_line_end_or_nul_behind_the_message_is_no_content() {
        for trailer in ["", "\n", "\r\n", "\0", "\n\0"] {
            let bytes = format!("<34>Oct 11 22:14:15 r1 su: x{trailer}");
            let message = read(bytes.as_bytes());
            assert_eq!(message.text, b"x", "{trailer:?}");
            assert_eq!(message.fidelity, Fidelity::Exact);
        }
        assert_eq!(read(b"<34>Oct 11 22:14:15 r1 su: x\n\n").text, b"x\n");
    }

    #[test]
    fn a_byte_order_mark_and_a_line_end_in_front_hide_nothing() {
        for start in [
            "\u{feff}<34>",
            "<34>\u{feff}",
            "\n<34>",
            "\n\u{feff}<34>\u{feff}",
        ] {
            let bytes = format!("{start}Oct 11 22:14:15 r1 su: x");
            let message = read(bytes.as_bytes());
            assert_eq!(message.hostname, Some(&b"r1"[..]), "{start:?}");
            assert_eq!(message.pri.map(|pri| pri.facility), Some(4));
            assert_eq!((message.error, message.fidelity), (None, Fidelity::Exact));
        }
    }

    #[test]
    fn the_space_with_which_rsyslog_begins_a_text_hides_no_dialect() {
        for (program, text, vendor) in [
            ("- -", "CEF:0|A10|vThunder|4|WAF|id|2|src=192.0.2.1", "a10"),
            (
                "- -",
                "1,2026/11/22 01:20:00,007,TRAFFIC,end,1,2026/11/22 01:20:00,192.0.2.1",
                "paloalto",
            ),
            (
                "- -",
                "date=2026-11-22 time=01:20:00 devname=f devid=FG1 logid=1",
                "fortinet",
            ),
            ("- -", "%%01SHELL/5/CMDRECORD(s)[123]:Recorded", "huawei"),
            ("mcpd 7", "01070638:5: Pool", "f5"),
            ("stm 7", "<501105> <NOTI> <ap-1 192.0.2.1> Deauth", "aruba"),
            ("intfd 7", "Event|403|LOG_INFO|AMM|1/1|Link up", "aruba"),
            ("vmkernel -", "cpu3:2097591)NMP: x", "vmware"),
            ("Ebra -", "118: %LINEPROTO-5-UPDOWN: x", "arista"),
        ] {
            let read_with = |space| {
                let input = format!("<134>1 2026-11-22T01:20:00Z h {program} - - {space}{text}");
                format!("{:?}", read(input.as_bytes()))
            };
            assert_eq!(read_with(" "), read_with(""), "{text}");
            assert!(read_with(" ").contains(vendor), "{text}");
        }
        let unknown = read(b"<134>1 2026-11-22T01:20:00Z h app - - -  some text");
        assert_eq!(
            (unknown.text, unknown.fidelity),
            (&b" some text"[..], Fidelity::Exact)
        );
    }

    #[test]
    fn nothing_at_all_is_a_message_without_anything() {
        let message = read(b"");
        assert_eq!((message.format, message.text), (Format::Unknown, &b""[..]));
        assert!(message.error.is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_and_what_was_read_before_does_not_matter(before: Vec<u8>, bytes: Vec<u8>) {
            let first = read(&bytes);
            let _ = read(&before);
            proptest::prop_assert_eq!(first, read(&bytes));
        }

        #[test]
        fn anything_made_of_header_parts_is_read_and_its_text_is_its_end(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "<34>", "1 ", "date=2026-07-15 ", "devname=\"fw\\\"1\" ", "a=1 ", "- ", "2003-10-11T22:14:15.003Z ", "Oct 11 22:14:15 ", "*Mar  1 18:48:50.483 UTC: ",
                "host ", "app[12]: ", "[a b=\"c\\]\"]", "[", "]", "%SYS-5-CONFIG_I: ", "123: ", ": ", ":", " ", "  ",
                "RP/0/RSP0/CPU0:", "\u{feff}", "last message repeated 2 times", "é", "\t", "%", "<", ">", "\0", "\n",
            ]), 0..12),
        ) {
            let text = parts.concat();
            let message = read(text.as_bytes());
            let whole = without_trailer(text.as_bytes());
            // The lenient reader leaves out the spaces at the end, and pairs may be found in what it leaves.
            let is_end = match message.fidelity {
                Fidelity::Exact => whole.ends_with(message.text),
                Fidelity::Changed => whole.trim_ascii_end().ends_with(message.text.trim_ascii_end()),
            };
            proptest::prop_assert!(is_end || message.format == Format::Loose);
        }
    }
}
