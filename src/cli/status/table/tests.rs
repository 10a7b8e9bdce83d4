use serde_json::json;

use super::*;
use crate::observe::rates::Rate;

fn report() -> Report {
    let report = json!({
        "agent": {"id": "br17", "version": "0.1.0", "pid": 4711, "uptime_ms": 7_440_000,
            "resident_bytes": 31_457_280, "cpu_seconds": 125.4},
        "status": "degraded",
        "reasons": ["kafka: not connected: all brokers are down (1/1 brokers are down); records wait in the spool"],
        "listeners": [
            {"name": "syslog-udp", "address": "[::]:514", "received": 12_345_678, "kernel_dropped": 17,
                "rejected": {"empty": 3, "not_allowed": 4}},
            {"name": "snmp-udp", "missing": "port 162 is in use"},
        ],
        "kafka": {"state": "connecting", "why": "all brokers are down", "advice": "check that the brokers run",
            "in_flight": 12, "topics": [
                {"topic": "net.syslog", "state": "stalled", "why": "waiting for the connection", "pending": 812_345,
                    "bytes": 503_316_480, "oldest_pending_age_ms": 3_720_000},
                {"topic": "net.snmp", "state": "untried"}]},
        "replay": {"records": 812_345, "bytes": 503_316_480, "bytes_per_second": 1_048_576, "seconds_left": 480,
            "bytes_per_second_max": 1_000_000},
        "spool": {"kind": "disk", "bytes": 503_316_480, "bytes_max": 10_737_418_240_u64,
            "oldest_pending_age_ms": 3_720_000},
        "ledger": {"balanced": true, "records": {"accepted": 900_000, "delivered": 87_655, "pending": 812_345,
            "lost": {"spool_full": 9}}},
    });
    let mut report: Report = serde_json::from_value(report).expect("a report");
    report.listeners[0].per_second.received = Rate {
        ten_seconds: 812.44,
        minute: 790.0,
    };
    report
}

#[test]
fn the_table_is_what_a_person_wants_to_know() {
    let expected = "\
trapline br17 0.1.0                                           degraded, up 2h 4m
pid 4711, memory 30.0 MiB, processor time 2m 5s
! kafka: not connected: all brokers are down (1/1 brokers are down); records
  wait in the spool

listener         address                        10 s /s  1 min /s       received
syslog-udp       [::]:514                         812.4     790.0       12345678
  the kernel dropped 17 (0.0 /s)
  rejected: empty 3, not_allowed 4
snmp-udp         missing                            0.0       0.0              0

topic                         pending      bytes    oldest  state
net.syslog                     812345  480.0 MiB     1h 2m  does not move
  waiting for the connection
net.snmp                            0        0 B         -  nothing sent yet

kafka    not connected, 12 in flight, producer replaced 0 times
         all brokers are down
         check that the brokers run
replay   812345 records, 480.0 MiB; shrinks by 1.0 MiB/s, 8m 0s left
         at most 976.6 KiB/s above what arrives (replay.bytes_per_second)
spool    disk, 480.0 MiB of 10.0 GiB (4 %), the oldest event waits for 1h 2m
records  accepted 900000 (0.0 /s), delivered 87655 (0.0 /s)
         pending 812345, set aside 0, sent again 0
         lost: spool_full 9
";
    let found = text(&report());
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut report = report();
    report.kafka.topics[0].why = Some("word ".repeat(100));
    report.spool.trouble = Some("the disk is full ".repeat(20));
    for line in text(&report).lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn an_empty_report_and_a_hostile_one_are_shown_all_the_same() {
    assert!(text(&Report::default()).contains("the ledger does not balance"));
    let mut report = report();
    report.agent.id = "\u{1b}[2J".to_owned();
    report.kafka.why = Some("\u{1b}]0;x\u{7}".to_owned());
    assert!(!text(&report).contains('\u{1b}'));
}
