//! Palo Alto Networks: PAN-OS and Panorama, values between commas whose names follow from the log's type.
//!
//! ```text
//!  <14>Jul 15 12:34:56 fw1 1,2026/07/15 12:34:56,007200001056,TRAFFIC,end,1210,2026/07/15 12:34:56,192.0.2.1,...
//!                          0 1                   2            3       4   5    6
//! ```
//!
//! Evidence: a digit, a date with slashes and a time, a serial number, and a type in capitals. A type without a table
//! of its own has the seven names that all share. The device's own name goes before the header's, which is Panorama's
//! where that forwards; its time with a zone (`high_res_timestamp`) goes before the others, which have none. (Palo Alto
//! Networks, "PAN-OS Administrator's Guide": syslog field descriptions.)

mod columns;
mod wanted;

use super::fields::{Escapes, Field, Fields, Value, Walk};
use super::timestamp::{self, Stamp};
use super::{Format, Message};
use crate::decode::reader::Reader;
use wanted::{Columns, Wanted};

/// How many bytes are searched for commas at once: four or five columns of a traffic log.
const BLOCK_BYTES: usize = 32;

/// What one message says of itself.
#[derive(Default)]
struct Known<'a> {
    device: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    description: Option<Value<'a>>,
    generated: Option<Stamp<'a>>,
    precise: Option<Stamp<'a>>,
}

impl<'a> Known<'a> {
    fn take(&mut self, wanted: Wanted, value: Value<'a>) {
        if value.bytes.is_empty() {
            return;
        }
        match wanted {
            Wanted::DeviceName => self.device = Some(value.bytes),
            Wanted::EventId => self.event = Some(value.bytes),
            Wanted::Opaque => self.description = Some(value),
            Wanted::TimeGenerated => self.generated = civil(value.bytes),
            Wanted::HighResTimestamp => self.precise = zoned(value.bytes),
        }
    }
}

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let Some((kind, code)) = kind(message.text) else {
        return false;
    };
    let (known, fields) = read(columns::of(kind), message.text);
    message.fields = Some(fields);
    take_name(message, known.device);
    take_time(message, &known);
    let event = known
        .event
        .filter(|_| matches!(kind, b"SYSTEM" | b"GLOBALPROTECT"));
    message.event_code = event.or(Some(code));
    if let Some(description) = known.description {
        message.set_text(description);
    }
    message.vendor = Some("paloalto");
    message.os = Some("pan-os");
    message.recognised(Format::Csv);
    true
}

/// Goes through the columns once, and looks into those that are wanted.
fn read<'a>(columns: &'static Columns, text: &'a [u8]) -> (Known<'a>, Fields<'a>) {
    let mut known = Known::default();
    let (mut input, mut place) = (Reader::new(text), 0);
    for (wanted_place, wanted) in columns.wanted {
        pass_over(&mut input, wanted_place - place);
        place = wanted_place;
        if place == columns.names.len() || input.is_empty() {
            break;
        }
        known.take(wanted, take_column(&mut input));
        place += 1;
    }
    pass_over(&mut input, columns.names.len() - place);
    let fields = Fields::columns(columns.names, text, input.is_empty());
    (known, fields)
}

/// Passes over so many columns, or to the end. Most are short and plain, and their commas are counted a block at once.
fn pass_over(input: &mut Reader<'_>, mut columns: usize) {
    while columns > 0 && !input.is_empty() {
        let passed = pass_block(input, columns);
        if passed == 0 {
            take_column(input);
        }
        columns -= passed.max(1);
    }
}

/// Passes over the columns that end in the next block, if none has quotes and they are no more than `columns_max`;
/// returns how many.
fn pass_block(input: &mut Reader<'_>, columns_max: usize) -> usize {
    let Some(block) = input.rest().first_chunk::<BLOCK_BYTES>() else {
        return 0;
    };
    let commas = count(block, b',');
    let last = block.iter().rposition(|byte| *byte == b',');
    match last {
        Some(last) if commas <= columns_max && count(block, b'"') == 0 => {
            input.take(last + 1);
            commas
        }
        _ => 0,
    }
}

/// How often `wanted` is in the block. Sums of bytes are what the compiler makes one instruction for many of.
fn count(block: &[u8; BLOCK_BYTES], wanted: u8) -> usize {
    let each = block.iter().map(|byte| u8::from(*byte == wanted));
    usize::from(each.fold(0_u8, u8::wrapping_add))
}

/// The type, and type and subtype as they stand (`TRAFFIC,end`), where the first columns are those of PAN-OS.
fn kind(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut input = Reader::new(text);
    input.byte()?.is_ascii_digit().then_some(())?;
    input.eat(b',').then_some(())?;
    civil(input.take_until(b',')?)?;
    let serial = input.take_until(b',')?;
    serial.iter().all(u8::is_ascii_alphanumeric).then_some(())?;
    let from = input.rest();
    let kind = input.take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'));
    (kind.len() >= 3 && input.eat(b',')).then_some(())?;
    let subtype = input.take_to([b',']);
    let code = from.get(..kind.len() + 1 + subtype.len())?;
    // A subtype of `0` is none.
    Some((
        kind,
        if matches!(subtype, b"" | b"0") {
            kind
        } else {
            code
        },
    ))
}

/// `2026/07/15 12:34:56`, with or without milliseconds.
fn civil(text: &[u8]) -> Option<Stamp<'_>> {
    let (date, time) = text.split_at_checked(10)?;
    timestamp::date_and_time(date, time.strip_prefix(b" ")?)
}

fn zoned(text: &[u8]) -> Option<Stamp<'_>> {
    let mut input = Reader::new(text);
    let stamp = timestamp::rfc3339(&mut input)?;
    (input.is_empty() && stamp.offset_minutes.is_some()).then_some(stamp)
}

fn take_name<'a>(message: &mut Message<'a>, device: Option<&'a [u8]>) {
    // At the message's end it may be cut, and the header's the whole of it.
    let cut = |device: &[u8]| {
        let header = message.hostname.unwrap_or_default();
        message.text.ends_with(device) && header.starts_with(device)
    };
    let name = device.filter(|device| !cut(device)).or(message.hostname);
    message.fidelity = message
        .fidelity
        .changed_if(message.hostname.is_some_and(|header| Some(header) != name));
    message.hostname = name;
}

/// The time with a zone, else that with a year. A header's that says the same second is nothing that is left out.
fn take_time<'a>(message: &mut Message<'a>, known: &Known<'a>) {
    let header = message.time;
    if known.precise.is_none() && header.is_some_and(|time| time.offset_minutes.is_some()) {
        return;
    }
    let Some(time) = known.precise.or(known.generated) else {
        return;
    };
    let second = |time: &Stamp<'_>| (time.month, time.day, time.hour, time.minute, time.second);
    let same = header.is_none_or(|header| second(&header) == second(&time));
    message.fidelity = message.fidelity.changed_if(!same || !time.is_exact());
    message.time = Some(time);
}

/// The next column that is not empty, and its name; columns behind the last name are passed over.
pub(super) fn next<'a>(walk: &mut Walk<'a>, columns: &'static [&'static str]) -> Option<Field<'a>> {
    while !walk.input.is_empty() {
        let name = columns.get(walk.place)?;
        let value = take_column(&mut walk.input);
        if !value.bytes.is_empty() {
            return Some(Field {
                name: name.as_bytes(),
                value,
            });
        }
        walk.place += 1;
    }
    None
}

/// Takes a column and the comma behind it. In quotes a comma is content, and a quote stands twice. Quotes that are
/// never closed are those of a message that was cut; ones that enclose no column are content.
fn take_column<'a>(input: &mut Reader<'a>) -> Value<'a> {
    if input.peek() == Some(b'"') {
        let mut quoted = *input;
        quoted.byte();
        if let Some(value) = take_quoted(&mut quoted) {
            *input = quoted;
            return value;
        }
    }
    let bytes = input.take_to([b',']);
    input.eat(b',');
    Value::plain(bytes)
}

/// Few columns are quoted: it stands apart from what every column runs through.
#[inline(never)]
fn take_quoted<'a>(input: &mut Reader<'a>) -> Option<Value<'a>> {
    let (all, start) = (input.rest(), input.at());
    while input.take_until(b'"').is_some() {
        let end = input.at() - 1 - start;
        if input.eat(b'"') {
            continue;
        }
        (input.is_empty() || input.eat(b',')).then_some(())?;
        return Some(Value::with(all.get(..end)?, Escapes::DOUBLED_QUOTE));
    }
    input.take_while(|_| true);
    Some(Value::with(all, Escapes::DOUBLED_QUOTE))
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};
    use super::*;

    #[test]
    fn a_system_log_gives_event_description_and_the_devices_name() {
        let message = read(
            br#"<14>Jul 15 12:34:56 pano 1,2026/07/15 12:34:56,0123456789,SYSTEM,ha,0,2026/07/15 12:34:56,,ha2-link-change,,0,0,ha,high,"HA2 ""peer"" link, down",42,0x0,0,0,0,0,,fw1,0,0,2026-07-15T12:34:56.789+02:00"#,
        );
        assert_eq!((message.format, message.error), (Format::Csv, None));
        assert_eq!(message.hostname, Some(&b"fw1"[..]));
        assert_eq!(message.event_code, Some(&b"ha2-link-change"[..]));
        assert_eq!(message.text, br#"HA2 ""peer"" link, down"#);
        assert_eq!(message.text_escapes, Escapes::DOUBLED_QUOTE);
        assert_eq!(message.time.unwrap().offset_minutes, Some(120));
        let fields = json(message.fields.unwrap());
        assert!(
            fields.contains(r#""opaque":"HA2 \"peer\" link, down""#),
            "{fields}"
        );
        assert!(fields.contains(r#""severity":"high""#), "{fields}");
        assert!(
            !fields.contains("object"),
            "an empty column is no field: {fields}"
        );
    }

    #[test]
    fn a_traffic_log_is_named_by_type_and_subtype_and_kept_whole() {
        let text = "1,2026/07/15 12:34:56,0123456789,TRAFFIC,end,2561,2026/07/15 12:34:56,192.0.2.1,198.51.100.2";
        let input = format!("<14>Jul 15 12:34:56 fw1 {text}");
        let message = read(input.as_bytes());
        assert_eq!(message.event_code, Some(&b"TRAFFIC,end"[..]));
        assert_eq!(message.text, text.as_bytes());
        assert_eq!(message.fidelity, Fidelity::Exact);
        assert_eq!(
            message.fields.unwrap().get("dst").unwrap().bytes,
            b"198.51.100.2"
        );
    }

    #[test]
    fn a_type_without_a_table_has_the_names_that_all_share() {
        let message = read(b"1,2026/07/15 12:34:56,0123,NEWTYPE,0,1,2026/07/15 12:34:56,a,b");
        assert_eq!(message.event_code, Some(&b"NEWTYPE"[..]));
        assert_eq!(message.fields.unwrap().iter().count(), 7);
    }

    #[test]
    fn what_was_cut_makes_no_columns_and_no_name() {
        let start = "<14>Jul 15 12:34:56 fw1 1,2026/07/15 12:34:56,0123456789,SYSTEM,ha,0,2026/07/15 12:34:56,,e,,0,0,ha,high";
        let text = format!("{start},\"a \"\"b\"\", c");
        let message = read(text.as_bytes());
        assert_eq!(message.text, br#"a ""b"", c"#);
        assert_eq!(message.fields.unwrap().get("seqno"), None);
        let text = format!("{start},x,1,0x0,0,0,0,0,,f");
        assert_eq!(read(text.as_bytes()).hostname, Some(&b"fw1"[..]));
    }

    #[test]
    fn other_lists_and_cut_starts_are_not_taken_for_pan_os() {
        for text in [
            "1,2026/07/15 12:34:56,0123,TRAFFIC",
            "1,2026/07/15 12:34:56,0123,traffic,end,x",
            "1,2026/07/15,0123,TRAFFIC,end,x",
            "12,2026/07/15 12:34:56,0123,TRAFFIC,end,x",
        ] {
            assert_eq!(read(text.as_bytes()).vendor, None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn columns_are_passed_over_as_if_each_were_taken(
            text in "(([a-z0-9.]{0,9}|\"([a-z,]|\"\"){0,40}\"|[a-z]{0,60}\"),){0,40}[a-z]{0,9}",
            columns in 0_usize..60,
        ) {
            let (mut passed, mut taken) = (Reader::new(text.as_bytes()), Reader::new(text.as_bytes()));
            pass_over(&mut passed, columns);
            for _ in 0..columns {
                if !taken.is_empty() {
                    take_column(&mut taken);
                }
            }
            proptest::prop_assert_eq!(passed, taken);
        }
    }
}
