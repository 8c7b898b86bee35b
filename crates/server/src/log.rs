//! Where the log's lines go: to standard error, those of one batch in one write.

use std::cell::RefCell;
use std::io::{self, Write};

thread_local! {
    /// What this thread gathers just now.
    static GATHERED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Standard error for a log: a line is written at once, or, where many are said together, all of them in one write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let gathered =
            GATHERED.with_borrow_mut(|gathered| gathered.as_mut().map(|lines| lines.extend_from_slice(line)));
        // Under one lock, so that no other thread's line comes into its midst.
        gathered.map_or_else(|| io::stderr().lock().write_all(line), Ok)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Does something whose lines leave together, also if it panics.
pub(crate) fn together(work: impl FnOnce()) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let lines = GATHERED.take().unwrap_or_default();
            // Where nobody takes the log, there is nobody to tell.
            let _ = io::stderr().write_all(&lines);
        }
    }
    GATHERED.set(Some(Vec::new()));
    let _leave = Leave;
    work();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_gathered_while_they_belong_together() {
        together(|| {
            Log.write_all(b"one\n").unwrap();
            Log.write_all(b"two\n").unwrap();
            assert_eq!(GATHERED.with_borrow(Clone::clone).as_deref(), Some(b"one\ntwo\n".as_slice()));
        });
        assert_eq!(GATHERED.with_borrow(Clone::clone), None);
    }
}
