//! Every chore that a person or CI runs.
fn main() {}
