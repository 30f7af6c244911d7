//! What the answers read.
