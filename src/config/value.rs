//! One value of a key, judged by the key's type and range: from the file and from the environment alike.
//!
//! ```text
//!  text or number + Key ──▶ Value, or a Problem with what was expected, what came and what to do
//! ```

use super::problem::{Place, Problem, nearest};
use super::schema::{Key, Shape};
use super::size;

/// A value of the right type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text, or one of a choice's words.
    Text(String),
    /// A number within its range.
    Number(u64),
    /// The parts of a list, each with its place.
    List(Vec<(String, Place)>),
}

/// Reads a value that came as text: from the file in quotes, or from the environment.
pub(super) fn from_text(key: &Key, shown: &str, text: &str, at: &Place) -> Result<Value, Problem> {
    if key.shape == Shape::Secret {
        return Ok(Value::Text(text.to_owned()));
    }
    let text = text.trim();
    let quoted = format!("{text:?}");
    match key.shape {
        Shape::Text | Shape::Secret => Ok(Value::Text(text.to_owned())),
        Shape::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Shape::Choice(words) => {
            let advice = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write one of these words".to_owned(),
            };
            Err(Problem::expected(
                at,
                shown,
                &key.shape.expected(),
                &quoted,
                advice,
            ))
        }
        // Quotes around a number are meant as the number: the environment has nothing else.
        Shape::Number(_) => from_number(key, shown, text.parse().ok(), &quoted, at),
        Shape::Bytes(_) => from_number(key, shown, size::bytes(text).map(i128::from), &quoted, at),
        Shape::Texts => Ok(Value::List(vec![(text.to_owned(), at.clone())])),
        Shape::List | Shape::Secrets => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Value::List(
                parts.map(|part| (part.to_owned(), at.clone())).collect(),
            ))
        }
    }
}

/// Reads a number; `None` stands for what is none. `found` is how it was written.
pub(super) fn from_number(
    key: &Key,
    shown: &str,
    number: Option<i128>,
    found: &str,
    at: &Place,
) -> Result<Value, Problem> {
    let (Shape::Number(range) | Shape::Bytes(range)) = key.shape else {
        return Err(wrong_type(key, shown, found, at));
    };
    let advice = match number.map(u64::try_from) {
        Some(Ok(number)) if (range.min..=range.max).contains(&number) => {
            return Ok(Value::Number(number));
        }
        Some(_) => format!("choose a value of this range: {}", range.reason),
        None => advice_for_number(key.shape),
    };
    Err(Problem::expected(
        at,
        shown,
        &key.shape.expected(),
        found,
        advice,
    ))
}

fn advice_for_number(shape: Shape) -> String {
    match shape {
        Shape::Bytes(_) => {
            "write a whole number, or one with a unit in quotes, for example \"24 MiB\""
        }
        _ => "write a whole number without unit and decimal point",
    }
    .to_owned()
}

/// Keys whose text may be `off`.
const CAN_BE_OFF: [&str; 3] = ["agent.state_folder", "status.bind", "status.admin_socket"];

/// The problem of a value whose type cannot stand at this key.
pub(super) fn wrong_type(key: &Key, shown: &str, found: &str, at: &Place) -> Problem {
    let found = match key.shape {
        Shape::Secret | Shape::Secrets => "another type (not shown, it may be the secret itself)",
        _ => found,
    };
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    let is_number = found.bytes().all(|digit| digit.is_ascii_digit());
    let advice = match key.shape {
        Shape::Text if is_number && name == "bind" => {
            format!("write the address too: {name} = \"[::]:{found}\"")
        }
        Shape::Text if is_number => format!("write {name} = \"{found}\""),
        Shape::Text if found == "false" && CAN_BE_OFF.contains(&key.path) => {
            format!("write {name} = \"off\"")
        }
        Shape::Text | Shape::Secret => format!("write {name} = \"...\""),
        Shape::Choice(words) => match (found, words) {
            ("false", ["on", "off"]) => format!("write {name} = \"off\""),
            _ => format!("write {name} = \"{}\"", words.first().unwrap_or(&"")),
        },
        Shape::Number(_) | Shape::Bytes(_) => advice_for_number(key.shape),
        Shape::List | Shape::Texts | Shape::Secrets => format!("write {name} = [\"...\", \"...\"]"),
    };
    Problem::expected(at, shown, &key.shape.expected(), found, advice)
}
