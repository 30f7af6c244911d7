//! The journeys that came to nothing: what the data-driven models hold against those that reached the goal.

use tributary_core::Time;
use tributary_core::book::Account;

use super::{Goal, Journey, Journeys, Policy, Subject, Value, has_all, journeys, select, start, wanted};

/// The journeys that did not reach the goal of these, under the same policy.
///
/// Those are the deals of the opposite outcome, and accounts without a deal (for the goal `lead`, people whom the
/// CRM never came to know). The latter end with the period, or at the time of asking, and count if they have a
/// touch in the period. How an account with open deals alone ends is not known: it is neither.
pub fn null_journeys<'b>(found: &Journeys<'b>) -> Journeys<'b> {
    let policy = &found.policy;
    let opposite = match policy.goal {
        Goal::Won => Some(Goal::Lost),
        Goal::Lost => Some(Goal::Won),
        Goal::Opportunity | Goal::Open | Goal::Lead => None,
    };
    let mut out = match opposite {
        Some(goal) => journeys(found.book, &Policy { goal, ..policy.clone() }),
        None => Journeys { listed: Vec::new(), list: Vec::new(), ..found.clone() },
    };
    let end = policy.period.map_or(policy.as_of, |period| period.until.min(policy.as_of));
    let wanted = wanted(found.book, policy);
    for (index, account) in found.book.accounts.iter().enumerate() {
        if !has_all(&account.attributes, &wanted) {
            continue;
        }
        if policy.goal == Goal::Lead {
            let people = &found.book.touches.person;
            for row in account.people.clone() {
                if found.book.people[row].created_at.is_none_or(|created| created > end) {
                    push(&mut out, (index, account), end, |touch| people[touch] as usize == row);
                }
            }
        } else if account.id.is_some() {
            let mut deals = found.book.deals[account.deals.clone()].iter();
            if deals.all(|deal| deal.created_at.is_some_and(|created| created > end)) {
                push(&mut out, (index, account), end, |_| true);
            }
        }
    }
    out
}

fn push(
    out: &mut Journeys<'_>,
    (index, account): (usize, &Account),
    end: Time,
    counts: impl Fn(usize) -> bool,
) {
    let (from, period, listed) = (start(&out.policy, end), out.policy.period, out.listed.len());
    let touches = select(out, account.touches.clone(), from, end, counts);
    let times = vec![None; out.milestones.len()];
    let journey =
        Journey { subject: Subject::Account, account: index, value: Value::Nothing, end, touches, times };
    let latest = out.touches(&journey).iter().next_back().map(|row| out.book.touches.at[row]);
    if latest.is_none_or(|at| period.is_some_and(|period| at < period.from)) {
        out.listed.truncate(listed);
    } else {
        out.list.push(journey);
    }
}
