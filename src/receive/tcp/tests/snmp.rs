//! SNMP over TCP (RFC 3430): messages one behind the other, and replies on the same connection.

use super::*;
use crate::packet::Protocol;

fn start_snmp() -> Running {
    let mut config = config(Transport::Tcp);
    config.listener.protocol = Protocol::Snmp;
    start(config)
}

/// A message as its framing sees it: a SEQUENCE, whatever stands in it.
fn message(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], text.as_bytes()].concat()
}

/// What [`FakeSink`] answers to it.
fn response(text: &str) -> String {
    format!(
        "response to {}",
        String::from_utf8_lossy(&message(text)).into_owned()
    )
}

/// Reads what was sent back, up to the length of `expected`.
fn read_back(sender: &mut Sender, expected: &str) -> String {
    let mut bytes = vec![0; expected.len()];
    sender.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn accept_all(running: &Running) {
    running.seen.accepted.store(u64::MAX, Ordering::SeqCst);
}

#[test]
fn messages_that_come_split_or_glued_arrive_each_once_and_in_order() {
    let mut running = start_snmp();
    let mut sender = running.connect();
    for byte in message("trap 0") {
        sender.write_all(&[byte]).unwrap();
    }
    let glued: Vec<u8> = (1..500)
        .flat_map(|n| message(&format!("trap {n}")))
        .collect();
    for piece in glued.chunks(97) {
        sender.write_all(piece).unwrap();
    }
    wait_until("all messages", || running.seen.count() == 500);
    running.finish();
    let expected: Vec<String> = (0..500)
        .map(|n| String::from_utf8_lossy(&message(&format!("trap {n}"))).into_owned())
        .collect();
    assert_eq!(running.seen.texts(), expected);
    assert_eq!(running.read(&running.ledger.replies_sent), 0);
}

#[test]
fn an_inform_is_answered_on_its_connection_once_its_record_is_accepted() {
    let mut running = start_snmp();
    let (mut first, mut second) = (running.connect(), running.connect());
    first.write_all(&message("inform a")).unwrap();
    wait_until("the first", || running.seen.count() == 1);
    second.write_all(&message("inform b")).unwrap();
    wait_until("the second", || running.seen.count() == 2);
    running.seen.accepted.store(1, Ordering::SeqCst);
    assert_eq!(
        read_back(&mut first, &response("inform a")),
        response("inform a")
    );
    second.set_nonblocking(true).unwrap();
    let nothing = second.read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    accept_all(&running);
    assert_eq!(
        read_back(&mut second, &response("inform b")),
        response("inform b")
    );
    // What is accepted already is answered at once.
    first.write_all(&message("inform c")).unwrap();
    assert_eq!(
        read_back(&mut first, &response("inform c")),
        response("inform c")
    );
    running.finish();
    assert_eq!(running.read(&running.ledger.replies_sent), 3);
    assert_eq!(running.read(&running.ledger.replies_dropped), 0);
}

#[test]
fn a_sender_that_has_closed_its_side_gets_its_response_all_the_same() {
    let mut running = start_snmp();
    let mut sender = running.connect();
    sender.write_all(&message("inform last")).unwrap();
    sender.shutdown(std::net::Shutdown::Write).unwrap();
    wait_until("the inform", || running.seen.count() == 1);
    accept_all(&running);
    let expected = response("inform last");
    assert_eq!(read_back(&mut sender, &expected), expected);
    assert!(is_closed(&mut sender));
    running.finish();
}

#[test]
fn where_no_message_can_begin_the_connection_is_closed_and_the_loss_is_counted() {
    for broken in [
        b"<13>syslog on the wrong port\n".as_slice(),
        &[0x30, 0x80, 2, 1, 1, 0, 0],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0; 100],
    ] {
        let mut running = start_snmp();
        accept_all(&running);
        let mut sender = running.connect();
        let bytes = [&message("inform before"), broken].concat();
        sender.write_all(&bytes).unwrap();
        let expected = response("inform before");
        assert_eq!(read_back(&mut sender, &expected), expected);
        assert!(is_closed(&mut sender), "still open after {broken:?}");
        running.finish();
        assert_eq!(running.seen.count(), 1, "only what came before");
        let rejected = running.ledger.counts().rejected;
        assert_eq!(rejected[Reason::FramingLost as usize], 1);
    }
}

#[test]
fn a_message_above_the_limit_is_cut_and_one_that_ends_early_is_a_half() {
    let mut config = config(Transport::Tcp);
    config.listener.protocol = Protocol::Snmp;
    config.frame_bytes_max = 1000;
    let mut running = start(config);
    let mut sender = running.connect();
    sender.write_all(&message(&"x".repeat(20_000))).unwrap();
    sender.write_all(&message("after")).unwrap();
    sender.write_all(&message("never whole")[..9]).unwrap();
    drop(sender);
    wait_until("all three", || running.seen.count() == 3);
    running.finish();
    let given = running.seen.given();
    let wholeness: Vec<Wholeness> = given.iter().map(|given| given.wholeness).collect();
    let expected = [Wholeness::Cut, Wholeness::Whole, Wholeness::Half];
    assert_eq!(wholeness, expected);
    assert_eq!(running.read(&running.ledger.cut), 1);
    assert_eq!(running.read(&running.ledger.half_frames), 1);
}

#[test]
fn a_sender_that_never_reads_its_responses_is_left_without_and_holds_nobody_up() {
    let mut running = start_snmp();
    accept_all(&running);
    let mut deaf = running.connect();
    deaf.set_write_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let inform = message(&format!("inform {}", "x".repeat(1000)));
    let mut sent = 0;
    // The kernel holds megabytes for it before a reply has no room.
    while running.read(&running.ledger.replies_dropped) == 0 {
        assert!(sent < 200_000, "nothing was ever dropped");
        deaf.write_all(&inform).unwrap();
        sent += 1;
    }
    let mut other = running.connect();
    other.write_all(&message("inform other")).unwrap();
    let expected = response("inform other");
    assert_eq!(read_back(&mut other, &expected), expected);
    wait_until("all informs", || running.seen.count() == sent + 1);
    drop(deaf);
    running.finish();
}

#[test]
fn a_reply_whose_record_is_never_accepted_is_counted_when_the_listener_ends() {
    let mut running = start_snmp();
    let mut sender = running.connect();
    sender.write_all(&message("inform never")).unwrap();
    wait_until("the inform", || running.seen.count() == 1);
    running.finish();
    assert_eq!(running.read(&running.ledger.replies_sent), 0);
    assert_eq!(running.read(&running.ledger.replies_dropped), 1);
}
