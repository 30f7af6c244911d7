//! Access tokens that die, and refresh tokens that rotate.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tributary_core::Time;

use super::{Call, Reply, lock};

/// Whether a token opens the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Yes.
    Valid,
    /// Not any more.
    Expired,
    /// It never did.
    Unknown,
}

/// A token endpoint as RFC 6749 describes it, for one client with one refresh token.
pub struct Tokens {
    life: Duration,
    rotates: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    minted: u64,
    /// The refresh token that is valid now; none once it was revoked.
    refresh: Option<String>,
    /// Access tokens and when they die.
    access: BTreeMap<String, Time>,
}

impl Tokens {
    /// Tokens that live so long, for this refresh token.
    pub fn new(refresh: &str, life: Duration) -> Self {
        let state = State { refresh: Some(refresh.to_owned()), ..State::default() };
        Self { life, rotates: false, state: Mutex::new(state) }
    }

    /// Replaces the refresh token at each use; the old one is worth nothing then.
    #[must_use]
    pub fn rotating(mut self) -> Self {
        self.rotates = true;
        self
    }

    /// Answers `grant_type=refresh_token`.
    pub fn refresh(&self, call: &Call, now: Time) -> Reply {
        let form = call.form();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let refused =
            |error: &str, why: &str| Reply::json(400, &json!({"error": error, "error_description": why}));
        if field("grant_type") != Some("refresh_token") {
            return refused("unsupported_grant_type", "only refresh_token is known here");
        }
        let mut state = lock(&self.state);
        if state.refresh.is_none() || field("refresh_token") != state.refresh.as_deref() {
            return refused("invalid_grant", "Token has been expired or revoked.");
        }
        state.minted += 1;
        let access = format!("canary-access-{}", state.minted);
        state.access.insert(access.clone(), Time(now.0 + self.life.as_micros() as i64));
        let mut body =
            json!({"access_token": access, "expires_in": self.life.as_secs(), "token_type": "bearer"});
        if self.rotates {
            let next = format!("canary-refresh-{}", state.minted);
            body["refresh_token"] = json!(next);
            state.refresh = Some(next);
        }
        Reply::json(200, &body)
    }

    /// Whether a token opens the door at an instant.
    pub fn check(&self, token: Option<&str>, now: Time) -> Token {
        match token.and_then(|token| lock(&self.state).access.get(token).copied()) {
            Some(until) if now < until => Token::Valid,
            Some(_) => Token::Expired,
            None => Token::Unknown,
        }
    }

    /// Ends all access tokens at once.
    pub fn expire(&self) {
        for until in lock(&self.state).access.values_mut() {
            *until = Time::MIN;
        }
    }

    /// Ends the refresh token: somebody took the permission back.
    pub fn revoke(&self) {
        self.expire();
        lock(&self.state).refresh = None;
    }

    /// How many access tokens were given out.
    pub fn minted(&self) -> u64 {
        lock(&self.state).minted
    }
}
