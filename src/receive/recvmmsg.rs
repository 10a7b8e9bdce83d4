//! `recvmmsg(2)`: up to 64 datagrams a call, each with its sender and the kernel's arrival time.
//!
//! ```text
//!   headers[i] ──▶ names[i]     sockaddr of the sender
//!              ├─▶ iovecs[i] ──▶ buffers[i·slot .. (i+1)·slot]     the payload
//!              └─▶ controls[i]  SCM_TIMESTAMPNS, and IP_PKTINFO or IPV6_PKTINFO where they were asked for
//! ```

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

use memmap2::MmapMut;

use crate::time::UnixMicros;

use super::socket;

/// Datagrams a call: 64 was measured as fast as 256 and needs a quarter of the memory.
pub(super) const BATCH: usize = 64;

/// Bytes for control messages: one time stamp takes 32 and an address 40, the rest is room for what a later kernel adds.
const CONTROL_BYTES: usize = 128;

/// Aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// The buffers of one thread. The pages of a slot cost memory only when a datagram has touched them.
///
/// The payloads' buffer is the kernel's own empty pages, not the allocator's: jemalloc writes zeros over all 4 MiB where
/// it cannot read /proc/sys/vm (`ProcSubset=pid`), and an idle agent with two UDP listeners was measured 8 MiB larger.
pub(super) struct Batch {
    slot_bytes: usize,
    buffers: MmapMut,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    filled: usize,
}

/// One datagram of a batch.
#[derive(Debug)]
pub(super) struct Datagram<'b> {
    pub(super) bytes: &'b [u8],
    /// As the socket says it: IPv4-mapped on a dual-stack socket. `None` for an address family that is not IP.
    pub(super) from: Option<SocketAddr>,
    /// Which of our addresses it was sent to, where the socket says that; IPv4-mapped like `from`.
    pub(super) to: Option<IpAddr>,
    /// When the kernel took it from the interface.
    pub(super) received: Option<UnixMicros>,
    /// Whether it was longer than the slot.
    pub(super) is_cut: bool,
}

impl Batch {
    /// Room for the payloads of a batch, each of up to `datagram_bytes_max` bytes. Fails when the system gives no memory.
    pub(super) fn room(datagram_bytes_max: usize) -> io::Result<MmapMut> {
        MmapMut::map_anon(datagram_bytes_max.max(1).saturating_mul(BATCH))
    }

    /// Batches in `buffers`, which is [`Batch::room`] for the same size.
    pub(super) fn new(datagram_bytes_max: usize, buffers: MmapMut) -> Self {
        let slot_bytes = datagram_bytes_max.max(1);
        // SAFETY: all three are plain C structs of integers and pointers, for which all zeroes is a value.
        let (name, iovec, header) = unsafe { (zeroed(), zeroed(), zeroed()) };
        Batch {
            slot_bytes,
            buffers,
            names: vec![name; BATCH],
            controls: vec![Control([0; CONTROL_BYTES]); BATCH],
            iovecs: vec![iovec; BATCH],
            headers: vec![header; BATCH],
            filled: 0,
        }
    }

    /// Waits for the first datagram as long as the socket's timeout says, takes what is there, and says how many.
    pub(super) fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.filled = 0;
        self.point();
        // SAFETY: `point` has just made each header point to a name, an iovec and a control buffer of ours with their
        // true lengths, and each iovec to a slot of `buffers`; none of these is touched during the call.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        };
        self.filled = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// The datagrams of the last call.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.buffers.chunks(self.slot_bytes);
        let parts = self.headers.iter().zip(slots).zip(&self.names);
        parts.take(self.filled).map(|((header, slot), name)| {
            let length = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
            let Told { received, to } = told(&header.msg_hdr);
            Datagram {
                bytes: slot.get(..length).unwrap_or(slot),
                from: address(name),
                to,
                received,
                is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            }
        })
    }

    /// Where they came from, in their order: IPv4 as itself.
    pub(super) fn senders(&self) -> impl Iterator<Item = IpAddr> + Clone {
        let names = self.names.iter().take(self.filled).filter_map(address);
        names.map(|from| socket::canonical(from).0)
    }

    fn point(&mut self) {
        let slots = self.buffers.chunks_mut(self.slot_bytes);
        let parts = self.headers.iter_mut().zip(slots);
        let parts = parts.zip(&mut self.iovecs).zip(&mut self.names);
        for ((((header, slot), iovec), name), control) in parts.zip(&mut self.controls) {
            iovec.iov_base = slot.as_mut_ptr().cast();
            iovec.iov_len = slot.len();
            let message = &mut header.msg_hdr;
            message.msg_name = std::ptr::from_mut(name).cast();
            message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_iov = iovec;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = CONTROL_BYTES as _;
            message.msg_flags = 0;
        }
    }
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let name_at = std::ptr::from_ref(name);
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: sockaddr_storage is larger than sockaddr_in and aligned for it, and the family says it is one.
            let inet = unsafe { &*name_at.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(inet.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let inet = unsafe { &*name_at.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(inet.sin6_addr.s6_addr);
            let port = u16::from_be(inet.sin6_port);
            Some(SocketAddrV6::new(ip, port, inet.sin6_flowinfo, inet.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// What the kernel says of a datagram beside its sender.
#[derive(Debug, Default)]
struct Told {
    received: Option<UnixMicros>,
    to: Option<IpAddr>,
}

fn told(message: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: the kernel has filled `msg_control` up to `msg_controllen`, and both still describe a live Control.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return null or a whole header within the control buffer.
        let (header, data) = unsafe { (&*control, libc::CMSG_DATA(control)) };
        match (header.cmsg_level, header.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: with this level and type the data is a timespec; it may not be aligned.
                told.received = stamp(unsafe { data.cast::<libc::timespec>().read_unaligned() });
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: with this level and type the data is an in_pktinfo; it may not be aligned.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                // Of a broadcast it is the address that an answer comes from.
                let address = u32::from_be(info.ipi_spec_dst.s_addr);
                told.to = Some(Ipv4Addr::from(address).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: with this level and type the data is an in6_pktinfo; it may not be aligned.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                told.to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            _ => {}
        }
        // SAFETY: `control` is a header of this message.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    told
}

fn stamp(time: libc::timespec) -> Option<UnixMicros> {
    let micros = time.tv_sec.checked_mul(1_000_000)?;
    micros.checked_add(time.tv_nsec / 1000).map(UnixMicros)
}
