//! The shipped JSON Schema, as a judge over every event that a test sees.

use std::path::Path;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

/// What in `event` is not valid by `packaging/schema/event.schema.json`; empty for a valid event.
pub fn violations(event: &Value) -> Vec<String> {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    let validator = SCHEMA.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/schema/event.schema.json");
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a JSON Schema")
    });
    validator
        .iter_errors(event)
        .map(|violation| format!("{}: {violation}", violation.instance_path()))
        .collect()
}
