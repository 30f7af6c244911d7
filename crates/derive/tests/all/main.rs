//! Identity, accounts over time, and one event one touch: from facts to rows.

mod cluster;
mod update;
mod world;
