//! A part of the world that is shared between its states, and hashed once and not in each of them.

use crate::memo;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// A shared value and, once somebody asked for it, its hash.
#[derive(Debug)]
pub(crate) struct Sealed<T>(Arc<(T, OnceLock<u64>)>);

impl<T> Sealed<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((value, OnceLock::new())))
    }
}

impl<T: Clone> Sealed<T> {
    /// Changes it, for this holder alone.
    pub(crate) fn change<R>(&mut self, how: impl FnOnce(&mut T) -> R) -> R {
        let (value, mark) = Arc::make_mut(&mut self.0);
        *mark = OnceLock::new();
        how(value)
    }
}

impl<T> Deref for Sealed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Hash> Hash for Sealed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (value, mark) = &*self.0;
        state.write_u64(*mark.get_or_init(|| memo::mark(value)));
    }
}

impl<T: PartialEq> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl<T: Eq> Eq for Sealed<T> {}
