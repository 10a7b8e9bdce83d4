//! What earlier processes have counted of the kernel's drops on sockets that outlive them.
//!
//! ```text
//!  $RUNTIME_DIRECTORY/kernel-drops ──▶ known ──▶ KernelDrops::new      every second, where it changed ──▶ the file
//! ```
//!
//! The file has one line a socket: its cookie and the kernel's counter as it was last read, `4711 17`. A cookie means
//! something until the host starts again, and so does a file below /run. Without a service manager there are no inherited
//! sockets, and no file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::receive::socket::Dropped;

/// The file's name in the folder that systemd makes for the service (`RuntimeDirectory=`, systemd.exec(5)).
const FILE: &str = "kernel-drops";

/// The longest file that is read: 1 024 sockets of 32 bytes.
const BYTES_MAX: u64 = 32 * 1024;

/// The file, and what is in it.
#[derive(Debug, Default)]
pub(super) struct DroppedBefore {
    file: Option<PathBuf>,
    known: Vec<Dropped>,
}

impl DroppedBefore {
    /// Of the service that this process runs as, if it does.
    pub(super) fn of_service() -> Self {
        match std::env::var_os("RUNTIME_DIRECTORY") {
            // Several folders would be separated by colons; the unit asks for one.
            Some(folder) => DroppedBefore::at(Path::new(&folder).join(FILE)),
            None => DroppedBefore::default(),
        }
    }

    fn at(file: PathBuf) -> Self {
        let known = match read(&file) {
            Ok(text) => parse(&text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %file.display(), %error, "what was dropped before cannot be read and may be counted again");
                }
                Vec::new()
            }
        };
        DroppedBefore {
            file: Some(file),
            known,
        }
    }

    /// What is counted already.
    pub(super) fn known(&self) -> &[Dropped] {
        &self.known
    }

    /// Keeps `counted` for the next process. Writes only where something changed.
    pub(super) fn remember(&mut self, counted: Vec<Dropped>) {
        let Some(file) = &self.file else {
            return;
        };
        if counted == self.known {
            return;
        }
        self.known = counted;
        if let Err(error) = replace(file, &print(&self.known)) {
            tracing::warn!(file = %file.display(), %error, "what was dropped cannot be kept for the next start");
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    fs::File::open(file)?
        .take(BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Vec<Dropped> {
    let line = |line: &str| {
        let (cookie, datagrams) = line.split_once(' ')?;
        Some(Dropped {
            cookie: cookie.parse().ok()?,
            datagrams: datagrams.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

fn print(known: &[Dropped]) -> String {
    known
        .iter()
        .map(|socket| format!("{} {}\n", socket.cookie, socket.datagrams))
        .collect()
}

/// A reader finds the old text or the new one, never half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_knows_what_this_one_has_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let counted = vec![
            Dropped {
                cookie: 4711,
                datagrams: 17,
            },
            Dropped {
                cookie: 4712,
                datagrams: 0,
            },
        ];
        let mut first = DroppedBefore::at(file.clone());
        assert!(first.known().is_empty());
        first.remember(counted.clone());
        assert_eq!(fs::read_to_string(&file).unwrap(), "4711 17\n4712 0\n");
        assert_eq!(DroppedBefore::at(file).known(), counted);
    }

    #[test]
    fn lines_that_are_not_understood_are_passed_over() {
        assert_eq!(parse("x\n1\n1 2 3\n5 6\n").len(), 1);
    }

    #[test]
    fn without_a_service_manager_nothing_is_written() {
        let mut nowhere = DroppedBefore::default();
        nowhere.remember(vec![Dropped {
            cookie: 1,
            datagrams: 1,
        }]);
        assert!(nowhere.known().is_empty());
    }
}
