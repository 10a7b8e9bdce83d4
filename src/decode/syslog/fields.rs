//! The fields of key=value, CEF, LEEF and CSV messages: names and values, borrowed and read again when they are written.
//!
//! ```text
//!  date=2026-07-15 devname="fw1" msg="a \"b\""       bytes + Syntax ──Fields::read──▶ Fields (the same bytes)
//!                                                    Fields ──iter──▶ Field { name, value }
//!                                                    Fields ──serde──▶ {"date":"2026-07-15","devname":"fw1",...}
//! ```
//!
//! Written as a map of strings. A name that stands again gets `_2`, `_3` behind it, so that no field is lost and no
//! key stands twice. To add a syntax: a variant of [`Syntax`], and its `next` in that of [`Walk`].

use super::cisco::{ftd, ise, products};
use super::names::{NAMES_MAX, Names, Table};
use super::{cef, checkpoint, key_value, leef, paloalto};
use crate::decode::reader::Reader;

/// Fields of one message that are read. The longest messages of firewalls have about 120; where a name may repeat they
/// are put into a table on the stack.
pub const FIELDS_MAX: usize = NAMES_MAX;

/// How names and values stand in the bytes. Each is read by the `next` of its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `name=value name="a value"`; words that are neither are passed over.
    KeyValue,
    /// `name=value,name="a, value"`; what is neither is passed over.
    CommaKeyValue,
    /// `Name=a value, Other Name=value,`; what has no `=` is passed over.
    CommaPairs,
    /// `Name: a value, OtherName: value`, each up to a comma in front of the next name.
    ColonPairs,
    /// `[ name =value][other name=value]`, up to what stands in no bracket.
    Brackets,
    /// `name=a value|other_name=value|`, with a backslash before what is no separator.
    Bars,
    /// `name:"a value"; other_name:"value";`, up to a `]`.
    Quoted,
    /// `name=a value other=value`, each up to the next name.
    OpenPairs,
    /// Values between commas, named by their places.
    Columns(&'static [&'static str]),
    /// A header of bars, then `name=a value`, each up to the next name.
    Cef,
    /// A header of bars, then `name=value` between separators.
    Leef {
        /// What stands between two attributes.
        separator: u8,
        /// Whether the header's next part is the separator itself (version 2).
        names_separator: bool,
    },
}

/// One field: name and value, as they stand in the message or, for names, in the syntax's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field's name, never empty.
    pub name: &'a [u8],
    /// What it says.
    pub value: Value<'a>,
}

/// A value as it stands in the message: without its quotes, with its escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// The bytes, part of the message.
    pub bytes: &'a [u8],
    /// How they say bytes that would end them.
    pub escapes: Escapes,
}

/// How a text says bytes that would end it: a mark, and the bytes that stand for themselves behind one. Behind a
/// backslash `n` and `r` are line ends. Before any other byte the mark is itself (`C:\dir`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escapes {
    mark: u8,
    /// Where they are fewer, the first stands for the rest.
    escaped: [u8; ESCAPED_MAX],
}

/// No syntax escapes more bytes. They stand in place, because every value carries them.
const ESCAPED_MAX: usize = 5;

impl Escapes {
    /// Every byte is itself.
    pub const NONE: Escapes = Escapes::backslash(b"");

    /// A quote is written as two (CSV; RFC 4180, section 2).
    pub const DOUBLED_QUOTE: Escapes = Escapes {
        mark: b'"',
        escaped: [b'"'; ESCAPED_MAX],
    };

    /// These bytes, of which there are five at most, stand behind a backslash.
    pub const fn backslash(bytes: &'static [u8]) -> Escapes {
        let mut escaped = match bytes.first() {
            Some(first) => [*first; ESCAPED_MAX],
            None => [0; ESCAPED_MAX],
        };
        let mut place = 0;
        while place < bytes.len() {
            escaped[place] = bytes[place];
            place += 1;
        }
        Escapes {
            mark: b'\\',
            escaped,
        }
    }
}

impl<'a> Value<'a> {
    /// A text in which a backslash is itself.
    pub fn plain(bytes: &'a [u8]) -> Self {
        Value {
            bytes,
            escapes: Escapes::NONE,
        }
    }

    /// A text with these escapes, if it has any mark of one.
    pub fn with(bytes: &'a [u8], escapes: Escapes) -> Self {
        match memchr::memchr(escapes.mark, bytes) {
            Some(_) => Value { bytes, escapes },
            None => Value::plain(bytes),
        }
    }

    /// Calls `each` with the pieces of the text without its escapes, in order.
    pub fn for_each_piece<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut input = Reader::new(self.bytes);
        while self.escapes != Escapes::NONE
            && let Some(piece) = input.take_until(self.escapes.mark)
        {
            each(piece)?;
            match input
                .peek()
                .filter(|byte| self.escapes.escaped.contains(byte))
            {
                Some(b'n') => each(b"\n")?,
                Some(b'r') => each(b"\r")?,
                Some(byte) => each(&[byte])?,
                None => {
                    each(&[self.escapes.mark])?;
                    continue;
                }
            }
            input.byte();
        }
        each(input.rest())
    }
}

/// Parts of a header that a reader may give as fields in front of the others.
const PARTS: usize = 4;

/// The fields of one message, to be read again by whoever needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Names of the header's parts; no more than there are values.
    names: &'static [&'static str],
    /// Their values; an empty one is none.
    values: [&'a [u8]; PARTS],
    bytes: &'a [u8],
    syntax: Syntax,
    /// Whether a name may stand more than once. Without it, no name does.
    may_repeat_name: bool,
    /// Whether the fields say all that the bytes say.
    is_whole: bool,
}

impl<'a> Fields<'a> {
    /// Reads `bytes` once and calls `each` with every field. `None` where there is not a single one.
    pub(super) fn read(
        syntax: Syntax,
        bytes: &'a [u8],
        mut each: impl FnMut(Field<'a>),
    ) -> Option<Self> {
        let mut found = false;
        let fields = Self::parts(&[], [b""; PARTS]).and_read(syntax, bytes, |field| {
            found = true;
            each(field);
        });
        found.then_some(fields)
    }

    /// Values between commas, named by their places, each name once. Whoever calls has gone through them.
    pub(super) fn columns(names: &'static [&'static str], bytes: &'a [u8], is_whole: bool) -> Self {
        Fields {
            bytes,
            syntax: Syntax::Columns(names),
            is_whole,
            ..Self::parts(&[], [b""; PARTS])
        }
    }

    /// The parts of a header, each name once; empty values are left out.
    pub(super) fn parts(names: &'static [&'static str], values: [&'a [u8]; PARTS]) -> Self {
        Fields {
            names,
            values,
            bytes: b"",
            syntax: Syntax::KeyValue,
            may_repeat_name: false,
            is_whole: true,
        }
    }

    /// Adds the fields of `bytes` behind the parts, calling `each` with every one.
    pub(super) fn and_read(
        mut self,
        syntax: Syntax,
        bytes: &'a [u8],
        mut each: impl FnMut(Field<'a>),
    ) -> Self {
        let mut names = Names::<64>::new();
        let parts = self.names.iter();
        parts.for_each(|name| names.add(name.as_bytes()));
        let mut walk = Walk::new(bytes);
        while walk.place < FIELDS_MAX
            && let Some(field) = walk.next(syntax)
        {
            names.add(field.name);
            each(field);
        }
        // What was read to its end has nothing left; the parts count as fields too.
        self.is_whole = walk.input.is_empty()
            && !walk.passed_over
            && walk.place + self.names.len() <= FIELDS_MAX;
        self.bytes = bytes;
        self.syntax = syntax;
        self.may_repeat_name = names.may_repeat();
        self
    }

    /// Whether every byte is in a field or separates two, so that the text they stand in need not be kept.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Every field in the message's order, at most [`FIELDS_MAX`].
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let parts = self.names.iter().zip(self.values);
        let parts = parts
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Field {
                name: name.as_bytes(),
                value: Value::plain(value),
            });
        let (syntax, mut walk) = (self.syntax, Walk::new(self.bytes));
        let others = std::iter::from_fn(move || walk.next(syntax));
        parts.chain(others).take(FIELDS_MAX)
    }

    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let found = self.iter().find(|field| field.name == name.as_bytes());
        found.map(|field| field.value)
    }
}

/// Where reading the fields has come to.
pub(super) struct Walk<'a> {
    /// What is left.
    pub(super) input: Reader<'a>,
    /// How many fields (or columns) were read.
    pub(super) place: usize,
    /// Whether something stood between the fields that is none.
    pub(super) passed_over: bool,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Walk {
            input: Reader::new(bytes),
            place: 0,
            passed_over: false,
        }
    }

    /// The next field. A reader knows its syntax, so that each has a loop of its own once this stands in its place.
    #[inline(always)]
    fn next(&mut self, syntax: Syntax) -> Option<Field<'a>> {
        let field = match syntax {
            Syntax::KeyValue => key_value::next(self),
            Syntax::CommaKeyValue => key_value::next_of_list(self),
            Syntax::CommaPairs => ise::next(self),
            Syntax::ColonPairs => ftd::next(self),
            Syntax::Brackets => products::next(self),
            Syntax::Bars => checkpoint::next_bar(self),
            Syntax::Quoted => checkpoint::next_quoted(self),
            Syntax::OpenPairs => cef::take_pair(self),
            Syntax::Columns(columns) => paloalto::next(self, columns),
            Syntax::Cef => cef::next(self),
            Syntax::Leef {
                separator,
                names_separator,
            } => leef::next(self, separator, names_separator),
        };
        self.place += usize::from(field.is_some());
        field
    }
}

impl serde::Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if !self.may_repeat_name {
            for field in self.iter() {
                map.serialize_entry(&Value::plain(field.name), &field.value)?;
            }
            return map.end();
        }
        let table = Table::of(self.iter().map(|field| field.name));
        let mut last = [0_u16; FIELDS_MAX];
        for (place, field) in self.iter().enumerate() {
            let first = table.first(place);
            if first == place {
                map.serialize_entry(&Value::plain(field.name), &field.value)?;
                continue;
            }
            // Each number of a name is tried once, because the search goes on where it last ended.
            let mut number = last.get(first).copied().unwrap_or_default().max(1) + 1;
            while table.has_numbered(field.name, number) {
                number += 1;
            }
            if let Some(last) = last.get_mut(first) {
                *last = number;
            }
            map.serialize_entry(&Numbered(field.name, number), &field.value)?;
        }
        map.end()
    }
}

/// A name that stands again.
struct Numbered<'a>(&'a [u8], u16);

impl serde::Serialize for Numbered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Numbered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", Value::plain(self.0), self.1)
    }
}

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) if self.escapes == Escapes::NONE => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

/// Without its escapes, and with U+FFFD for what is not UTF-8.
impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.for_each_piece(|piece| {
            for chunk in piece.utf8_chunks() {
                f.write_str(chunk.valid())?;
                if !chunk.invalid().is_empty() {
                    f.write_str("\u{fffd}")?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn json(fields: Fields<'_>) -> String {
        serde_json::to_string(&fields).unwrap()
    }

    fn of(text: &str) -> Option<String> {
        Fields::read(Syntax::KeyValue, text.as_bytes(), |_| {}).map(json)
    }

    #[test]
    fn a_name_that_stands_again_gets_a_number_that_no_field_has() {
        for (text, expected) in [
            ("a=1 b=2", r#"{"a":"1","b":"2"}"#),
            ("a=1 a=2 a=3", r#"{"a":"1","a_2":"2","a_3":"3"}"#),
            (
                "a=1 a_2=x a=2 a=3",
                r#"{"a":"1","a_2":"x","a_3":"2","a_4":"3"}"#,
            ),
            (
                "a=1 a_2=x a_2=y a=2",
                r#"{"a":"1","a_2":"x","a_2_2":"y","a_3":"2"}"#,
            ),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(of("no fields here"), None);
    }

    #[test]
    fn escapes_are_removed_where_they_are_some() {
        for (text, expected) in [
            (r#"a\"b"#, "a\"b"),
            (r"C:\dir", r"C:\dir"),
            (r"a\\n", r"a\n"),
            (r"a\nb", "a\nb"),
            (r"a\", r"a\"),
            (r"\=\|", r"=\|"),
        ] {
            let value = Value::with(text.as_bytes(), Escapes::backslash(b"\"\\=n"));
            assert_eq!(value.to_string(), expected);
            assert_eq!(Value::plain(text.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn more_fields_than_anybody_writes_are_left_in_the_text() {
        let text = "a=1 ".repeat(FIELDS_MAX + 9);
        let fields = Fields::read(Syntax::KeyValue, text.as_bytes(), |_| {}).unwrap();
        assert_eq!(fields.iter().count(), FIELDS_MAX);
        let written: serde_json::Value = serde_json::from_str(&json(fields)).unwrap();
        assert_eq!(written.as_object().unwrap().len(), FIELDS_MAX);
    }

    proptest::proptest! {
        #[test]
        fn no_key_stands_twice_and_no_field_is_lost(text in "([ab](_2){0,2}=[xy\\\\\" ]{0,2} ){0,30}") {
            if let Some(fields) = Fields::read(Syntax::KeyValue, text.as_bytes(), |_| {}) {
                let written: serde_json::Value = serde_json::from_str(&json(fields)).unwrap();
                proptest::prop_assert_eq!(written.as_object().unwrap().len(), fields.iter().count());
            }
        }
    }
}
