//! End-to-end stories live in this crate's tests; it has no code of its own.
