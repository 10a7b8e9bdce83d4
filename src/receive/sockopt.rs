//! The socket options that neither std nor socket2 knows: a number in, a number or an error out.

use std::io;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, c_void, socklen_t};

/// Where `SO_MEMINFO` says how many were dropped (`SK_MEMINFO_DROPS`, linux/sock_diag.h).
const SK_MEMINFO_DROPS: usize = libc::SK_MEMINFO_DROPS as usize;
/// How many numbers `SO_MEMINFO` returns (`SK_MEMINFO_VARS`, linux/sock_diag.h).
const SK_MEMINFO_VARS: usize = 9;

/// Asks for a receive buffer above `net.core.rmem_max`; needs CAP_NET_ADMIN.
pub(super) fn set_receive_buffer_force(socket: &impl AsFd, bytes: c_int) -> io::Result<()> {
    set(socket, libc::SO_RCVBUFFORCE, &bytes)
}

/// Has the kernel stamp each datagram with its arrival, in nanoseconds (socket(7), SO_TIMESTAMPNS).
pub(super) fn set_timestamps(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SO_TIMESTAMPNS, &1)
}

/// Has the kernel say of each datagram which of our addresses it was sent to (ip(7), IP_PKTINFO; RFC 3542, section 6.1). An
/// IPv6 socket says it of IPv4 too, mapped.
pub(super) fn set_packet_info(socket: &impl AsFd, is_ipv6: bool) -> io::Result<()> {
    match is_ipv6 {
        true => set_at(socket, (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO), &1_i32),
        false => set_at(socket, (libc::IPPROTO_IP, libc::IP_PKTINFO), &1_i32),
    }
}

/// Datagrams that the kernel has dropped on this socket since it was made; wraps at 2³².
pub(super) fn dropped(socket: &impl AsFd) -> io::Result<u32> {
    let mut info = [0_u32; SK_MEMINFO_VARS];
    get(socket, libc::SO_MEMINFO, &mut info)?;
    Ok(info.get(SK_MEMINFO_DROPS).copied().unwrap_or_default())
}

/// The number that the kernel gives to a socket once and never to another one while the host runs.
pub(super) fn cookie(socket: &impl AsFd) -> io::Result<u64> {
    let mut cookie = 0_u64;
    get(socket, libc::SO_COOKIE, &mut cookie)?;
    Ok(cookie)
}

/// Chooses the socket of a SO_REUSEPORT group that gets a datagram (socket(7), SO_ATTACH_REUSEPORT_CBPF).
pub(super) fn attach_steering(socket: &impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    attach(socket, libc::SO_ATTACH_REUSEPORT_CBPF, program)
}

/// Lets the kernel drop, and count, what `program` refuses (socket(7), SO_ATTACH_FILTER).
pub(super) fn attach_filter(socket: &impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    attach(socket, libc::SO_ATTACH_FILTER, program)
}

fn attach(socket: &impl AsFd, name: c_int, program: &[libc::sock_filter]) -> io::Result<()> {
    let length =
        u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog {
        len: length,
        // The kernel copies the program and never writes to it.
        filter: program.as_ptr().cast_mut(),
    };
    set(socket, name, &program)
}

fn set<T>(socket: &impl AsFd, name: c_int, value: &T) -> io::Result<()> {
    set_at(socket, (libc::SOL_SOCKET, name), value)
}

fn set_at<T>(socket: &impl AsFd, (level, name): (c_int, c_int), value: &T) -> io::Result<()> {
    // SAFETY: the descriptor is open for the length of the borrow, and the kernel reads size_of::<T>() bytes of `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast::<c_void>(),
            length_of(size_of::<T>()),
        )
    };
    done(result)
}

fn get<T>(socket: &impl AsFd, name: c_int, value: &mut T) -> io::Result<()> {
    let mut length = length_of(size_of_val(value));
    // SAFETY: the descriptor is open for the length of the borrow, and the kernel writes at most `length` bytes, the
    // size of `value`, whose type (integers and arrays of them, see the callers) has no invalid value.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_mut(value).cast::<c_void>(),
            &raw mut length,
        )
    };
    done(result)
}

fn length_of(size: usize) -> socklen_t {
    socklen_t::try_from(size).unwrap_or(socklen_t::MAX)
}

fn done(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
