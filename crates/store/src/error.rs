//! Why the store failed, and what to do.

/// Why the store failed. Messages are fragments that fit after "failed to …: ".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is neither a file nor Postgres.
    #[error("no store speaks `{0}://` (expected sqlite:PATH or postgres://USER@HOST/DATABASE)")]
    Url(String),
    /// The database can't be opened.
    #[error("cannot open the store {place}: {reason}")]
    Open {
        /// Where, without a password.
        place: String,
        /// Why and what to do.
        reason: String,
        /// What the driver says.
        #[source]
        cause: sqlx::Error,
    },
    /// The source was filled by another connector.
    #[error("source `{source_id}` was filled by connector `{before}`: give the new source another id")]
    OtherConnector {
        /// The source's id.
        source_id: String,
        /// The connector that filled it.
        before: String,
    },
    /// The database holds something else.
    #[error("the database holds tables of something else: name an empty one, or another schema")]
    Foreign,
    /// The store was written by a later version of the program.
    #[error(
        "the store has schema {found}, this program knows {known}: use a newer tributary, or another store"
    )]
    Newer {
        /// The store's schema.
        found: i64,
        /// The program's schema.
        known: i64,
    },
    /// No space is left.
    #[error("the disk is full: nothing of the last step was kept; free some space and run the command again")]
    DiskFull(#[source] sqlx::Error),
    /// The store may not be written.
    #[error(
        "the store may not be written: check the permissions of its file and folder, or of the database user"
    )]
    ReadOnly(#[source] sqlx::Error),
    /// Somebody else writes.
    #[error("the store is in use by another process: wait until it is done")]
    Busy(#[source] sqlx::Error),
    /// Another process has taken what this one had in hand.
    #[error("another process has taken this work over: nothing was written")]
    LeaseLost,
    /// The database's server died and took what it had not written yet with it.
    #[error("the database has lost what was written last: the next sync goes on from what it kept")]
    Forgotten,
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A completed walk over all ids would delete too much.
    #[error(
        "stream `{stream}` would lose {missing} of {known} records: nothing was deleted; if that is right, run again with --allow-mass-delete"
    )]
    MassDelete {
        /// The stream.
        stream: String,
        /// Records that were not seen.
        missing: u64,
        /// Records that are known.
        known: u64,
    },
    /// A token can't be opened with this key.
    #[error(
        "the stored token of `{0}` does not open with this key: set the TRIBUTARY_KEY that it was sealed with, or connect the source again"
    )]
    Sealed(String),
    /// Somebody else took the turn meanwhile.
    #[error("another process took over signing in for `{0}` meanwhile: run the command again")]
    TurnLost(String),
    /// Somebody renews a token just now.
    #[error("another process signs in for `{0}` just now: run the command again in a moment")]
    InTurn(String),
    /// Anything else the database says.
    #[error("the database says: {0}")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    /// Explains why a database could not be opened.
    pub(crate) fn open(url: &str, cause: sqlx::Error) -> Self {
        let place = redacted(url);
        let text = cause.to_string();
        let reason = if text.contains("unable to open database file") {
            "the folder does not exist or may not be written".to_owned()
        } else if text.contains("readonly") || text.contains("read-only") {
            "it may not be written: check the permissions of the file and its folder".to_owned()
        } else if text.contains("not a database") {
            "the file is no SQLite database".to_owned()
        } else if matches!(cause, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) {
            format!("no answer ({text}): is the server running, and the address right?")
        } else {
            text
        };
        Self::Open { place, reason, cause }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default()
            .into_owned();
        let text = error.to_string();
        if code == "13" || code == "53100" || text.contains("disk is full") {
            Self::DiskFull(error)
        } else if code == "25006" || code == "42501" || text.contains("readonly database") {
            Self::ReadOnly(error)
        } else if is_busy(&error) {
            Self::Busy(error)
        } else {
            Self::Sql(error)
        }
    }
}

/// Whether a connection of another process is in the way, for whichever of the reasons that SQLite has for it.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    error.to_string().contains("database is locked")
}

/// An address without its password.
fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(end)) if start + 3 < end => {
            let user = url[start + 3..end].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..start + 3], &url[end..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(super::redacted("postgres://ann:secret@host/db"), "postgres://ann@host/db");
        assert_eq!(super::redacted("tributary.db"), "tributary.db");
    }
}
