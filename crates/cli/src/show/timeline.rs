//! A journey as a timeline.

use tributary_answers::journey::{Event, Journey, Named, Touch, What};
use tributary_core::Money;
use tributary_core::book::{Direction, Outcome};

use super::cell::{money, printable};
use super::report::note_coverage;
use super::{Answer, Cell, Table};

impl Answer for Journey {
    fn tables(&self) -> Vec<Table> {
        let mut header = Table::new(Vec::<String>::new()).title(name(&self.account));
        for deal in &self.deals {
            header.note(format!("  {}: {}{}", name(&deal.name), outcome(deal.outcome), amount(deal.amount)));
            for member in &deal.committee {
                let role = member.role.as_deref().unwrap_or("takes part");
                let primary = if member.is_primary { ", primary contact" } else { "" };
                header.note(format!("      {} ({}{primary})", name(&member.name), printable(role)));
            }
        }
        note_coverage(&mut header, self.stamp.coverage.as_ref());
        let mut timeline = Table::new(Vec::<String>::new());
        let mut month = String::new();
        for event in &self.events {
            let at = event.at.to_string();
            let (date, time) = at.split_once('T').unwrap_or((&at, ""));
            if date.get(..7).is_some_and(|this| this != month) {
                date[..7].clone_into(&mut month);
                timeline.note(format!("  {month}"));
            }
            let clock = time.get(..5).unwrap_or_default();
            let day = date.get(8..).unwrap_or_default();
            timeline.note(format!("  {day} {clock} {}", line(event)));
        }
        if self.events.is_empty() {
            timeline.note("  nothing is known of it");
        }
        vec![header, timeline]
    }

    fn data(&self) -> Option<Table> {
        let mut table = Table::new([
            "at",
            "event",
            "deal",
            "person",
            "kind",
            "direction",
            "channel",
            "campaign",
            "content",
            "team",
            "actor",
            "source",
            "counts",
            "detail",
        ]);
        for event in &self.events {
            let text = |text: &str| Cell::Text(text.to_owned());
            let mut cells = vec![Cell::Time(event.at)];
            let nothing = |n: usize| vec![Cell::Nothing; n];
            match &event.what {
                What::Touch(touch) => {
                    cells.extend([text("touch"), Cell::Nothing]);
                    cells.push(Cell::option(touch.person.as_ref().and_then(|person| person.key.clone())));
                    cells.push(Cell::option(touch.kind.clone()));
                    cells.push(text(if touch.direction == Direction::Inbound {
                        "inbound"
                    } else {
                        "outbound"
                    }));
                    for value in [
                        &touch.channel,
                        &touch.campaign,
                        &touch.content,
                        &touch.team,
                        &touch.actor,
                        &touch.source,
                    ] {
                        cells.push(Cell::option(value.clone()));
                    }
                    cells.extend([text(if touch.counts { "true" } else { "false" }), Cell::Nothing]);
                }
                What::LeadCreated { person } => {
                    cells.extend([text("lead_created"), Cell::Nothing, Cell::option(person.key.clone())]);
                    cells.extend(nothing(10));
                }
                What::DealCreated { deal } => {
                    cells.extend([text("deal_created"), Cell::option(deal.key.clone())]);
                    cells.extend(nothing(11));
                }
                What::Stage { deal, stage } => {
                    cells.extend([text("stage"), Cell::option(deal.key.clone())]);
                    cells.extend(nothing(10));
                    cells.push(text(stage));
                }
                What::DealClosed { deal, outcome: how, .. } => {
                    cells.extend([text("deal_closed"), Cell::option(deal.key.clone())]);
                    cells.extend(nothing(10));
                    cells.push(text(outcome(*how)));
                }
            }
            table.row(cells);
        }
        Some(table)
    }
}

fn line(event: &Event) -> String {
    match &event.what {
        What::Touch(it) => touch(it),
        What::LeadCreated { person } => format!("◆ lead created: {}", name(person)),
        What::DealCreated { deal } => format!("◆ opportunity created: {}", name(deal)),
        What::Stage { deal, stage } => format!("◇ {}: {}", name(deal), printable(stage)),
        What::DealClosed { deal, outcome: how, amount: worth } => {
            format!("◆ {}: {}{}", name(deal), outcome(*how), amount(*worth))
        }
    }
}

fn touch(touch: &Touch) -> String {
    let mark = match (touch.counts, touch.direction) {
        (false, _) => '·',
        (true, Direction::Inbound) => '→',
        (true, Direction::Outbound) => '←',
    };
    let mut words = vec![format!("{:9}", printable(touch.kind.as_deref().unwrap_or("touch")))];
    let mut push = |prefix: &str, value: Option<&str>| {
        if let Some(value) = value {
            words.push(format!("{prefix}{}", printable(value)));
        }
    };
    push("", touch.channel.as_deref());
    push("· ", touch.campaign.as_deref());
    push("· ", touch.content.as_deref().filter(|content| Some(*content) != touch.campaign.as_deref()));
    let who = touch.person.as_ref().map(name);
    let who = match (who, &touch.role) {
        (Some(who), Some(role)) => Some(format!("{who}, {role}")),
        (who, _) => who,
    };
    push("· ", who.as_deref());
    push("· by ", touch.actor.as_deref());
    push("· ", touch.team.as_deref());
    if !touch.counts {
        words.push("· counts for nothing".to_owned());
    }
    format!("{mark} {}", words.join(" "))
}

fn name(named: &Named) -> String {
    printable(named.label.as_deref().or(named.key.as_deref()).unwrap_or("nobody known"))
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Won => "won",
        Outcome::Lost => "lost",
    }
}

fn amount(amount: Option<Money>) -> String {
    amount
        .map(|amount| format!(", {} {}", money(amount.minor, amount.currency), amount.currency))
        .unwrap_or_default()
}
