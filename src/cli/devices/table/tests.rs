//! Claims about the list's text.

use super::*;
use crate::names::listing::InInventory;

fn device(hostname: &str, address: [u8; 4]) -> Row {
    Row {
        hostname: hostname.to_owned(),
        hostname_source: "learned".to_owned(),
        address: Some(address.into()),
        relay: None,
        state: State::Known,
        role: Role::Device,
        inventory: None,
        engine_id: None,
        vendor: Some("cisco".to_owned()),
        os: Some("ios".to_owned()),
        first_heard: None,
        last_heard: None,
        age_seconds: Some(3),
        messages: 10,
        per_second: 1.25,
        missing: 0,
        restarts: 0,
        conflicts: 0,
    }
}

fn lines(rows: &[Row], width: Option<usize>) -> Vec<String> {
    let widths = widths(rows, width);
    let titles = COLUMNS.iter().map(|column| column.title.to_owned());
    let mut lines = vec![line(titles, &widths)];
    for row in rows {
        let cells = COLUMNS.iter().map(|column| (column.cell)(row));
        lines.push(line(cells, &widths));
    }
    lines
}

#[test]
fn columns_stand_under_their_titles_and_empty_ones_are_left_out() {
    let quiet = Row {
        state: State::Silent,
        age_seconds: Some(7_300),
        per_second: 0.0,
        vendor: None,
        os: None,
        ..device("r2", [10, 0, 0, 2])
    };
    assert_eq!(
        lines(&[device("lax-cor-r1", [10, 0, 0, 1]), quiet], None),
        [
            "NAME        WHY      ADDRESS   VENDOR     SEEN    /S  NOTES",
            "lax-cor-r1  learned  10.0.0.1  cisco ios    3s  1.25",
            "r2          learned  10.0.0.2               2h     -  silent",
        ]
    );
}

#[test]
fn no_line_is_wider_than_the_terminal_and_the_engine_gives_way_first() {
    let wide = Row {
        engine_id: Some("80000009030021541a2b3c".to_owned()),
        missing: 12,
        conflicts: 3,
        relay: Some([10, 9, 9, 9].into()),
        ..device(
            "a-very-long-name-of-a-device.branch.example.net",
            [10, 0, 0, 1],
        )
    };
    let whole = lines(std::slice::from_ref(&wide), None);
    assert!(whole[1].contains("80000009030021541a2b3c"), "{whole:#?}");
    for width in [80, 100, 120] {
        let shown = lines(std::slice::from_ref(&wide), Some(width));
        assert!(
            shown.iter().all(|line| line.chars().count() <= width),
            "{shown:#?}"
        );
    }
    let narrow = lines(&[wide], Some(80));
    assert!(narrow[1].contains('…') && !narrow[0].contains("ENGINE"));
}

#[test]
fn a_name_that_a_terminal_would_obey_is_shown() {
    let odd = device("r1\u{1b}[2J", [10, 0, 0, 1]);
    assert!(lines(&[odd], None)[1].starts_with("r1\\u001b[2J"));
}

#[test]
fn the_summary_counts_what_is_the_matter() {
    assert_eq!(summary(&[], 0), "No device was heard yet.");
    assert_eq!(summary(&[], 3), "0 shown, 3 heard");
    let silent = Row {
        state: State::Silent,
        conflicts: 1,
        inventory: Some(InInventory::Unknown),
        ..device("r1", [10, 0, 0, 1])
    };
    let relay = Row {
        role: Role::Relay,
        inventory: Some(InInventory::Unknown),
        ..device("relay1", [10, 9, 9, 9])
    };
    assert_eq!(
        summary(&[silent, relay], 2),
        "2 heard, 1 silent, 1 with conflicts, 1 unknown to the inventory"
    );
}
