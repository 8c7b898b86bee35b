//! The client's half: what to ring, show, withdraw and dial back.
