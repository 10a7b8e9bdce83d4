//! Reverse DNS by the host's own resolver, on threads of its own.
//!
//! ```text
//!  View ──ask(address)──▶ queue (bounded) ──▶ 2 threads: getnameinfo ──answer──▶ Names::take_dns_answer
//! ```
//!
//! `getnameinfo` honours what the host is set up with (nsswitch, resolv.conf, mDNS). It may take seconds; nobody waits
//! for it. When the queue is full an address is not asked for, and asked again by a later message.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use compact_str::CompactString;
use socket2::SockAddr;

use super::Names;
use crate::normalize::hostname;
use crate::time::UnixMicros;

/// Addresses that wait. More senders than that without a name within seconds are a flood.
const QUEUE_MAX: usize = 1_024;

/// Two, so that one name server that does not answer holds up half.
const THREADS: usize = 2;

/// The pause after each question: a thread asks at most 50 times a second, which no name server minds.
const PAUSE: Duration = Duration::from_millis(20);

/// RFC 1035, section 2.3.4, and the final zero.
const NAME_BYTES_MAX: usize = 256;

/// Addresses that wait for a name.
#[derive(Debug, Default)]
pub struct Resolver {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<IpAddr>,
    is_closed: bool,
}

impl Resolver {
    /// Asks for the name of `address`; false where there is no room to ask.
    pub fn ask(&self, address: IpAddr) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_closed || queue.waiting.len() >= QUEUE_MAX {
            return false;
        }
        queue.waiting.push_back(address);
        drop(queue);
        self.filled.notify_one();
        true
    }

    /// Ends the threads after the question that each is at.
    pub fn close(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.is_closed = true;
        queue.waiting.clear();
        self.filled.notify_all();
    }

    /// Whether it was asked for `address` and has not come to it.
    #[cfg(test)]
    pub(super) fn is_waiting(&self, address: IpAddr) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.contains(&address)
    }

    fn next(&self) -> Option<IpAddr> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = self
            .filled
            .wait_while(queue, |queue| queue.waiting.is_empty() && !queue.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        queue.waiting.pop_front()
    }

    /// Sleeps between two questions, but not once it is closed.
    fn pause(&self) {
        let until = Instant::now() + PAUSE;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while !queue.is_closed {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.filled.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Starts the threads. They end after [`Resolver::close`]; a question on its way is not waited for.
pub fn spawn(
    names: &Arc<Names>,
    canonical: impl Fn(&str) -> Option<CompactString> + Clone + Send + 'static,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    (0..THREADS)
        .map(|number| {
            let (names, canonical) = (names.clone(), canonical.clone());
            thread::Builder::new()
                .name(format!("dns-{number}"))
                .spawn(move || answer(&names, &canonical))
        })
        .collect()
}

fn answer(names: &Names, canonical: &impl Fn(&str) -> Option<CompactString>) {
    while let Some(address) = names.resolver().next() {
        if let Some(name) = look_up(address).as_deref().and_then(canonical) {
            names.take_dns_answer(address, &name, UnixMicros::now());
        }
        names.resolver().pause();
    }
}

/// The name of `address` by the host's resolver; `None` where it has none or does not answer.
fn look_up(address: IpAddr) -> Option<String> {
    let address = SockAddr::from(SocketAddr::new(address, 0));
    let mut name = [0u8; NAME_BYTES_MAX];
    // SAFETY: the address is a valid socket address of the length that is given, and lives through the call; the name
    // is written into a buffer whose length is given, ended by a zero; the service is not asked for.
    let result = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            name.as_mut_ptr().cast(),
            NAME_BYTES_MAX as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if result != 0 {
        return None;
    }
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_str().ok()?;
    is_name(name).then(|| name.to_owned())
}

/// Whoever owns an address writes what it is called. An address is the key of the device there, and no name for another.
fn is_name(answer: &str) -> bool {
    hostname::address_of(answer.trim_end_matches('.')).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_an_address_is_no_name() {
        assert!(is_name("r1.example.net") && is_name("10.example.net."));
        assert!(!is_name("10.0.0.5") && !is_name("10.0.0.5.") && !is_name("2001:DB8::1"));
    }

    #[test]
    fn a_full_queue_refuses_and_a_closed_one_ends_its_threads() {
        let resolver = Resolver::default();
        let address = |number: usize| IpAddr::from((number as u32).to_be_bytes());
        let asked = (0..2 * QUEUE_MAX)
            .filter(|number| resolver.ask(address(*number)))
            .count();
        assert_eq!(asked, QUEUE_MAX);
        assert_eq!(resolver.next(), Some(address(0)));
        resolver.close();
        assert_eq!(resolver.next(), None);
        assert!(!resolver.ask(address(1)));
    }

    #[test]
    fn the_hosts_own_table_is_asked() {
        // Every Linux host names its loopback address in /etc/hosts; where it does not, there is nothing to find.
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let has_loopback = hosts.lines().any(|line| line.starts_with("127.0.0.1"));
        assert_eq!(look_up([127, 0, 0, 1].into()).is_some(), has_loopback);
    }
}
