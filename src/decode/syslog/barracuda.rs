//! Barracuda's web application firewall: `name=value` whose values have spaces and no quotes.
//!
//! ```text
//!  <132>1 2026-07-15T12:34:56.789012+00:00 waf1 - - - - src=192.0.2.1 attackDescription=GEO_IP_BLOCK attackDetails=two words attackGroup=Forceful Browsing logType=WF ...
//! ```
//!
//! Evidence: the text starts with a pair, and one of them is `logType` with one of the five types of log. (Barracuda,
//! "Web Application Firewall: exporting log formats", default key-value form.)

use super::fields::{Fields, Syntax};
use super::{Format, Message};

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    const TYPES: [&[u8]; 5] = [b"WF", b"TR", b"AUDIT", b"NF", b"SYS"];
    // The first pair of the log types' default forms.
    let starts = message.text.starts_with(b"src=") || message.text.starts_with(b"unitName=");
    if !starts || memchr::memmem::find(message.text, b" logType=").is_none() {
        return false;
    }
    let (mut is_ours, mut code) = (false, None);
    let fields = Fields::read(Syntax::OpenPairs, message.text, |field| match field.name {
        b"logType" => is_ours = TYPES.contains(&field.value.bytes),
        b"attackDescription" => code = Some(field.value.bytes),
        _ => {}
    });
    if !is_ours {
        return false;
    }
    message.event_code = code.filter(|code| !code.is_empty());
    message.fields = fields;
    message.vendor = Some("barracuda");
    message.recognised(Format::KeyValue);
    true
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn a_value_goes_on_to_the_next_name() {
        let message = read(
            b"<132>1 2026-07-15T12:34:56Z waf1 - - - - src=192.0.2.1 attackDescription=GEO_IP_BLOCK attackGroup=Forceful Browsing logType=WF referer=",
        );
        assert_eq!(message.vendor, Some("barracuda"));
        assert_eq!(message.event_code, Some(&b"GEO_IP_BLOCK"[..]));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"src":"192.0.2.1","attackDescription":"GEO_IP_BLOCK","attackGroup":"Forceful Browsing","logType":"WF","referer":""}"#
        );
        let other = read(b"<132>1 2026-07-15T12:34:56Z h - - - - src=1 dst=2 logType=other");
        assert_eq!(other.vendor, None);
    }
}
