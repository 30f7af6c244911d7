//! What Google Ads sends, what it means, and how it is read on a bad day.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

mod accounts;
mod clicks;
mod facts;
mod reading;
mod sign_in;

use std::sync::Arc;

use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_sandbox::simulator::Habits;
use tributary_sandbox::{Plan, build};
use tributary_source::testkit::conformance;

#[test]
fn it_conforms() {
    let world = build(&Plan::with_accounts(12));
    let simulate = move |clock| {
        let vendor = SimulatedGoogleAds::new(&world, clock);
        // Small pages, so that there are several.
        vendor.kit().behave(Habits { truncate_at: Some(20), ..Habits::default() });
        Arc::new(vendor)
    };
    let report = conformance(GoogleAds, simulate).unwrap();
    println!("{report}");
}
