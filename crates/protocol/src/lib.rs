//! The wire: frames, their versions, and their conversion to and from the core.
