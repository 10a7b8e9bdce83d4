//! The list of devices as text: columns no wider than what stands in them, lines no wider than the terminal.
//!
//! ```text
//!  NAME        WHY        ADDRESS    VENDOR     SEEN    /S  GAPS  CONFL  NOTES
//!  lax-cor-r1  inventory  10.20.0.1  cisco ios    3s  1.20     4         via 10.0.9.1
//!
//!  1 of 1 heard
//! ```
//!
//! In: rows in their order, how many devices were heard in all, and the width. Out: lines. Columns in which nothing stands
//! are left out; where there is no room the engine goes first, then names are cut.

use crate::cli::output::{Output, tamed};
use crate::names::listing::{Role, Row, State};

/// Between two columns.
const GAP: usize = 2;

/// A name is not cut further than this.
const CUT_MIN: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// What happens to a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It stays as it is.
    Whole,
    /// It is cut where there is no room.
    Cut,
    /// It is left out where there is no room.
    Optional,
}

struct Column {
    title: &'static str,
    align: Align,
    fit: Fit,
    cell: fn(&Row) -> String,
}

const fn column(title: &'static str, align: Align, fit: Fit, cell: fn(&Row) -> String) -> Column {
    Column {
        title,
        align,
        fit,
        cell,
    }
}

/// From the left. Names and notes come from strangers and are tamed for the terminal.
const COLUMNS: [Column; 10] = [
    column("NAME", Align::Left, Fit::Cut, |row| tamed(&row.hostname)),
    column("WHY", Align::Left, Fit::Whole, |row| {
        tamed(&row.hostname_source)
    }),
    column("ADDRESS", Align::Left, Fit::Whole, |row| {
        match (row.address, row.relay) {
            (Some(address), _) => address.to_string(),
            (None, relay) => relay.map_or_else(String::new, |relay| format!("via {relay}")),
        }
    }),
    column("VENDOR", Align::Left, Fit::Cut, vendor),
    column("SEEN", Align::Right, Fit::Whole, |row| {
        row.age_seconds.map_or_else(|| "never".to_owned(), age)
    }),
    column("/S", Align::Right, Fit::Whole, |row| rate(row.per_second)),
    column("GAPS", Align::Right, Fit::Whole, |row| count(row.missing)),
    column("CONFL", Align::Right, Fit::Whole, |row| {
        count(row.conflicts)
    }),
    column("NOTES", Align::Left, Fit::Cut, notes),
    column("ENGINE", Align::Left, Fit::Optional, |row| {
        tamed(row.engine_id.as_deref().unwrap_or_default())
    }),
];

/// Prints rows line by line, and what they are of.
pub(super) fn print(output: &mut Output, rows: &[Row], heard: usize, width: Option<usize>) {
    let widths = widths(rows, width);
    if !rows.is_empty() {
        let titles = COLUMNS.iter().map(|column| column.title.to_owned());
        writeln!(output, "{}", line(titles, &widths));
        for row in rows {
            let cells = COLUMNS.iter().map(|column| (column.cell)(row));
            writeln!(output, "{}", line(cells, &widths));
            if !output.is_open() {
                return;
            }
        }
        writeln!(output);
    }
    writeln!(output, "{}", summary(rows, heard));
}

/// How wide each column is; 0: it is left out.
fn widths(rows: &[Row], width: Option<usize>) -> [usize; COLUMNS.len()] {
    let mut widths = COLUMNS.map(|column| {
        let cells = rows.iter().map(|row| (column.cell)(row).chars().count());
        match cells.max().unwrap_or_default() {
            0 => 0,
            cell => cell.max(column.title.chars().count()),
        }
    });
    let Some(width) = width else {
        return widths;
    };
    let total = |widths: &[usize]| {
        let used = widths.iter().filter(|width| **width > 0);
        used.map(|width| width + GAP).sum::<usize>() - GAP.min(widths.iter().sum())
    };
    for (place, column) in COLUMNS.iter().enumerate() {
        if column.fit == Fit::Optional && total(&widths) > width {
            widths[place] = 0;
        }
    }
    // The widest of those that may be cut gives way, a column at a time.
    while total(&widths) > width {
        let places = (0..COLUMNS.len()).filter(|place| COLUMNS[*place].fit == Fit::Cut);
        let Some(widest) = places.max_by_key(|place| widths[*place]) else {
            break;
        };
        if widths[widest] <= CUT_MIN {
            break;
        }
        widths[widest] -= 1;
    }
    widths
}

fn line(cells: impl Iterator<Item = String>, widths: &[usize]) -> String {
    let mut line = String::new();
    for ((cell, width), column) in cells.zip(widths).zip(&COLUMNS) {
        if *width == 0 {
            continue;
        }
        if !line.is_empty() {
            line.push_str("  ");
        }
        let cell = cut(cell, *width);
        let pad = width.saturating_sub(cell.chars().count());
        match column.align {
            Align::Left => line.extend([cell.as_str(), &" ".repeat(pad)]),
            Align::Right => line.extend([&" ".repeat(pad), cell.as_str()]),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn cut(text: String, width: usize) -> String {
    if text.chars().count() <= width {
        return text;
    }
    let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
    text.push('…');
    text
}

fn vendor(row: &Row) -> String {
    let vendor = row.vendor.as_deref().unwrap_or_default();
    let os = row.os.as_deref().unwrap_or_default();
    tamed(format!("{vendor} {os}").trim())
}

/// The largest unit in which it is 1 or more.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Enough digits to see a device that says a message a minute.
fn rate(per_second: f32) -> String {
    match per_second {
        none if none < 0.005 => "-".to_owned(),
        few if few < 9.95 => format!("{few:.2}"),
        some if some < 99.95 => format!("{some:.1}"),
        many => format!("{many:.0}"),
    }
}

/// Nothing where there is nothing, so that what there is can be seen.
fn count(number: u64) -> String {
    match number {
        0 => String::new(),
        number => number.to_string(),
    }
}

/// What is the matter with it, worst first.
fn notes(row: &Row) -> String {
    let mut notes = Vec::new();
    match row.state {
        State::Silent => notes.push("silent".to_owned()),
        State::Never => notes.push("never".to_owned()),
        State::Newcomer => notes.push("new".to_owned()),
        State::Known => {}
    }
    match row.role {
        Role::Relay => notes.push("relay".to_owned()),
        Role::Shared => notes.push("NAT?".to_owned()),
        Role::Device => {}
    }
    if row.is_unknown() {
        notes.push("unknown".to_owned());
    }
    if let (Some(_), Some(relay)) = (row.address, row.relay) {
        notes.push(format!("via {relay}"));
    }
    if row.restarts > 0 {
        notes.push(format!("restarts {}", row.restarts));
    }
    notes.join(", ")
}

fn summary(rows: &[Row], heard: usize) -> String {
    if heard == 0 && rows.is_empty() {
        return "No device was heard yet.".to_owned();
    }
    let of = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    let shown = rows.len();
    let mut text = match shown == heard {
        true => format!("{heard} heard"),
        false => format!("{shown} shown, {heard} heard"),
    };
    for (count, word) in [
        (of(|row| row.state == State::Silent), "silent"),
        (of(|row| row.state == State::Never), "never heard"),
        (of(|row| row.state == State::Newcomer), "new"),
        (of(|row| row.missing > 0), "with gaps"),
        (of(|row| row.conflicts > 0), "with conflicts"),
        (of(Row::is_unknown), "unknown to the inventory"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
