//! Index templates and table definitions for consumers: they have the schema's fields, no other, and of the right types.
//!
//! ```text
//!  packaging/schema/event.schema.json ─▶ Type ─▶ packaging/kafka/sinks/{*-index-template.json, flink.sql, ksqldb.sql}
//! ```
//!
//! `UPDATE_SINKS=1 cargo test --test sinks` writes the files anew; read the difference before it is kept.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// What a field is, as far as any of the products tells types apart.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    Text,
    Boolean,
    /// Bits that an unsigned number may have.
    Unsigned(u32),
    Double,
    /// Name to value, with names that nobody knows before.
    Free(Box<Type>),
    List(Box<Type>),
    Record(Vec<(String, Type)>),
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The event, from the schema.
fn event() -> Vec<(String, Type)> {
    let schema: Value = serde_json::from_str(&read("packaging/schema/event.schema.json"))
        .expect("the schema is JSON");
    match of(&schema, &schema) {
        Type::Record(fields) => fields,
        other => panic!("the event is {other:?}"),
    }
}

/// The type that `part` of the schema describes. Whether it may be null or absent matters to none of the products.
fn of(part: &Value, schema: &Value) -> Type {
    if let Some(reference) = part["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return of(schema.pointer(pointer).expect("a definition"), schema);
    }
    if let Some(choices) = part["anyOf"].as_array() {
        let is_null = |choice: &&Value| choice["type"] == "null";
        let choice = choices.iter().find(|choice| !is_null(choice));
        return of(choice.expect("something but null"), schema);
    }
    if let Some(words) = part["oneOf"].as_array() {
        assert!(words.iter().all(|word| word["type"] == "string"), "{part}");
        return Type::Text;
    }
    let name = match &part["type"] {
        Value::Array(names) => names.iter().find(|name| *name != "null"),
        name => Some(name),
    };
    match name.and_then(Value::as_str) {
        Some("string") => Type::Text,
        Some("boolean") => Type::Boolean,
        Some("number") => Type::Double,
        Some("integer") => {
            let format = part["format"].as_str().expect("an integer's format");
            let bits = format
                .strip_prefix("uint")
                .and_then(|bits| bits.parse().ok());
            Type::Unsigned(bits.unwrap_or_else(|| panic!("{format}")))
        }
        Some("array") => Type::List(Box::new(of(&part["items"], schema))),
        Some("object") => match part["properties"].as_object() {
            None => Type::Free(Box::new(of(&part["additionalProperties"], schema))),
            Some(fields) => Type::Record(
                fields
                    .iter()
                    .map(|(name, part)| (name.clone(), of(part, schema)))
                    .collect(),
            ),
        },
        _ => panic!("no type: {part}"),
    }
}

/// A search engine's words where the two differ.
struct Engine {
    name: &'static str,
    free: &'static str,
    /// Options of a field of free names.
    free_options: &'static [(&'static str, u64)],
}

const ENGINES: [Engine; 2] = [
    Engine {
        name: "elasticsearch",
        free: "flattened",
        free_options: &[("ignore_above", KEYWORD_CHARACTERS_MAX)],
    },
    Engine {
        name: "opensearch",
        free: "flat_object",
        free_options: &[],
    },
];

/// Lucene refuses a document with a term above 32 766 bytes, and a character has up to 4.
const KEYWORD_CHARACTERS_MAX: u64 = 8191;

/// What the types do not say, by path.
fn special(path: &str) -> Option<Value> {
    Some(match path {
        "message" => json!({
            "type": "text",
            "fields": {"keyword": {"type": "keyword", "ignore_above": 1024}}
        }),
        "raw" => json!({"type": "text"}),
        "raw_base64" => json!({"type": "keyword", "index": false, "doc_values": false}),
        "time" => json!({"type": "date", "ignore_malformed": true}),
        "received" | "report.begin" | "report.end" => json!({"type": "date_nanos"}),
        "device.address" => json!({"type": "ip", "ignore_malformed": true}),
        _ => return None,
    })
}

fn mapping(path: &str, kind: &Type, engine: &Engine) -> Value {
    if let Some(special) = special(path) {
        return special;
    }
    match kind {
        Type::Text => json!({"type": "keyword", "ignore_above": KEYWORD_CHARACTERS_MAX}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Unsigned(bits) => json!({"type": match bits {
            0..=8 => "short",
            9..=32 => "long",
            _ => "unsigned_long",
        }}),
        Type::Double => json!({"type": "double"}),
        Type::Free(_) => {
            let mut field = json!({"type": engine.free});
            for (name, value) in engine.free_options {
                field[name] = json!(value);
            }
            field
        }
        // A search engine takes one value or many alike.
        Type::List(item) => match mapping(path, item, engine) {
            record if matches!(**item, Type::Record(_)) => {
                let mut nested = json!({"type": "nested"});
                nested["properties"] = record["properties"].clone();
                nested
            }
            other => other,
        },
        Type::Record(fields) => json!({"properties": properties(path, fields, engine)}),
    }
}

fn properties(path: &str, fields: &[(String, Type)], engine: &Engine) -> Map<String, Value> {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    fields
        .iter()
        .map(|(name, kind)| (name.clone(), mapping(&below(name), kind, engine)))
        .collect()
}

fn template(engine: &Engine) -> String {
    let template = json!({
        "index_patterns": ["net.syslog*", "net.snmp*", "net.device*", "net.agent*"],
        "priority": 200,
        "template": {
            "settings": {"index": {"mapping": {"total_fields": {"limit": 200}}}},
            "mappings": {
                "dynamic": false,
                "properties": properties("", &event(), engine),
            },
        },
        "_meta": {"description": "Events of trapline, schema 1"},
    });
    let text = serde_json::to_string_pretty(&template).expect("JSON");
    format!("{text}\n")
}

/// A table language's words for types.
struct Sql {
    text: &'static str,
    double: &'static str,
    small: &'static str,
    /// A record's type, before `<`.
    record: &'static str,
}

const FLINK: Sql = Sql {
    text: "STRING",
    double: "DOUBLE",
    small: "INT",
    record: "ROW",
};

const KSQL: Sql = Sql {
    text: "VARCHAR",
    double: "DOUBLE",
    small: "INTEGER",
    record: "STRUCT",
};

impl Sql {
    fn of(&self, kind: &Type) -> String {
        match kind {
            Type::Text => self.text.to_owned(),
            Type::Boolean => "BOOLEAN".to_owned(),
            Type::Double => self.double.to_owned(),
            Type::Unsigned(0..=8) => self.small.to_owned(),
            Type::Unsigned(9..=32) => "BIGINT".to_owned(),
            Type::Unsigned(_) => "DECIMAL(20, 0)".to_owned(),
            Type::Free(value) => format!("MAP<{}, {}>", self.text, self.of(value)),
            Type::List(item) => format!("ARRAY<{}>", self.of(item)),
            Type::Record(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, kind)| format!("`{name}` {}", self.of(kind)))
                    .collect();
                format!("{}<{}>", self.record, fields.join(", "))
            }
        }
    }

    fn columns(&self) -> Vec<(String, String)> {
        event()
            .into_iter()
            .map(|(name, kind)| (name, self.of(&kind)))
            .collect()
    }
}

fn flink() -> String {
    let mut text = String::from(
        "-- Events of trapline (schema 1) for Apache Flink SQL: one table over all topics.\n\
         -- Written from packaging/schema/event.schema.json; change that, not this.\n\
         CREATE TABLE net_events (\n",
    );
    for (name, kind) in FLINK.columns() {
        // The agent's own clock, always in UTC; `time` is the device's, and may have any zone.
        let kind = match name.as_str() {
            "received" => "TIMESTAMP_LTZ(6)".to_owned(),
            _ => kind,
        };
        writeln!(text, "  `{name}` {kind},").expect("a String takes all text");
    }
    text.push_str(
        "  WATERMARK FOR `received` AS `received` - INTERVAL '30' SECOND\n\
         ) WITH (\n  \
           'connector' = 'kafka',\n  \
           'topic' = 'net.syslog;net.snmp;net.device;net.agent',\n  \
           'properties.bootstrap.servers' = 'kafka:9092',\n  \
           'properties.group.id' = 'net-events',\n  \
           'scan.startup.mode' = 'group-offsets',\n  \
           'properties.auto.offset.reset' = 'earliest',\n  \
           'format' = 'json',\n  \
           'json.timestamp-format.standard' = 'ISO-8601',\n  \
           'json.ignore-parse-errors' = 'true'\n\
         );\n",
    );
    text
}

fn ksqldb() -> String {
    let mut text = String::from(
        "-- Events of trapline (schema 1) for ksqlDB: one stream a topic. Its time is the record's, when it was received.\n\
         -- Written from packaging/schema/event.schema.json; change that, not this.\n",
    );
    for topic in ["net.syslog", "net.snmp", "net.device", "net.agent"] {
        let stream = topic.replace('.', "_");
        write!(text, "\nCREATE STREAM {stream} (\n  `key` VARCHAR KEY").expect("a String");
        for (name, kind) in KSQL.columns() {
            write!(text, ",\n  `{name}` {kind}").expect("a String takes all text");
        }
        writeln!(
            text,
            "\n) WITH (KAFKA_TOPIC = '{topic}', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'JSON');"
        )
        .expect("a String takes all text");
    }
    text
}

#[track_caller]
fn assert_current(name: &str, expected: &str) {
    let path = format!("packaging/kafka/sinks/{name}");
    if std::env::var_os("UPDATE_SINKS").is_some_and(|value| !value.is_empty()) {
        std::fs::write(file(&path), expected).expect("the folder takes it");
    }
    assert!(
        read(&path) == expected,
        "{path} is not what the schema says: run the test once with UPDATE_SINKS=1 and read the difference"
    );
}

#[test]
fn the_index_templates_map_every_field_of_the_schema_and_no_other() {
    for engine in &ENGINES {
        let name = format!("{}-index-template.json", engine.name);
        assert_current(&name, &template(engine));
        let template: Value = serde_json::from_str(&template(engine)).expect("JSON");
        let fields = &template["template"]["mappings"]["properties"];
        let kind = |path: &str| fields.pointer(path).expect(path)["type"].clone();
        for map in [
            "/syslog/properties/structured_data",
            "/syslog/properties/fields",
            "/device/properties/labels",
        ] {
            assert_eq!(kind(map), engine.free, "{map}");
        }
        assert_eq!(kind("/snmp/properties/varbinds"), "nested");
        let number = "/snmp/properties/varbinds/properties/number";
        assert_eq!(kind(number), "double");
    }
}

#[test]
fn the_table_definitions_have_every_field_of_the_schema_and_no_other() {
    assert_current("flink.sql", &flink());
    assert_current("ksqldb.sql", &ksqldb());
    let names: Vec<String> = event().into_iter().map(|(name, _)| name).collect();
    for (sql, tables) in [(flink(), 1), (ksqldb(), 4)] {
        for name in &names {
            let column = format!("\n  `{name}` ");
            assert_eq!(sql.matches(&column).count(), tables, "{name}");
        }
    }
}

#[test]
fn the_sinks_read_json_and_take_the_events_id_for_the_documents() {
    for engine in &ENGINES {
        let text = read(&format!("packaging/kafka/sinks/{}-sink.json", engine.name));
        let sink: Value = serde_json::from_str(&text).expect("JSON");
        let config = &sink["config"];
        let topics: Vec<&str> = config["topics"]
            .as_str()
            .expect("text")
            .split(',')
            .collect();
        assert_eq!(
            topics,
            ["net.syslog", "net.snmp", "net.device", "net.agent"]
        );
        assert_eq!(config["value.converter.schemas.enable"], "false");
        let id = config["transforms.id.fields"].as_str().expect("text");
        assert!(event().iter().any(|(name, _)| name == id), "{id}");
    }
}

#[test]
fn topics_are_the_shipped_ones_wherever_they_are_made_granted_or_read() {
    let settings = read("packaging/trapline.toml");
    let (_, topics) = settings.split_once("\n#[topics]\n").expect("the section");
    let keys = topics
        .lines()
        .skip_while(|line| !line.contains(" = "))
        .take_while(|line| line.contains(" = "));
    let shipped: BTreeSet<&str> = keys.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(shipped.contains("net.syslog"), "{shipped:?}");
    let between = |path: &str, begin: &str, end: char, separator: char| {
        let text = read(path);
        let (_, rest) = text.split_once(begin).expect(begin);
        let list = rest.split(end).next().expect("a list");
        let names = list.split(separator).map(str::to_owned);
        names.collect::<BTreeSet<String>>()
    };
    let sinks = "packaging/kafka/sinks";
    for found in [
        between("packaging/kafka/prepare", "topics='", '\'', ' '),
        between(&format!("{sinks}/flink.sql"), "'topic' = '", '\'', ';'),
        between(
            &format!("{sinks}/elasticsearch-sink.json"),
            "\"topics\": \"",
            '"',
            ',',
        ),
        between(
            &format!("{sinks}/opensearch-sink.json"),
            "\"topics\": \"",
            '"',
            ',',
        ),
    ] {
        assert!(
            found.iter().map(String::as_str).eq(shipped.iter().copied()),
            "{found:?}"
        );
    }
}

/// Every field of an event has its place in the templates: what is not named there would be kept and never found.
#[test]
fn every_field_of_the_expected_events_is_mapped() {
    for engine in &ENGINES {
        let template: Value = serde_json::from_str(&template(engine)).expect("JSON");
        let mappings = &template["template"]["mappings"];
        let mut events = 0;
        for case in files(&file("fixtures"), "expected.json") {
            let text = std::fs::read_to_string(&case).expect("text");
            let found = match serde_json::from_str(&text).expect("JSON") {
                Value::Array(list) => list,
                one => vec![one],
            };
            for event in found.iter().filter(|event| event["schema"] == 1) {
                events += 1;
                assert_mapped(event, mappings, &case.display().to_string());
            }
        }
        assert!(events > 100, "only {events} events were found in fixtures/");
    }
}

fn assert_mapped(value: &Value, mapping: &Value, path: &str) {
    match value {
        Value::Object(fields) => {
            let is_free = mapping["type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("flat"));
            for (name, value) in fields.iter().filter(|_| !is_free) {
                let path = format!("{path}: {name}");
                let mapping = mapping["properties"].get(name);
                assert_mapped(
                    value,
                    mapping.unwrap_or_else(|| panic!("{path} is not mapped")),
                    &path,
                );
            }
        }
        Value::Array(list) => list
            .iter()
            .for_each(|value| assert_mapped(value, mapping, path)),
        Value::Null => {}
        Value::String(_) => assert_fits(value, mapping, path, TEXTS),
        Value::Bool(_) => assert_fits(value, mapping, path, &["boolean"]),
        Value::Number(number) if number.is_f64() => {
            assert_fits(value, mapping, path, &["double"]);
        }
        Value::Number(_) => assert_fits(value, mapping, path, INTEGERS),
    }
}

const TEXTS: &[&str] = &["keyword", "text", "date", "date_nanos", "ip"];
const INTEGERS: &[&str] = &["short", "integer", "long", "unsigned_long", "double"];

fn assert_fits(value: &Value, mapping: &Value, path: &str, kinds: &[&str]) {
    let kind = mapping["type"].as_str().unwrap_or_default();
    assert!(
        kinds.contains(&kind),
        "{path}: {value} does not fit into {kind:?}"
    );
}

/// Files of that name below a folder.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| self::files(folder, name));
    let here = files
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|it| it == name));
    here.chain(below).collect()
}
