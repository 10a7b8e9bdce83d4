//! `trapline check`: all problems of a configuration at once.

use std::process::ExitCode;

use super::{CheckArguments, run};

/// Runs the command.
pub(super) fn run(arguments: &CheckArguments) -> ExitCode {
    let file = arguments.config.file();
    let loaded = match run::load(file.as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            super::print_problems(&problems);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    if arguments.print {
        for (key, value) in loaded.config.effective.lines() {
            println!("{key} = {value}");
        }
    }
    let what = file.map_or("the built-in defaults".to_owned(), |path| {
        path.display().to_string()
    });
    eprintln!("{what}: no problems, {} warnings", loaded.warnings.len());
    ExitCode::SUCCESS
}
