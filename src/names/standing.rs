//! What is known of one address: its name, why it is that, and whether another name is about to take its place.
//!
//! ```text
//!                    names itself `b` three times over a minute, never `a` in between
//!   name a (learned) ─────────────────────────────────────────────────────────▶ name b, previous a for 24 h
//!         │ two more names, each as often, while `a` goes on
//!         └────────────▶ shared: a relay or NAT speaks here; no name is learned until one alone has spoken for a day
//! ```
//!
//! In: one message's claim and the time. Out: what the message may be called after, and what changed. Anybody can send
//! UDP, so one message never changes what an address is called.

use compact_str::CompactString;

use super::name::Name;
use crate::time::UnixMicros;

/// So many messages with a name, ...
pub const CONFIRM_MESSAGES: u16 = 3;

/// ... over so long a time, make it the address's own. A burst of forged datagrams is over sooner.
pub const CONFIRM_MICROS: i64 = 60 * 1_000_000;

/// How long events carry the name before (`device.previous_hostname`).
pub const PREVIOUS_MICROS: i64 = 24 * 3600 * 1_000_000;

/// So many names, each proved while the others go on, show a relay or NAT.
const SHARED_NAMES: usize = 3;

/// Names beside its own that are followed at once. A flood of names turns the weakest of them over.
const CANDIDATES_MAX: usize = 4;

/// A shared address from which one name alone has spoken for so long is one device's again.
const ONE_NAME_MICROS: i64 = 24 * 3600 * 1_000_000;

/// A name that was not heard for so long has to begin anew.
const CANDIDATE_MICROS: i64 = 3600 * 1_000_000;

/// A name whose owner was not heard for so long may be earned by another address too. The owner's key stays what it is.
pub const OWNER_SILENT_MICROS: i64 = 3600 * 1_000_000;

/// Whose word a stored name is, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rank {
    /// There is none; the address is the name.
    #[default]
    Address,
    /// Reverse DNS.
    Dns,
    /// The address called itself so, several times over a minute.
    Learned,
}

/// What is known of one address. What every message needs stands first, so that it is in few cache lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Standing {
    /// Messages heard.
    pub messages: u64,
    /// When it was last heard.
    pub last_heard: UnixMicros,
    /// The name that its messages carry where they bring none. Empty while there is none.
    pub name: Name,
    /// Whose word that is.
    pub rank: Rank,
    /// A relay or NAT speaks from here.
    pub is_shared: bool,
    /// The device has called itself by its own name.
    pub(super) is_own_heard: bool,
    /// How often the name was replaced: what was found out about a name is void after the next.
    pub(super) renamed: u32,
    /// When it last did; of a shared address, which has no name of its own, since when it is one.
    pub(super) own_heard: UnixMicros,
    /// Before this moment events say the name before.
    pub(super) previous_until: UnixMicros,
    /// That name; none is the address itself.
    pub(super) previous: Option<Box<CompactString>>,
    /// When it was first heard.
    pub first_heard: UnixMicros,
    /// Messages whose name belongs to another address.
    pub conflicts: u64,
    /// Other names that it used of late. Most devices never use another.
    pub(super) candidates: Option<Box<Candidates>>,
}

/// At most [`CANDIDATES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Candidates(Vec<Candidate>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    name: CompactString,
    since: UnixMicros,
    last: UnixMicros,
    messages: u16,
}

impl Candidate {
    fn new(name: &str, now: UnixMicros) -> Candidate {
        Candidate {
            name: name.into(),
            since: now,
            last: now,
            messages: 0,
        }
    }

    fn is_proved(&self) -> bool {
        self.messages >= CONFIRM_MESSAGES && self.last.0 - self.since.0 >= CONFIRM_MICROS
    }
}

/// A stored name has taken another's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name before; empty where the address was the name.
    pub from: CompactString,
    /// The name now.
    pub to: CompactString,
    /// All its messages so far brought the name that it has now, and were called after it.
    pub was_always_said: bool,
}

/// Whether a name that has proved itself may be taken.
pub trait Owners {
    /// Makes `name` this address's; false where another address holds it.
    fn claim(&mut self, name: &str) -> bool;
    /// Gives `name` up.
    fn release(&mut self, name: &str);
}

impl Standing {
    /// A sender that is heard for the first time.
    pub fn new(now: UnixMicros) -> Standing {
        Standing {
            first_heard: now,
            last_heard: now,
            ..Standing::default()
        }
    }

    /// One more message, that names nobody.
    pub fn hear(&mut self, now: UnixMicros) {
        self.messages += 1;
        self.last_heard = self.last_heard.max(now);
        if now >= self.previous_until {
            // For good, whatever the clock does next.
            self.forget_previous();
        }
    }

    /// One more message, whose header calls the sender `name`. Returns what changed.
    pub fn hear_name(
        &mut self,
        name: &str,
        now: UnixMicros,
        owners: &mut impl Owners,
    ) -> Option<Renamed> {
        self.hear(now);
        if self.name == name {
            self.hear_own(now);
            if self.rank < Rank::Learned {
                self.confirm_same(name, now, owners);
            }
            return None;
        }
        if self.is_shared && !self.has_one_name(name, now) {
            return None;
        }
        let candidate = self.candidate(name, now);
        let is_proved = candidate.is_proved();
        let (since, messages) = (candidate.since, candidate.messages);
        if !is_proved {
            return None;
        }
        if self.own_heard().is_none_or(|heard| heard < since) {
            if !owners.claim(name) {
                return None;
            }
            self.is_shared = false;
            self.candidates = None;
            self.hear_own(now);
            return Some(Renamed {
                was_always_said: u64::from(messages) == self.messages,
                ..self.rename(name, Rank::Learned, owners)
            });
        }
        let others = self.candidates().filter(|other| other.is_proved());
        if others.count() < SHARED_NAMES - 1 {
            return None;
        }
        self.put_shared_since(now);
        self.forget_name(owners)
    }

    /// Since when a relay or NAT speaks from here, where one does.
    pub(super) fn shared_since(&self) -> Option<UnixMicros> {
        self.is_shared.then_some(self.own_heard)
    }

    /// As [`Standing::shared_since`] gives it; an earlier process may have kept it.
    pub(super) fn put_shared_since(&mut self, since: UnixMicros) {
        self.is_shared = true;
        (self.own_heard, self.is_own_heard) = (since, false);
    }

    /// Whether a shared address has brought no other name for a day. The one that it brings is its only candidate.
    fn has_one_name(&mut self, name: &str, now: UnixMicros) -> bool {
        let candidates = &mut self.candidates.get_or_insert_default().0;
        candidates.truncate(1);
        let Some(only) = candidates.first_mut() else {
            candidates.push(Candidate::new(name, now));
            return false;
        };
        if only.name != name {
            // The text's room is kept: names may alternate with each message.
            only.name.clear();
            only.name.push_str(name);
            (only.since, only.messages) = (now, 0);
        }
        only.messages = only.messages.saturating_add(1);
        only.last = now;
        only.is_proved() && now.0 - only.since.0 >= ONE_NAME_MICROS
    }

    /// One more message, whose header calls the sender by a name that it may not use. Where that is its own stored one,
    /// it goes on under it all the same.
    pub(super) fn hear_refused(&mut self, name: &str, now: UnixMicros) {
        self.hear(now);
        if self.name == name {
            self.hear_own(now);
        }
    }

    /// The entry of a name that is not the address's own, one message older.
    fn candidate(&mut self, name: &str, now: UnixMicros) -> &mut Candidate {
        let recent = |other: &Candidate| now.0 - other.last.0 < CANDIDATE_MICROS;
        let candidates = &mut self.candidates.get_or_insert_default().0;
        candidates.retain(recent);
        let place = candidates.iter().position(|other| other.name == name);
        let place = place.unwrap_or_else(|| {
            if candidates.len() >= CANDIDATES_MAX {
                let weakest = (0..candidates.len())
                    .min_by_key(|place| candidates.get(*place).map(|other| other.messages));
                candidates.remove(weakest.unwrap_or_default());
            }
            candidates.push(Candidate::new(name, now));
            candidates.len() - 1
        });
        let candidate = &mut candidates[place];
        candidate.messages = candidate.messages.saturating_add(1);
        candidate.last = candidate.last.max(now);
        candidate
    }

    /// The device calls itself what reverse DNS calls it: its own word is the better source, and the name stays.
    fn confirm_same(&mut self, name: &str, now: UnixMicros, owners: &mut impl Owners) {
        if now.0 - self.first_heard.0 >= CONFIRM_MICROS && owners.claim(name) {
            self.rank = Rank::Learned;
        }
    }

    /// Reverse DNS has answered. A name that the device gave itself is better.
    pub fn hear_dns(&mut self, name: &str, owners: &mut impl Owners) -> Option<Renamed> {
        if self.rank > Rank::Dns || self.is_shared || self.name == name {
            return None;
        }
        Some(self.rename(name, Rank::Dns, owners))
    }

    fn rename(&mut self, to: &str, rank: Rank, owners: &mut impl Owners) -> Renamed {
        let from = CompactString::from(self.name.as_str());
        self.name = to.into();
        self.renamed = self.renamed.wrapping_add(1);
        if self.rank == Rank::Learned {
            owners.release(&from);
        }
        self.rank = rank;
        Renamed {
            from,
            to: to.into(),
            was_always_said: false,
        }
    }

    /// Its stored name, which is another now, was what its events were keyed by. Whoever asks the inventory first knows that.
    pub(super) fn was_renamed(&mut self, change: &Renamed, now: UnixMicros) {
        if !change.was_always_said {
            self.was_called(&change.from, now);
        }
    }

    /// Its events were keyed by `name` up to now, and are keyed otherwise from now on. Empty: the address.
    pub(super) fn was_called(&mut self, name: &str, now: UnixMicros) {
        // At the end of the day itself it is still said.
        let until = UnixMicros(now.0.saturating_add(PREVIOUS_MICROS + 1));
        self.put_previous(name, until);
    }

    /// What events were keyed by before, and until when they say so. Empty: the address.
    pub(super) fn previous(&self) -> Option<(&str, UnixMicros)> {
        let name = || self.previous.as_deref().map_or("", CompactString::as_str);
        let until = self.previous_until;
        (until != UnixMicros::default()).then(|| (name(), until))
    }

    /// As [`Standing::previous`] gives it; an earlier process may have kept it.
    pub(super) fn put_previous(&mut self, name: &str, until: UnixMicros) {
        self.previous_until = until;
        self.previous = (!name.is_empty()).then(|| Box::new(name.into()));
    }

    fn forget_previous(&mut self) {
        (self.previous_until, self.previous) = (UnixMicros::default(), None);
    }

    /// It has no name of its own any more.
    pub(super) fn forget_name(&mut self, owners: &mut impl Owners) -> Option<Renamed> {
        self.candidates = None;
        if self.name.is_empty() {
            return None;
        }
        Some(self.rename("", Rank::Address, owners))
    }

    /// The wall clock was set: nothing was heard later than `now`. Names that were about to prove themselves begin anew
    /// where it was set back, since their times cannot be compared any more.
    pub(super) fn clock_was_set(&mut self, now: UnixMicros) {
        if self.last_heard > now {
            self.candidates = None;
        }
        self.first_heard = self.first_heard.min(now);
        self.last_heard = self.last_heard.min(now);
        self.own_heard = self.own_heard.min(now);
        let previous_max = now.0.saturating_add(PREVIOUS_MICROS + 1);
        self.previous_until = self.previous_until.min(UnixMicros(previous_max));
    }

    fn hear_own(&mut self, now: UnixMicros) {
        (self.own_heard, self.is_own_heard) = (now, true);
    }

    /// When the device last called itself by its own name.
    pub(super) fn own_heard(&self) -> Option<UnixMicros> {
        self.is_own_heard.then_some(self.own_heard)
    }

    fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().flat_map(|all| &all.0)
    }

    /// The name that it uses most of those that it has not earned.
    pub fn claimed_name(&self) -> Option<&str> {
        let most = self.candidates().max_by_key(|other| other.messages)?;
        Some(&most.name)
    }

    /// Whether it has been heard often and long enough to be remembered before others.
    pub fn is_confirmed(&self) -> bool {
        self.messages >= u64::from(CONFIRM_MESSAGES)
            && self.last_heard.0 - self.first_heard.0 >= CONFIRM_MICROS
    }

    /// The name before, while events say so.
    pub fn previous_name(&self, now: UnixMicros) -> Option<&str> {
        let (name, until) = self.previous()?;
        (now < until).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every name is free, but these.
    #[derive(Default)]
    struct Taken(Vec<&'static str>);

    impl Owners for Taken {
        fn claim(&mut self, name: &str) -> bool {
            !self.0.contains(&name)
        }
        fn release(&mut self, _: &str) {}
    }

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros(seconds * 1_000_000)
    }

    fn hear(standing: &mut Standing, name: &str, seconds: i64) -> Option<Renamed> {
        let change = standing.hear_name(name, at(seconds), &mut Taken::default());
        if let Some(change) = &change {
            standing.was_renamed(change, at(seconds));
        }
        change
    }

    #[test]
    fn a_name_is_learned_after_three_messages_over_a_minute_and_not_sooner() {
        let mut standing = Standing::new(at(0));
        for second in 0..60 {
            assert_eq!(hear(&mut standing, "r1", second), None);
        }
        let change = hear(&mut standing, "r1", 60).expect("learned");
        assert_eq!((change.from.as_str(), change.to.as_str()), ("", "r1"));
        assert_eq!(standing.rank, Rank::Learned);
        let mut slow = Standing::new(at(0));
        assert_eq!(hear(&mut slow, "r1", 0), None);
        assert_eq!(
            hear(&mut slow, "r1", 600),
            None,
            "two messages are not enough"
        );
        assert!(hear(&mut slow, "r1", 601).is_some());
    }

    #[test]
    fn a_strangers_name_changes_nothing_while_the_device_goes_on_under_its_own() {
        let mut standing = Standing::new(at(0));
        for second in [0, 30, 60] {
            hear(&mut standing, "r1", second);
        }
        for second in 61..1000 {
            let forged = format!("evil{}", second % 7);
            let name = if second % 50 == 0 { "r1" } else { &forged };
            assert_eq!(hear(&mut standing, name, second), None);
            assert_eq!(standing.name, "r1");
        }
        for second in 1000..2000 {
            let name = if second % 50 == 0 { "r1" } else { "evil" };
            assert_eq!(hear(&mut standing, name, second), None);
            assert_eq!((standing.name.as_str(), standing.is_shared), ("r1", false));
        }
    }

    #[test]
    fn a_renamed_device_gets_its_new_name_after_a_minute_and_the_old_one_is_said_for_a_day() {
        let mut standing = Standing::new(at(0));
        for second in [0, 30, 60, 61, 90] {
            hear(
                &mut standing,
                if second <= 60 { "old" } else { "new" },
                second,
            );
        }
        assert_eq!(standing.name, "old");
        let change = hear(&mut standing, "new", 121).expect("renamed");
        assert_eq!((change.from.as_str(), change.to.as_str()), ("old", "new"));
        assert_eq!(standing.previous_name(at(121 + 86_400)), Some("old"));
        assert_eq!(standing.previous_name(at(122 + 86_400)), None);
    }

    #[test]
    fn an_address_that_many_names_use_is_shared_and_keeps_none() {
        let mut standing = Standing::new(at(0));
        for second in [0, 30, 60] {
            hear(&mut standing, "r1", second);
        }
        assert_eq!(standing.name, "r1");
        for second in 61..130 {
            hear(
                &mut standing,
                ["r1", "r2", "r3"][second as usize % 3],
                second,
            );
        }
        assert!(standing.is_shared);
        assert_eq!((standing.name.as_str(), standing.rank), ("", Rank::Address));
        for second in 130..1000 {
            assert_eq!(hear(&mut standing, "r2", second), None);
        }
    }

    #[test]
    fn a_shared_address_is_one_devices_again_when_one_name_alone_has_spoken_for_a_day() {
        const DAY: i64 = 86_400;
        let mut standing = Standing::new(at(0));
        for second in 0..200 {
            let name = ["r1", "r2", "r3"][second as usize % 3];
            hear(&mut standing, name, second);
        }
        assert!(standing.is_shared);
        let mut say = |name, second| {
            let change = hear(&mut standing, name, second);
            (change.map(|change| change.to), standing.is_shared)
        };
        assert_eq!(say("r1", 200), (None, true));
        assert_eq!(say("r1", 200 + DAY / 2), (None, true));
        // Another one is there all the same.
        assert_eq!(say("r2", 201 + DAY / 2), (None, true));
        assert_eq!(say("r1", 1_000 + DAY), (None, true));
        assert_eq!(say("r1", 30_000 + DAY), (None, true));
        assert_eq!(say("r1", 999 + 2 * DAY), (None, true));
        let one_again = (Some("r1".into()), false);
        assert_eq!(say("r1", 1_000 + 2 * DAY), one_again);
    }

    #[test]
    fn reverse_dns_gives_way_to_the_devices_own_word_and_never_the_other_way() {
        let mut standing = Standing::new(at(0));
        let change = standing.hear_dns("r1.example.net", &mut Taken::default());
        assert_eq!(
            change.map(|change| change.to),
            Some("r1.example.net".into())
        );
        for second in [2, 30, 62] {
            hear(&mut standing, "r1", second);
        }
        assert_eq!(
            (standing.name.as_str(), standing.rank),
            ("r1", Rank::Learned)
        );
        assert_eq!(standing.hear_dns("other", &mut Taken::default()), None);
        assert_eq!(standing.name, "r1");
    }

    #[test]
    fn a_name_that_another_address_holds_is_never_learned() {
        let mut standing = Standing::new(at(0));
        for second in 0..600 {
            let change = standing.hear_name("core", at(second), &mut Taken(vec!["core"]));
            assert_eq!(change, None);
        }
        assert_eq!((standing.name.as_str(), standing.rank), ("", Rank::Address));
    }

    proptest! {
        /// Whatever is heard: a stored name was heard three times over a minute, or came from reverse DNS.
        #[test]
        fn a_learned_name_was_always_earned(steps in proptest::collection::vec((0u8..4, 0i64..40), 1..200)) {
            let names = ["a", "b", "c", "d"];
            let (mut standing, mut now) = (Standing::new(at(0)), 0);
            let mut heard: Vec<(usize, i64)> = Vec::new();
            for (name, pause) in steps {
                now += pause;
                let name = usize::from(name);
                heard.push((name, now));
                if let Some(change) = hear(&mut standing, names[name], now)
                    && !change.to.is_empty()
                {
                    let run: Vec<i64> = heard.iter().rev().take_while(|(other, _)| {
                        names[*other] != change.from
                    }).filter(|(other, _)| *other == name).map(|(_, at)| *at).collect();
                    prop_assert!(run.len() >= 3);
                    prop_assert!(run[0] - run[run.len() - 1] >= 60);
                }
            }
        }
    }
}
