//! What Google Ads sends, what it means, and how it is read on a bad day.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod accounts;
mod clicks;
mod facts;
mod reading;

use std::sync::Arc;

use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_sandbox::{Plan, build};
use tributary_source::testkit::conformance;

#[test]
fn it_conforms() {
    let world = build(&Plan::with_accounts(12));
    let report =
        conformance(GoogleAds, move |clock| Arc::new(SimulatedGoogleAds::new(&world, clock))).unwrap();
    println!("{report}");
}
