//! Whose message it is, in words: the name, why it is that, and what the inventory says of the device.
//!
//! ```text
//!  device
//!    name      lax-cor-r1
//!    why       inventory: its line of 10.20.0.1
//!    labels    role=core, site=lax
//!    zone      America/Los_Angeles, for time stamps that name none
//! ```
//!
//! In: the event, what the message calls its sender, what is known of names. Out: text.

use std::fmt::Write;
use std::net::IpAddr;

use serde_json::Value;

use crate::cli::output::tamed;
use crate::names::Names;

/// The section; ends with a line feed.
pub(super) fn section(
    event: &Value,
    claimed: Option<&str>,
    sender: IpAddr,
    names: &Names,
) -> String {
    let device = &event["device"];
    let hostname = device["hostname"].as_str().unwrap_or_default();
    let mut text = "device\n".to_owned();
    // Writing to a String cannot fail.
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:9} {}", tamed(value));
    };
    field("name", hostname);
    let said = names.said_of(sender, hostname);
    let is_relay = names.is_relay(sender);
    let line = said.as_ref().map(|line| match line.is_host() {
        true => line.net.addr().to_string(),
        false => line.net.to_string(),
    });
    let line_text = line.as_deref().unwrap_or("its address");
    let why = match device["hostname_source"].as_str().unwrap_or_default() {
        "inventory" => format!("inventory: its line of {line_text}"),
        "header" if is_relay => format!("header: the trusted relay {sender} says so"),
        "header" => "header: the message says so, and the name is no other device's".to_owned(),
        "relay" => format!("relay: {sender} brings it for the device that the message names"),
        "address" => match claimed {
            Some(claimed) => {
                format!("address: `{claimed}` is no name of a device, or another device's")
            }
            None => {
                "address: nothing better is known; a running agent may have learned a name, which \
                     `trapline devices` shows"
                    .to_owned()
            }
        },
        other => other.to_owned(),
    };
    field("why", &why);
    if let Some(labels) = device["labels"].as_object() {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        field("labels", &labels.join(", "));
    }
    let Some(said) = said else {
        return text;
    };
    if let Some(zone) = &said.facts.zone {
        field("zone", &format!("{zone}, for time stamps that name none"));
    }
    if let Some(encoding) = said.facts.encoding {
        field("encoding", encoding.name());
    }
    match said.silent_seconds {
        Some(0) => field("watch", "its silence is not told"),
        Some(seconds) => field("watch", &format!("told as silent after {seconds} s")),
        None => {}
    }
    text
}
