//! `sendmsg(2)`: one datagram from the address of ours that its receiver has asked.
//!
//! ```text
//!   to, from ──▶ msghdr { name, iovec, control: IP_PKTINFO | IPV6_PKTINFO }
//! ```
//!
//! A socket that listens at every address sends from the one that the kernel finds nearest, which on a host with several
//! need not be the one that was asked.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use libc::c_int;
use socket2::SockAddr;

/// Sends without waiting. `from` is in the form of `to`: IPv4 for an IPv4 socket, else IPv6, IPv4-mapped where needed. A
/// link's own address is left to the kernel, which knows the link.
pub(super) fn send_from(
    socket: &impl AsFd,
    bytes: &[u8],
    to: SocketAddr,
    from: IpAddr,
) -> io::Result<usize> {
    match from {
        IpAddr::V4(from) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from(from).to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            send(
                socket,
                bytes,
                to,
                (libc::IPPROTO_IP, libc::IP_PKTINFO),
                info,
            )
        }
        IpAddr::V6(from) if from.is_unicast_link_local() => {
            Err(io::Error::from(io::ErrorKind::AddrNotAvailable))
        }
        IpAddr::V6(from) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: from.octets(),
                },
                ipi6_ifindex: 0,
            };
            send(
                socket,
                bytes,
                to,
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO),
                info,
            )
        }
    }
}

/// A control message as the kernel reads it (cmsg(3)). Behind the header, which is as long as its alignment asks for, there
/// is no gap, and the whole is as long as `CMSG_SPACE` says.
#[repr(C)]
struct Control<T> {
    header: libc::cmsghdr,
    info: T,
}

fn send<T>(
    socket: &impl AsFd,
    bytes: &[u8],
    to: SocketAddr,
    (level, kind): (c_int, c_int),
    info: T,
) -> io::Result<usize> {
    let to = SockAddr::from(to);
    let mut iovec = libc::iovec {
        // The kernel only reads through it.
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: both are plain C structs of integers and pointers, for which all zeroes is a value.
    let (header, mut message): (libc::cmsghdr, libc::msghdr) = unsafe { (zeroed(), zeroed()) };
    let mut control = Control { header, info };
    // SAFETY: it is arithmetic.
    let length = unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) };
    control.header.cmsg_len = length as _;
    (control.header.cmsg_level, control.header.cmsg_type) = (level, kind);
    message.msg_name = to.as_ptr().cast_mut().cast();
    message.msg_namelen = to.len();
    message.msg_iov = &raw mut iovec;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control<T>>() as _;
    // SAFETY: the message points to a name, an iovec and a control message that live through the call, each with its true
    // length, and the iovec to `bytes`; the kernel writes to none of them.
    let sent = unsafe {
        libc::sendmsg(
            socket.as_fd().as_raw_fd(),
            &raw const message,
            libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
