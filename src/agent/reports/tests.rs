//! Claims about the agent's reports, on a memory spool without a producer.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::record::Record;
use crate::route::{self, Boot};
use crate::spool::{self, Batch, ReadLimit, WhenFull};

const MINUTE: Duration = Duration::from_secs(60);

fn reports(route: &route::Config, bytes_max: usize, when_full: WhenFull) -> Reports {
    let spool = Spool::new(&spool::Config {
        bytes_max,
        when_full,
        topics: route.lanes(),
        disk: None,
    });
    reports_in(Arc::new(spool), route, bytes_max)
}

fn reports_in(spool: Arc<Spool>, route: &route::Config, bytes_max: usize) -> Reports {
    let boot = Boot::new(UnixMicros(0), 0);
    let config = Config {
        every: Some(MINUTE),
        agent_id: "br17".to_owned(),
        boot: boot.as_str().to_owned(),
        bytes_max: bytes_max as u64,
    };
    let router = Arc::new(Router::new(route, "br17", &boot));
    Reports::new(config, spool, router, UnixMicros(0))
}

fn record(payload: &[u8]) -> Record<'_> {
    Record {
        lane: LaneId(0),
        received: UnixMicros(0),
        key: b"r1",
        payload,
        number_at: 1,
        origin: Origin::Packet,
    }
}

fn append(reports: &Reports, bytes: usize) -> bool {
    let payload = vec![b'x'; bytes];
    reports.spool.append(&record(&payload)).is_ok()
}

/// The reports that are in the spool and were not read before.
fn read(reports: &Reports) -> Vec<Value> {
    let mut batch = Batch::default();
    let limit = ReadLimit {
        records: 100,
        bytes: 1 << 20,
    };
    reports.spool.read(LaneId(3), limit, &mut batch);
    let entries = batch.entries().iter();
    entries
        .map(|entry| serde_json::from_slice(batch.payload(entry)).expect("JSON"))
        .collect()
}

fn tick(reports: &mut Reports, minutes: u32) {
    let at = Instant::now() + MINUTE * minutes + Duration::from_secs(1);
    let now = UnixMicros(i64::from(minutes) * 60_000_000);
    reports.tick(&Snapshot::default(), now, at);
}

#[test]
fn windows_follow_each_other_without_a_gap() {
    let mut reports = reports(&route::Config::default(), 1 << 20, WhenFull::DropOldest);
    reports.start(PreviousRun::Unknown);
    let started = &read(&reports)[0];
    assert_eq!(started["report"]["what"], "started");
    assert_eq!(started["report"]["previous_run"], "unknown");
    assert_eq!(started["report"]["topics"][0]["next"], 0);
    assert_eq!(started["device"]["hostname"], "br17");
    for minute in 1..4 {
        (0..10).for_each(|_| assert!(append(&reports, 10)));
        tick(&mut reports, minute);
        tick(&mut reports, minute);
        let windows = read(&reports);
        assert_eq!(windows.len(), 1, "one a minute");
        let topic = &windows[0]["report"]["topics"][0];
        assert_eq!(topic["first"], (minute - 1) * 10);
        assert_eq!(topic["last"], minute * 10 - 1);
        assert_eq!(windows[0]["report"]["records"]["accepted"], 11);
    }
    reports.stop(&Snapshot::default(), UnixMicros(200_000_000));
    let stopped = &read(&reports)[0];
    assert_eq!(stopped["report"]["what"], "stopped");
    assert_eq!(stopped["report"]["topics"][0]["first"], Value::Null);
    assert_eq!(stopped["report"]["topics"][3]["first"], 3);
}

#[test]
fn without_room_the_report_waits_and_its_window_grows() {
    let mut reports = reports(&route::Config::default(), 1 << 20, WhenFull::DropNewest);
    reports.start(PreviousRun::Unknown);
    read(&reports);
    let first = (0..).take_while(|_| append(&reports, 100)).count() as u64;
    tick(&mut reports, 1);
    assert_eq!(read(&reports).len(), 0);
    reports.spool.acknowledge(LaneId(0), 0..first);
    assert!(append(&reports, 100));
    tick(&mut reports, 2);
    let window = &read(&reports)[0]["report"];
    assert_eq!(window["begin"], "1970-01-01T00:00:00.000000Z");
    assert_eq!(window["topics"][0]["first"], 0);
    assert_eq!(window["topics"][0]["last"], first);
}

#[test]
fn a_report_too_large_for_its_topic_is_shortened_and_says_the_truth() {
    let route = route::Config {
        payload_bytes_max: 4096,
        ..route::Config::default()
    };
    let mut reports = reports(&route, 1 << 20, WhenFull::DropOldest);
    reports.start(PreviousRun::Unknown);
    read(&reports);
    (0..200).for_each(|_| assert!(append(&reports, 10)));
    for number in (0..100).step_by(2) {
        _ = reports
            .spool
            .give_up(LaneId(0), Number(number), "POISON: test", UnixMicros(0));
    }
    tick(&mut reports, 1);
    let window = &read(&reports)[0]["report"];
    let lost = window["lost"].as_array().expect("a list");
    assert_eq!(lost.len(), 1, "{window:#}");
    assert_eq!(
        (&lost[0]["first"], &lost[0]["last"]),
        (&0.into(), &98.into())
    );
    assert_eq!(
        (&lost[0]["count"], &lost[0]["reason"]),
        (&50.into(), &"poison".into())
    );
}

#[test]
fn what_is_lost_is_declared_once() {
    let mut reports = reports(&route::Config::default(), 1 << 20, WhenFull::DropOldest);
    reports.start(PreviousRun::Unknown);
    assert!(append(&reports, 10));
    _ = reports
        .spool
        .give_up(LaneId(0), Number(0), "POISON: test", UnixMicros(0));
    (1..4).for_each(|minute| {
        tick(&mut reports, minute);
        tick(&mut reports, minute);
    });
    let declared: Vec<usize> = read(&reports)
        .iter()
        .map(|report| report["report"]["lost"].as_array().expect("a list").len())
        .collect();
    assert_eq!(declared, [0, 1, 0, 0]);
}

#[test]
fn what_a_report_told_that_a_failed_sync_took_is_told_again() {
    let mut reports = reports(&route::Config::default(), 1 << 20, WhenFull::DropOldest);
    reports.start(PreviousRun::Unknown);
    tick(&mut reports, 1);
    assert!(append(&reports, 10));
    _ = reports
        .spool
        .give_up(LaneId(0), Number(0), "POISON: test", UnixMicros(0));
    read(&reports);
    tick(&mut reports, 2);
    let told = |reports: &Reports| read(reports)[0]["report"]["lost"].clone();
    let first = told(&reports);
    assert_eq!(first[0]["first"], 0, "{first}");
    let record = reports.under_way.as_ref().expect("a report").record;
    reports.spool.lose_by_sync(record);
    tick(&mut reports, 3);
    let again = told(&reports);
    assert_eq!(again[0], first[0]);
    // And so is the loss of the report itself.
    assert_eq!(again[1]["reason"], "disk_sync", "{again}");
    tick(&mut reports, 4);
    assert_eq!(told(&reports), serde_json::json!([]));
}

#[test]
fn a_stop_without_room_for_its_report_lets_no_earlier_one_stand_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut disk = spool::DiskConfig::new(folder.path().join("spool"));
    disk.free_bytes_min = 0;
    let route = route::Config::default();
    let config = spool::Config {
        bytes_max: 1 << 20,
        when_full: WhenFull::DropOldest,
        topics: route.lanes(),
        disk: Some(disk.clone()),
    };
    let opened = Spool::open(&config, &disk).expect("a spool");
    let (spool, mut writer) = (opened.spool, opened.writer);
    // Room for sixteen records, the fewest that a spool may keep for reports.
    let mut reports = reports_in(spool.clone(), &route, 0);
    for _ in 0..14 {
        let record = Record {
            lane: LaneId(3),
            ..record(b"{}")
        };
        spool.append(&record).expect("room");
    }
    reports.start(PreviousRun::None);
    assert!(append(&reports, 10));
    let clock = Instant::now() + MINUTE;
    writer.turn(UnixMicros(0), clock - MINUTE);
    writer.turn(UnixMicros(0), clock);
    tick(&mut reports, 1);
    // It is written and not synced when this is lost and the stop comes, whose report finds no room.
    writer.turn(UnixMicros(0), clock + Duration::from_millis(10));
    _ = spool.give_up(LaneId(0), Number(0), "POISON: test", UnixMicros(0));
    reports.stop(&Snapshot::default(), UnixMicros(90_000_000));
    assert!(reports.waiting.is_some());
    writer.turn(UnixMicros(0), clock + MINUTE);
    tick(&mut reports, 2);
    assert_eq!(spool.close_window()[0].declared[0].first, 0);
}
