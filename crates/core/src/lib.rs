#![doc = include_str!("../README.md")]

pub mod book;
pub mod contact;
pub mod dice;
pub mod fact;
pub mod id;
pub mod money;
pub mod time;
pub mod wide;

pub use book::Book;
pub use fact::Fact;
pub use id::{AccountId, DealId, PersonId, TouchId};
pub use money::{Currency, Money};
pub use time::Time;
