//! How large a world, over which time, from which seed.

use tributary_core::Time;

/// Fewer accounts than this could not hold every story.
pub(crate) const FEWEST_ACCOUNTS: u32 = 12;

/// Fewer days than this could not hold an account that goes cold and comes back.
pub(crate) const FEWEST_DAYS: u32 = 365;

/// Touches of an account on average.
const MEAN_TOUCHES: u64 = 40;

/// What to build. The same plan always builds the same world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Chooses among worlds of the same size.
    pub seed: u64,
    /// Accounts, at least 12.
    pub accounts: u32,
    /// The first instant.
    pub start: Time,
    /// Days until the last instant, at least 365.
    pub days: u32,
}

impl Default for Plan {
    /// A hundred accounts over the 18 months from 2025-01-01.
    fn default() -> Self {
        Self { seed: 1, accounts: 100, start: Time::from_seconds(1_735_689_600), days: 546 }
    }
}

impl Plan {
    /// The default plan with another number of accounts.
    pub fn with_accounts(accounts: u32) -> Self {
        Self { accounts: accounts.max(FEWEST_ACCOUNTS), ..Self::default() }
    }

    /// The default plan with as many accounts as have about so many touches together.
    pub fn for_touches(touches: u64) -> Self {
        Self::with_accounts(u32::try_from(touches / MEAN_TOUCHES).unwrap_or(u32::MAX))
    }

    /// The first instant after the world.
    pub fn end(&self) -> Time {
        self.start.plus_days(i64::from(self.days.max(FEWEST_DAYS)))
    }

    pub(crate) fn account_count(&self) -> usize {
        self.accounts.max(FEWEST_ACCOUNTS) as usize
    }
}
