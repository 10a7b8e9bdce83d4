//! What an entry keeps of the inventory's answer changes no verdict: asking anew for every message gives the same.

use proptest::prelude::*;

use super::device::Device;
use super::said::Said;
use super::tests::{claim, identify_all};
use super::*;
use crate::names::watch::Watch;
use crate::normalize::DomainPolicy;
use crate::normalize::device::Claim;

const RELAY: u8 = 9;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A message from an address, with a name or none, so many seconds later.
    Say {
        from: u8,
        name: Option<usize>,
        engine: bool,
        sequence: Option<u64>,
        pause: i64,
    },
    /// The same three times over a minute, so that names are learned in most runs.
    Repeat { from: u8, name: usize },
    /// Another inventory.
    Reload(usize),
    /// An answer of reverse DNS.
    Resolve { address: u8, name: usize },
    /// Nothing is heard for so many minutes.
    Silence(i64),
}

/// One is longer than an entry keeps in place.
const NAMES: [&str; 5] = [
    "r1",
    "r2",
    "core",
    "10.0.0.2",
    "a-name-that-is-longer-than-most.of-a-branch.example.net",
];

const INVENTORIES: [&str; 5] = [
    "",
    "address,hostname,site,silent_seconds\n10.0.0.1,r1,lax,100\n10.0.0.2,core,ham,\n10.0.0.0/24,,all,\n",
    "address,hostname,zone,site\n10.0.0.1,r2,+01:00,lax\n10.0.0.3,,,lax\n",
    "address,hostname,vendor\n10.0.0.0/24,core,acme\n10.0.0.3,r1,\n",
    "address,hostname,site\n10.0.0.4,a-name-that-is-longer-than-most.of-a-branch.example.net,lax\n10.0.0.2,r2,ham\n",
];

fn steps() -> impl Strategy<Value = Step> {
    let from = prop_oneof![6 => 1u8..5, 1 => Just(RELAY)];
    let name = 0..NAMES.len();
    prop_oneof![
        8 => (from, proptest::option::of(name.clone()), any::<bool>(), proptest::option::of(0u64..20), 0i64..50)
            .prop_map(|(from, name, engine, sequence, pause)| Step::Say { from, name, engine, sequence, pause }),
        4 => (1u8..5, name.clone()).prop_map(|(from, name)| Step::Repeat { from, name }),
        1 => (0..INVENTORIES.len()).prop_map(Step::Reload),
        1 => (1u8..5, name).prop_map(|(address, name)| Step::Resolve { address, name }),
        1 => (1i64..100).prop_map(Step::Silence),
    ]
}

fn address(number: u8) -> [u8; 4] {
    [10, 0, 0, number]
}

/// One of the two that are compared.
struct Side {
    names: Arc<Names>,
    view: View,
    watch: Watch,
    keeps_answers: bool,
}

impl Side {
    fn new(keeps_answers: bool) -> Side {
        let names = Arc::new(Names::new(Config {
            relays: vec!["10.0.0.9/32".parse().unwrap()],
            silent_seconds: 600,
            ..Config::default()
        }));
        let view = View::new(names.clone());
        Side {
            names,
            view,
            watch: Watch::default(),
            keeps_answers,
        }
    }

    /// Everything that can be seen from outside after the step, as text.
    fn take(&mut self, step: &Step, seconds: &mut i64) -> String {
        let mut seen = String::new();
        match step {
            Step::Say {
                from,
                name,
                engine,
                sequence,
                pause,
            } => {
                *seconds += pause;
                let name = name.map(|name| NAMES[name]);
                seen += &self.say(Claim {
                    engine_id: engine.then_some(&[0x80, 0, 9, 1]),
                    sequence: *sequence,
                    ..claim(address(*from), name, *seconds)
                });
            }
            Step::Repeat { from, name } => {
                for pause in [0, 30, 31] {
                    *seconds += pause;
                    seen += &self.say(claim(address(*from), Some(NAMES[*name]), *seconds));
                }
            }
            Step::Reload(number) => {
                let parsed = inventory::parse(INVENTORIES[*number], DomainPolicy::Keep);
                let inventory = parsed.map(|parsed| parsed.inventory).unwrap_or_default();
                let config = self.names.known().config.clone();
                self.names.replace(config, Arc::new(inventory));
                self.view.refresh();
            }
            Step::Resolve { address: of, name } => {
                let at = UnixMicros(*seconds * 1_000_000);
                let of = address(*of).into();
                self.names.take_dns_answer(of, NAMES[*name], at);
            }
            Step::Silence(minutes) => *seconds += minutes * 60,
        }
        // A running agent does it every few seconds.
        let now = UnixMicros(*seconds * 1_000_000);
        self.names.watch(&mut self.watch, now);
        // Which shard the watch comes to first is another thing in each of the two.
        let said = self.names.notices.take().notices.into_iter();
        let mut told: Vec<String> = said.map(|notice| format!("{notice:?}")).collect();
        told.sort();
        seen += &told.concat();
        for number in (1..5).chain([RELAY]) {
            let device = self.names.devices.get(address(number).into());
            let device = device.map(|device| Device {
                said: Said::default(),
                ..device
            });
            seen += &format!("{device:?}");
        }
        seen + &self.names.conflicts().to_string()
    }

    fn say(&self, claim: Claim<'_>) -> String {
        if !self.keeps_answers {
            self.names.devices.forget_said();
        }
        identify_all(&self.view, claim)
    }
}

proptest! {
    #[test]
    fn an_answer_that_was_kept_is_the_answer_that_would_be_given(run in proptest::collection::vec(steps(), 1..60)) {
        let (mut short, mut long) = (Side::new(true), Side::new(false));
        let (mut short_seconds, mut long_seconds) = (1_000, 1_000);
        for step in &run {
            let seen = short.take(step, &mut short_seconds);
            prop_assert_eq!(seen, long.take(step, &mut long_seconds), "after {:?}", step);
        }
    }
}
