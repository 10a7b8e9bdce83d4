//! Claims about records that are set aside and sent again: at every moment each is in the log or in the file.

use std::path::PathBuf;

use super::*;
use crate::observe::ledger::LossReason;
use crate::spool::dead_letter::Letters;
use crate::spool::disk::{Disk, RealDisk};
use crate::spool::forgetful::{Fault, ForgetfulDisk, Trouble};
use crate::spool::{Batch, GivenUp, Opened, ReadLimit, Writer};
use crate::time::UnixMicros;

const PAYLOAD: &[u8] = br#"{"schema":1,"id":"br17-01-0-","message":"x"}"#;
const NUMBER_AT: usize = 28;
const REASON: &str = "MSG_SIZE_TOO_LARGE: too large";
const SOON: Duration = Duration::from_secs(20);

/// A spool whose writer runs.
struct Rig {
    spool: Arc<Spool>,
    stop: Arc<WriterStop>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rig {
    fn open(disk: Arc<dyn Disk>, folder: &Path, letters_bytes_max: u64) -> Rig {
        let Opened { spool, writer, .. } = opened(disk, folder, letters_bytes_max);
        Rig::start(spool, writer)
    }

    fn start(spool: Arc<Spool>, writer: Writer) -> Rig {
        let stop = Arc::new(WriterStop::default());
        let thread = Some(writer.spawn(stop.clone(), |_| {}).unwrap());
        Rig {
            spool,
            stop,
            thread,
        }
    }

    /// Appends `count` records and waits until the log has them.
    fn append(&self, lane: u16, count: u64) {
        let mut last = Number(0);
        for _ in 0..count {
            let record = Record {
                lane: LaneId(lane),
                received: UnixMicros(1_000),
                key: b"r1",
                payload: PAYLOAD,
                number_at: NUMBER_AT,
                origin: Origin::Packet,
            };
            last = self.spool.append(&record).unwrap();
        }
        let until = Instant::now() + SOON;
        while !self.spool.is_accepted((LaneId(lane), last)) {
            assert!(Instant::now() < until, "not written");
            std::thread::yield_now();
        }
    }

    fn give_up(&self, lane: u16, number: u64) -> GivenUp {
        let now = UnixMicros(2_000);
        self.spool
            .give_up(LaneId(lane), Number(number), REASON, now)
    }

    fn requeue(&self, which: &Which) -> Requeued {
        self.spool
            .requeue_dead_letters(which, NewId::AsBefore, SOON)
            .unwrap()
    }

    fn payloads(&self, lane: u16) -> Vec<String> {
        let mut batch = Batch::default();
        let limit = ReadLimit {
            records: 1000,
            bytes: 1 << 20,
        };
        self.spool.rewind(LaneId(lane));
        self.spool.read(LaneId(lane), limit, &mut batch);
        let text = |entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap();
        batch.entries().iter().map(text).collect()
    }

    fn balances(&self) {
        let counts = self.spool.counts();
        assert_eq!(
            counts.accepted,
            counts.from_packets + counts.generated,
            "{counts:?}"
        );
        let settled = counts.delivered + counts.pending + counts.dead_letter + counts.lost_total();
        assert_eq!(counts.accepted, settled, "{counts:?}");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn opened(disk: Arc<dyn Disk>, folder: &Path, letters_bytes_max: u64) -> Opened {
    opened_with(disk, folder, letters_bytes_max, Fsync::Always)
}

fn opened_with(disk: Arc<dyn Disk>, folder: &Path, letters_bytes_max: u64, fsync: Fsync) -> Opened {
    let disk_config = DiskConfig {
        free_bytes_min: 0,
        fsync,
        dead_letter_bytes_max: letters_bytes_max,
        ..DiskConfig::new(folder.join("spool"))
    };
    let config = Config {
        bytes_max: 1 << 20,
        when_full: WhenFull::DropOldest,
        topics: vec!["a".into(), "b".into()],
        disk: Some(disk_config.clone()),
    };
    Spool::open_on(disk, &config, &disk_config).unwrap()
}

fn letters(disk: &dyn Disk, folder: &Path) -> Vec<(String, u64, String)> {
    let mut found = Vec::new();
    let Some(mut letters) = Letters::open(disk, &folder.join("spool")).unwrap() else {
        return found;
    };
    loop {
        match letters.step().unwrap() {
            Step::Letter(letter, _) => {
                found.push((
                    letter.topic.to_owned(),
                    letter.number.0,
                    letter.reason.to_owned(),
                ));
            }
            Step::Damage(_) | Step::Torn(_) => {}
            Step::End => return found,
        }
    }
}

fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_path_buf();
    (home, path)
}

fn on_real_disk(folder: &Path) -> Rig {
    Rig::open(Arc::new(RealDisk), folder, 1 << 20)
}

#[test]
fn a_record_that_is_given_up_is_a_letter_with_its_reason_and_counted_across_a_restart() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 5);
    assert!(matches!(rig.give_up(0, 2), GivenUp::SetAside));
    assert!(matches!(rig.give_up(0, 2), GivenUp::Settled));
    assert_eq!(
        letters(&RealDisk, &folder),
        [("a".into(), 2, REASON.to_owned())]
    );
    rig.balances();
    drop(rig);
    let rig = on_real_disk(&folder);
    let counts = rig.spool.counts();
    assert_eq!(
        (counts.dead_letter, counts.pending, counts.lost_total()),
        (1, 4, 0)
    );
    assert_eq!(rig.spool.dead_letters().unwrap().letters, 1);
    // These are only in the log any more.
    assert!(matches!(rig.give_up(0, 4), GivenUp::SetAside));
    assert_eq!(letters(&RealDisk, &folder).len(), 2);
    rig.balances();
}

#[test]
fn where_there_is_no_file_or_no_room_in_it_the_record_is_lost_and_counted() {
    let (_home, folder) = home();
    let rig = Rig::open(Arc::new(RealDisk), &folder, 100);
    rig.append(0, 2);
    let GivenUp::Lost(why) = rig.give_up(0, 1) else {
        panic!("there is no room");
    };
    assert!(why.to_string().contains("dead_letter_bytes_max"), "{why}");
    let counts = rig.spool.counts();
    assert_eq!(counts.lost[LossReason::Poison as usize], 1);
    rig.balances();
    let memory = Spool::new(&Config {
        bytes_max: 1 << 20,
        when_full: WhenFull::DropOldest,
        topics: vec!["a".into()],
        disk: None,
    });
    let rig = Rig {
        spool: Arc::new(memory),
        stop: Arc::default(),
        thread: None,
    };
    rig.append(0, 1);
    assert!(matches!(
        rig.give_up(0, 0),
        GivenUp::Lost(NotSetAside::InMemory)
    ));
    assert_eq!(rig.spool.counts().lost[LossReason::Poison as usize], 1);
    let refused = rig
        .spool
        .requeue_dead_letters(&Which::All, NewId::AsBefore, SOON);
    assert!(matches!(refused, Err(RequeueError::NoFile(_))));
}

#[test]
fn a_letter_that_is_sent_again_is_a_record_with_a_new_number_and_leaves_the_file() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 3);
    rig.append(1, 1);
    rig.give_up(0, 1);
    rig.give_up(0, 2);
    rig.give_up(1, 0);
    let requeued = rig.requeue(&Which::Id("br17-01-0-2".into()));
    let moved = Moved {
        topic: "a".into(),
        old_id: "br17-01-0-2".into(),
        new_id: "br17-01-0-3".into(),
    };
    assert_eq!(
        requeued,
        Requeued {
            moved: vec![moved],
            ..Requeued::default()
        }
    );
    assert_eq!(rig.requeue(&Which::Topic("b".into())).moved.len(), 1);
    assert_eq!(
        letters(&RealDisk, &folder),
        [("a".into(), 1, REASON.to_owned())]
    );
    let expected = r#"{"schema":1,"id":"br17-01-0-3","message":"x"}"#;
    assert_eq!(rig.payloads(0).last().unwrap(), expected);
    let counts = rig.spool.counts();
    assert_eq!(
        (counts.dead_letter, counts.generated, counts.pending),
        (3, 2, 3)
    );
    rig.balances();
    assert_eq!(rig.requeue(&Which::All).moved.len(), 1);
    assert_eq!(rig.requeue(&Which::All), Requeued::default());
}

#[test]
fn a_running_agent_gives_the_ids_of_its_run() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 1);
    rig.append(1, 1);
    rig.give_up(0, 0);
    rig.give_up(1, 0);
    let prefixes = ["br17-02-0-".to_owned()];
    let spool = &rig.spool;
    let requeued = spool
        .requeue_dead_letters(&Which::All, NewId::OfThisRun(&prefixes), SOON)
        .unwrap();
    let ids: Vec<&str> = requeued.moved.iter().map(|it| it.new_id.as_str()).collect();
    assert_eq!(ids, ["br17-02-0-1", "br17-01-0-1"]);
    assert_eq!(
        rig.payloads(0),
        [r#"{"schema":1,"id":"br17-02-0-1","message":"x"}"#]
    );
}

#[test]
fn killed_between_letter_and_settling_a_record_is_set_aside_once() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 3);
    let record = OneRecordOf(&rig, 1);
    rig.spool
        .dead_letters
        .as_ref()
        .unwrap()
        .lock()
        .append(&record.letter())
        .unwrap();
    drop(rig);
    let rig = on_real_disk(&folder);
    assert_eq!(rig.spool.counts().pending, 3);
    assert!(matches!(rig.give_up(0, 1), GivenUp::SetAside));
    assert_eq!(letters(&RealDisk, &folder).len(), 1);
    assert_eq!(rig.spool.counts().dead_letter, 1);
    assert_eq!(rig.requeue(&Which::All).moved.len(), 1);
}

#[test]
fn a_letter_whose_record_is_still_in_the_log_is_not_sent_twice_and_can_be_set_aside_again() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 3);
    let record = OneRecordOf(&rig, 1);
    rig.spool
        .dead_letters
        .as_ref()
        .unwrap()
        .lock()
        .append(&record.letter())
        .unwrap();
    drop(rig);
    let rig = on_real_disk(&folder);
    let requeued = rig.requeue(&Which::All);
    assert_eq!((requeued.still_pending, requeued.moved.len()), (1, 0));
    assert_eq!(letters(&RealDisk, &folder), []);
    assert_eq!(rig.payloads(0).len(), 3);
    rig.give_up(0, 1);
    assert_eq!(letters(&RealDisk, &folder).len(), 1);
}

/// Record `.1` of lane 0, as [`Rig::append`] makes it.
struct OneRecordOf<'r>(&'r Rig, u64);

impl OneRecordOf<'_> {
    fn letter(&self) -> DeadLetter<'static> {
        assert!(self.0.spool.is_accepted((LaneId(0), Number(self.1))));
        DeadLetter {
            topic: "a",
            number: Number(self.1),
            received: UnixMicros(1_000),
            set_aside: UnixMicros(2_000),
            reason: REASON,
            key: b"r1",
            payload: br#"{"schema":1,"id":"br17-01-0-1","message":"x"}"#,
        }
    }
}

#[test]
fn offline_letters_go_to_the_log_and_what_has_no_topic_stays() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 2);
    rig.give_up(0, 0);
    let stray = DeadLetter {
        topic: "gone",
        ..OneRecordOf(&rig, 1).letter()
    };
    rig.spool
        .dead_letters
        .as_ref()
        .unwrap()
        .lock()
        .append(&stray)
        .unwrap();
    let spool = folder.join("spool");
    let refused = requeue_offline(&spool, &Which::All, |_| {});
    assert!(
        matches!(refused, Err(RequeueError::Spool(SpoolError::Locked { .. }))),
        "{refused:?}"
    );
    drop(rig);
    let mut all = Vec::new();
    requeue_offline(&spool, &Which::All, |requeued| all.push(requeued)).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].moved[0].new_id, "br17-01-0-2");
    let why = "this spool has no topic gone: add it to [topics]".to_owned();
    assert_eq!(all[0].kept, BTreeMap::from([(why, 1)]));
    assert_eq!(
        letters(&RealDisk, &folder),
        [("gone".into(), 1, REASON.to_owned())]
    );
    let rig = on_real_disk(&folder);
    assert_eq!(rig.payloads(0).len(), 2);
    assert_eq!(rig.spool.counts().generated, 1);
    rig.balances();
}

#[test]
fn whenever_the_power_goes_the_record_is_pending_or_a_letter() {
    let folder = Path::new("/home");
    let mut seen = [0, 0];
    for seed in 0..300_u64 {
        let disk = ForgetfulDisk::default();
        let power_off = |rig: Rig| {
            drop(rig);
            disk.power_cut(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        };
        let rig = Rig::open(Arc::new(disk.clone()), folder, 1 << 20);
        rig.append(0, 3);
        disk.fail(seed % 20, Fault::PowerOff);
        rig.give_up(0, 1);
        let _ = rig
            .spool
            .requeue_dead_letters(&Which::All, NewId::AsBefore, Duration::ZERO);
        power_off(rig);
        let rig = Rig::open(Arc::new(disk.clone()), folder, 1 << 20);
        let is_letter = !letters(&disk, folder).is_empty();
        let is_record = rig.payloads(0).len() == 3;
        assert!(is_letter || is_record, "seed {seed}: {:?}", rig.payloads(0));
        rig.balances();
        seen[usize::from(is_letter)] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn a_request_to_the_agent_and_its_answer_are_json() {
    for (which, text) in [
        (Which::All, r#""all""#),
        (
            Which::Topic("net.syslog".into()),
            r#"{"topic":"net.syslog"}"#,
        ),
        (Which::Id("a-b-0-7".into()), r#"{"id":"a-b-0-7"}"#),
    ] {
        assert_eq!(serde_json::to_string(&which).unwrap(), text);
        assert_eq!(serde_json::from_str::<Which>(text).unwrap(), which);
    }
    assert!(serde_json::from_str::<Which>(r#""some""#).is_err());
    let answer = Requeued {
        still_pending: 1,
        ..Requeued::default()
    };
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<Requeued>(&text).unwrap(), answer);
}

#[test]
fn what_is_sent_again_is_on_the_disk_before_its_letter_goes_however_rarely_the_spool_is_synced() {
    for fsync in [Fsync::Interval(Duration::from_secs(3600)), Fsync::Never] {
        for seed in 0..30 {
            let forgetful = ForgetfulDisk::default();
            let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
            let folder = Path::new("/");
            let Opened { spool, writer, .. } = opened_with(disk.clone(), folder, 1 << 20, fsync);
            let rig = Rig::start(spool, writer);
            rig.append(0, 1);
            assert!(matches!(rig.give_up(0, 0), GivenUp::SetAside));
            assert_eq!(rig.requeue(&Which::All).moved.len(), 1);
            // The disk as it is at this moment, and then without power.
            let copy = forgetful.copy();
            drop(rig);
            copy.power_cut(seed);
            let disk: Arc<dyn Disk> = Arc::new(copy);
            let Opened { spool, writer, .. } = opened(disk.clone(), folder, 1 << 20);
            let rig = Rig::start(spool, writer);
            let sent = rig.payloads(0);
            assert!(
                sent.iter().any(|payload| payload.contains("-0-1\"")),
                "{fsync:?}, seed {seed}: {sent:?}"
            );
        }
    }
}

#[test]
fn letters_stay_where_a_failed_sync_took_one_record_and_the_next_sync_reached_the_last() {
    let disk = ForgetfulDisk::default();
    let folder = Path::new("/");
    let hourly = Fsync::Interval(Duration::from_secs(3600));
    let Opened {
        spool, mut writer, ..
    } = opened_with(Arc::new(disk.clone()), folder, 1 << 20, hourly);
    let start = Instant::now();
    let mut turn_at =
        |seconds| writer.turn(UnixMicros(2_000), start + Duration::from_secs(seconds));
    for _ in 0..3 {
        let record = Record {
            lane: LaneId(0),
            received: UnixMicros(1_000),
            key: b"r1",
            payload: PAYLOAD,
            number_at: NUMBER_AT,
            origin: Origin::Packet,
        };
        spool.append(&record).unwrap();
    }
    turn_at(10);
    for number in 0..3 {
        let given_up = spool.give_up(LaneId(0), Number(number), REASON, UnixMicros(2_000));
        assert!(matches!(given_up, GivenUp::SetAside));
    }
    disk.stand(Some(Trouble::Syncs));
    let answer = std::thread::scope(|scope| {
        let request =
            scope.spawn(|| spool.requeue_dead_letters(&Which::All, NewId::AsBefore, SOON));
        let until = Instant::now() + SOON;
        while spool.lanes()[0].next.0 < 6 || spool.trouble().is_none() {
            assert!(Instant::now() < until, "nothing is sent again");
            turn_at(10);
            std::thread::yield_now();
        }
        spool.lose_by_sync((LaneId(0), Number(4)));
        disk.stand(None);
        turn_at(20);
        request.join().unwrap()
    });
    assert_eq!(spool.trouble(), None);
    assert!(
        matches!(answer, Err(RequeueError::NotWritten { records: 3 })),
        "{answer:?}"
    );
    assert_eq!(letters(&disk, folder).len(), 3);
}

#[test]
fn a_delivery_that_waits_for_a_requeue_which_hangs_on_the_disk_is_seen_to_wait() {
    let (_home, folder) = home();
    let rig = on_real_disk(&folder);
    rig.append(0, 1);
    let held = rig.spool.dead_letters.as_ref().unwrap().lock();
    std::thread::scope(|scope| {
        let given_up = scope.spawn(|| rig.give_up(0, 0));
        let until = Instant::now() + SOON;
        while rig.spool.lock().delivery_on_disk.is_none() {
            assert!(Instant::now() < until, "nobody is seen to wait");
            std::thread::yield_now();
        }
        drop(held);
        assert!(matches!(given_up.join().unwrap(), GivenUp::SetAside));
    });
    assert_eq!(rig.spool.lock().delivery_on_disk, None);
}
