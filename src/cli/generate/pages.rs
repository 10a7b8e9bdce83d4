//! The grammar of the commands → their man pages.
//!
//! ```text
//!  about, options, subcommands ──clap_mangen──▶ its sections
//!  after_help:  Examples:      ───────────────▶ EXAMPLES, as they stand
//!               a paragraph    ───────────────▶ NOTES      Exit code ... ──▶ EXIT STATUS
//! ```
//!
//! clap_mangen would put all that follows the options into one section and fill its lines as if they were prose.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// Writes the page of the command, and those of its subcommands but the hidden ones.
pub(super) fn write(command: Command, folder: &Path) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    each(&command, folder)
}

fn each(command: &Command, folder: &Path) -> io::Result<()> {
    for subcommand in shown(command) {
        each(subcommand, folder)?;
    }
    let man = Man::new(command.clone());
    fs::write(folder.join(man.get_filename()), page(command, &man)?)
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|each| !each.is_hide_set())
}

fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if shown(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string);
    let mut roff = Roff::new();
    after(&mut roff, &help.unwrap_or_default());
    see_also(&mut roff, command.get_version().is_some());
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// What stands below the options in the help.
fn after(roff: &mut Roff, help: &str) {
    let mut section = "";
    let mut in_example = false;
    for line in help.lines() {
        let is_example = line.starts_with(' ');
        if in_example && !is_example {
            roff.control("EE", []);
        }
        if is_example && !in_example {
            roff.control("EX", []);
        }
        in_example = is_example;
        if is_example {
            roff.text([roman(line)]);
        } else if let Some(title) = heading(line) {
            section = title;
            roff.control("SH", [title.to_uppercase().as_str()]);
        } else if !line.is_empty() {
            let title = section_of(line);
            if title != section {
                section = title;
                roff.control("SH", [title]);
            } else {
                roff.control("PP", []);
            }
            roff.text([roman(line)]);
        }
    }
    if in_example {
        roff.control("EE", []);
    }
}

/// `Examples:` alone on its line begins a section.
fn heading(line: &str) -> Option<&str> {
    let title = line.strip_suffix(':')?;
    (!title.contains(' ')).then_some(title)
}

fn section_of(paragraph: &str) -> &'static str {
    if paragraph.starts_with("Exit code") {
        "EXIT STATUS"
    } else {
        "NOTES"
    }
}

/// Only the command itself has a version.
fn see_also(roff: &mut Roff, is_whole: bool) {
    roff.control("SH", ["SEE ALSO"]);
    if !is_whole {
        roff.text([bold("trapline"), roman("(1),")]);
    }
    roff.text([bold("trapline.toml"), roman("(5)")]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_exit_codes_have_a_section() {
        let mut roff = Roff::new();
        let help = "Examples:\n  trapline a     b\n  trapline c\n\nIt is so.\nExit code 1: no.";
        after(&mut roff, help);
        let page = roff.to_roff();
        let wanted = ".SH EXAMPLES\n.EX\n  trapline a     b\n  trapline c\n.EE\n.SH NOTES\nIt is so.\n\
                      .SH \"EXIT STATUS\"\nExit code 1: no.\n";
        assert_eq!(page, wanted);
    }
}
