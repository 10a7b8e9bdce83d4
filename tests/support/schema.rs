//! The shipped JSON Schema, as a judge over every event that a test sees.

use std::path::Path;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

/// Panics with every violation if `event` is not valid by `packaging/schema/event.schema.json`.
#[track_caller]
pub fn assert_valid(event: &Value) {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    let validator = SCHEMA.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/schema/event.schema.json");
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a JSON Schema")
    });
    let violations: Vec<String> = validator
        .iter_errors(event)
        .map(|violation| format!("{}: {violation}", violation.instance_path()))
        .collect();
    assert!(
        violations.is_empty(),
        "not valid by the schema:\n{}\n{event:#}",
        violations.join("\n")
    );
}
