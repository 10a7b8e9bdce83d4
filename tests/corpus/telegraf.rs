//! The test cases of telegraf's syslog input: what it extracts from a packet or stream, we extract too.

use serde_json::{Value, json};

use super::{event, frames, place};

#[test]
fn whatever_telegraf_extracts_is_in_the_event() {
    let Some(folder) = place("telegraf/testcases") else {
        return;
    };
    let (mut cases, mut metrics, mut values) = (0, 0, 0);
    let mut folders: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("expected.out").exists())
        .collect();
    folders.sort();
    for folder in folders {
        let name = folder.display().to_string();
        let input = std::fs::read(folder.join("input.txt")).expect("input.txt");
        let settings = std::fs::read_to_string(folder.join("telegraf.conf")).expect("settings");
        let packets = match settings.contains("udp://") {
            true => vec![input],
            false => frames(&input),
        };
        let expected = std::fs::read_to_string(folder.join("expected.out")).expect("expected.out");
        cases += 1;
        for (place, line) in metric_lines(&expected).iter().enumerate() {
            let packet = packets
                .get(place)
                .unwrap_or_else(|| panic!("{name}: no frame {place}"));
            let event = event(packet);
            metrics += 1;
            for (key, theirs) in pairs(line) {
                assert!(
                    has(&event, &key, &theirs),
                    "{name}: {key}={theirs} is not in {event}"
                );
                values += 1;
            }
        }
    }
    println!("telegraf: {cases} cases, {metrics} metrics, {values} values, all found");
    assert!(cases >= 50, "the corpus has been cut short");
}

/// Whether the event says what telegraf says.
fn has(event: &Value, key: &str, theirs: &str) -> bool {
    let syslog = &event["syslog"];
    match key {
        // The address is the test's; the version is that of the protocol, which every format has its own name for.
        "source" | "version" => true,
        "severity_code" => event["severity_code"] == number(theirs),
        "facility_code" => syslog["facility_code"] == number(theirs),
        "facility" => syslog["facility"] == theirs,
        "severity" => {
            let long = match theirs {
                "emerg" => "emergency",
                "crit" => "critical",
                "err" => "error",
                other => other,
            };
            event["severity"] == long
        }
        "hostname" => event["device"]["hostname"] == theirs.to_ascii_lowercase(),
        "appname" => syslog["app_name"] == theirs,
        "procid" => syslog["proc_id"] == theirs,
        "msgid" => syslog["msg_id"] == theirs,
        "message" => event["message"] == theirs,
        "timestamp" => {
            let ours: jiff::Timestamp = event["time"].as_str().unwrap_or_default().parse().unwrap();
            event["time_source"] != "received"
                && json!(ours.as_nanosecond() as i64) == number(theirs)
        }
        // Structured data: `element_name="value"`, or `element=true` where it has no parameters.
        _ => syslog["structured_data"].as_object().is_some_and(|data| {
            data.iter().any(|(id, params)| {
                let of_id = key.strip_prefix(id.as_str());
                match of_id.map(|rest| rest.strip_prefix('_')) {
                    Some(None) => theirs == "true",
                    Some(Some(name)) => params[name]
                        .as_array()
                        .is_some_and(|values| values.contains(&json!(theirs))),
                    None => false,
                }
            })
        }),
    }
}

fn number(text: &str) -> Value {
    let digits = text.trim_end_matches(['i', 'u']);
    json!(digits.parse::<i64>().expect("a number"))
}

/// The lines of InfluxDB's line protocol; a line feed in quotes ends none.
fn metric_lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        match lines.last_mut() {
            Some(line) if letter != '\n' || quoted => line.push(letter),
            _ => lines.push(String::new()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Tags and fields of one line, without the measurement's name and the time.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = vec![String::new()];
    let (mut quoted, mut escaped, mut spaces) = (false, false, 0);
    for letter in line.chars() {
        if escaped {
            escaped = false;
            let plain = if letter == 'n' { '\n' } else { letter };
            pairs.last_mut().unwrap().push(plain);
            continue;
        }
        match letter {
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted && spaces == 1 => break,
            ' ' if !quoted => {
                spaces += 1;
                pairs.push(String::new());
            }
            ',' if !quoted => pairs.push(String::new()),
            other => pairs.last_mut().unwrap().push(other),
        }
    }
    let split = |pair: &String| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    pairs.iter().skip(1).filter_map(split).collect()
}
