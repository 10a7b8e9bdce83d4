//! The command's end of the admin socket.
//!
//! ```text
//!  --socket, else status.admin_socket of the configuration ──▶ Admin ──HTTP over a unix socket──▶ the running agent
//! ```
//!
//! In: method, target and body. Out: the answer's body, or why there is none and what to do.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigArguments, run};
use crate::status::ADMIN_SOCKET_DEFAULT;

/// An answer takes milliseconds; an agent whose admin thread hangs is as good as none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read: a report with a thousand topics has some 300 kB.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// Nobody listens.
    #[error("no agent answers at {path}: is it running? (`systemctl status trapline`){hint}")]
    Nobody {
        /// The socket.
        path: String,
        /// What else may be the matter.
        hint: String,
    },
    /// We may not connect.
    #[error(
        "{path} may not be opened: run the command as the user or in the group of the agent, or as root"
    )]
    Denied {
        /// The socket.
        path: String,
    },
    /// The configuration says that there is none.
    #[error("the agent has no admin socket: status.admin_socket is \"off\" in the configuration")]
    Off,
    /// The connection failed on the way.
    #[error("the agent at {path} did not answer: {source}")]
    Io {
        /// The socket.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It answered something else than an answer.
    #[error("what answers at {path} is no trapline agent")]
    Stranger {
        /// The socket.
        path: String,
    },
    /// It refused.
    #[error("the agent refused ({status}): {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        text: String,
    },
}

/// Which agent is asked.
#[derive(Debug, clap::Args)]
pub(super) struct AdminArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The agent's admin socket [default: status.admin_socket of the configuration]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl AdminArguments {
    /// Where it is asked; an error where the configuration says that it has no socket.
    pub(super) fn admin(&self) -> Result<Admin, AdminError> {
        Admin::new(self.socket.as_deref(), self.config.file().as_deref())
    }
}

/// Where the running agent is asked.
#[derive(Debug)]
pub(super) struct Admin {
    path: PathBuf,
    hint: String,
}

impl Admin {
    /// The socket that was named, else the configuration's. A configuration that cannot be read here (its secrets belong
    /// to the agent's user) leaves the default one.
    pub(super) fn new(socket: Option<&Path>, config: Option<&Path>) -> Result<Admin, AdminError> {
        let with = |path: PathBuf, hint: &str| Admin {
            path,
            hint: hint.to_owned(),
        };
        if let Some(path) = socket {
            return Ok(with(path.to_owned(), ""));
        }
        match run::load(config) {
            Ok(loaded) => match loaded.config.status.admin_socket {
                Some(path) => Ok(with(path, "; --socket names another one")),
                None => Err(AdminError::Off),
            },
            Err(_) => Ok(with(
                ADMIN_SOCKET_DEFAULT.into(),
                "; the configuration cannot be used here (`trapline check` says why), so --socket may have to name it",
            )),
        }
    }

    /// Sends one request and returns the answer's body.
    pub(super) fn ask(&self, method: &str, target: &str, body: &str) -> Result<String, AdminError> {
        let path = || self.path.display().to_string();
        let mut stream = UnixStream::connect(&self.path).map_err(|source| match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => AdminError::Nobody {
                path: path(),
                hint: self.hint.clone(),
            },
            ErrorKind::PermissionDenied => AdminError::Denied { path: path() },
            _ => AdminError::Io {
                path: path(),
                source,
            },
        })?;
        let answer = patient(&stream)
            .and_then(|()| exchange(&mut stream, method, target, body))
            .map_err(|source| AdminError::Io {
                path: path(),
                source,
            })?;
        let (status, text) = parse(&answer).ok_or_else(|| AdminError::Stranger { path: path() })?;
        match status {
            200 => Ok(text.to_owned()),
            status => Err(AdminError::Refused {
                status,
                text: text.trim_end().to_owned(),
            }),
        }
    }
}

fn patient(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// One request and its answer, on a stream that has its own patience.
pub(super) fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    target: &str,
    body: &str,
) -> io::Result<String> {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: trapline\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Status and body of an answer that ends with its connection (RFC 9112, section 6.3).
pub(super) fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    Some((status.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body_and_anything_else_is_none() {
        let answer = "HTTP/1.1 501 Not Implemented\r\ncontent-length: 3\r\n\r\nno\n";
        assert_eq!(parse(answer), Some((501, "no\n")));
        for odd in [
            "",
            "SSH-2.0-OpenSSH",
            "HTTP/1.1 \r\n\r\n",
            "HTTP/1.1 2é0 OK\r\n\r\n",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
