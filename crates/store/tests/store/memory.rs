//! The memory store passes the suite.

use crate::conformance::{Backend, conformance};
use ringback_store::{Memory, Store};

struct InMemory(Memory);

impl Backend for InMemory {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.0
    }

    fn reopen(&mut self) {
        self.0 = self.0.clone();
    }

    fn break_commits(&mut self, _broken: bool) -> bool {
        false
    }

    fn break_tidying(&mut self, _broken: bool) -> bool {
        false
    }
}

conformance!(InMemory(Memory::new()));
