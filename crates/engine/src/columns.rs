//! Which columns of a book a question reads, so that no others are loaded.
//!
//! A question that reads more than it says panics on the empty column, and a test asks every question both ways.

use std::collections::BTreeMap;

use tributary_core::book::{Column, Columns};

use crate::credit::By;
use crate::journey::{Goal, Policy, Whose};
use crate::model::{HeldBy, Model, Trait};

impl Policy {
    /// What finding journeys reads.
    pub fn columns(&self) -> Columns {
        let by_person = self.whose != Whose::All || self.goal == Goal::Lead;
        Columns::BASE.with(by_person.then_some(Column::Person))
    }
}

impl Model {
    /// What weighing touches reads beyond that.
    pub fn columns(&self) -> Columns {
        let spec = self.spec();
        let values = [&spec.exclude, &spec.only_as_anchor].into_iter().chain(spec.exclude_after.values());
        let values = values.chain(spec.anchors.values().map(|anchor| &anchor.among));
        let dimensions = values.flat_map(BTreeMap::keys).chain(spec.multiply.keys()).chain(&spec.rest_per);
        let traits = || spec.points.iter().flat_map(|points| &points.when);
        let by_person = spec.whose != Whose::All
            || spec.anchors.values().any(|anchor| anchor.held_by == HeldBy::Person)
            || traits().any(|it| *it == Trait::PrimaryContact);
        let by_campaign = traits().any(|it| *it == Trait::PrimaryCampaign);
        let own = Columns::BASE
            .with(by_person.then_some(Column::Person))
            .with(by_campaign.then_some(Column::Campaign));
        dimensions.map(|dimension| of_name(dimension)).fold(own, Columns::and)
    }
}

impl By {
    /// What telling the keys of touches reads beyond that.
    pub fn columns(self) -> Columns {
        Columns::BASE.with(match self {
            Self::Channel => vec![Column::Channel],
            Self::Campaign => vec![Column::Campaign],
            Self::Content => vec![Column::Content],
            Self::Team => vec![Column::Team],
            Self::Rep => vec![Column::Actor],
            Self::Person => vec![Column::Person, Column::PersonNames],
            Self::Role => vec![Column::Person],
            Self::Kind => vec![Column::Kind],
            Self::Direction => vec![Column::Direction],
            Self::Account => vec![Column::AccountNames],
            Self::Deal => vec![Column::DealNames],
            Self::Source => vec![Column::Source],
        })
    }
}

/// What crediting by a dimension reads, under models that each read these.
pub fn columns(policy: &Policy, models: &[Columns], by: By) -> Columns {
    models.iter().copied().fold(policy.columns().and(by.columns()), Columns::and)
}

/// A dimension by the name that models give it.
fn of_name(dimension: &str) -> Columns {
    match dimension {
        "kind" => By::Kind.columns(),
        "team" => By::Team.columns(),
        "role" => By::Role.columns(),
        "direction" => By::Direction.columns(),
        "channel" => By::Channel.columns(),
        "campaign" => By::Campaign.columns(),
        "content" => By::Content.columns(),
        "source" => By::Source.columns(),
        "person" => By::Person.columns(),
        _ => Columns::ALL,
    }
}
