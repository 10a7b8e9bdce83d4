//! An event as one JSON object on one line, with the place where its number goes.

use serde::Serialize;

use super::Event;

mod line;

/// Everything before the number has this fixed length plus that of the id's prefix.
pub const NUMBER_MARK: &str = "{\"schema\":1,\"id\":\"";

/// Writes `event` to the end of `out` and returns where, counted from the object's first byte, the
/// record's number belongs.
///
/// Fails only if serialising does, which the types of [`Event`] rule out: no map has keys that are not text, and a
/// `Vec` takes every byte. The error is returned all the same, so that the caller counts it instead of stopping.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) -> Result<usize, serde_json::Error> {
    event.serialize(line::Line(out))?;
    Ok(NUMBER_MARK.len() + event.id.0.len())
}
