//! RFC 5424, section 6.3: structured data.
//!
//! ```text
//!  [exampleSDID@32473 iut="3" eventSource="App\"x\""][meta sequenceId="29"]
//!   └ id              └ name └ value, with \" \\ \] as escapes
//!
//!  bytes ──scan──▶ StructuredData (the same bytes, checked) ──serde──▶ {"meta":{"sequenceId":["29"]},...}
//! ```
//!
//! The bytes are read twice, once to check them and once to write them, so that nothing is allocated in between.

use super::names::{NAMES_MAX, Names, Table};
use super::{Clock, DecodeError};
use crate::decode::reader::Reader;

/// Elements of one message that are read. Finding a repeated id takes a comparison with each earlier one, and the RFC's
/// registry and the vendors together use a handful.
const ELEMENTS_MAX: usize = 32;

/// Parameters of one message that are read, all elements together. Where a name may repeat they are put into a table on
/// the stack; the longest that firewalls write (Junos RT_FLOW) have about 50.
const PARAMS_MAX: usize = NAMES_MAX;

/// Structured data in which an id stands twice, which the RFC forbids, is read up to this length: putting each id's
/// elements together takes a pass over all of it.
const REPEATED_BYTES_MAX: usize = 4096;

/// What the scan of structured data found.
pub(super) struct Found<'a> {
    pub(super) data: StructuredData<'a>,
    /// `sequenceId` of `meta` (section 7.3.1).
    pub(super) sequence: Option<u64>,
    /// `isSynced` of `timeQuality` (section 7.1.2).
    pub(super) clock: Option<Clock>,
    /// Whether an id stands more than once.
    pub(super) repeats: bool,
}

/// Checks the elements that come next and takes them; takes nothing on an error.
pub(super) fn scan<'a>(input: &mut Reader<'a>) -> Result<Found<'a>, DecodeError> {
    let all = input.rest();
    let mut after = *input;
    let (mut elements, mut params, mut ids) = (0_usize, 0_usize, Names::<1>::new());
    let mut may_repeat_name = false;
    let (mut sequence, mut clock) = (None, None);
    let mut first_id: &[u8] = b"";
    while after.peek() == Some(b'[') {
        let reason = |reason| DecodeError {
            reason,
            at: input.at(),
        };
        elements += 1;
        if elements > ELEMENTS_MAX {
            return Err(reason("expected at most 32 elements of structured data"));
        }
        let id = open_element(&mut after).ok_or(reason(
            "expected structured data: an id, then a space or the closing bracket",
        ))?;
        ids.add(id);
        if elements == 1 {
            first_id = id;
        }
        let mut names = Names::<64>::new();
        while let Some((name, value)) = take_param(&mut after) {
            params += 1;
            names.add(name);
            match (id, name) {
                (b"meta", b"sequenceId") => sequence = number(value),
                (b"timeQuality", b"isSynced") => clock = synced(value),
                _ => {}
            }
        }
        may_repeat_name |= names.may_repeat();
        if params > PARAMS_MAX {
            return Err(reason("expected at most 256 parameters of structured data"));
        }
        after.take_while(|byte| byte == b' ');
        if !after.eat(b']') {
            let at = after.at();
            let reason =
                "expected a parameter of structured data (name=\"value\") or its closing bracket";
            return Err(DecodeError { reason, at });
        }
    }
    let mut data = StructuredData {
        bytes: all.get(..after.at() - input.at()).unwrap_or_default(),
        first_id,
        repeats_id: false,
        may_repeat_name,
    };
    data.repeats_id = ids.may_repeat() && data.has_repeated_id();
    if data.repeats_id && data.bytes.len() > REPEATED_BYTES_MAX {
        let reason = "expected each id once in structured data of more than 4096 bytes";
        let at = input.at();
        return Err(DecodeError { reason, at });
    }
    *input = after;
    Ok(Found {
        data,
        sequence,
        clock,
        repeats: data.repeats_id,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn synced(value: &[u8]) -> Option<Clock> {
    match value {
        b"1" => Some(Clock::Synchronized),
        b"0" => Some(Clock::Unsynchronized),
        _ => None,
    }
}

/// Takes `[` and the id.
fn open_element<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    if !input.eat(b'[') {
        return None;
    }
    let id = take_name(input);
    (!id.is_empty() && matches!(input.peek(), Some(b' ' | b']'))).then_some(id)
}

/// Takes an SD-NAME (RFC 5424, section 6.3.2): printable ASCII without `=`, `]`, `"`. Longer than its 32 bytes too.
fn take_name<'a>(input: &mut Reader<'a>) -> &'a [u8] {
    input.take_while(is_name)
}

/// Looked up, because every byte of every name is asked.
fn is_name(byte: u8) -> bool {
    const NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let letter = byte as u8;
            table[byte] = letter.is_ascii_graphic() && !matches!(letter, b'=' | b']' | b'"');
            byte += 1;
        }
        table
    };
    NAME.get(usize::from(byte)).is_some_and(|is| *is)
}

/// Takes ` name="value"`; the value as it stands, with its escapes. Takes nothing where it returns `None`.
fn take_param<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let mut after = *input;
    if after.take_while(|byte| byte == b' ').is_empty() {
        return None;
    }
    let name = take_name(&mut after);
    if name.is_empty() || !after.eat(b'=') || !after.eat(b'"') {
        return None;
    }
    let (value, start) = (after.rest(), after.at());
    loop {
        after.take_to([b'"', b'\\']);
        let value_bytes = after.at() - start;
        if after.byte()? == b'"' {
            *input = after;
            return Some((name, value.get(..value_bytes)?));
        }
        // Only these three are escapes; a backslash before anything else stands for itself (section 6.3.3).
        if matches!(after.peek(), Some(b'"' | b'\\' | b']')) {
            after.byte();
        }
    }
}

/// Structured data as it stands in the message, already checked by the reader that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructuredData<'a> {
    bytes: &'a [u8],
    /// Several body readers know their vendor by it.
    first_id: &'a [u8],
    /// Whether an id stands more than once. Exact.
    repeats_id: bool,
    /// Whether a name may stand more than once in its element. Without it, no name does.
    may_repeat_name: bool,
}

impl<'a> StructuredData<'a> {
    /// Calls `each` with every element's id and parameters, in the message's order, each id once.
    ///
    /// The RFC forbids an id to stand twice. Where it does, the later elements' parameters are added to the first's,
    /// so that a map of elements never has a key twice.
    pub fn for_each_element<E>(
        &self,
        mut each: impl FnMut(&'a [u8], &Params<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ids = if self.repeats_id {
            self.ids()
        } else {
            [b"".as_slice(); ELEMENTS_MAX]
        };
        for (index, (id, params)) in self.elements().enumerate() {
            let repeated = self.repeats_id && ids.iter().filter(|known| **known == id).count() > 1;
            if repeated && ids.iter().position(|known| *known == id) != Some(index) {
                continue;
            }
            let params = Params {
                id,
                params: if repeated { b"" } else { params },
                all: repeated.then_some(*self),
                may_repeat_name: self.may_repeat_name || repeated,
            };
            each(id, &params)?;
        }
        Ok(())
    }

    /// The first element's id.
    pub(super) fn first_id(&self) -> &'a [u8] {
        self.first_id
    }

    fn has_repeated_id(&self) -> bool {
        let ids = self.ids();
        let repeats = |(index, id)| ids.iter().skip(index + 1).any(|other| other == id);
        ids.iter()
            .take_while(|id| !id.is_empty())
            .enumerate()
            .any(repeats)
    }

    /// Every element's id in order, and empty ones behind them.
    fn ids(&self) -> [&'a [u8]; ELEMENTS_MAX] {
        let mut ids: [&[u8]; ELEMENTS_MAX] = [b""; ELEMENTS_MAX];
        ids.iter_mut()
            .zip(self.elements())
            .for_each(|(slot, (id, _))| *slot = id);
        ids
    }

    /// Each element's id, and what stands between the id and the closing bracket.
    fn elements(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut input = Reader::new(self.bytes);
        std::iter::from_fn(move || {
            let id = open_element(&mut input)?;
            let (params, start) = (input.rest(), input.at());
            while take_param(&mut input).is_some() {}
            let params = params.get(..input.at() - start)?;
            input.take_while(|byte| byte == b' ');
            input.eat(b']');
            Some((id, params))
        })
    }
}

/// The parameters of one element: serialises as a map from name to the list of its values, escapes removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'a> {
    id: &'a [u8],
    /// The one element's parameters.
    params: &'a [u8],
    /// Where the id stands more than once: the whole structured data, to be searched for all of them.
    all: Option<StructuredData<'a>>,
    may_repeat_name: bool,
}

impl<'a> Params<'a> {
    /// Name and value of each, in the message's order, escapes still in the value.
    fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let id = self.id;
        let elsewhere = self
            .all
            .into_iter()
            .flat_map(|all| all.elements())
            .filter(move |(other, _)| *other == id)
            .map(|(_, params)| params);
        std::iter::once(self.params)
            .chain(elsewhere)
            .flat_map(|params| {
                let mut input = Reader::new(params);
                std::iter::from_fn(move || take_param(&mut input))
            })
    }
}

impl serde::Serialize for Params<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if !self.may_repeat_name {
            for (name, value) in self.iter() {
                map.serialize_entry(&Value(name), &[Value(value)])?;
            }
            return map.end();
        }
        let table = Table::of(self.iter().map(|(name, _)| name));
        let mut values: [&[u8]; PARAMS_MAX] = [b""; PARAMS_MAX];
        let slots = values.iter_mut().zip(self.iter());
        slots.for_each(|(slot, (_, value))| *slot = value);
        for (place, (name, _)) in self.iter().enumerate().take(PARAMS_MAX) {
            if table.first(place) == place {
                let of_name = Values {
                    table: &table,
                    values: &values,
                    first: place,
                };
                map.serialize_entry(&Value(name), &of_name)?;
            }
        }
        map.end()
    }
}

/// All values of one name, in order.
struct Values<'t, 'a> {
    table: &'t Table<'a>,
    values: &'t [&'a [u8]; PARAMS_MAX],
    first: usize,
}

impl serde::Serialize for Values<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = std::iter::successors(Some(self.first), |place| self.table.next(*place));
        let values = places.filter_map(|place| self.values.get(place));
        serializer.collect_seq(values.map(|value| Value(value)))
    }
}

/// A value as it stands in the message; written without its escapes, and with U+FFFD for what is not UTF-8.
struct Value<'a>(&'a [u8]);

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) if memchr::memchr(b'\\', self.0).is_none() => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        let mut escaped = false;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if escaped && !matches!(letter, '"' | '\\' | ']') {
                    f.write_char('\\')?;
                }
                escaped = !escaped && letter == '\\';
                if !escaped {
                    f.write_char(letter)?;
                }
            }
            if !chunk.invalid().is_empty() {
                f.write_str(if escaped { "\\\u{fffd}" } else { "\u{fffd}" })?;
                escaped = false;
            }
        }
        if escaped { f.write_char('\\') } else { Ok(()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Fidelity, read};
    use super::*;
    use proptest::prelude::*;

    /// What an event shows of it.
    pub(in super::super) fn json(data: StructuredData<'_>) -> String {
        let mut out = serde_json::Map::new();
        let Ok(()) = data.for_each_element::<std::convert::Infallible>(|id, params| {
            let id = String::from_utf8_lossy(id).into_owned();
            let before = out.insert(id.clone(), serde_json::to_value(params).unwrap());
            assert_eq!(before, None, "{id} is given twice");
            Ok(())
        });
        serde_json::Value::Object(out).to_string()
    }

    fn data(elements: &str) -> String {
        let text = format!("<34>1 - h a p m {elements} text");
        let message = read(text.as_bytes());
        assert_eq!(
            (message.error, message.text),
            (None, &b"text"[..]),
            "{elements}"
        );
        json(message.structured_data.unwrap())
    }

    #[test]
    fn escapes_are_removed_and_other_backslashes_stay() {
        assert_eq!(
            data(r#"[a v="\"q\" \\ \]"]"#),
            r#"{"a":{"v":["\"q\" \\ ]"]}}"#
        );
        assert_eq!(data(r#"[a v="C:\new"]"#), r#"{"a":{"v":["C:\\new"]}}"#);
        assert_eq!(data(r#"[a v="x]y"]"#), r#"{"a":{"v":["x]y"]}}"#);
        assert_eq!(data(r#"[a v=""]"#), r#"{"a":{"v":[""]}}"#);
    }

    #[test]
    fn a_repeated_name_is_one_list_and_a_repeated_id_one_map() {
        assert_eq!(
            data(r#"[origin ip="10.0.0.1" x="y" ip="10.0.0.2"]"#),
            r#"{"origin":{"ip":["10.0.0.1","10.0.0.2"],"x":["y"]}}"#
        );
        assert_eq!(
            data(r#"[a p="1"][b p="2"][a p="3" q="4"]"#),
            r#"{"a":{"p":["1","3"],"q":["4"]},"b":{"p":["2"]}}"#
        );
        let repeated = read(b"<34>1 - h a p m [a p=\"1\"][a p=\"2\"] text");
        assert_eq!(repeated.fidelity, Fidelity::Changed);
        let alike = read(b"<34>1 - h a p m [ab p=\"1\"][ba p=\"2\"][bb][aa] text");
        assert_eq!(alike.fidelity, Fidelity::Exact);
    }

    #[test]
    fn values_that_are_not_utf_8_keep_their_place() {
        let message = read(b"<34>1 - h a p m [a v=\"x\xffy\\\"\"] text");
        assert_eq!(
            json(message.structured_data.unwrap()),
            "{\"a\":{\"v\":[\"x\u{fffd}y\\\"\"]}}"
        );
    }

    #[test]
    fn sequence_and_clock_are_taken_from_the_registered_elements() {
        let message = read(b"<34>1 - h a p m [timeQuality tzKnown=\"1\" isSynced=\"0\"][meta sequenceId=\"29\"] text");
        assert_eq!(
            (message.sequence, message.clock),
            (Some(29), Some(Clock::Unsynchronized))
        );
    }

    #[test]
    fn structured_data_that_cannot_be_read_stays_in_the_text() {
        for broken in [
            "[action:\"Accept\"; x]",
            "[a b=\"c]",
            "[a b=c]",
            "[]",
            "[a",
            "[a b=\"c\"",
            "[a b=\"c\"d]",
        ] {
            let text = format!("<34>1 - h a p m {broken} text");
            let message = read(text.as_bytes());
            assert_eq!(
                message.text,
                format!("{broken} text").as_bytes(),
                "{broken}"
            );
            assert!(
                message.error.is_some() && message.structured_data.is_none(),
                "{broken}"
            );
        }
    }

    #[test]
    fn more_elements_or_parameters_than_anybody_writes_stay_in_the_text() {
        let long = "x".repeat(REPEATED_BYTES_MAX);
        for data in [
            format!("[a b=\"{long}\"][a]"),
            "[a]".repeat(ELEMENTS_MAX + 1),
            format!("[a{}]", " b=\"c\"".repeat(PARAMS_MAX + 1)),
        ] {
            let text = format!("<34>1 - h a p m {data} text");
            let message = read(text.as_bytes());
            assert!(message.error.is_some() && message.text.starts_with(b"["));
        }
    }

    proptest! {
        #[test]
        fn any_structured_data_that_is_taken_can_be_written(bytes in "[\\[\\]\"= ab\\\\]{0,60}") {
            let written = format!("<34>1 - h a p m [a {bytes}");
            if let Some(data) = read(written.as_bytes()).structured_data {
                json(data);
            }
        }
    }
}
