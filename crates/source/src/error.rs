//! One error type, classed by what to do next.

use tributary_core::Time;

/// Why a call to a vendor failed, and what to do next. Never carries secrets or personal data.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What the daemon does about it.
    pub next: NextStep,
    /// A lower-case fragment that fits after "failed to sync SOURCE: ", with a hint for people.
    pub message: String,
    /// What lies beneath.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What the daemon does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// A person must change the configuration.
    FixConfig,
    /// A person must sign in again.
    Reauthorize,
    /// Nothing until then: the whole account waits.
    Wait(Time),
    /// Try again later; retries within the call are used up.
    Retry,
    /// The window is too large: split it.
    SplitWindow,
    /// The cursor is lost: start the stream anew, losing nothing.
    Restart,
    /// This stream can't be had; go on with the others.
    SkipStream,
    /// This part can't be had; go on with the others.
    SkipPart,
    /// This record can't be had; go on with the next.
    SkipRecord,
    /// Our own mistake.
    Bug,
}

impl Error {
    /// An error without a cause beneath it.
    pub fn new(next: NextStep, message: impl Into<String>) -> Self {
        Self { next, message: message.into(), cause: None }
    }

    /// Adds the cause.
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }
}
