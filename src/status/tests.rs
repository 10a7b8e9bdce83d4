//! Real requests over loopback with the standard library's sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::*;
use crate::observe::picture::{
    KafkaCondition, ListenerCondition, ListenerState, Picture, SpoolCondition,
};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct Still(Picture);

impl View for Still {
    fn picture(&self) -> Picture {
        self.0.clone()
    }
}

struct Server {
    running: Running,
    stop: watch::Sender<bool>,
    heartbeats: Arc<Heartbeats>,
}

impl Server {
    fn start(picture: Picture, limits: Limits) -> Self {
        let (stop, stopped) = watch::channel(false);
        let long_ago = Instant::now() - Duration::from_secs(60);
        let heartbeats = Arc::new(Heartbeats::new(long_ago));
        let app = App {
            view: Arc::new(Still(picture)),
            heartbeats: Arc::clone(&heartbeats),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = spawn_with(address, limits, app, stopped).expect("starts");
        Server {
            running,
            stop,
            heartbeats,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    fn get(&self, path: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").expect("written");
        Answer::read(stream)
    }

    /// Asks until a slot is free. A client that is turned away sees the 503, or a reset when its request crossed it.
    fn get_when_free(&self, path: &str) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut stream = self.connect();
            let sent = write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
            let seen = String::from_utf8_lossy(&until_ended(stream)).into_owned();
            if sent.is_ok() && seen.starts_with("HTTP/1.1 200") {
                return Answer::parse(&seen);
            }
            assert!(
                Instant::now() < deadline,
                "no slot was ever free again: {seen:?}"
            );
        }
    }

    fn stop(self) {
        self.stop.send(true).expect("the server lives");
        self.running.thread.join().expect("ends well");
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Reads until the server closes, which it does after each answer.
    fn read(mut stream: TcpStream) -> Answer {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in time");
        Answer::parse(&text)
    }

    fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

fn picture() -> Picture {
    let mut picture = Picture {
        listeners: vec![ListenerState {
            name: "syslog-udp".into(),
            state: ListenerCondition::Listening {
                address: "127.0.0.1:5514".into(),
                buffer: None,
            },
        }],
        ..Default::default()
    };
    picture.agent.id = "br17".into();
    picture.kafka.state = KafkaCondition::Up;
    picture
}

#[test]
fn each_path_answers_in_its_own_form() {
    let server = Server::start(picture(), Limits::default());
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html"), "{page:?}");
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'")
    );
    assert!(page.body.contains("trapline br17"));

    let metrics = server.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .head
            .contains("application/openmetrics-text; version=1.0.0")
    );
    assert!(metrics.body.ends_with("# EOF\n"));

    let ledger = server.get("/ledger");
    assert_eq!(ledger.status, 200);
    assert_eq!(ledger.json()["balanced"], true);

    assert_eq!(server.get("/nothing").status, 404);
    server.stop();
}

#[test]
fn readiness_is_a_status_and_words() {
    let ready = Server::start(picture(), Limits::default());
    let answer = ready.get("/readyz");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        serde_json::json!({"status": "ready", "reasons": []})
    );
    ready.stop();

    let mut degraded = picture();
    degraded.kafka.state = KafkaCondition::NotConfigured;
    let degraded = Server::start(degraded, Limits::default());
    let answer = degraded.get("/readyz");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status"], "degraded");
    degraded.stop();

    let mut failed = picture();
    failed.spool.state = SpoolCondition::Failed {
        why: "the disk is gone".into(),
    };
    let failed = Server::start(failed, Limits::default());
    let answer = failed.get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("the disk is gone"));
    failed.stop();
}

#[test]
fn a_silent_thread_makes_healthz_fail_by_name() {
    let server = Server::start(picture(), Limits::default());
    let heartbeat = server.heartbeats.register("spool-writer");
    assert_eq!(server.get("/healthz").status, 200);
    heartbeat.beat_at(Instant::now() - Duration::from_secs(30));
    let answer = server.get("/healthz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["stalled"][0]["thread"], "spool-writer");
    heartbeat.beat();
    assert_eq!(server.get("/healthz").status, 200);
    server.stop();
}

#[test]
fn only_reading_is_offered() {
    let server = Server::start(picture(), Limits::default());
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let mut stream = server.connect();
        write!(
            stream,
            "{method} /ledger HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
        )
        .expect("written");
        assert_eq!(Answer::read(stream).status, 405, "{method}");
    }
    server.stop();
}

/// Reads until the server ends the connection, by a close or a reset; fails when it does not.
fn until_ended(mut stream: TcpStream) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return seen,
            Ok(length) => seen.extend(buffer.iter().take(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("the connection was not ended in time")
            }
            Err(_) => return seen,
        }
    }
}

#[test]
fn a_slow_client_is_cut_off_and_keeps_nobody_out() {
    let limits = Limits {
        connections_max: 2,
        connection_time_max: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(picture(), limits);
    let mut slow = server.connect();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: t")
        .expect("written");
    let begun = Instant::now();
    assert_eq!(server.get("/healthz").status, 200);
    let seen = until_ended(slow);
    assert!(begun.elapsed() < PATIENCE);
    assert!(
        !seen.starts_with(b"HTTP/1.1 200"),
        "half a request is no request"
    );
    server.stop();
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let limits = Limits {
        connections_max: 1,
        connection_time_max: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut large = picture();
    large.agent.version = "x".repeat(32 * 1024 * 1024).into();
    let server = Server::start(large, limits);
    let mut deaf = server.connect();
    deaf.write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n")
        .expect("written");
    // Its slot is free again though it never read the answer.
    assert_eq!(server.get_when_free("/healthz").status, 200);
    drop(deaf);
    server.stop();
}

#[test]
fn a_request_longer_than_its_share_is_cut_off() {
    let server = Server::start(picture(), Limits::default());
    let limit = Limits::default().request_bytes_max;
    let table = [(limit / 2, true), (limit + 1, false), (1 << 20, false)];
    for (length, is_answered) in table {
        let mut stream = server.connect();
        let filling = "a".repeat(usize::try_from(length).expect("small"));
        let request = format!("GET /healthz HTTP/1.1\r\nhost: t\r\nx: {filling}\r\n\r\n");
        // The server may close while we still write.
        let _ = stream.write_all(request.as_bytes());
        let seen = until_ended(stream);
        assert_eq!(seen.starts_with(b"HTTP/1.1 200"), is_answered, "{length}");
        assert!(is_answered || seen.is_empty(), "{length}");
    }
    server.stop();
}

#[test]
fn one_connection_too_many_is_told_so_and_a_free_slot_is_used_again() {
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let server = Server::start(picture(), limits);
    // Connections are taken in the order in which they were made, so the third finds no slot.
    let held = [server.connect(), server.connect()];
    let refused = Answer::read(server.connect());
    assert_eq!(refused.status, 503);
    assert_eq!(refused.body, "too many connections\n");
    assert!(
        refused
            .head
            .contains(&format!("content-length: {}", refused.body.len()))
    );

    for stream in held {
        stream.shutdown(Shutdown::Both).expect("closed");
    }
    assert_eq!(server.get_when_free("/healthz").status, 200);
    server.stop();
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let server = Server::start(picture(), Limits::default());
    let config = Config {
        bind: Some(server.running.address),
        admin_socket: None,
    };
    let (_stop, stopped) = watch::channel(false);
    let heartbeats = Arc::clone(&server.heartbeats);
    let view = Arc::new(Still(picture()));
    let error = spawn(&config, view, heartbeats, stopped).expect_err("in use");
    let text = error.to_string();
    assert!(text.contains(&server.running.address.to_string()), "{text}");
    server.stop();
}

#[test]
fn without_an_address_no_server_runs() {
    let nowhere = Config {
        bind: None,
        admin_socket: None,
    };
    let (_stop, stopped) = watch::channel(false);
    let heartbeats = Arc::new(Heartbeats::new(Instant::now()));
    let view = Arc::new(Still(picture()));
    let running = spawn(&nowhere, view, heartbeats, stopped).expect("no error");
    assert!(running.is_none());
}

#[test]
fn it_stops_though_a_client_still_holds_its_connection() {
    let server = Server::start(picture(), Limits::default());
    let mut held = server.connect();
    held.write_all(b"GET / HTTP/1.1\r\n").expect("written");
    // The answer to the second shows that the first was taken.
    assert_eq!(server.get("/healthz").status, 200);
    let begun = Instant::now();
    server.stop();
    let limit = Limits::default().connection_time_max;
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn it_stops_when_nobody_could_stop_it_any_more() {
    let server = Server::start(picture(), Limits::default());
    drop(server.stop);
    server.running.thread.join().expect("ends well");
}
