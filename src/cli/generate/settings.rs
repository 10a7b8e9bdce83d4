//! The shipped configuration → the man page trapline.toml(5).
//!
//! ```text
//!  # text          ──▶ a paragraph, or what is said of the keys or the section below it
//!  #   text        ──▶ an example, as it stands
//!  #[kafka]        ──▶ a heading
//!  #linger_ms = 50 ──▶ kafka.linger_ms (default: 50)
//! ```
//!
//! That every key of the code stands in the file, with the default of the code, is a test of the configuration.

use std::io;

use clap_mangen::roff::{Roff, bold, roman};

/// The configuration as shipped.
pub(super) const SHIPPED: &str = include_str!("../../../packaging/trapline.toml");

/// What a line of the shipped file is.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Blank,
    Text(&'a str),
    Example(&'a str),
    Heading(&'a str),
    Key(&'a str, &'a str),
}

fn line(line: &str) -> Line<'_> {
    let Some(text) = line.strip_prefix('#') else {
        return Line::Blank;
    };
    if let Some(example) = text.strip_prefix("   ") {
        Line::Example(example)
    } else if text.starts_with('[') {
        Line::Heading(text.trim_matches(['[', ']']))
    } else if let Some(text) = text.strip_prefix(' ') {
        Line::Text(text)
    } else if let Some((key, value)) = text.split_once(" = ") {
        Line::Key(key, value)
    } else {
        Line::Blank
    }
}

/// The page, in roff.
pub(super) fn page() -> io::Result<Vec<u8>> {
    let mut page = Page::default();
    page.begin();
    for each in SHIPPED.lines() {
        page.add(line(each));
    }
    page.end();
    let mut bytes = Vec::new();
    page.roff.to_writer(&mut bytes)?;
    Ok(bytes)
}

/// The page as far as it is written.
#[derive(Default)]
struct Page {
    roff: Roff,
    heading: String,
    said: Vec<String>,
    keys: Vec<String>,
    in_example: bool,
}

impl Page {
    fn begin(&mut self) {
        let version = concat!("trapline ", env!("CARGO_PKG_VERSION"));
        self.roff
            .control("TH", ["trapline.toml", "5", "", version, ""]);
        self.roff.control("SH", ["NAME"]);
        let name = "trapline.toml - configuration of the trapline agent";
        self.roff.text([roman(name)]);
        self.roff.control("SH", ["DESCRIPTION"]);
    }

    fn add(&mut self, line: Line<'_>) {
        if self.in_example && !matches!(line, Line::Example(_)) {
            self.roff.control("EE", []);
            self.in_example = false;
        }
        match line {
            Line::Blank => self.flush(),
            Line::Text(text) => {
                if !self.keys.is_empty() {
                    self.flush();
                }
                self.said.push(text.to_owned());
            }
            Line::Example(text) => {
                self.flush();
                if !self.in_example {
                    self.roff.control("EX", []);
                    self.in_example = true;
                }
                self.roff.text([roman(text)]);
            }
            Line::Heading(name) => {
                // What stands right above a heading is said of the section.
                if !self.keys.is_empty() {
                    self.flush();
                }
                if self.heading != name {
                    self.heading = name.to_owned();
                    self.roff.control("SH", [name.to_uppercase().as_str()]);
                }
            }
            Line::Key(key, value) => {
                let heading = &self.heading;
                self.keys
                    .push(format!("{heading}.{key} (as shipped: {value})"));
            }
        }
    }

    /// Writes the keys with what is said of them, or what is said alone.
    fn flush(&mut self) {
        let said = self.said.drain(..).map(|text| roman(text + "\n"));
        let said: Vec<_> = said.collect();
        let mut keys = self.keys.drain(..);
        if let Some(first) = keys.next() {
            self.roff.control("TP", []);
            self.roff.text([bold(first)]);
            for key in keys {
                self.roff.control("TQ", []);
                self.roff.text([bold(key)]);
            }
        } else if !said.is_empty() {
            self.roff.control("PP", []);
        }
        if !said.is_empty() {
            self.roff.text(said);
        }
    }

    fn end(&mut self) {
        self.add(Line::Blank);
        self.roff.control("SH", ["SEE ALSO"]);
        self.roff.text([
            bold("trapline"),
            roman("(1), "),
            bold("trapline-check"),
            roman("(1)"),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_is_told_apart() {
        assert_eq!(line(""), Line::Blank);
        assert_eq!(line("#"), Line::Blank);
        assert_eq!(line("# The brokers"), Line::Text("The brokers"));
        assert_eq!(line("#   [listener.tls]"), Line::Example("[listener.tls]"));
        assert_eq!(line("#[[listener]]"), Line::Heading("listener"));
        assert_eq!(line("#linger_ms = 50"), Line::Key("linger_ms", "50"));
    }

    #[test]
    fn every_shipped_key_has_its_place_in_the_page() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        let mut heading = "";
        let mut keys = 0;
        for each in SHIPPED.lines() {
            match line(each) {
                Line::Heading(name) => heading = name,
                Line::Key(key, _) => {
                    let name = format!("{heading}.{key} ");
                    assert!(page.contains(&name), "{name}: {page}");
                    keys += 1;
                }
                Line::Blank | Line::Text(_) | Line::Example(_) => {}
            }
        }
        assert!(keys > 30, "only {keys} keys");
    }
}
