//! Makes the world from a plan, account by account.

mod names;
mod story;

use tributary_core::Time;
use tributary_core::time::Zone;

use crate::dice::Dice;
use crate::truth::{CHANNELS, Truth, win_probability};
use crate::world::{Rate, Spend, World};

/// What world to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The same seed gives the same world.
    pub seed: u64,
    /// How many accounts.
    pub accounts: u32,
    /// When the first touches happen.
    pub start: Time,
    /// How many days of history.
    pub days: u32,
    /// Half of the accounts have fewer touches than this.
    pub median_touches: f64,
}

impl Default for Plan {
    /// 100 accounts over 18 months from 2025-01-01.
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 100,
            start: Time::from_seconds(1_735_689_600),
            days: 540,
            median_touches: 20.0,
        }
    }
}

impl Plan {
    /// The default world with so many accounts.
    pub fn with_accounts(accounts: u32) -> Self {
        Self { accounts, ..Self::default() }
    }

    /// A world of about so many touches.
    pub fn for_touches(touches: u64) -> Self {
        // The mean of the touch counts that `story` draws, measured.
        Self::with_accounts((touches as f64 / 44.0).ceil().max(1.0) as u32)
    }
}

/// One deal's counts by channel and amount in reporting minor units.
pub(crate) type Fate = ([u32; 12], i64);

/// What accounts share while the world is made.
pub(crate) struct Maker {
    pub(crate) dice: Dice,
    pub(crate) world: World,
    pub(crate) fates: Vec<Fate>,
    pub(crate) end: Time,
    pub(crate) plan: Plan,
}

/// Makes the world of a plan.
pub fn build(plan: &Plan) -> World {
    let mut maker = Maker {
        dice: Dice::new(plan.seed),
        world: World::default(),
        fates: Vec::new(),
        end: plan.start.plus_days(i64::from(plan.days)),
        plan: plan.clone(),
    };
    for index in 0..plan.accounts {
        story::account(&mut maker, index as usize);
    }
    story::odd_things(&mut maker);
    maker.spend();
    maker.rates();
    maker.world.truth = Truth::of(&maker.fates);
    maker.world
}

impl Maker {
    /// Advertising money by month, channel and campaign.
    fn spend(&mut self) {
        let zone = Zone::default();
        for month in 0..i64::from(self.plan.days / 30) {
            let date = self.plan.start.plus_days(month * 30).date_in(&zone);
            for (channel, low, high) in [
                ("paid_search", 3000, 9000),
                ("paid_social", 2000, 7000),
                ("retargeting", 500, 2000),
                ("display", 1000, 4000),
            ] {
                let amount = self.dice.between(low, high);
                self.world.spend.push(Spend {
                    date: date.clone(),
                    channel: channel.to_owned(),
                    campaign: story::campaign(channel, month as usize),
                    amount: format!("{amount}.00"),
                    currency: "USD".to_owned(),
                });
            }
        }
    }

    /// A rate for EUR on the first of every month or so.
    fn rates(&mut self) {
        let zone = Zone::default();
        let mut rate = 10_800_i64;
        for month in -1..=i64::from(self.plan.days / 30) {
            rate += self.dice.between(-120, 120);
            self.world.rates.push(Rate {
                date: self.plan.start.plus_days(month * 30).date_in(&zone),
                from: "EUR".to_owned(),
                to: "USD".to_owned(),
                rate: format!("{}.{:04}", rate / 10_000, rate % 10_000),
            });
        }
    }
}

/// A deal on its way through an account's story.
pub(crate) struct Chance {
    pub(crate) counts: [u32; 12],
}

impl Chance {
    pub(crate) fn probability(&self) -> f64 {
        win_probability(&self.counts)
    }

    pub(crate) fn note(&mut self, channel: &str) {
        if let Some(at) = CHANNELS.iter().position(|(name, _)| *name == channel) {
            self.counts[at] += 1;
        }
    }
}
