//! What Tryton sends, what it means, and what is said when it makes no sense.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod check;
mod facts;
mod paging;
mod replies;
mod vendor;
