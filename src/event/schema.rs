//! The JSON Schema of [`Event`], generated from the types. Committed as `packaging/schema/event.schema.json`.

use schemars::generate::SchemaSettings;

use super::Event;

/// The schema as pretty-printed JSON with a final newline (JSON Schema, draft 2020-12).
pub fn json() -> String {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Event<'_>>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_schema_is_the_one_that_the_types_generate() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/packaging/schema/event.schema.json"
        );
        let generated = super::json();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == generated,
            "{path} is stale: run the tests once with UPDATE_SCHEMA=1 and commit it"
        );
    }
}
