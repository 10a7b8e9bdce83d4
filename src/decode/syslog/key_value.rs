//! Messages that are `name=value` pairs, whoever wrote them.
//!
//! ```text
//!  src=10.1.1.1 spt=33217 action="DENY" msg="a \"quoted\" word"
//! ```
//!
//! Evidence: the text's first two words are pairs. A value in quotes may have spaces and `\"`; words that are no pairs
//! are passed over, and stay in the text, which is left whole. Vendors whose messages have this shape (Fortinet, ...)
//! have their own files and are asked first.

use super::fields::{Escapes, Field, Fields, Syntax, Value, Walk};
use super::{Format, Message};
use crate::decode::reader::Reader;

/// In quotes only.
const ESCAPES: Escapes = Escapes::backslash(b"\"\\");

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if message.fields.is_some()
        || take_pair(&mut input).is_none()
        || !input.eat(b' ')
        || take_pair(&mut input).is_none()
    {
        return false;
    }
    message.fields = Fields::read(Syntax::KeyValue, message.text, |_| {});
    // Behind a vendor's own header the format stays the vendor's.
    if message.vendor.is_none() {
        message.recognised(Format::KeyValue);
    }
    true
}

/// The next pair, past words that are none.
pub(super) fn next<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    loop {
        walk.input
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b','));
        if walk.input.is_empty() {
            return None;
        }
        if let Some(field) = take_pair(&mut walk.input) {
            return Some(field);
        }
        walk.passed_over = true;
        walk.input.byte();
        walk.input.take_while(|byte| !matches!(byte, b' ' | b'\t'));
    }
}

/// The next pair of `name=value,name="a, value"`, past what is none.
pub(super) fn next_of_list<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    loop {
        walk.input.take_while(|byte| byte == b',');
        if walk.input.is_empty() {
            return None;
        }
        if let Some(field) = take_pair_to::<b',', b','>(&mut walk.input) {
            return Some(field);
        }
        walk.passed_over = true;
        walk.input.byte();
        walk.input.take_to([b',']);
    }
}

/// Takes `name=value`, `name="value"` or `name='value'`. Takes nothing where it returns `None`.
pub(super) fn take_pair<'a>(input: &mut Reader<'a>) -> Option<Field<'a>> {
    take_pair_to::<b' ', b'\t'>(input)
}

/// The same; a value without quotes goes to one of two ends, which the compiler must know: half of a firewall's line goes
/// through here.
fn take_pair_to<'a, const END: u8, const OTHER_END: u8>(
    input: &mut Reader<'a>,
) -> Option<Field<'a>> {
    let mut after = *input;
    let name = after.take_while(is_name);
    if name.is_empty() || !after.eat(b'=') {
        return None;
    }
    let value = if let Some(quote @ (b'"' | b'\'')) = after.peek() {
        quoted(&mut after, quote)
    } else {
        let word = after.take_to([END, OTHER_END]);
        // In lists a comma stands behind each pair but the last.
        Value::plain(word.strip_suffix(b",").unwrap_or(word))
    };
    *input = after;
    Some(Field { name, value })
}

/// Letters, digits, `_`, `-` and `.`; looked up, because every byte of every name is asked.
pub(super) fn is_name(byte: u8) -> bool {
    const NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let letter = byte as u8;
            table[byte] = letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-' | b'.');
            byte += 1;
        }
        table
    };
    NAME.get(usize::from(byte)).is_some_and(|is| *is)
}

/// What stands between quotes; to the end, where the closing one is missing because the message was cut.
fn quoted<'a>(input: &mut Reader<'a>, quote: u8) -> Value<'a> {
    input.eat(quote);
    let (value, start) = (input.rest(), input.at());
    let mut escapes = Escapes::NONE;
    loop {
        input.take_to([quote, b'\\']);
        let end = input.at() - start;
        match input.byte() {
            Some(b'\\') => {
                escapes = ESCAPES;
                input.byte();
            }
            Some(_) => {
                let bytes = value.get(..end).unwrap_or_default();
                return Value { bytes, escapes };
            }
            None => {
                return Value {
                    bytes: value,
                    escapes,
                };
            }
        }
    }
}
