//! Each packet of a capture that is syslog or SNMP, explained with its number, time and sender.
//!
//! ```text
//!   Capture::next ─▶ link::payload ─┬▶ datagram ─▶ syslog? SNMP? ─▶ explain
//!                                   ├▶ segment ─▶ the framing of streams ─▶ each message that begins in it ─▶ explain
//!                                   └▶ fragment: named        anything else: counted
//! ```

use std::io::Read;

use super::super::capture::{Capture, Frame, Payload, Sent, payload};
use super::{Arguments, ExplainError, Output, Settings, listener};
use crate::decode::snmp;
use crate::event::Rfc3339;
use crate::packet::{Packet, Peer, Protocol, Transport, Wholeness};
use crate::receive::FRAME_BYTES_MAX;
use crate::receive::framing::ber::BerFramer;
use crate::receive::framing::{EndOfStream, Framer, Step};
use crate::time::UnixMicros;

/// What became of the packets.
#[derive(Debug, Default)]
struct Counts {
    packets: u64,
    explained: u64,
    fragments: u64,
    others: u64,
}

/// One capture at work.
struct Explaining<'a> {
    arguments: &'a Arguments,
    settings: &'a Settings,
    output: &'a mut Output,
}

/// Explains the packets of `file`, up to its end or to where it is damaged.
pub(super) fn explain(
    file: impl Read,
    arguments: &Arguments,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), ExplainError> {
    let mut capture = Capture::open(file)?;
    let (mut octets, mut counts) = (Vec::new(), Counts::default());
    let mut explaining = Explaining {
        arguments,
        settings,
        output,
    };
    while explaining.output.is_open()
        && let Some(frame) = capture.next(&mut octets)?
    {
        counts.packets = frame.number;
        match arguments.packet {
            Some(wanted) if wanted != frame.number => {}
            Some(_) => {
                explaining.frame(&frame, &octets, &mut counts)?;
                return Ok(());
            }
            None => explaining.frame(&frame, &octets, &mut counts)?,
        }
    }
    if let Some(number) = arguments.packet {
        let packets = counts.packets;
        return Err(ExplainError::NoPacket { number, packets });
    }
    let Counts {
        packets,
        explained,
        fragments,
        others,
    } = counts;
    writeln!(
        explaining.output,
        "{packets} packets: {explained} explained, {fragments} fragments, {others} neither syslog nor SNMP"
    );
    Ok(())
}

impl Explaining<'_> {
    fn frame(
        &mut self,
        frame: &Frame,
        octets: &[u8],
        counts: &mut Counts,
    ) -> Result<(), ExplainError> {
        let number = frame.number;
        let (sent, transport) = match payload(frame.link, octets) {
            Payload::Udp(sent) => (sent, Transport::Udp),
            Payload::Tcp(sent) => (sent, Transport::Tcp),
            Payload::Fragment { source } => {
                counts.fragments += 1;
                writeln!(
                    self.output,
                    "packet {number}: a fragment of an IP packet from {source}; fragments are not put together\n"
                );
                return Ok(());
            }
            Payload::UnknownLink => {
                let what = format!("of link type {}, which is not known here", frame.link);
                self.pass_over(number, &what, counts);
                return Ok(());
            }
            Payload::Other => {
                self.pass_over(number, "neither UDP nor TCP over IP", counts);
                return Ok(());
            }
        };
        let explained = match transport {
            Transport::Udp => self.datagram(frame, &sent)?,
            _ => self.segment(frame, &sent)?,
        };
        if explained {
            counts.explained += 1;
        } else {
            self.pass_over(number, "neither syslog nor SNMP", counts);
        }
        Ok(())
    }

    /// Said only of a packet that was asked for.
    fn pass_over(&mut self, number: u64, what: &str, counts: &mut Counts) {
        counts.others += 1;
        if self.arguments.packet.is_some() {
            writeln!(self.output, "packet {number}: {what}");
        }
    }

    fn datagram(&mut self, frame: &Frame, sent: &Sent<'_>) -> Result<bool, ExplainError> {
        let Some(protocol) = self.protocol(sent, Transport::Udp) else {
            return Ok(false);
        };
        let wholeness = match frame.is_cut || sent.is_cut {
            true => Wholeness::Cut,
            false => Wholeness::Whole,
        };
        let what = (protocol, Transport::Udp, wholeness);
        self.message(frame, sent, sent.octets, what)?;
        Ok(true)
    }

    /// The messages that begin in a segment, the last one perhaps in part; the stream is not put together.
    fn segment(&mut self, frame: &Frame, sent: &Sent<'_>) -> Result<bool, ExplainError> {
        let Some(protocol) = self.protocol(sent, Transport::Tcp) else {
            return Ok(false);
        };
        let mut lines = Framer::new(FRAME_BYTES_MAX);
        let mut messages = BerFramer::new(FRAME_BYTES_MAX);
        let (mut rest, mut explained) = (sent.octets, false);
        loop {
            let mut next = |end| match protocol {
                Protocol::Syslog => lines.next(rest, end),
                Protocol::Snmp => messages.next(rest, end),
            };
            // What the segment ends within goes on in the next one, which is not looked at.
            let (step, goes_on) = match next(EndOfStream::NotYet) {
                Step::NeedMore => (next(EndOfStream::Reached), true),
                step => (step, false),
            };
            let consumed = match step {
                Step::NeedMore | Step::Lost { .. } => return Ok(explained),
                Step::Skip { consumed } => consumed,
                Step::Frame {
                    bytes,
                    wholeness,
                    consumed,
                } => {
                    let bytes = rest.get(bytes).unwrap_or_default();
                    let wholeness = match wholeness {
                        Wholeness::Whole if goes_on => Wholeness::Half,
                        wholeness => wholeness,
                    };
                    self.message(frame, sent, bytes, (protocol, Transport::Tcp, wholeness))?;
                    explained = true;
                    consumed
                }
            };
            rest = rest.get(consumed..).unwrap_or_default();
        }
    }

    fn message(
        &mut self,
        frame: &Frame,
        sent: &Sent<'_>,
        bytes: &[u8],
        (protocol, transport, wholeness): (Protocol, Transport, Wholeness),
    ) -> Result<(), ExplainError> {
        let name = self.arguments.listener.as_deref();
        let listener = listener(&self.settings.listeners, protocol, transport, name)?;
        let time = frame
            .time
            .map_or(String::new(), |time| format!(", {}", Rfc3339::micros(time)));
        let part = match wholeness {
            Wholeness::Whole => "",
            Wholeness::Cut | Wholeness::Half => ", not all of it",
        };
        let Sent { source, target, .. } = sent;
        writeln!(
            self.output,
            "packet {}{time}: {} from {source} to {target}{part}",
            frame.number,
            transport.as_str(),
        );
        let packet = Packet {
            bytes,
            peer: Peer::Inet(source.ip(), source.port()),
            listener: &listener,
            received: frame.time.unwrap_or_else(UnixMicros::now),
            wholeness,
        };
        writeln!(self.output, "{}", super::explain(&packet, self.settings));
        Ok(())
    }

    /// What a packet is: as it was said to be, as it begins, or as the port of one of our listeners says. What a segment
    /// holds is told by its first octets alone, since a message may have begun in an earlier one.
    fn protocol(&self, sent: &Sent<'_>, transport: Transport) -> Option<Protocol> {
        if sent.octets.is_empty() {
            return None;
        }
        if self.arguments.protocol.is_some() {
            return Some(super::protocol(sent.octets, self.arguments));
        }
        if snmp::is_message(sent.octets) {
            return Some(Protocol::Snmp);
        }
        if begins_as_syslog(sent.octets) {
            return Some(Protocol::Syslog);
        }
        let listeners = self.settings.listeners.iter();
        let mut ours = listeners.filter(|(listener, port)| {
            listener.transport == transport && *port == sent.target.port()
        });
        match transport {
            Transport::Udp => ours.next().map(|(listener, _)| listener.protocol),
            _ => None,
        }
    }
}

/// A PRI, or a count and a PRI behind it (RFC 5424, section 6.2.1; RFC 6587, section 3.4.1).
fn begins_as_syslog(octets: &[u8]) -> bool {
    let message = match octets.iter().position(|octet| !octet.is_ascii_digit()) {
        Some(digits @ 1..) => octets
            .get(digits..)
            .and_then(|rest| rest.strip_prefix(b" ")),
        _ => Some(octets),
    };
    matches!(message, Some([b'<', b'0'..=b'9', ..]))
}
