//! Identity, accounts over time, and one event one touch: from facts to rows.

mod as_of;
mod cluster;
mod update;
mod world;
