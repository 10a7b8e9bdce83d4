//! The table that is printed: how many of a vendor's lines are read, by column.

use std::collections::BTreeMap;
use std::path::Path;

/// The columns, in the order in which they are printed.
pub const COLUMNS: [&str; 6] = ["host", "vendor", "time", "code", "message", "fields"];

/// Hits and tries by vendor and column.
#[derive(Default)]
pub struct Rates(BTreeMap<String, [(u32, u32); COLUMNS.len()]>);

impl Rates {
    pub fn count(&mut self, vendor: &str, column: &str, hit: bool) {
        let place = COLUMNS.iter().position(|name| *name == column);
        let place = place.unwrap_or_else(|| panic!("no column {column}"));
        let row = self.0.entry(vendor.to_owned()).or_default();
        row[place].0 += u32::from(hit);
        row[place].1 += 1;
    }

    /// Prints the table, and holds `fixtures/measured/TITLE.md`, which is shipped, to it. `UPDATE_DIALECTS=1` writes it.
    pub fn print(&self, title: &str) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/measured/{title}.md"));
        let text = self.markdown(title);
        if std::env::var_os("UPDATE_DIALECTS").is_some_and(|value| !value.is_empty()) {
            std::fs::write(&path, &text).expect("the table is written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        println!(
            "\n{title:24}{}",
            COLUMNS.map(|name| format!("{name:>10}")).concat()
        );
        for (vendor, row) in &self.0 {
            let cell = |(hits, tries): (u32, u32)| match tries {
                0 => format!("{:>10}", "-"),
                _ => format!("{:>10}", format!("{hits}/{tries}")),
            };
            println!("{vendor:26}{}", row.map(cell).concat());
        }
        assert_eq!(
            kept,
            text,
            "{}: UPDATE_DIALECTS=1 writes it anew",
            path.display()
        );
    }

    fn markdown(&self, title: &str) -> String {
        let rule = "|---".repeat(COLUMNS.len() + 1);
        let mut out = format!("| {title} | {} |\n{rule}|\n", COLUMNS.join(" | "));
        for (vendor, row) in &self.0 {
            let cells = row.map(|(hits, tries)| match tries {
                0 => "-".to_owned(),
                _ => format!("{hits}/{tries}"),
            });
            out += &format!("| {vendor} | {} |\n", cells.join(" | "));
        }
        out
    }
}
