//! One user, and every rule over more than one invitation.

mod record;

pub use record::*;
