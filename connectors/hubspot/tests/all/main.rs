//! What HubSpot sends, what it means, and how it is read on a bad day.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod facts;
mod reading;

use std::sync::Arc;

use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_sandbox::{Plan, build};
use tributary_source::testkit::conformance;

#[test]
fn it_conforms() {
    let world = build(&Plan::with_accounts(12));
    let report = conformance(HubSpot, move |clock| Arc::new(SimulatedHubSpot::new(&world, clock))).unwrap();
    println!("{report}");
}
