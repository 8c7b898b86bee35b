//! The shell: drives the engine, holds the sockets, serves HTTP.
