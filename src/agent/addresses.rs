//! Where to listen on a host whose kernel has no IPv6 (`ipv6.disable=1`).
//!
//! ```text
//!  [::]:514 ──there is IPv6──▶ [::]:514      ──there is none──▶ 0.0.0.0:514
//! ```
//!
//! `[::]` means every address of this host, and it is the default: without this nothing would be heard there. systemd
//! reads `ListenDatagram=514` the same way.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tracing::warn;

use crate::config::Resolved;

/// Puts IPv4 in place of `[::]` where the kernel has nothing else.
pub(super) fn adapt(config: &mut Resolved) {
    if has_ipv6() {
        return;
    }
    warn!("this host has no IPv6: [::] is taken as 0.0.0.0");
    for listener in &mut config.listeners {
        listener.bind = without_ipv6(listener.bind);
    }
    config.status.bind = config.status.bind.map(without_ipv6);
}

/// An address of IPv6 that is a certain one stays, so that binding it says what is wrong.
fn without_ipv6(bind: SocketAddr) -> SocketAddr {
    if bind.is_ipv6() && bind.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, bind.port()))
    } else {
        bind
    }
}

/// Any other failure is not this one, and binding will say it.
fn has_ipv6() -> bool {
    let tried = Socket::new(Domain::IPV6, Type::DGRAM, None);
    !tried.is_err_and(|error| error.raw_os_error() == Some(libc::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_every_address_becomes_every_ipv4_address() {
        let of = |text: &str| without_ipv6(text.parse().unwrap()).to_string();
        assert_eq!(of("[::]:514"), "0.0.0.0:514");
        assert_eq!(of("[::1]:514"), "[::1]:514");
        assert_eq!(of("10.0.0.1:514"), "10.0.0.1:514");
    }
}
