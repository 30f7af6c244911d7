//! The part of the configuration that changes history: what it says is part of every derived row.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_core::id::Hash;

/// Rules under which facts become people, accounts, touches and deals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The company's own domains: their people are internal, their touches weigh nothing.
    pub own_domains: Vec<String>,
    /// The attribute that holds a deal's amount, if it is not the amount field itself.
    pub amount_field: Option<String>,
    /// Channel rules, the first that fits wins; they beat the source's own channel and the built-in rules.
    pub channels: Vec<ChannelRule>,
    /// Team rules, the first that fits wins; they beat the built-in rules, not the source's own team.
    pub teams: Vec<TeamRule>,
    /// Reps by team: `sdr = ["Ann Lee"]`.
    pub reps: BTreeMap<String, Vec<String>>,
}

/// Gives a channel to the touches that fit every condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// The channel to give.
    pub channel: String,
    /// Conditions by name: `utm_source`, `utm_medium`, `utm_campaign`, `referrer` (its domain), `campaign`, `kind`,
    /// `channel` (the source's own), `actor`, or any attribute. `*` stands for any run of characters.
    pub when: BTreeMap<String, String>,
}

/// Gives a team to the touches that fit every condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamRule {
    /// The team to give: marketing, sales, sdr, partner, customer_success, product or another.
    pub team: String,
    /// Conditions as in channel rules; `channel` is then the channel that the channel rules gave.
    pub when: BTreeMap<String, String>,
}

/// Grows whenever the same facts and rules would give other rows.
pub const DERIVE_VERSION: u32 = 4;

impl Rules {
    /// A hash of the rules and of the code that reads them; derived rows carry it.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        Hash::of("rules", &[&DERIVE_VERSION.to_string(), &text]).to_string()
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters; case does not matter.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, expected) in [
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("ab*", "abcd", true),
            ("*cd", "abcd", true),
            ("a*c*", "abcd", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "x", false),
            ("spring-*-2026", "spring-webinar-2026", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
