//! `trapline check`: all problems and warnings of a configuration at once.

use std::process::ExitCode;

use super::output::{Output, complain};
use super::{CheckArguments, plural, run};

/// Runs the command.
pub(super) fn run(arguments: &CheckArguments) -> ExitCode {
    let file = arguments.config.file();
    let loaded = match run::load(file.as_deref()) {
        Ok(loaded) => loaded,
        Err(refused) => {
            super::print_refused(&refused);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    super::print_warnings(&loaded.warnings);
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
