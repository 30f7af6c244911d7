//! Time stands still while the store works, for tests whose clock jumps ahead whenever nobody computes.
//!
//! tokio's paused clock advances when its runtime has nothing to do. A database works elsewhere, in threads and other
//! processes, so that a query would seem to take until the next timer. Blocking work holds the clock back.

/// Holds a paused clock back until it is dropped.
pub(crate) struct Still {
    #[cfg(feature = "testkit")]
    _held: Option<std::sync::mpsc::Sender<()>>,
}

#[cfg(feature = "testkit")]
impl Still {
    pub(crate) fn now() -> Self {
        if !crate::testkit::stands_still() {
            return Self { _held: None };
        }
        let (held, released) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv());
        Self { _held: Some(held) }
    }
}

#[cfg(not(feature = "testkit"))]
impl Still {
    pub(crate) fn now() -> Self {
        Self {}
    }
}
