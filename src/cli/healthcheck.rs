//! `trapline healthcheck`: whether the running agent's threads move, as an exit code.
//!
//! ```text
//!  status.bind ──▶ GET /healthz ──▶ 200: exit code 0   anything else, or nobody: exit code 1
//!    └ configuration that is not accepted: TRAPLINE_STATUS__BIND, or the default
//! ```
//!
//! For a container's health check, where there is neither a shell nor curl. What is wrong with the file says nothing of an
//! agent that runs on what it read before: a restart for that would end it for good.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::admin::{exchange, parse};
use super::output::{Output, complain};
use super::{ConfigArguments, run};
use crate::status;

/// How long the agent may take to answer: less than what container engines usually grant a check (30 s), and longer
/// than an agent that only is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// The environment's word for `status.bind`.
const VARIABLE: &str = "TRAPLINE_STATUS__BIND";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Where the agent's status page is [default: status.bind of the configuration]
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: Option<SocketAddr>,
}

/// Why the agent does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub(super) enum HealthError {
    /// There is no page to ask.
    #[error(
        "the agent serves no status page: status.bind is \"off\" in the configuration, expected an address"
    )]
    Off,
    /// Nobody answers.
    #[error("no agent answers at {address}: {source}")]
    Nobody {
        /// Where it was looked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It answered something else than an answer.
    #[error("what answers at {0} is no trapline agent")]
    Stranger(SocketAddr),
    /// The agent says that it is not well.
    #[error("the agent is not well: {0}")]
    Unwell(String),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let address = arguments
        .address
        .or_else(|| of_configuration(&arguments.config));
    let Some(address) = address else {
        return fail(&HealthError::Off);
    };
    match ask(address) {
        Ok(text) => {
            let mut output = Output::default();
            writeln!(output, "{}", text.trim_end());
            output.end()
        }
        Err(error) => fail(&error),
    }
}

/// Where the page is by the configuration, and by what can be known without it where it is not accepted.
fn of_configuration(arguments: &ConfigArguments) -> Option<SocketAddr> {
    let refused = match run::load(arguments.file().as_deref()) {
        Ok(loaded) => return loaded.config.status.bind,
        Err(refused) => refused,
    };
    super::print_problems(&refused.problems);
    let address = without_configuration(std::env::var(VARIABLE).ok().as_deref());
    if let Some(address) = address {
        complain(&format!(
            "trapline: a running agent goes on with what it read before, and is asked at {address}; --address asks elsewhere"
        ));
    }
    address
}

/// What the variable says alone, and the default where it says nothing that can be used.
fn without_configuration(variable: Option<&str>) -> Option<SocketAddr> {
    let default = status::Config::default().bind;
    match variable.map(str::trim) {
        None => default,
        Some("off") => None,
        Some(text) => text.parse().ok().or(default),
    }
}

fn fail(error: &HealthError) -> ExitCode {
    complain(&format!("trapline: {error}"));
    ExitCode::FAILURE
}

/// What the agent whose page is at `address` says of its health, when it is well.
pub(super) fn ask(address: SocketAddr) -> Result<String, HealthError> {
    let (address, other) = reachable(address);
    let (address, mut stream) = match (connect(address), other) {
        (Err(_), Some(other)) => connect(other)?,
        (connected, _) => connected?,
    };
    let nobody = |source| HealthError::Nobody { address, source };
    stream.set_read_timeout(Some(PATIENCE)).map_err(nobody)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(nobody)?;
    let answer = exchange(&mut stream, "GET", "/healthz", "").map_err(nobody)?;
    match parse(&answer) {
        Some((200, text)) => Ok(text.to_owned()),
        Some((_, text)) => Err(HealthError::Unwell(text.trim_end().to_owned())),
        None => Err(HealthError::Stranger(address)),
    }
}

fn connect(address: SocketAddr) -> Result<(SocketAddr, TcpStream), HealthError> {
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => Ok((address, stream)),
        Err(source) => Err(HealthError::Nobody { address, source }),
    }
}

/// "Every address" is a place to listen, not one to connect to: this host's own address stands for it. `[::]` hears IPv4
/// too, and a container often has no `::1`, so there is a second address to ask.
fn reachable(address: SocketAddr) -> (SocketAddr, Option<SocketAddr>) {
    let ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (ipv4, None),
        IpAddr::V6(ip) if ip.is_unspecified() => (ipv6, Some(ipv4)),
        _ => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // To its end: a close with bytes unread would reset the connection.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /healthz "));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_200_counts_as_well() {
        let well = answering("HTTP/1.1 200 OK\r\n\r\nok\n");
        assert_eq!(ask(well).unwrap(), "ok\n");
        let unwell = answering("HTTP/1.1 503 Service Unavailable\r\n\r\nwriter is silent\n");
        let error = ask(unwell).unwrap_err();
        assert!(error.to_string().contains("writer is silent"), "{error}");
        let stranger = answering("220 mail ready\r\n");
        assert!(matches!(ask(stranger), Err(HealthError::Stranger(_))));
    }

    #[test]
    fn without_a_configuration_the_variable_says_where_the_page_is_and_else_the_default() {
        let said = |variable| without_configuration(variable).map(|address| address.to_string());
        let default = Some("127.0.0.1:9514".to_owned());
        assert_eq!(said(None), default);
        assert_eq!(said(Some("")), default);
        assert_eq!(said(Some("nonsense")), default);
        assert_eq!(said(Some(" [::]:80 ")), Some("[::]:80".to_owned()));
        assert_eq!(said(Some("off")), None);
    }

    #[test]
    fn nobody_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(ask(address), Err(HealthError::Nobody { .. })));
    }

    #[test]
    fn every_address_is_asked_at_this_host_s_own() {
        let asked = |text: &str| {
            let (first, second) = reachable(text.parse().unwrap());
            (first.to_string(), second.map(|second| second.to_string()))
        };
        let alone = |text: &str| (text.to_owned(), None);
        assert_eq!(asked("0.0.0.0:9514"), alone("127.0.0.1:9514"));
        assert_eq!(asked("10.0.0.1:9514"), alone("10.0.0.1:9514"));
        let both = ("[::1]:9514".to_owned(), Some("127.0.0.1:9514".to_owned()));
        assert_eq!(asked("[::]:9514"), both);
    }

    #[test]
    fn an_agent_on_every_address_is_found_by_ipv4_where_ipv6_does_not_answer() {
        // It listens on 127.0.0.1 alone, so nobody is at [::1].
        let ipv4 = answering("HTTP/1.1 200 OK\r\n\r\nok\n");
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, ipv4.port()));
        assert_eq!(ask(everywhere).unwrap(), "ok\n");
    }
}
