//! Owners and groups of unix sockets, by their names.
//!
//! ```text
//!  owner = "app" ──▶ a thread: getpwnam ──▶ next try: owner = "998", and bound
//! ```
//!
//! A name may stand in a directory service (LDAP) that takes half a minute to say that it is away. The main thread, which
//! the service manager's watchdog misses by then, does not wait for it: a listener is tried with numbers only.

use std::thread::{self, JoinHandle};

use crate::receive::unix::{self, UnixError};
use crate::receive::{self, ReceiveError};

/// Those that are asked for at present, each with its listener's place.
#[derive(Default)]
pub(super) struct Lookups(Vec<Lookup>);

struct Lookup {
    index: usize,
    thread: JoinHandle<Result<unix::Config, UnixError>>,
}

/// What a listener can be bound by.
pub(super) enum Answer {
    /// The names are being asked for.
    Pending,
    /// There are only numbers in it.
    Numbers(Box<receive::Config>),
    /// This host knows no such name, or has no thread to ask with.
    Unknown(ReceiveError),
}

impl Lookups {
    /// Whether names have been answered that nobody has taken yet.
    pub fn has_answer(&self) -> bool {
        self.0.iter().any(|lookup| lookup.thread.is_finished())
    }

    /// Nobody wants the names of this listener any more.
    pub fn forget(&mut self, index: usize) {
        self.0.retain(|lookup| lookup.index != index);
    }

    /// The listener at `index` with numbers for names. Never waits: the first call begins to ask, and a later one has the
    /// answer.
    pub fn numbers(&mut self, index: usize, config: &receive::Config) -> Answer {
        let Some(unix) = config.unix.as_ref().filter(|unix| unix.has_names()) else {
            return Answer::Numbers(Box::new(config.clone()));
        };
        let name = config.listener.name.to_string();
        let Some(at) = self.0.iter().position(|lookup| lookup.index == index) else {
            let asked = unix.clone();
            let thread = thread::Builder::new()
                .name("names".to_owned())
                .spawn(move || asked.looked_up());
            return match thread {
                Ok(thread) => {
                    self.0.push(Lookup { index, thread });
                    Answer::Pending
                }
                Err(source) => Answer::Unknown(ReceiveError::Thread { name, source }),
            };
        };
        if self
            .0
            .get(at)
            .is_none_or(|lookup| !lookup.thread.is_finished())
        {
            return Answer::Pending;
        }
        match self.0.swap_remove(at).thread.join() {
            Ok(Ok(unix)) => {
                let mut config = config.clone();
                config.unix = Some(unix);
                Answer::Numbers(Box::new(config))
            }
            Ok(Err(source)) => Answer::Unknown(ReceiveError::Unix {
                name,
                source: Box::new(source),
            }),
            // It is asked again at the next try.
            Err(_panicked) => Answer::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn app(owner: &str) -> receive::Config {
        let text = format!(
            "[[listener]]\nname = \"app\"\ntransport = \"unix_dgram\"\nowner = {owner:?}\ngroup = \"7\"\n"
        );
        let mut config = crate::config::parse(&text, "host").unwrap();
        config.listeners.remove(0)
    }

    /// The second answer, which comes when the thread has ended.
    fn answered(lookups: &mut Lookups, config: &receive::Config) -> Answer {
        assert!(matches!(lookups.numbers(3, config), Answer::Pending));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !lookups.has_answer() {
            assert!(Instant::now() < deadline, "no answer");
            thread::park_timeout(Duration::from_millis(2));
        }
        let answer = lookups.numbers(3, config);
        assert!(!lookups.has_answer());
        answer
    }

    #[test]
    fn names_are_asked_for_on_a_thread_and_a_later_try_has_the_numbers() {
        let mut lookups = Lookups::default();
        let Answer::Numbers(config) = answered(&mut lookups, &app("root")) else {
            panic!("every host has a root");
        };
        let unix = config.unix.unwrap();
        assert_eq!(
            (unix.owner.as_deref(), unix.group.as_deref()),
            (Some("0"), Some("7"))
        );
        let Answer::Unknown(error) = answered(&mut lookups, &app("nobody-has-this-name")) else {
            panic!("no host has such a user");
        };
        assert!(error.to_string().contains("there is no user"), "{error}");
    }

    #[test]
    fn who_asks_for_numbers_waits_for_nobody() {
        let mut lookups = Lookups::default();
        let answer = lookups.numbers(0, &app("0"));
        assert!(matches!(answer, Answer::Numbers(_)));
    }
}
