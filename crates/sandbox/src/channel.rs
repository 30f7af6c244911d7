//! The twelve channels, and the effect planted for each.

use std::fmt;

/// The channel through which a touch really came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Channel {
    OrganicSearch,
    PaidSearch,
    PaidSocial,
    Retargeting,
    Display,
    Email,
    Webinar,
    Event,
    Partner,
    Sdr,
    AeMeeting,
    Direct,
}

/// How many channels there are.
pub(crate) const CHANNELS: usize = Channel::ALL.len();

impl Channel {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::OrganicSearch,
        Self::PaidSearch,
        Self::PaidSocial,
        Self::Retargeting,
        Self::Display,
        Self::Email,
        Self::Webinar,
        Self::Event,
        Self::Partner,
        Self::Sdr,
        Self::AeMeeting,
        Self::Direct,
    ];

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrganicSearch => "organic_search",
            Self::PaidSearch => "paid_search",
            Self::PaidSocial => "paid_social",
            Self::Retargeting => "retargeting",
            Self::Display => "display",
            Self::Email => "email",
            Self::Webinar => "webinar",
            Self::Event => "event",
            Self::Partner => "partner",
            Self::Sdr => "sdr",
            Self::AeMeeting => "ae_meeting",
            Self::Direct => "direct",
        }
    }

    /// What `ln(1 + touches)` adds to the log odds of winning a deal.
    pub fn effect(self) -> f64 {
        match self {
            Self::OrganicSearch => 0.25,
            Self::PaidSearch => 0.20,
            Self::PaidSocial => 0.06,
            Self::Retargeting => 0.30,
            Self::Display => 0.0,
            Self::Email => 0.08,
            Self::Webinar => 0.40,
            Self::Event => 0.45,
            Self::Partner => 0.50,
            Self::Sdr => 0.18,
            Self::AeMeeting => 0.60,
            Self::Direct => 0.03,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
