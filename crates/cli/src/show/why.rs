//! How it looks where and why two models differ.

use tributary_core::Currency;
use tributary_engine::By;
use tributary_engine::differ::{Part, Reason, Sum, Why};

use super::report::{change, credit, key, unit};
use super::{Cell, Table};

/// Deals that are shown; JSON has more.
const SHOWN: usize = 10;

/// Reasons that are shown one by one; JSON has all.
const REASONS: usize = 15;

/// The tables of one pair of models.
pub(super) fn tables(why: &Why, by: By, currency: Option<Currency>) -> Vec<Table> {
    let mut out = vec![definitions(why), reasons(why, currency), keys(why, by, currency)];
    if !why.milestones.is_empty() {
        out.push(milestones(why));
    }
    if !why.deals.is_empty() {
        out.push(deals(why, currency));
    }
    out
}

/// What the rules decide differently.
fn definitions(why: &Why) -> Table {
    let [first, second] = why.models.clone();
    let mut table = Table::new(["What".to_owned(), first.clone(), second.clone()])
        .title(format!("what {first} and {second} decide differently"));
    for it in &why.definitions {
        table.row(std::iter::once(&it.about).chain(&it.says).cloned().map(Cell::Text).collect());
    }
    if why.definitions.is_empty() {
        table.note("nothing: they are one rule under two names");
    }
    table
}

/// The reasons, which add up to all differences.
fn reasons(why: &Why, currency: Option<Currency>) -> Table {
    let [first, second] = &why.models;
    let unit = unit(currency);
    let columns = [
        format!("Under {first}"),
        format!("Under {second}"),
        "Touches".into(),
        "Deals".into(),
        format!("{first} {unit}"),
        format!("{second} {unit}"),
        format!("Difference {unit}"),
    ];
    let title = format!(
        "why: what the touches are that get other credit, in {} of {} deals",
        why.deals_that_differ, why.deals_compared
    );
    let mut table = Table::new(columns).title(title);
    let (shown, others) = why.reasons.split_at(why.reasons.len().min(REASONS));
    for reason in shown {
        let [one, other] = reason.under.clone().map(Cell::Text);
        let sum = &reason.sum;
        table.row(vec![
            one,
            other,
            Cell::Count(sum.touches),
            Cell::Count(sum.deals),
            credit(sum.credit_minor[0], currency),
            credit(sum.credit_minor[1], currency),
            change(sum.difference_minor, currency),
        ]);
    }
    let sum = |of: fn(&Sum) -> i64, reasons: &[Reason]| reasons.iter().map(|it| of(&it.sum)).sum();
    let mut total = |name: String, reasons: &[Reason]| {
        table.total(vec![
            Cell::Text(name),
            Cell::Nothing,
            Cell::Count(reasons.iter().map(|it| it.sum.touches).sum()),
            Cell::Nothing,
            credit(sum(|it| it.credit_minor[0], reasons), currency),
            credit(sum(|it| it.credit_minor[1], reasons), currency),
            change(sum(|it| it.difference_minor, reasons), currency),
        ]);
    };
    if !others.is_empty() {
        total(format!("{} smaller reasons", others.len()), others);
    }
    total("all reasons".to_owned(), &why.reasons);
    table
}

/// Each key's difference, and the reason that makes most of it.
fn keys(why: &Why, by: By, currency: Option<Currency>) -> Table {
    let columns = [
        super::report::dimension(by),
        format!("Difference {}", unit(currency)),
        format!("Of which {}", unit(currency)),
        "Because its touches are".to_owned(),
    ];
    let mut table = Table::new(columns)
        .title(format!("{} gives more or less than {}, and mostly why", why.models[1], why.models[0]));
    for it in &why.keys {
        // The largest part that points the way of the whole.
        let same_way = |part: &&Part| part.difference_minor.signum() == it.difference_minor.signum();
        let Some(most) = it.because.iter().find(same_way).or(it.because.first()) else { continue };
        table.row(vec![
            key(by, it.key.as_ref(), it.label.as_ref()),
            change(it.difference_minor, currency),
            change(most.difference_minor, currency),
            Cell::Text(most.reason.clone()),
        ]);
    }
    table
}

fn milestones(why: &Why) -> Table {
    let [first, second] = &why.models;
    let columns = [
        "Milestone".to_owned(),
        "Same touch".into(),
        "Another touch".into(),
        format!("Only {first}"),
        format!("Only {second}"),
        "Neither".into(),
        format!("Skipped in {first}"),
        format!("Skipped in {second}"),
    ];
    let mut table = Table::new(columns).title("deals by the touch that holds a milestone of both");
    for it in &why.milestones {
        let counts = [it.same, it.other, it.only[0], it.only[1], it.missing, it.skipped[0], it.skipped[1]];
        let name = Cell::Text(it.milestone.clone());
        table.row(std::iter::once(name).chain(counts.map(Cell::Count)).collect());
    }
    table
}

fn deals(why: &Why, currency: Option<Currency>) -> Table {
    let unit = unit(currency);
    let columns = ["Deal".to_owned(), format!("Amount {unit}"), format!("Moved {unit}"), "Mostly".to_owned()];
    let mut table = Table::new(columns).title("deals with most credit moved");
    for it in why.deals.iter().take(SHOWN) {
        table.row(vec![
            key(By::Deal, it.key.as_ref(), it.label.as_ref()),
            credit(it.worth_minor, currency),
            credit(it.moved_minor, currency),
            Cell::Text(it.reason.clone()),
        ]);
    }
    table
}
