//! Bodies, read whole and bounded, unpacked bytes counted.

use bytes::{Bytes, BytesMut};

use super::Verdict;
use super::classify::transport;

/// Refuses a length beyond the limit.
pub(super) fn check(length: u64, limit: usize) -> Result<(), Verdict> {
    if length <= limit as u64 {
        return Ok(());
    }
    Err(Verdict::Config(format!("the reply has more than {limit} bytes: ask for smaller pages")))
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(mut response: reqwest::Response, limit: usize) -> Result<Bytes, Verdict> {
    let length = response.content_length().unwrap_or_default();
    check(length, limit)?;
    let mut out = BytesMut::with_capacity(length as usize);
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        check((out.len() + chunk.len()) as u64, limit)?;
        out.extend_from_slice(&chunk);
    }
    Ok(out.freeze())
}
