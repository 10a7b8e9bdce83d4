//! `trapline generate DIR`: the files that a package ships beside the binary, from the code that they describe.
//!
//! ```text
//!  the grammar of the commands ──▶ DIR/man/trapline.1, trapline-run.1, ...   DIR/completions/trapline.bash, _trapline, trapline.fish
//!  packaging/trapline.toml     ──▶ DIR/man/trapline.toml.5, DIR/trapline.toml
//!  the event's types           ──▶ DIR/schema/event.schema.json
//! ```

mod pages;
mod settings;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::output::complain;
use crate::event;

/// The shells whose users find completions in place after the installation of a package.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder, which is made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match write(&arguments.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let folder = arguments.folder.display();
            complain(&format!("trapline: {folder} cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let (man, completions, schema) = (
        folder.join("man"),
        folder.join("completions"),
        folder.join("schema"),
    );
    for folder in [&man, &completions, &schema] {
        fs::create_dir_all(folder)?;
    }
    let grammar = super::Arguments::command();
    pages::write(grammar.clone(), &man)?;
    fs::write(man.join("trapline.toml.5"), settings::page()?)?;
    for shell in SHELLS {
        generate_to(shell, &mut grammar.clone(), "trapline", &completions)?;
    }
    fs::write(schema.join("event.schema.json"), event::schema::json())?;
    fs::write(folder.join("trapline.toml"), settings::SHIPPED)
}
