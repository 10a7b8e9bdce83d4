//! The agent's state over HTTP, on a thread of its own.
//!
//! ```text
//!  client ──TCP──▶ gate (limits) ──▶ axum ──▶ View::picture ──▶ GET /         page for people
//!                                        │                      GET /metrics  OpenMetrics
//!                                        │                      GET /readyz   200 ready or degraded, 503 not ready
//!                                        │                      GET /ledger   JSON
//!                                        └──▶ Heartbeats ─────▶ GET /healthz  200 the threads move, 503 one does not
//! ```
//!
//! Read only: nothing here changes the agent; what does goes through the admin socket (`admin`). One request a connection, answered and closed, so that a probe or a scrape
//! never depends on who else keeps connections open. What is shown is not secret (no message, no community, no key), but
//! names of listeners and topics are; so the default address is the loopback's.

mod admin;
mod gate;
mod page;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use crate::observe::health::{self, Heartbeats};
use crate::observe::metrics;
use crate::observe::picture::View;
use crate::observe::process::Process;
use crate::observe::statement;
use gate::{Door, Gate, Limits};

pub use admin::{
    ADMIN_SOCKET_BYTES_MAX, ADMIN_SOCKET_DEFAULT, ActionError, Actions, RunningAdmin, spawn_admin,
};

/// How long requests that are being answered may take once the agent stops; the drain has better uses for its time.
const STOP_WAIT: Duration = Duration::from_millis(500);

/// Where the status server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address; `None` turns the server off. Port 0 takes any free port.
    pub bind: Option<SocketAddr>,
    /// The admin socket; `None` turns it off.
    pub admin_socket: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9514))),
            admin_socket: Some(ADMIN_SOCKET_DEFAULT.into()),
        }
    }
}

/// Why the status server does not run. The agent logs it and goes on without.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The address could not be bound.
    #[error(
        "status page: {address} could not be bound: {source}; `ss -lntp 'sport = :{port}'` shows who listens there: stop \
         it, or set status.bind to another port or \"off\"", port = .address.port()
    )]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The admin socket is another running agent's.
    #[error(
        "admin socket: another agent answers at {}; give this one a path of its own in status.admin_socket, or \"off\"",
        .path.display()
    )]
    AdminInUse {
        /// The configured path.
        path: PathBuf,
    },
    /// The admin socket could not be made.
    #[error(
        "admin socket: {} could not be made: {source}; its folder must exist and belong to the user that trapline runs as \
         (RuntimeDirectory=trapline under systemd): make it, or set status.admin_socket to another path or \"off\"",
        .path.display()
    )]
    Admin {
        /// The configured path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The thread or its event loop could not be made.
    #[error("status page: its thread could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// A status server that runs until `stop` says so.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    /// Its thread, which ends at most half a second after `stop`.
    pub thread: JoinHandle<()>,
}

/// Binds the address and starts the server's thread. It ends when `stop` becomes true or its sender is gone.
/// `Ok(None)` when the configuration turns the server off.
///
/// # Errors
/// [`StatusError`] when the address is taken or the thread cannot be started.
pub fn spawn(
    config: &Config,
    view: Arc<dyn View>,
    heartbeats: Arc<Heartbeats>,
    stop: watch::Receiver<bool>,
) -> Result<Option<Running>, StatusError> {
    let Some(address) = config.bind else {
        return Ok(None);
    };
    let app = App { view, heartbeats };
    spawn_with(address, Limits::default(), app, stop).map(Some)
}

fn spawn_with(
    address: SocketAddr,
    limits: Limits,
    app: App,
    mut stop: watch::Receiver<bool>,
) -> Result<Running, StatusError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    let (listener, address) = bound.map_err(|source| StatusError::Bind { address, source })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(StatusError::Thread)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(StatusError::Thread)?
    };
    let serve = async move {
        // A sender that is gone means that nobody could ever stop us: that is a stop as well.
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        serve(Gate::new(listener, limits), router(app), stopped).await;
    };
    let thread = thread::Builder::new()
        .name("status".to_owned())
        .spawn(move || runtime.block_on(serve))
        .map_err(StatusError::Thread)?;
    tracing::info!(%address, "status page");
    Ok(Running { address, thread })
}

async fn serve<D: Door>(
    gate: Gate<D>,
    router: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) {
    let (ending, ended) = tokio::sync::oneshot::channel::<()>();
    let signal = async move {
        stopped.await;
        drop(ending);
    };
    let deadline = async move {
        let _ = ended.await;
        tokio::time::sleep(STOP_WAIT).await;
    };
    tokio::select! {
        // This never fails: errors of single connections end with the connection.
        _ = axum::serve(gate, router).with_graceful_shutdown(signal) => {}
        () = deadline => {}
    }
}

/// What the handlers share.
#[derive(Clone)]
struct App {
    view: Arc<dyn View>,
    heartbeats: Arc<Heartbeats>,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/ledger", get(ledger))
        .fallback(nothing_here)
        .with_state(app)
}

async fn page(State(app): State<App>) -> Response {
    let picture = app.view.picture();
    let readiness = health::readyz(&picture);
    let health = health::healthz(&app.heartbeats.pulses(Instant::now()));
    let html = page::html(&picture, &readiness, &health);
    answer(StatusCode::OK, "text/html; charset=utf-8", html)
}

async fn metrics(State(app): State<App>) -> Response {
    match metrics::text(app.view.picture(), Process::read()) {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("the metrics could not be written: {error}\n"),
        ),
    }
}

async fn healthz(State(app): State<App>) -> Response {
    let health = health::healthz(&app.heartbeats.pulses(Instant::now()));
    json(health.http_status(), &health.json())
}

async fn readyz(State(app): State<App>) -> Response {
    let readiness = health::readyz(&app.view.picture());
    json(readiness.http_status(), &readiness.json())
}

async fn ledger(State(app): State<App>) -> Response {
    json(200, &statement::ledger_json(&app.view.picture().ledger))
}

async fn nothing_here() -> Response {
    let text = "nothing here; there are /, /metrics, /healthz, /readyz and /ledger\n";
    answer(StatusCode::NOT_FOUND, TEXT, text.to_owned())
}

const TEXT: &str = "text/plain; charset=utf-8";

fn json(status: u16, value: &serde_json::Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer(status, "application/json", format!("{value}\n"))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The page has no scripts, frames, forms or images; should markup ever slip in, it can do nothing.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
