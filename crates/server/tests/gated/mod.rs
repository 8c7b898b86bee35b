//! A store whose commits wait, fail or get lost, as a test says.
#![allow(dead_code, clippy::expect_used)] // each test program uses a part of it

use ringback_core::call::CallRecord;
use ringback_core::id::UserId;
use ringback_core::step::{Key, Loaded, Writes};
use ringback_core::time::Timestamp;
use ringback_server::testing::PATIENCE;
use ringback_store::{CommitError, HistoryPage, Memory, Store, StoreError};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::watch;

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is written.
    Open,
    /// It waits for another way.
    Held,
    /// Nothing is written, and that is said.
    Fails,
    /// It is written, and nobody knows.
    KeptAndUnknown,
    /// Nothing is written, and nobody knows.
    LostAndUnknown,
    /// The disk doesn't confirm it.
    Disk,
}

/// What a test holds of a [`Gated`] store.
#[derive(Debug)]
pub(crate) struct Gate {
    way: Mutex<(Way, Option<Way>)>,
    changed: Condvar,
    /// How many commits came since the way was last set.
    arrived: watch::Sender<u64>,
    kept: Mutex<Memory>,
    loads_fail: AtomicBool,
    /// What becomes of tidying; and whether anything was committed since it was last done.
    tidying: Mutex<(Way, bool)>,
    /// How often all was to be tidied, whatever became of it.
    tidied: watch::Sender<u64>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            way: Mutex::new((Way::Open, None)),
            changed: Condvar::new(),
            arrived: watch::Sender::new(0),
            kept: Mutex::default(),
            loads_fail: AtomicBool::new(false),
            tidying: Mutex::new((Way::Open, false)),
            tidied: watch::Sender::new(0),
        })
    }

    /// From now on this becomes of tidying.
    pub(crate) fn tidying(&self, way: Way) {
        self.tidying.lock().unwrap().0 = way;
    }

    /// Waits until all was to be tidied so often.
    pub(crate) async fn tidied(&self, times: u64) {
        let mut tidied = self.tidied.subscribe();
        let came = tokio::time::timeout(PATIENCE, tidied.wait_for(|count| *count >= times));
        came.await.expect("the store is tidied").unwrap();
    }

    /// How often all was to be tidied.
    pub(crate) fn times_tidied(&self) -> u64 {
        *self.tidied.borrow()
    }

    /// Every commit goes this way from now on, one that is held as well.
    pub(crate) fn set(&self, way: Way) {
        let mut now = self.way.lock().unwrap();
        *now = (way, None);
        self.arrived.send_replace(0);
        self.changed.notify_all();
    }

    /// The next commit goes this way, those after it are written.
    pub(crate) fn set_once(&self, way: Way) {
        *self.way.lock().unwrap() = (Way::Open, Some(way));
    }

    /// Waits until a commit has come to the gate since its way was set.
    pub(crate) async fn arrives(&self) {
        let mut arrived = self.arrived.subscribe();
        let came = tokio::time::timeout(PATIENCE, arrived.wait_for(|count| *count > 0));
        came.await.expect("a commit comes to the gate").unwrap();
    }

    /// From now on nothing can be loaded.
    pub(crate) fn fail_loads(&self) {
        self.loads_fail.store(true, Ordering::SeqCst);
    }

    /// What is durable.
    pub(crate) fn copy(&self) -> Memory {
        self.kept.lock().unwrap().clone()
    }

    fn pass(&self) -> Way {
        let mut way = self.way.lock().unwrap();
        self.arrived.send_modify(|count| *count += 1);
        while *way == (Way::Held, None) {
            way = self.changed.wait(way).unwrap();
        }
        way.1.take().unwrap_or(way.0)
    }
}

/// Memory behind a [`Gate`].
pub(crate) struct Gated(Arc<Gate>);

impl Gated {
    pub(crate) fn new(memory: Memory, gate: Arc<Gate>) -> Self {
        *gate.kept.lock().unwrap() = memory;
        Self(gate)
    }
}

fn error() -> StoreError {
    StoreError::backend("committing", io::Error::other("as the test wants it"))
}

impl Store for Gated {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        if self.0.loads_fail.load(Ordering::SeqCst) {
            return Err(error());
        }
        self.0.kept.lock().unwrap().load(keys)
    }

    fn commit(&mut self, writes: Writes) -> Result<(), CommitError> {
        let way = self.0.pass();
        let keep = || {
            self.0.tidying.lock().unwrap().1 = true;
            self.0.kept.lock().unwrap().commit(writes)
        };
        match way {
            Way::Open | Way::Held => keep(),
            Way::Fails => Err(CommitError::Failed(error())),
            Way::KeptAndUnknown => keep().and(Err(CommitError::Unknown(error()))),
            Way::LostAndUnknown => Err(CommitError::Unknown(error())),
            Way::Disk => Err(CommitError::Unknown(StoreError::Disk { source: "no fsync".into() })),
        }
    }

    fn tidy(&mut self, idle: bool) -> Result<bool, CommitError> {
        if !idle {
            return Ok(self.0.tidying.lock().unwrap().1);
        }
        self.0.tidied.send_modify(|count| *count += 1);
        let (way, left) = &mut *self.0.tidying.lock().unwrap();
        match way {
            Way::Fails => Err(CommitError::Failed(error())),
            Way::Disk => Err(CommitError::Unknown(StoreError::Disk { source: "no fsync".into() })),
            _ => {
                *left = false;
                Ok(false)
            }
        }
    }

    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        self.0.kept.lock().unwrap().running()
    }

    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        self.0.kept.lock().unwrap().newest()
    }

    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        // A store may tidy up before it reads.
        if self.0.tidying.lock().unwrap().0 == Way::Disk {
            return Err(StoreError::Disk { source: "no fsync".into() });
        }
        self.0.kept.lock().unwrap().history(user, before, limit)
    }

    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        self.0.kept.lock().unwrap().forget(before, limit)
    }
}
