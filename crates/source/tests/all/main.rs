//! What the one HTTP client promises to every connector.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod credentials;
mod oauth;
mod replies;
mod sockets;
mod suite;
mod vendor;
