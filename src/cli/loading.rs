//! The configuration, read again on a thread of its own.
//!
//! ```text
//!  SIGHUP ──begin──▶ a thread: file, secrets, inventory, MIB files, owners of sockets ──▶ ended ──▶ the main loop has it
//!            └ one is under way: ask_again ────────────────────────────────────────────▶ begin, once that has ended
//! ```
//!
//! What is read may be on storage that does not answer, and names may be in a directory service that is away. The main
//! thread does not wait for them: the service manager's watchdog misses it by then, and a stop needs it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// A reading that takes longer is said to hang. Pipes have five seconds, and a disk that is only busy needs less than the
/// rest; a directory service that is away may take longer, and that is worth to be said.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(10);

/// What is read, one at a time.
pub(super) struct Loading<T> {
    under_way: Option<UnderWay<T>>,
    is_asked_again: bool,
}

struct UnderWay<T> {
    begun: Instant,
    is_told: bool,
    end: oneshot::Receiver<T>,
}

impl<T: Send + 'static> Loading<T> {
    /// Nothing is read yet.
    pub fn new() -> Loading<T> {
        Loading {
            under_way: None,
            is_asked_again: false,
        }
    }

    /// Begins to read.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn begin(
        &mut self,
        now: Instant,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<()> {
        let (give, end) = oneshot::channel();
        thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                // At a stop there is nobody left to take it.
                let _ = give.send(read());
            })?;
        self.under_way = Some(UnderWay {
            begun: now,
            is_told: false,
            end,
        });
        Ok(())
    }

    /// Whether something is being read. Then it is to be read again once that has ended: it may have read the file
    /// before the change that it is asked for.
    pub fn ask_again(&mut self) -> bool {
        self.is_asked_again = self.under_way.is_some();
        self.is_asked_again
    }

    /// Whether somebody asked while it was under way. Says so once.
    pub fn take_asked_again(&mut self) -> bool {
        std::mem::take(&mut self.is_asked_again)
    }

    /// Waits until what is under way has been read; for ever, where nothing is. `None`: the thread has panicked. Nothing
    /// is lost where the wait is given up.
    pub async fn ended(&mut self) -> Option<T> {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let read = (&mut under_way.end).await.ok();
        self.under_way = None;
        read
    }

    /// Whether it takes longer than [`HANGS_AFTER`]. Says so once of each.
    pub fn begins_to_hang(&mut self, now: Instant) -> bool {
        let Some(under_way) = &mut self.under_way else {
            return false;
        };
        let begins = !under_way.is_told && now >= under_way.begun + HANGS_AFTER;
        under_way.is_told |= begins;
        begins
    }

    /// Whether it was said to hang, and still does.
    pub fn hangs(&self) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|under_way| under_way.is_told)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::panic::resume_unwind;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Reads what is put into the channel, and hangs until then.
    fn hanging(loading: &mut Loading<u32>, now: Instant) -> mpsc::Sender<u32> {
        let (answer, answered) = mpsc::channel();
        // Who drops the sender makes it end as a panic does, without a panic's lines on stderr.
        let read = move || match answered.recv() {
            Ok(answer) => answer,
            Err(gone) => resume_unwind(Box::new(gone)),
        };
        loading.begin(now, read).expect("a thread");
        answer
    }

    fn is_pending(loading: &mut Loading<u32>) -> bool {
        let ended = pin!(loading.ended());
        ended.poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
    }

    /// What comes of a reading that does not hang any more.
    fn end(loading: &mut Loading<u32>) -> Option<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("an event loop");
        let within = Duration::from_secs(30);
        let end = runtime.block_on(async { tokio::time::timeout(within, loading.ended()).await });
        end.expect("it ends")
    }

    #[test]
    fn a_reading_that_hangs_holds_nobody_up_is_said_once_and_is_taken_when_it_ends() {
        let mut loading = Loading::new();
        assert!(is_pending(&mut loading), "nothing is read");
        let begun = Instant::now();
        let answer = hanging(&mut loading, begun);
        for _ in 0..100 {
            assert!(is_pending(&mut loading));
        }
        assert!(!loading.begins_to_hang(begun + HANGS_AFTER / 2) && !loading.hangs());
        let later = begun + HANGS_AFTER;
        let said = (0..100).filter(|_| loading.begins_to_hang(later));
        assert_eq!(said.count(), 1);
        assert!(loading.hangs());
        answer.send(7).expect("it is awaited");
        assert_eq!(end(&mut loading), Some(7));
        assert!(!loading.hangs() && !loading.begins_to_hang(later + HANGS_AFTER));
    }

    #[test]
    fn who_asks_meanwhile_is_not_forgotten_and_who_asks_afterwards_begins() {
        let mut loading = Loading::new();
        assert!(!loading.ask_again() && !loading.take_asked_again());
        let answer = hanging(&mut loading, Instant::now());
        assert!(loading.ask_again() && loading.ask_again());
        answer.send(1).expect("it is awaited");
        assert_eq!(end(&mut loading), Some(1));
        assert!(loading.take_asked_again());
        assert!(!loading.take_asked_again() && !loading.ask_again());
    }

    #[test]
    fn a_reading_that_panics_ends_without_a_result() {
        let mut loading: Loading<u32> = Loading::new();
        drop(hanging(&mut loading, Instant::now()));
        assert_eq!(end(&mut loading), None);
    }
}
