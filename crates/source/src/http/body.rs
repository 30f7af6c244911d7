//! Bodies, read whole and bounded, unpacked bytes counted.

use bytes::{Bytes, BytesMut};

use super::Verdict;
use super::classify::transport;

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(mut response: reqwest::Response, limit: usize) -> Result<Bytes, Verdict> {
    let too_large =
        || Verdict::Config(format!("the reply has more than {limit} bytes: ask for smaller pages"));
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut out = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        if out.len() + chunk.len() > limit {
            return Err(too_large());
        }
        out.extend_from_slice(&chunk);
    }
    Ok(out.freeze())
}
