//! One deal, touch by touch: what each model gives it, by which rule, and what tells of it.

use std::collections::HashMap;

use serde::Serialize;
use tributary_core::{Time, TouchId};
use tributary_engine::explain::{self, Credit};
use tributary_engine::journey::Subject as Target;
use tributary_engine::journey::{Journey, Journeys};
use tributary_engine::learn::explain::{Explained, Support};
use tributary_engine::{By, Choice, Splitter, Whose, journeys};
use tributary_store::Store;
use tributary_store::reports::Evidence;

use crate::journey::{Deal, Named, Touch, account_of_deal, deal_in_short, named, touch};
use crate::question::Stamp;
use crate::{AnswerError, Coverage, Data, Question, Subject};

/// A deal explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The account.
    pub account: Named,
    /// The deal.
    pub deal: Deal,
    /// The reporting currency.
    pub currency: tributary_core::Currency,
    /// What the deal is worth in the reporting currency; `None` where no rate converts it.
    pub worth_minor: Option<i64>,
    /// The models, in the order of each touch's credits.
    pub models: Vec<String>,
    /// Thought the models that learned give what they give, in the order of the models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<Thought>,
    /// Its account's touches, in order.
    pub touches: Vec<Line>,
    /// Money that each model leaves unattributed.
    pub unattributed_minor: Vec<i64>,
    /// How it came about.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Thought a model that learned gives what it gives on this deal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thought {
    /// The model.
    pub model: String,
    /// The dimension that it was fitted on.
    pub fitted_on: By,
    /// How likely the model thinks the goal was, from all touches.
    pub probability: f64,
    /// Journeys with all the keys of this one, and maybe others.
    pub with: Support,
    /// Each touch of the journey, in order.
    pub touches: Vec<Without>,
}

/// What a model that learned thinks of one touch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Without {
    /// When.
    #[serde(serialize_with = "crate::text::time")]
    pub at: Time,
    /// Its key.
    pub key: Option<String>,
    /// Its part of the credit.
    pub weight: f64,
    /// How likely the goal would have been without this touch.
    pub probability_without: f64,
    /// Journeys with all the other keys of this one but not this key, and maybe others.
    pub without: Support,
}

/// One touch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// When.
    #[serde(serialize_with = "crate::text::time")]
    pub at: Time,
    #[serde(skip)]
    id: TouchId,
    /// What.
    #[serde(flatten)]
    pub touch: Touch,
    /// Thought it is not in the journey; `None` if it is.
    pub outside: Option<String>,
    /// What each model gives it; empty outside the journey.
    pub credits: Vec<Credit>,
    /// What gave its channel.
    pub channel_rule: Option<String>,
    /// The records that tell of it, the first in order of evidence first.
    pub records: Vec<Record>,
}

/// A record by where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The source's id.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The vendor's id.
    pub id: String,
}

/// Explains a deal under some models.
pub fn explain(
    data: &Data,
    question: &Question,
    models: &[Choice],
    deal: &str,
) -> Result<Explanation, AnswerError> {
    let book = &data.book;
    let row = Subject::deal(book, deal)?;
    let journeys = journeys(book, &question.policy);
    let journey = journeys
        .list
        .iter()
        .find(|journey| journey.subject == Target::Deal(row))
        .ok_or_else(|| AnswerError::Outside(deal.to_owned()))?;
    let ready = question.ready(data, &journeys, models)?;
    let explained: HashMap<usize, Vec<Credit>> =
        explain::explain(&journeys, journey, &ready, &data.rates, question.currency)
            .into_iter()
            .map(|touch| (touch.row, touch.credits))
            .collect();
    let worth_minor = match tributary_engine::credit::worth(journey, &data.rates, question.currency) {
        tributary_engine::credit::Worth::Minor(minor) => Some(minor),
        tributary_engine::credit::Worth::Unconverted(_) => None,
    };
    let account = account_of_deal(book, row);
    let mut unattributed_minor = vec![worth_minor.unwrap_or(0); models.len()];
    let mut touches = Vec::new();
    for touch_row in book.accounts[account].touches.clone() {
        let at = book.touches.at[touch_row];
        let credits = explained.get(&touch_row).cloned();
        for (left, credit) in unattributed_minor.iter_mut().zip(credits.iter().flatten()) {
            *left -= credit.credit_minor;
        }
        let outside = credits.is_none().then(|| {
            if book.touches.weight[touch_row] == 0 {
                "counts for nothing: a machine, one of our own people, or weight 0".to_owned()
            } else if at > journey.end {
                "after the journey's end".to_owned()
            } else if question.policy.whose != Whose::All && !is_member(data, row, touch_row) {
                "by nobody of the committee".to_owned()
            } else if question.policy.whose == Whose::Primary {
                "not by the primary contact".to_owned()
            } else {
                "before the look-back".to_owned()
            }
        });
        touches.push(Line {
            at,
            id: book.touches.id[touch_row],
            touch: touch(book, touch_row, Some(journeys.role(journey, book.touches.person[touch_row]))),
            outside,
            credits: credits.unwrap_or_default(),
            channel_rule: None,
            records: Vec::new(),
        });
    }
    let place = &book.accounts[account];
    Ok(Explanation {
        account: named(book, place.key, place.label),
        deal: deal_in_short(data, &question.policy, row),
        currency: question.currency,
        worth_minor,
        models: models.iter().map(|model| model.name().to_owned()).collect(),
        learned: ready.iter().filter_map(|model| why(&journeys, journey, model)).collect(),
        touches,
        unattributed_minor,
        stamp: question.stamp(models).over(Coverage::of_journey(data, &question.policy, journey)),
    })
}

impl Explanation {
    /// Adds what the store knows beyond the book: what gave each channel, and the records behind each touch.
    pub async fn add_evidence(&mut self, store: &Store) -> Result<(), AnswerError> {
        let ids: Vec<TouchId> = self.touches.iter().map(|line| line.id).collect();
        let mut details = store.touch_details(&ids).await?;
        for line in &mut self.touches {
            let Some(detail) = details.remove(&line.id) else { continue };
            line.channel_rule = Some(detail.channel_rule);
            let record = |it: Evidence| Record { source: it.source, stream: it.stream, id: it.native_id };
            line.records = detail.evidence.into_iter().map(record).collect();
        }
        Ok(())
    }
}

/// What a model that learned thinks of a journey; `None` of a rule, and of a journey without touches.
fn why(journeys: &Journeys<'_>, journey: &Journey, model: &Splitter) -> Option<Thought> {
    let Splitter::Learned(fitted) = model else { return None };
    let Explained { probability, with, steps } = fitted.explain(journey)?;
    let rows = journeys.touches(journey).iter();
    let touches = rows.zip(steps).map(|(row, step)| Without {
        at: journeys.book.touches.at[row],
        key: fitted.key(step.key).map(str::to_owned),
        weight: step.weight,
        probability_without: step.probability_without,
        without: step.without,
    });
    let touches = touches.collect();
    Some(Thought { model: fitted.name.clone(), fitted_on: fitted.on(), probability, with, touches })
}

fn is_member(data: &Data, deal: usize, touch: usize) -> bool {
    let person = data.book.touches.person[touch];
    data.book.deals[deal].committee.iter().any(|member| member.person == person)
}
