//! The conformance suite: what every connector must hold, shown against its simulated vendor.
//!
//! Feature `testkit`. A connector brings a vendor that can be changed, and three lines:
//!
//! ```ignore
//! #[test]
//! fn it_conforms() {
//!     testkit::conformance(Acme, |clock| Arc::new(SimulatedAcme::new(&world(), clock))).unwrap();
//! }
//! ```
//!
//! Cases are chosen by what the connector declares and what its vendor can do; a case that does not apply says so.
//! [`broken`] holds deliberately broken sources, by which the suite itself is tested.
//!
//! What no connector can get wrong is not asked of each: that pages lead in no circle, that one stream's failure
//! leaves the others alone, that a mass deletion asks first and that accounts balance is the daemon's
//! (`tributary-sync`); one sign-in for all, rotated tokens and bodies that unpack without end are the client's
//! ([`crate::http`]); that every version is kept and order does not matter is landing's (`tributary-store`).
//!
//! Not responsible for simulating any vendor: connectors bring their own simulators.

pub mod broken;
mod cases;
mod daemon;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tributary_core::Time;

use crate::connector::Connector;
use crate::environment::Vendor;
use crate::settings::Settings;

pub use cases::CASES;

/// Tells the time of day; the suite's clock stands still unless somebody waits.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A simulated vendor with some data of every stream.
pub trait Simulated: Vendor {
    /// Settings under which the connector reads it. Every secret contains `canary`, so that the suite can look for it.
    fn settings(&self) -> Settings;

    /// The ids that a stream has now, as its records carry them.
    fn ids(&self, stream: &str) -> BTreeSet<String>;

    /// Changes a record of a stream now, and gives the id of what was changed or made; `None` where the vendor has no
    /// such change.
    fn change(&self, stream: &str, change: Change<'_>) -> Option<String>;

    /// Makes a trouble from now on; `false` if this vendor knows no such trouble.
    fn trouble(&self, trouble: Trouble) -> bool {
        let _ = trouble;
        false
    }
}

/// A habit that a vendor's customers complain of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Changes stay out of incremental reads for so long.
    Lag(Duration),
    /// A question has so many results at most, told or in silence. More than a page holds.
    Cap(usize),
    /// What leads from page to page is forgotten after so long. The vendor may make its pages small for it.
    TokenLife(Duration),
}

/// A change at the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A new record.
    Create,
    /// Another value in a record, and another stamp.
    Update(&'a str),
    /// A record is gone.
    Delete(&'a str),
    /// What was deleted is back.
    Restore(&'a str),
    /// One record takes another in.
    Merge {
        /// The id that is gone.
        loser: &'a str,
        /// The id that stays.
        winner: &'a str,
    },
    /// A merge is taken back.
    Split {
        /// The id that is there again.
        loser: &'a str,
        /// The id that had taken it in.
        winner: &'a str,
    },
}

type Simulate = dyn Fn(Clock) -> Arc<dyn Simulated>;

/// A connector and how to make its vendor anew.
pub struct Subject {
    connector: Arc<dyn Connector>,
    simulate: Box<Simulate>,
}

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// The connector or its vendor has nothing that it is about.
    DoesNotApply,
    /// It does not hold, and why.
    Fails(String),
}

/// How every case went, by name.
#[derive(Clone, Debug)]
pub struct Report(pub Vec<(&'static str, Outcome)>);

impl Report {
    /// The names of the cases that do not hold.
    pub fn failures(&self) -> Vec<&'static str> {
        self.0
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Fails(_)))
            .map(|(name, _)| *name)
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.0 {
            match outcome {
                Outcome::Holds => writeln!(f, "holds           {name}")?,
                Outcome::DoesNotApply => writeln!(f, "does not apply  {name}")?,
                Outcome::Fails(why) => writeln!(f, "FAILS           {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// Runs every case; the error is the whole report if one does not hold.
pub fn conformance<S: Simulated + 'static>(
    connector: impl Connector + 'static,
    simulate: impl Fn(Clock) -> Arc<S> + 'static,
) -> Result<Report, Failed> {
    let simulate = Box::new(move |clock: Clock| simulate(clock) as Arc<dyn Simulated>);
    let report = run(&Subject { connector: Arc::new(connector), simulate });
    if report.failures().is_empty() { Ok(report) } else { Err(Failed(report)) }
}

/// Runs every case.
pub fn run(subject: &Subject) -> Report {
    Report(CASES.iter().map(|case| (case.name, cases::run(case, subject))).collect())
}

/// Some cases do not hold. Shown as the report of all.
pub struct Failed(pub Report);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases do not hold\n{}", self.0.failures().len(), self.0)
    }
}
