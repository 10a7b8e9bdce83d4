//! `trapline spool`, on spools that the library made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use trapline::record::{LaneId, Number, Origin, Record};
use trapline::spool::requeue::{NewId, Which};
use trapline::spool::{
    Config, DiskConfig, GivenUp, Opened, Spool, WhenFull, Writer, WriterStop, topic_folder,
};
use trapline::time::UnixMicros;

use crate::process::{Ended, Nobody, end, folder, trapline, write};
use crate::wait::{SOON, wait_until};

const REASON: &str = "MSG_SIZE_TOO_LARGE: record is larger than the topic takes";
const BEFORE_NUMBER: &str = r#"{"schema":1,"id":"br17-01-0-"#;

/// An open spool with its writer.
struct Open {
    spool: Arc<Spool>,
    stop: Arc<WriterStop>,
    thread: std::thread::JoinHandle<()>,
}

impl Open {
    fn new(folder: &Path) -> Open {
        let disk = DiskConfig {
            free_bytes_min: 0,
            ..DiskConfig::new(folder)
        };
        let config = Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropOldest,
            topics: vec!["net.syslog".into(), "net.snmp".into()],
            disk: Some(disk.clone()),
        };
        let Opened { spool, writer, .. } = Spool::open(&config, &disk).expect("a spool");
        let writer: Writer = writer;
        let stop = Arc::new(WriterStop::default());
        let thread = writer.spawn(stop.clone(), |_| {}).expect("a thread");
        Open {
            spool,
            stop,
            thread,
        }
    }

    fn append(&self, count: u64) {
        let payload = format!(r#"{BEFORE_NUMBER}","message":"up"}}"#);
        for _ in 0..count {
            let record = Record {
                lane: LaneId(0),
                received: UnixMicros(1_795_000_000_000_000),
                key: b"r1",
                payload: payload.as_bytes(),
                number_at: BEFORE_NUMBER.len(),
                origin: Origin::Packet,
            };
            self.spool.append(&record).expect("room");
        }
        wait_until("the log has them", SOON, || self.spool.is_at_rest());
    }

    fn give_up(&self, number: u64) {
        let given_up = self
            .spool
            .give_up(LaneId(0), Number(number), REASON, UnixMicros(0));
        assert!(matches!(given_up, GivenUp::SetAside), "{given_up:?}");
    }

    fn close(self) {
        self.stop.stop();
        self.thread.join().expect("no panic");
    }
}

/// A spool of ten records, closed: 0 and 1 are delivered, 2 is a dead letter.
fn spool(home: &TempDir) -> PathBuf {
    let folder = home.path().join("spool");
    let open = Open::new(&folder);
    open.append(10);
    open.spool.acknowledge(LaneId(0), 0..2);
    open.give_up(2);
    open.close();
    folder
}

#[track_caller]
fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = trapline();
    let command = command.arg("spool").args(arguments);
    end(command.arg("--folder").arg(folder))
}

#[track_caller]
fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn segment(folder: &Path) -> PathBuf {
    topic_folder(folder, "net.syslog").join("00000000000000000000.log")
}

#[test]
fn ls_shows_every_topic_what_is_pending_and_the_dead_letters() {
    let home = folder();
    let spool = spool(&home);
    let listed = run(&spool, &["ls"]);
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    assert!(listed.out.contains("no agent uses it"), "{}", listed.out);
    let rows: Vec<Vec<&str>> = listed
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let row = |topic| rows.iter().find(|row| row.first() == Some(&topic)).unwrap();
    let syslog = row("net.syslog");
    assert_eq!(syslog[1..4], ["1", "0", "9"], "{}", listed.out);
    assert_eq!(syslog[5], "7", "{}", listed.out);
    assert!(syslog[6].starts_with("2026-11-18T"), "{}", listed.out);
    let snmp = row("net.snmp");
    assert_eq!(snmp[2..4], ["-", "-"], "{}", listed.out);
    assert!(listed.out.contains("dead letters: 1 letter, "));
    let open = Open::new(&spool);
    let used = run(&spool, &["ls"]);
    let by = format!("process {} uses it", std::process::id());
    assert!(used.out.contains(&by), "{}", used.out);
    open.close();
}

#[test]
fn cat_prints_what_is_pending_or_all_as_it_is_sent() {
    let home = folder();
    let spool = spool(&home);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let printed = run(&spool, arguments);
        assert_eq!(printed.code, Some(0), "{printed:#?}");
        let lines = lines(&printed.out);
        let id = |line: &Value| line["id"].as_str().expect("an id").to_owned();
        lines.iter().map(id).collect()
    };
    let named = |numbers: std::ops::Range<u64>| -> Vec<String> {
        numbers
            .map(|number| format!("br17-01-0-{number}"))
            .collect()
    };
    assert_eq!(ids(&["cat", "net.syslog"]), named(3..10));
    assert_eq!(
        ids(&["cat", "net.syslog", "--pending", "--from", "8"]),
        named(8..10)
    );
    assert_eq!(ids(&["cat", "net.syslog", "--all"]), named(0..10));
    assert_eq!(
        ids(&["cat", "net.syslog", "--all", "--limit", "2"]),
        named(0..2)
    );
    assert_eq!(ids(&["cat", "net.snmp"]), named(0..0));
    let letters = lines(&run(&spool, &["cat", "--dead-letters"]).out);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["reason"], REASON);
    assert_eq!(letters[0]["payload"]["id"], "br17-01-0-2");
    let absent = run(&spool, &["cat", "net.sylog"]);
    assert_eq!(absent.code, Some(1));
    assert!(
        absent.err.contains("it has net.snmp, net.syslog"),
        "{}",
        absent.err
    );
}

#[test]
fn export_writes_a_file_for_its_owner_alone_and_replaces_none() {
    let home = folder();
    let spool = spool(&home);
    let file = home.path().join("out.jsonl");
    let to = file.to_str().expect("UTF-8");
    let exported = run(&spool, &["export", "--to", to]);
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let records = lines(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(records.len(), 7);
    assert_eq!(records[0]["topic"], "net.syslog");
    assert_eq!(records[0]["key"], "r1");
    assert_eq!(records[0]["number"], 3);
    assert_eq!(records[0]["payload"]["message"], "up");
    let again = run(&spool, &["export", "--to", to]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("cannot write"), "{}", again.err);
    let all = run(&spool, &["export", "--to", "-", "--all", "net.syslog"]);
    assert_eq!(lines(&all.out).len(), 10);
    let letters = run(&spool, &["export", "--to", "-", "--dead-letters"]);
    assert_eq!(lines(&letters.out)[0]["reason"], REASON);
}

#[test]
fn verify_finds_nothing_in_a_whole_spool_and_names_what_is_damaged_in_another() {
    let home = folder();
    let spool = spool(&home);
    let whole = run(&spool, &["verify"]);
    assert_eq!(whole.code, Some(0), "{whole:#?}");
    assert!(
        whole
            .out
            .contains("net.syslog: 1 segment, 10 whole records")
    );
    assert!(whole.out.contains("dead letters: 1 whole letter"));
    assert!(whole.out.ends_with("no damage\n"), "{}", whole.out);

    let path = segment(&spool);
    let bytes = std::fs::read(&path).unwrap();
    let frame = (bytes.len() - 32) / 10;
    let mut damaged = bytes.clone();
    damaged[32 + 4 * frame + 50] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let verified = run(&spool, &["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:#?}");
    let expected = format!(
        "damaged: 00000000000000000000.log bytes {} to {}: records 4 to 4 cannot be read, 1 of them not delivered",
        32 + 4 * frame,
        32 + 5 * frame
    );
    assert!(verified.out.contains(&expected), "{}", verified.out);
    assert_eq!(std::fs::read(&path).unwrap(), damaged, "it changes nothing");

    // A torn end is no damage: the record was not accepted.
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let torn = run(&spool, &["verify"]);
    assert!(
        torn.out.contains("the next start cuts it off"),
        "{}",
        torn.out
    );

    std::fs::write(&path, &bytes).unwrap();
    let letters = spool.join("dead-letters");
    let mut damaged = std::fs::read(&letters).unwrap();
    damaged[70] ^= 1;
    std::fs::write(&letters, &damaged).unwrap();
    let verified = run(&spool, &["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:#?}");
    assert!(
        verified.out.contains("dead letters: damaged: bytes 16 to"),
        "{}",
        verified.out
    );
}

#[test]
fn requeue_puts_a_dead_letter_back_and_says_under_which_id() {
    let home = folder();
    let spool = spool(&home);
    let requeued = run(&spool, &["requeue", "--id", "br17-01-0-2"]);
    assert_eq!(requeued.code, Some(0), "{requeued:#?}");
    assert_eq!(requeued.out, "net.syslog br17-01-0-2 -> br17-01-0-10\n");
    let pending = lines(&run(&spool, &["cat", "net.syslog", "--from", "10"]).out);
    assert_eq!(pending[0]["id"], "br17-01-0-10");
    assert_eq!(run(&spool, &["cat", "--dead-letters"]).out, "");
    let nothing = run(&spool, &["requeue", "--all"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
    assert_eq!(nothing.err, "there are no dead letters\n");
    let again = run(&spool, &["requeue", "--id", "br17-01-0-2"]);
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(
        again.err.contains("has the id br17-01-0-2"),
        "{}",
        again.err
    );
}

#[test]
fn beside_an_agent_everything_can_be_read_and_nothing_is_changed() {
    let home = folder();
    let spool = spool(&home);
    let open = Open::new(&spool);
    open.append(5);
    let verified = run(&spool, &["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
    assert!(
        verified.out.contains("15 whole records"),
        "{}",
        verified.out
    );
    let pending = lines(&run(&spool, &["cat", "net.syslog"]).out);
    assert_eq!(pending.len(), 12);
    let refused = run(&spool, &["requeue", "--all"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let by = format!("process {} uses this spool", std::process::id());
    assert!(refused.err.contains(&by), "{}", refused.err);
    let requeued = open
        .spool
        .requeue_dead_letters(&Which::All, NewId::AsBefore, Duration::from_secs(20))
        .expect("the agent itself can");
    assert_eq!(requeued.moved.len(), 1);
    open.close();
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let home = folder();
    let absent = run(&home.path().join("nothing"), &["ls"]);
    assert_eq!(absent.code, Some(1), "{absent:#?}");
    assert!(
        absent.err.contains("there is no spool in"),
        "{}",
        absent.err
    );
    let requeued = run(&home.path().join("nothing"), &["requeue", "--all"]);
    assert_eq!(requeued.code, Some(1), "{requeued:#?}");
    assert!(!home.path().join("nothing").exists(), "nothing is made");

    let in_memory = write(&home, "[spool]\nkind = \"memory\"\n");
    let mut command = trapline();
    let memory = end(command.args(["spool", "ls", "--config"]).arg(in_memory));
    assert_eq!(memory.code, Some(1), "{memory:#?}");
    assert!(
        memory.err.contains("keeps events in memory"),
        "{}",
        memory.err
    );

    let spool = spool(&home);
    let file = write(&home, &format!("[spool]\nfolder = {spool:?}\n"));
    let mut command = trapline();
    let listed = end(command.args(["spool", "ls", "--config"]).arg(file));
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    assert!(listed.out.contains("net.syslog"), "{}", listed.out);

    let path = segment(&spool);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..32]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let newer = run(&spool, &["verify"]);
    assert_eq!(newer.code, Some(1), "{newer:#?}");
    assert!(newer.err.contains("format version 9"), "{}", newer.err);
}

#[test]
fn whoever_may_not_read_it_is_told_as_whom_to_run() {
    let nobody = Nobody::new();
    let spool = spool(nobody.folder());
    // SAFETY: geteuid has no arguments and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        // Without root there is no second user, and a folder that is closed to its owner has to do.
        std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    for command in [&["ls"][..], &["requeue", "--all"]] {
        let mut trapline = nobody.trapline();
        let refused = end(trapline
            .arg("spool")
            .args(command)
            .arg("--folder")
            .arg(&spool));
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.err.contains("sudo -u "), "{}", refused.err);
    }
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o700)).unwrap();
}
