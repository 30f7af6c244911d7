//! What Matomo sends, what it means, and how it is read on a bad day.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod facts;
mod reading;
mod vendor;

use std::sync::Arc;

use tributary_matomo::{Matomo, SimulatedMatomo};
use tributary_sandbox::{Plan, build};
use tributary_source::testkit::conformance;

#[test]
fn it_conforms() {
    let world = build(&Plan::with_accounts(12));
    let report = conformance(Matomo, move |clock| Arc::new(SimulatedMatomo::new(&world, clock))).unwrap();
    println!("{report}");
}
