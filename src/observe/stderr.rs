//! Log lines on their way to standard error, without making anybody wait.
//!
//! ```text
//!  any thread ──line──▶ bounded queue ──▶ thread "log" ──▶ stderr (a pipe, the journal, a terminal)
//!                         │ full: the line is dropped and counted
//! ```
//!
//! A pipe that nobody reads blocks whoever writes to it. Were that a receiver, a stuck log collector would stop the
//! network's messages. So only one thread writes, and the others hand over or drop.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait. Repeated lines are muted at their source, so this is room for a start's and a fault's lines,
/// and bounds the memory to some hundred kilobytes.
pub const QUEUE_LINES_MAX: usize = 1024;

/// How long [`Lines::flush`] waits for the lines before it: what a stuck pipe may cost at the end of the process.
pub const FLUSH_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The queue's front end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lines {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread that writes to `out`. It ends when the last clone is gone.
    ///
    /// # Errors
    /// When the system refuses another thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        Self::start_with_room(out, QUEUE_LINES_MAX)
    }

    fn start_with_room(out: impl Write + Send + 'static, lines: usize) -> io::Result<Self> {
        let (queue, items) = sync_channel(lines);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&items, out, &counter))?;
        Ok(Lines { queue, dropped })
    }

    /// Lines that were dropped since the start because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until the lines handed over so far are written, at most [`FLUSH_WAIT`].
    pub fn flush(&self) {
        let (done, written) = sync_channel(1);
        // A full queue has no room for the request: then the pipe is stuck, and waiting would not help.
        if self.queue.try_send(Item::Flush(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_WAIT);
        }
    }
}

fn write_lines(items: &Receiver<Item>, mut out: impl Write, dropped: &AtomicU64) {
    let mut reported = 0;
    for item in items {
        match item {
            // Standard error is the last place to say anything: when it fails, nobody can be told.
            Item::Line(line) => {
                let _ = out.write_all(&line);
            }
            Item::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
        let total = dropped.load(Ordering::Relaxed);
        if total > reported {
            reported = total;
            tracing::warn!(
                lines_total = total,
                "log lines dropped because standard error did not keep up"
            );
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self }
    }
}

/// Takes one formatted line, which the subscriber writes in one call.
#[derive(Debug)]
pub struct Line<'a> {
    lines: &'a Lines,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let item = Item::Line(bytes.to_vec());
        if self.lines.queue.try_send(item).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    /// Hands every write on, after it was allowed to.
    struct Pipe {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.written
                .send(bytes.to_vec())
                .map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_stuck_pipe_holds_nobody_up_and_what_it_costs_is_counted() {
        let (permit, permits) = channel();
        let (written, lines_written) = channel();
        let lines = Lines::start_with_room(Pipe { permits, written }, 2).expect("a thread");
        let write = |text: &str| {
            let written = lines.make_writer().write(text.as_bytes());
            assert_eq!(written.expect("never fails"), text.len());
        };
        // Nothing is permitted yet: at most one line is with the thread and two wait.
        for number in 0..10 {
            write(&format!("{number}\n"));
        }
        let dropped = lines.dropped();
        assert!((7..=8).contains(&dropped), "{dropped}");

        for _ in 0..10 {
            permit.send(()).expect("the thread lives");
        }
        let first = lines_written.recv_timeout(PATIENCE).expect("a line");
        assert_eq!(first, b"0\n");
        let second = lines_written.recv_timeout(PATIENCE).expect("a line");
        assert_eq!(second, b"1\n");
    }

    #[test]
    fn a_flush_returns_when_the_lines_before_it_are_written() {
        let (permit, permits) = channel();
        let (written, lines_written) = channel();
        let lines = Lines::start(Pipe { permits, written }).expect("a thread");
        for _ in 0..3 {
            permit.send(()).expect("the thread lives");
            lines
                .make_writer()
                .write_all(b"line\n")
                .expect("never fails");
        }
        lines.flush();
        assert_eq!(lines_written.try_iter().count(), 3);
    }
}
