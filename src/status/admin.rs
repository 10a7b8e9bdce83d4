//! The admin socket: the whole state for `trapline status`, and the only way to change a running agent.
//!
//! ```text
//!  trapline status ──unix socket, 0660──▶ gate (limits) ──▶ axum ─┬─▶ GET  /status   Report, JSON
//!  trapline devices                                               ├─▶ GET  /devices?place  a page of Actions::devices
//!  trapline spool requeue                                         └─▶ POST /requeue  Actions::requeue
//! ```
//!
//! Who may write to the socket may use it: the file's mode is the only password. So what changes the agent is here and
//! not at the status page's address, which every user of the host can reach.
//!
//! In: a path, a [`View`], the [`Actions`]. Out: a thread that answers until it is told to stop. The file of an agent
//! that is gone is replaced; one that is answered is left alone.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::watch;

use super::gate::{Gate, Limits};
use super::{App, StatusError, TEXT, answer, json, serve};
use crate::observe::health::{self, Heartbeats};
use crate::observe::picture::View;
use crate::observe::process::Process;
use crate::observe::report::Report;

/// Where the socket is unless something else is said. The unit's `RuntimeDirectory=` makes the folder.
pub const ADMIN_SOCKET_DEFAULT: &str = "/run/trapline/admin.sock";

/// The longest path of a socket: `sun_path` has 108 bytes (unix(7)), and the last is 0.
pub const ADMIN_SOCKET_BYTES_MAX: usize = 107;

/// Its owner and group may write, which is what connecting needs.
const SOCKET_MODE: u32 = 0o660;

/// Of a folder that is made for it: others need not even look.
const FOLDER_MODE: u32 = 0o750;

/// From accept to close: an action may have a whole file of records to go through.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Connections that wait to be taken: people and scripts, a few at a time.
const BACKLOG: i32 = 16;

/// What the admin socket may have done. The agent implements it.
pub trait Actions: Send + Sync {
    /// Puts records that were set aside back into the spool, to be sent again. `request` is the request's body, JSON of
    /// the caller's own making; what is returned is answered as JSON. May wait for the disk.
    ///
    /// # Errors
    /// [`ActionError`], whose text is the answer.
    fn requeue(&self, request: &[u8]) -> Result<serde_json::Value, ActionError>;

    /// A page of the devices that were heard, as JSON. `place` is where it begins, as the page before named it; empty
    /// for the first. Answers from memory.
    ///
    /// # Errors
    /// [`ActionError`], whose text is the answer.
    fn devices(&self, place: &str) -> Result<String, ActionError>;
}

/// Why an action was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// This agent cannot do it at all.
    #[error("this agent cannot {0}")]
    NotOffered(&'static str),
    /// The request is not understood.
    #[error("the request is not understood: {0}")]
    Request(String),
    /// It was tried and did not succeed.
    #[error("{0}")]
    Failed(String),
}

impl ActionError {
    /// The HTTP status of the answer (RFC 9110, section 15).
    fn http_status(&self) -> StatusCode {
        match self {
            ActionError::NotOffered(_) => StatusCode::NOT_IMPLEMENTED,
            ActionError::Request(_) => StatusCode::BAD_REQUEST,
            ActionError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An admin socket that is served until `stop` says so.
#[derive(Debug)]
pub struct RunningAdmin {
    /// Its thread, which ends at most half a second after `stop`, and takes the file away.
    pub thread: JoinHandle<()>,
}

/// Makes the socket and starts its thread. It ends when `stop` becomes true or its sender is gone.
///
/// # Errors
/// [`StatusError`] when the socket cannot be made, is another agent's, or the thread cannot be started.
pub fn spawn_admin(
    path: &Path,
    view: Arc<dyn View>,
    heartbeats: Arc<Heartbeats>,
    actions: Arc<dyn Actions>,
    mut stop: watch::Receiver<bool>,
) -> Result<RunningAdmin, StatusError> {
    let app = Admin {
        app: App { view, heartbeats },
        actions,
    };
    let listener = bind(path)?;
    let ours = Ours::of(path);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(StatusError::Thread)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::UnixListener::from_std(listener).map_err(StatusError::Thread)?
    };
    let serve = async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let limits = Limits {
            connection_time_max: CONNECTION_TIME_MAX,
            ..Limits::default()
        };
        serve(Gate::new(listener, limits), router(app), stopped).await;
    };
    let thread = thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            runtime.block_on(serve);
            // An action that waits for a disk must not hold up the agent's end.
            runtime.shutdown_background();
            ours.remove();
        })
        .map_err(StatusError::Thread)?;
    tracing::info!(path = %path.display(), "admin socket");
    Ok(RunningAdmin { thread })
}

/// Makes the socket with its mode, in place of one that nobody answers.
fn bind(path: &Path) -> Result<UnixListener, StatusError> {
    let failed = |source| StatusError::Admin {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(folder).map_err(failed)?;
    }
    clear(path)?;
    let bound = || -> io::Result<UnixListener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Before it listens nobody can connect, so there is no moment with the mode that the umask left.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bound().map_err(failed)
}

/// Takes away a socket at which nobody answers any more. Anything that is no socket stays, and binding says so.
fn clear(path: &Path) -> Result<(), StatusError> {
    let failed = |source| StatusError::Admin {
        path: path.to_owned(),
        source,
    };
    let is_socket = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(_) => false,
    };
    if !is_socket {
        return Ok(());
    }
    // One that takes no connections, and has a queue that is full, would be waited for without end.
    let connected = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    match connected {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(failed(error)),
        Ok(()) | Err(_) => Err(StatusError::AdminInUse {
            path: path.to_owned(),
        }),
    }
}

/// The file that was made, so that no other agent's is taken away at the end.
#[derive(Debug)]
struct Ours {
    path: PathBuf,
    inode: Option<u64>,
}

impl Ours {
    fn of(path: &Path) -> Ours {
        Ours {
            path: path.to_owned(),
            inode: inode(path),
        }
    }

    fn remove(self) {
        if self.inode.is_some() && inode(&self.path) == self.inode {
            // Where it cannot be taken away it stays, and the next start replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    let metadata = std::fs::symlink_metadata(path);
    metadata.ok().map(|metadata| metadata.ino())
}

/// What the handlers share.
#[derive(Clone)]
struct Admin {
    app: App,
    actions: Arc<dyn Actions>,
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/devices", get(devices))
        .route("/requeue", post(requeue))
        .fallback(nothing_here)
        .with_state(admin)
}

async fn status(State(admin): State<Admin>) -> Response {
    let picture = admin.app.view.picture();
    let health = health::healthz(&admin.app.heartbeats.pulses(Instant::now()));
    let report = Report::new(&picture, &health, &Process::read());
    match serde_json::to_value(report) {
        Ok(value) => json(200, &value),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("the status could not be written: {error}\n"),
        ),
    }
}

async fn devices(State(admin): State<Admin>, RawQuery(place): RawQuery) -> Response {
    match admin.actions.devices(place.as_deref().unwrap_or_default()) {
        Ok(page) => answer(StatusCode::OK, "application/json", page),
        Err(error) => answer(error.http_status(), TEXT, format!("{error}\n")),
    }
}

/// The action may wait for the disk, so it has a thread of its own and the status is answered meanwhile.
async fn requeue(State(admin): State<Admin>, body: Bytes) -> Response {
    let action = move || admin.actions.requeue(&body);
    let done = tokio::task::spawn_blocking(action).await;
    match done.unwrap_or_else(|error| Err(ActionError::Failed(format!("it ended early: {error}"))))
    {
        Ok(value) => json(200, &value),
        Err(error) => answer(error.http_status(), TEXT, format!("{error}\n")),
    }
}

async fn nothing_here() -> Response {
    let text = "nothing here; there are GET /status, GET /devices and POST /requeue\n";
    answer(StatusCode::NOT_FOUND, TEXT, text.to_owned())
}

#[cfg(test)]
mod tests;
