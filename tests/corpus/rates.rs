//! The table that is printed: how many of a vendor's lines are read, by column.

use std::collections::BTreeMap;

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

    pub fn print(&self, title: &str) {
        println!(
            "\n{title:24}{}",
            COLUMNS.map(|name| format!("{name:>10}")).concat()
        );
        for (vendor, row) in &self.0 {
            let cell = |(hits, tries): (u32, u32)| match tries {
                0 => format!("{:>10}", "-"),
                _ => format!("{:>10}", format!("{hits}/{tries}")),
            };
            println!("{vendor:24}{}", row.map(cell).concat());
        }
    }
}
