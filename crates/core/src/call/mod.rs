//! The authority over one invitation.

mod record;
mod view;

pub use record::*;
pub use view::*;
