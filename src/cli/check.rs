//! `trapline check`: all problems of a configuration at once.

use std::process::ExitCode;

use super::output::{Output, complain};
use super::{CheckArguments, plural, run};

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
        complain(&format!("warning: {warning}"));
    }
    let mut output = Output::default();
    if arguments.print {
        for (key, value) in loaded.config.effective.lines() {
            writeln!(output, "{key} = {value}");
        }
    }
    let what = file.map_or("the built-in defaults".to_owned(), |path| {
        path.display().to_string()
    });
    let warnings = loaded.warnings.len();
    complain(&format!(
        "{what}: no problems, {warnings} warning{}",
        plural(warnings)
    ));
    output.end()
}
