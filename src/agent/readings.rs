//! Numbers that stages count for themselves, as the metrics show them.
//!
//! ```text
//!  dead letters, SNMPv3, MIB files, devices ──▶ [Reading { name, help, kind, value }] ──▶ /metrics
//! ```

use std::sync::atomic::Ordering;

use crate::mib;
use crate::names::Names;
use crate::observe::picture::Reading;
use crate::spool::Spool;
use crate::usm::window::Excuse;
use crate::usm::{Refusal, Usm};

/// All of them.
pub(super) fn all(spool: &Spool, usm: &Usm, mibs: &mib::Set, names: &Names) -> Vec<Reading> {
    [
        dead_letters(spool),
        snmp(usm),
        mib_files(mibs),
        devices(names),
    ]
    .concat()
}

/// The compiled MIB files.
fn mib_files(mibs: &mib::Set) -> Vec<Reading> {
    vec![
        Reading::gauge(
            "mib_files",
            "Compiled MIB files in use.",
            mibs.files().count() as u64,
        ),
        Reading::gauge(
            "mib_files_refused",
            "Compiled MIB files that cannot be used as they are now; what an earlier content said stays in use.",
            mibs.refused() as u64,
        ),
    ]
}

/// The dead-letter file; nothing with a memory spool.
fn dead_letters(spool: &Spool) -> Vec<Reading> {
    let Some(letters) = spool.dead_letters() else {
        return Vec::new();
    };
    vec![
        Reading::gauge(
            "dead_letters",
            "Records in the dead-letter file: set aside and not sent again.",
            letters.letters,
        ),
        Reading::gauge(
            "dead_letter_bytes",
            "Size of the dead-letter file.",
            letters.bytes,
        ),
        Reading::gauge(
            "dead_letter_bytes_max",
            "Bytes that the dead-letter file may take; when it is full, what the broker refuses is lost.",
            letters.bytes_max,
        ),
    ]
}

/// The six counters of usmStats (RFC 3414, section 5), and what else there is to count about SNMPv3.
fn snmp(usm: &Usm) -> Vec<Reading> {
    let refused = Refusal::ALL.map(|reason| {
        let (name, help) = match reason {
            Refusal::UnsupportedSecLevel => (
                "usm_stats_unsupported_sec_levels",
                "usmStatsUnsupportedSecLevels: SNMPv3 messages at a security level that their user must not use.",
            ),
            Refusal::NotInTimeWindow => (
                "usm_stats_not_in_time_windows",
                "usmStatsNotInTimeWindows: SNMPv3 messages outside the time window.",
            ),
            Refusal::UnknownUserName => (
                "usm_stats_unknown_user_names",
                "usmStatsUnknownUserNames: SNMPv3 messages of users that are not configured.",
            ),
            Refusal::UnknownEngineId => (
                "usm_stats_unknown_engine_ids",
                "usmStatsUnknownEngineIDs: SNMPv3 messages to other engines, discovery included.",
            ),
            Refusal::WrongDigest => (
                "usm_stats_wrong_digests",
                "usmStatsWrongDigests: SNMPv3 messages whose digest no secret makes.",
            ),
            Refusal::DecryptionError => (
                "usm_stats_decryption_errors",
                "usmStatsDecryptionErrors: SNMPv3 messages that could not be decrypted.",
            ),
        };
        Reading::counter(name, help, usm.stats.refused(reason))
    });
    let excused = Excuse::ALL.map(|excuse| {
        let (name, help) = match excuse {
            Excuse::BootsAndTimeZero => (
                "usm_boots_and_time_zero",
                "SNMPv3 messages outside the time window, taken: boots and time are 0.",
            ),
            Excuse::BootsBackwards => (
                "usm_boots_backwards",
                "SNMPv3 messages outside the time window, taken: boots went backwards.",
            ),
            Excuse::BootsNotRaised => (
                "usm_boots_not_raised",
                "SNMPv3 messages outside the time window, taken: the time began again, boots stayed.",
            ),
            Excuse::Ignored => (
                "usm_outside_time_window",
                "SNMPv3 messages outside the time window, taken because snmp.time_window is ignore.",
            ),
        };
        Reading::counter(name, help, usm.stats.excused(excuse))
    });
    let limited = usm.stats.limited.load(Ordering::Relaxed);
    let reports = usm.stats.reports_limited.load(Ordering::Relaxed);
    let forgotten = usm.stats.forgotten.load(Ordering::Relaxed);
    let (engines, keys) = usm.sizes();
    let others = [
        Reading::counter(
            "usm_limited",
            "SNMPv3 messages that were not looked at, because their source asks for too much.",
            limited,
        ),
        Reading::counter(
            "usm_reports_limited",
            "SNMPv3 Reports that were not sent, because their source asks for too many.",
            reports,
        ),
        Reading::counter(
            "usm_forgotten",
            "SNMPv3 messages that were forgotten while they were within the time window, because too many came: a copy of one would be a second event.",
            forgotten,
        ),
        Reading::gauge(
            "usm_engines",
            "SNMPv3 engines that were learned.",
            engines as u64,
        ),
        Reading::gauge(
            "usm_keys",
            "Localised SNMPv3 keys that are kept.",
            keys as u64,
        ),
    ];
    refused.into_iter().chain(excused).chain(others).collect()
}

/// Who was heard, and what is not believed, not remembered or not told.
fn devices(names: &Names) -> Vec<Reading> {
    let counts = names.devices.counts();
    vec![
        Reading::gauge(
            "identity_devices",
            "Devices that are known: heard several times over a minute, or in the inventory.",
            counts.known as u64,
        ),
        Reading::gauge(
            "identity_newcomers",
            "Senders that were heard and are not known yet.",
            counts.newcomers as u64,
        ),
        Reading::counter(
            "identity_devices_turned_away",
            "Times that a sender could not become known because the table is full (identity.devices_max).",
            counts.turned_away,
        ),
        Reading::counter(
            "identity_conflicts",
            "Messages whose name was not taken because it belongs to another address.",
            names.conflicts(),
        ),
        Reading::counter(
            "identity_gaps",
            "Ranges of a device's own numbering that never arrived.",
            names.notices.totals().gaps,
        ),
        Reading::counter(
            "identity_untold",
            "Events about devices that the spool had no room for.",
            names.notices.untold(),
        ),
    ]
}
