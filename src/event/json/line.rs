//! The serde serializer that writes events: the same bytes as serde_json's, in less time.
//!
//! ```text
//!   struct opens      ▮                        nothing is written, the place is kept
//!   each field        ,"kind":"syslog"         its comma first, so that no field asks whether it is the first
//!   struct closes     {"kind":"syslog"}        the first comma becomes the bracket
//! ```
//!
//! What makes it faster: names of fields and variants, which are part of the program, are not searched for characters
//! to escape; text from devices is, 16 bytes in a few instructions; and all of it is compiled for a `Vec` and nothing
//! else. What events hold rarely (doubles, formatted text) is left to serde_json. Enums that carry values and tuple
//! structs are in no event, and an error here.

use serde::ser::{Error as _, Impossible, Serialize, Serializer};
use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};
use serde_json::Error;

/// Writes one value to the end of the bytes.
pub(super) struct Line<'o>(pub &'o mut Vec<u8>);

/// A sequence, map or struct that is being written.
pub(super) struct Open<'o> {
    out: &'o mut Vec<u8>,
    /// Where its first byte goes.
    start: usize,
}

impl<'o> Line<'o> {
    fn open(self) -> Open<'o> {
        let start = self.0.len();
        Open { out: self.0, start }
    }

    fn integer(self, number: impl itoa::Integer) {
        self.0
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// The general writer, for what is rare.
    fn general(self) -> serde_json::Serializer<&'o mut Vec<u8>> {
        serde_json::Serializer::new(self.0)
    }
}

impl Open<'_> {
    fn close(self, opening: u8, closing: u8) {
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = opening,
            None => self.out.push(opening),
        }
        self.out.push(closing);
    }
}

fn not_in_an_event<T>(what: &str) -> Result<T, Error> {
    Err(Error::custom(format_args!(
        "expected a type that events have, came {what}"
    )))
}

impl<'o> Serializer for Line<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'o>;
    type SerializeMap = Open<'o>;
    type SerializeStruct = Open<'o>;
    type SerializeTuple = Open<'o>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.0.extend_from_slice(text);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.integer(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.general().serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.general().serialize_f64(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.general().serialize_char(value)
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(value, self.0);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.general().serialize_bytes(value)
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<(), Error> {
        self.general().collect_str(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        debug_assert!(is_plain(variant.as_bytes()), "{variant}");
        quoted(variant.as_bytes(), self.0);
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        not_in_an_event(name)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(self.open())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(self.open())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Error> {
        Ok(self.open())
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'o>, Error> {
        Ok(self.open())
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        not_in_an_event(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        not_in_an_event(name)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        not_in_an_event(name)
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    // Inlined, so that the copies have constant lengths.
    #[inline(always)]
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        debug_assert!(is_plain(name.as_bytes()), "{name}");
        label(name.as_bytes(), self.out);
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.close(b'{', b'}');
        Ok(())
    }
}

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b',');
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.close(b'[', b']');
        Ok(())
    }
}

impl SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        SerializeSeq::end(self)
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.out.push(b',');
        let at = self.out.len();
        key.serialize(Line(self.out))?;
        match self.out.get(at) {
            Some(b'"') => Ok(()),
            _ => not_in_an_event("a map whose keys are not text"),
        }
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.close(b'{', b'}');
        Ok(())
    }
}

/// A field's name with what stands around it: `,"kind":`. The compiler knows the name, so it is one copy of a constant
/// length where the name is of a usual one.
#[inline(always)]
fn label(name: &[u8], out: &mut Vec<u8>) {
    let mut label = [0; 32];
    let length = name.len() + 4;
    if length > label.len() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name);
        return out.extend_from_slice(b"\":");
    }
    label[..2].copy_from_slice(b",\"");
    label[2..length - 2].copy_from_slice(name);
    label[length - 2..length].copy_from_slice(b"\":");
    out.extend_from_slice(&label[..length]);
}

#[inline]
fn quoted(plain: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(plain);
    out.push(b'"');
}

/// A JSON string (RFC 8259, section 7).
fn text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        return quoted(bytes, out);
    }
    out.push(b'"');
    for run in bytes.split_inclusive(|byte| is_escaped(*byte)) {
        match run.split_last() {
            Some((last, before)) if is_escaped(*last) => {
                out.extend_from_slice(before);
                escape(*last, out);
            }
            _ => out.extend_from_slice(run),
        }
    }
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            let digit = |value: u8| {
                if value < 10 {
                    b'0' + value
                } else {
                    b'a' + value - 10
                }
            };
            return out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                digit(byte >> 4),
                digit(byte & 0xf),
            ]);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Whether nothing has to be escaped. Text is cut in pieces of a fixed size, the last of which overlaps the one before
/// it, since the compiler checks all bytes of such a piece at once.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<16>() {
        is_plain_piece(last) && bytes.as_chunks().0.iter().all(is_plain_piece::<16>)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk()) {
        is_plain_piece(first) && is_plain_piece::<8>(last)
    } else {
        !bytes.iter().any(|byte| is_escaped(*byte))
    }
}

#[inline]
fn is_plain_piece<const N: usize>(piece: &[u8; N]) -> bool {
    // Without an early end: the bytes are compared side by side.
    !piece
        .iter()
        .fold(false, |any, byte| any | is_escaped(*byte))
}

fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests;
