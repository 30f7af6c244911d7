//! What the one HTTP client promises to every connector.

mod credentials;
mod replies;
mod sockets;
mod vendor;
