//! Files to facts, as spreadsheets write them and as they break.

mod broken;
mod facts;
mod habits;
mod reading;
mod resume;
