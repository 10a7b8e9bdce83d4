//! Real requests over a real socket in a folder of the test's own.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use tempfile::TempDir;

use super::*;
use crate::observe::picture::Picture;

const PATIENCE: Duration = Duration::from_secs(20);

struct Still;

impl View for Still {
    fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        picture.agent.id = "br17".into();
        picture
    }
}

struct Deeds;

impl Actions for Deeds {
    fn requeue(&self, request: &[u8]) -> Result<serde_json::Value, ActionError> {
        match request {
            b"all" => Ok(serde_json::json!({"records": 7})),
            b"disk" => Err(ActionError::Failed("the disk is gone".to_owned())),
            b"" => Err(ActionError::NotOffered("send records again")),
            other => Err(ActionError::Request(format!("{} bytes", other.len()))),
        }
    }

    fn devices(&self, place: &str) -> Result<String, ActionError> {
        Ok(format!("page {place:?}"))
    }
}

struct Server {
    running: RunningAdmin,
    stop: watch::Sender<bool>,
}

fn start(path: &Path) -> Result<Server, StatusError> {
    let (stop, stopped) = watch::channel(false);
    let heartbeats = Arc::new(Heartbeats::new(Instant::now()));
    let running = spawn_admin(path, Arc::new(Still), heartbeats, Arc::new(Deeds), stopped)?;
    Ok(Server { running, stop })
}

impl Server {
    fn stop(self) {
        self.stop.send(true).expect("the server lives");
        self.running.thread.join().expect("ends well");
    }
}

fn ask(path: &Path, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(path).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer in time");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

#[test]
fn it_answers_with_the_status_in_a_folder_that_it_makes_and_only_for_owner_and_group() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("run/admin.sock");
    let server = start(&path).expect("starts");
    let mode = std::fs::metadata(&path).expect("the socket").mode();
    assert_eq!(mode & 0o777, SOCKET_MODE);
    let (status, body) = ask(&path, "GET", "/status", "");
    assert_eq!(status, 200);
    let report: Report = serde_json::from_str(&body).expect("a report");
    assert_eq!(report.agent.id, "br17");
    assert_eq!(ask(&path, "GET", "/nothing", "").0, 404);
    assert_eq!(ask(&path, "POST", "/status", "").0, 405);
    server.stop();
    assert!(!path.exists(), "the file is taken away");
}

#[test]
fn an_action_s_outcome_is_the_answer() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.sock");
    let server = start(&path).expect("starts");
    let table = [
        ("all", 200, "{\"records\":7}\n"),
        ("disk", 500, "the disk is gone\n"),
        ("", 501, "this agent cannot send records again\n"),
        ("odd", 400, "the request is not understood: 3 bytes\n"),
    ];
    for (request, status, body) in table {
        let answer = ask(&path, "POST", "/requeue", request);
        assert_eq!(answer, (status, body.to_owned()), "{request}");
    }
    assert_eq!(ask(&path, "GET", "/requeue", "").0, 405);
    server.stop();
}

#[test]
fn a_dead_agent_s_socket_is_replaced_and_a_living_one_s_is_not() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.sock");
    drop(UnixListener::bind(&path).expect("a socket that nobody serves"));
    let server = start(&path).expect("the dead one is replaced");
    let error = start(&path).map(|_| ()).expect_err("it is in use");
    assert!(
        error.to_string().contains("another agent answers"),
        "{error}"
    );
    assert_eq!(ask(&path, "GET", "/status", "").0, 200);
    server.stop();
}

#[test]
fn what_is_no_socket_is_left_alone_and_a_folder_that_cannot_be_is_named() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("precious");
    std::fs::write(&file, "data").expect("a file");
    let error = start(&file).map(|_| ()).expect_err("a file is there");
    assert!(error.to_string().contains("precious"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "data");
    let error = start(&file.join("below.sock"))
        .map(|_| ())
        .expect_err("no folder");
    assert!(error.to_string().contains("its folder must"), "{error}");
}

#[test]
fn a_socket_that_another_has_made_since_is_not_taken_away() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.sock");
    let server = start(&path).expect("starts");
    std::fs::rename(&path, folder.path().join("old")).expect("moved");
    let _other = UnixListener::bind(&path).expect("another's");
    server.stop();
    assert!(path.exists());
}

#[test]
fn an_agent_that_takes_no_connections_any_more_is_not_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("admin.sock");
    let address = SockAddr::unix(&path).expect("a short path");
    let socket = || Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    let hanging = socket();
    hanging.bind(&address).expect("a new file");
    hanging.listen(0).expect("it is bound");
    let waiting: Vec<Socket> = std::iter::repeat_with(|| {
        let socket = socket();
        socket.set_nonblocking(true).expect("a socket");
        socket
    })
    .take_while(|socket| socket.connect(&address).is_ok())
    .collect();
    assert!(!waiting.is_empty());
    let error = start(&path).map(|_| ()).expect_err("it lives");
    assert!(matches!(error, StatusError::AdminInUse { .. }), "{error}");
}
