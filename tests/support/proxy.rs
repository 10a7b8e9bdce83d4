//! A bad network: a TCP proxy between the agent and its broker that a test can spoil.
//!
//! ```text
//!  agent ──▶ proxy port ══ two threads a connection ══▶ broker
//!              └ passes on · stalls · is slow · drops · resets · cuts the next response in half
//! ```
//!
//! The broker has to tell its clients to come to the proxy (`listener=NAME:PROTOCOL:PORT:ADVERTISED`).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wait::pause;

/// How often a thread looks whether its connection is to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a connection is to end.
const OPEN: u8 = 0;
const CLOSE: u8 = 1;
const RESET: u8 = 2;

/// A running proxy. It ends with this value.
pub struct Proxy {
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

struct State {
    target: SocketAddr,
    /// Nothing is read from either side.
    stalled: AtomicBool,
    /// Bytes a second and direction; 0: no limit.
    limit: AtomicU64,
    /// The next response that comes is cut.
    cut_next: AtomicBool,
    cuts: AtomicU64,
    accepted: AtomicU64,
    ended: AtomicBool,
    connections: Mutex<Vec<Arc<AtomicU8>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

impl Proxy {
    /// Listens at `port` and connects each client to `target`.
    pub fn start(port: u16, target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a quiet port");
        listener.set_nonblocking(true).expect("a socket's flag");
        let state = Arc::new(State {
            target,
            stalled: AtomicBool::new(false),
            limit: AtomicU64::new(0),
            cut_next: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&state);
        let acceptor = std::thread::spawn(move || accepting.accept(&listener));
        Proxy {
            state,
            acceptor: Some(acceptor),
        }
    }

    /// Closes every connection in order (FIN).
    pub fn drop_all(&self) {
        self.end_all(CLOSE);
    }

    /// Resets every connection (RST): what was under way is gone.
    pub fn reset_all(&self) {
        self.end_all(RESET);
    }

    /// Reads nothing any more, or goes on.
    pub fn stall(&self, stalled: bool) {
        self.state.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Passes on at most so many bytes a second on each connection and direction; 0: as many as come.
    pub fn limit(&self, bytes_per_second: u64) {
        self.state.limit.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Passes on the first half of the next response, and then resets that connection.
    pub fn cut_next_response(&self) {
        self.state.cut_next.store(true, Ordering::SeqCst);
    }

    /// How many responses were cut.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// How many connections there have been.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }

    fn end_all(&self, how: u8) {
        let connections = self.state.connections.lock().expect("the lock");
        for connection in connections.iter() {
            connection.store(how, Ordering::SeqCst);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.end_all(CLOSE);
        if let Some(acceptor) = self.acceptor.take() {
            // Its panic has been printed already.
            let _ = acceptor.join();
        }
    }
}

impl State {
    fn accept(self: &Arc<State>, listener: &TcpListener) {
        while !self.ended.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((client, _)) => self.connect(client),
                Err(error) if error.kind() == ErrorKind::WouldBlock => pause(LOOK_EVERY),
                Err(error) => panic!("the proxy's listener: {error}"),
            }
        }
    }

    fn connect(self: &Arc<State>, client: TcpStream) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        client.set_nonblocking(false).expect("a socket's flag");
        // Without the broker the client finds a connection that closes at once.
        let Ok(broker) = TcpStream::connect(self.target) else {
            return;
        };
        let how = Arc::new(AtomicU8::new(OPEN));
        let mut connections = self.connections.lock().expect("the lock");
        connections.retain(|connection| Arc::strong_count(connection) > 1);
        connections.push(Arc::clone(&how));
        for stream in [&client, &broker] {
            stream.set_nodelay(true).expect("a socket's flag");
            stream
                .set_read_timeout(Some(LOOK_EVERY))
                .expect("a timeout");
            stream
                .set_write_timeout(Some(LOOK_EVERY))
                .expect("a timeout");
        }
        let twin = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        for (direction, from, to) in [
            (Direction::Request, twin(&client), twin(&broker)),
            (Direction::Response, broker, client),
        ] {
            let (state, how) = (Arc::clone(self), Arc::clone(&how));
            std::thread::spawn(move || state.pump(direction, from, to, &how));
        }
    }

    /// Passes on until the connection is to end. The last of both threads closes the sockets.
    fn pump(&self, direction: Direction, mut from: TcpStream, mut to: TcpStream, how: &AtomicU8) {
        let mut bytes = [0; 16 * 1024];
        while how.load(Ordering::SeqCst) == OPEN {
            if self.stalled.load(Ordering::SeqCst) {
                pause(LOOK_EVERY);
                continue;
            }
            let limit = self.limit.load(Ordering::SeqCst);
            // With a limit, what passes in one look's time.
            let most = match limit {
                0 => bytes.len(),
                limit => usize::try_from(limit / 50)
                    .unwrap_or(1)
                    .clamp(1, bytes.len()),
            };
            let length = match from.read(&mut bytes[..most]) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if is_timeout(&error) => continue,
                Err(_) => break,
            };
            let cuts =
                direction == Direction::Response && self.cut_next.swap(false, Ordering::SeqCst);
            let passed = if cuts { length / 2 } else { length };
            if !write(&mut to, &bytes[..passed], how) {
                break;
            }
            if cuts {
                how.store(RESET, Ordering::SeqCst);
                self.cuts.fetch_add(1, Ordering::SeqCst);
            }
            if limit > 0 {
                pause(LOOK_EVERY);
            }
        }
        // One side that has ended ends both. The order stays where there is one.
        let _ = how.compare_exchange(OPEN, CLOSE, Ordering::SeqCst, Ordering::SeqCst);
        if how.load(Ordering::SeqCst) == RESET {
            for stream in [&from, &to] {
                // Fails only where the other end has closed already.
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
    }
}

/// Writes all of it, unless the connection ends or is to end.
fn write(to: &mut TcpStream, mut bytes: &[u8], how: &AtomicU8) -> bool {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if is_timeout(&error) && how.load(Ordering::SeqCst) == OPEN => {}
            Err(_) => return false,
        }
    }
    true
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
