//! How the reports look.

use tributary_answers::Coverage;
use tributary_answers::attribution::{Attribution, Comparison};
use tributary_answers::explanation::{Explanation, Thought};
use tributary_answers::reconciliation::Reconciliation;
use tributary_core::{Currency, Time};
use tributary_engine::credit::Unconverted;
use tributary_engine::splitter::Lesson;
use tributary_engine::{By, Goal};

use super::cell::{money, printable};
use super::{Answer, Cell, Table, wrapped};

/// Credit in its unit: money, or leads.
pub(super) fn credit(minor: i64, currency: Option<Currency>) -> Cell {
    match currency {
        Some(currency) => Cell::Money(minor, currency),
        None => Cell::Real(minor as f64 / tributary_engine::journey::ONE_LEAD as f64),
    }
}

pub(super) fn change(minor: i64, currency: Option<Currency>) -> Cell {
    currency.map_or_else(|| credit(minor, None), |currency| Cell::Change(minor, currency))
}

pub(super) fn unit(currency: Option<Currency>) -> String {
    currency.map_or_else(|| "leads".to_owned(), |currency| currency.to_string())
}

/// The key's name for people: with its id where the two differ.
pub(super) fn key(by: By, key: Option<&String>, label: Option<&String>) -> Cell {
    match (key, label) {
        (None, None) => Cell::Text(format!("(no {})", dimension(by).to_lowercase())),
        (Some(key), Some(label)) if key != label => Cell::Text(format!("{label} ({key})")),
        (Some(key), _) => Cell::Text(key.clone()),
        (None, label) => Cell::option(label.cloned()),
    }
}

pub(super) fn dimension(by: By) -> String {
    let name = format!("{by:?}");
    name.chars().take(1).chain(name.chars().skip(1).flat_map(char::to_lowercase)).collect()
}

pub(super) fn goal_in_words(goal: Goal, deals: u64) -> String {
    match goal {
        Goal::Won => format!("{deals} deals won"),
        Goal::Lost => format!("{deals} deals lost"),
        Goal::Opportunity => format!("{deals} deals opened"),
        Goal::Open => format!("{deals} deals open"),
        Goal::Lead => format!("{deals} leads"),
    }
}

pub(super) fn note_unconverted(table: &mut Table, unconverted: &[Unconverted]) {
    for line in unconverted {
        let amount = Currency::parse(&line.currency)
            .map_or_else(|_| line.amount_minor.to_string(), |currency| money(line.amount_minor, currency));
        table.note(format!(
            "not converted for want of a rate: {amount} {} of {} deals",
            line.currency, line.deals
        ));
    }
}

/// Says which deals were looked at without everything that may tell of them.
pub(super) fn note_coverage(table: &mut Table, coverage: Option<&Coverage>) {
    let Some(coverage) = coverage.filter(|coverage| !coverage.is_complete()) else { return };
    table.note(format!(
        "{} of {} are not covered: not everything was read that may tell of them",
        coverage.not_covered, coverage.deals
    ));
    for gap in &coverage.gaps {
        let span = covered(gap.since, gap.until);
        table.note(format!("  {}/{} {span}: {} of them", gap.source, gap.stream, gap.deals));
    }
}

fn covered(since: Option<Time>, until: Option<Time>) -> String {
    match (since, until) {
        (_, None) => "was never read to its end".to_owned(),
        (None, Some(until)) => format!("is complete until {until}"),
        (Some(since), Some(until)) => format!("is complete from {since} until {until}"),
    }
}

impl Answer for Attribution {
    fn tables(&self) -> Vec<Table> {
        let it = &self.credit;
        let columns = [
            dimension(it.by),
            format!("Credit {}", unit(it.currency)),
            "Share".into(),
            "Touches".into(),
            "Deals".into(),
        ];
        let mut table =
            Table::new(columns).title(format!("{}: {}", it.model, goal_in_words(it.goal, it.deals)));
        for row in &it.rows {
            table.row(vec![
                key(it.by, row.key.as_ref(), row.label.as_ref()),
                credit(row.credit_minor, it.currency),
                Cell::Share(row.share),
                Cell::Count(row.touches),
                Cell::Count(row.deals),
            ]);
        }
        let share = |minor| Cell::Share(tributary_engine::credit::share_of(minor, it.total_minor));
        if it.unattributed_deals > 0 {
            table.total(vec![
                Cell::Text("unattributed".to_owned()),
                credit(it.unattributed_minor, it.currency),
                share(it.unattributed_minor),
                Cell::Nothing,
                Cell::Count(it.unattributed_deals),
            ]);
        }
        table.total(vec![
            Cell::Text("total".to_owned()),
            credit(it.total_minor, it.currency),
            share(it.total_minor),
            Cell::Nothing,
            Cell::Count(it.deals),
        ]);
        note_unconverted(&mut table, &it.unconverted);
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        let mut tables = vec![table];
        tables.extend(it.learned.as_ref().map(|lesson| learned(&it.model, lesson)));
        tables
    }

    fn data(&self) -> Option<Table> {
        let it = &self.credit;
        let mut table = Table::new([
            "model", "by", "goal", "key", "label", "credit", "currency", "share", "touches", "deals",
        ]);
        let goal = format!("{:?}", it.goal).to_lowercase();
        let by = it.by.name();
        let lead = [Cell::Text(it.model.clone()), Cell::Text(by), Cell::Text(goal)];
        let currency = Cell::option(it.currency.map(|currency| currency.to_string()));
        for row in &it.rows {
            let mut cells = lead.to_vec();
            cells.extend([
                Cell::option(row.key.clone()),
                Cell::option(row.label.clone()),
                credit(row.credit_minor, it.currency),
                currency.clone(),
                Cell::Share(row.share),
                Cell::Count(row.touches),
                Cell::Count(row.deals),
            ]);
            table.row(cells);
        }
        Some(table)
    }
}

/// What a model learned from all journeys, of which each deal's split follows.
fn learned(model: &str, lesson: &Lesson) -> Table {
    let mut table = Table::new([dimension(lesson.fitted_on).as_str(), "Effect", "Share of all"])
        .title(format!("{model}: what all journeys together say"));
    for it in &lesson.keys {
        let name = key(lesson.fitted_on, it.key.as_ref(), None);
        table.row(vec![name, Cell::Text(format!("{:.4}", it.effect)), Cell::Share(it.share)]);
    }
    for remark in &lesson.remarks {
        table.note(wrapped(remark, ""));
    }
    table
}

impl Answer for Comparison {
    fn tables(&self) -> Vec<Table> {
        let it = &self.comparison;
        let mut columns = vec![dimension(it.by)];
        columns.extend(it.models.iter().map(|model| format!("{model} {}", unit(it.currency))));
        columns.push("Spread".to_owned());
        let mut table = Table::new(columns).title(goal_in_words(it.goal, it.deals));
        for line in &it.lines {
            let mut cells = vec![key(it.by, line.key.as_ref(), line.label.as_ref())];
            cells.extend(line.cells.iter().map(|cell| credit(cell.credit_minor, it.currency)));
            cells.push(Cell::Share(line.spread));
            table.row(cells);
        }
        let mut sums = |name: &str, values: &[i64]| {
            let mut cells = vec![Cell::Text(name.to_owned())];
            cells.extend(values.iter().map(|minor| credit(*minor, it.currency)));
            cells.push(Cell::Nothing);
            table.total(cells);
        };
        if it.unattributed_minor.iter().any(|minor| *minor != 0) {
            sums("unattributed", &it.unattributed_minor);
        }
        sums("total", &vec![it.total_minor; it.models.len()]);
        note_unconverted(&mut table, &it.unconverted);
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        let mut tables = vec![table];
        if it.models.len() > 1 {
            tables.push(self.differences());
        }
        tables.extend(self.why.iter().flat_map(|why| super::why::tables(why, it.by, it.currency)));
        tables
    }

    fn data(&self) -> Option<Table> {
        let it = &self.comparison;
        let mut table =
            Table::new(["key", "label", "model", "credit", "currency", "share", "rank", "difference"]);
        for line in &it.lines {
            for (model, cell) in it.models.iter().zip(&line.cells) {
                table.row(vec![
                    Cell::option(line.key.clone()),
                    Cell::option(line.label.clone()),
                    Cell::Text(model.clone()),
                    credit(cell.credit_minor, it.currency),
                    Cell::option(it.currency.map(|currency| currency.to_string())),
                    Cell::Share(cell.share),
                    Cell::Count(u64::from(cell.rank)),
                    change(cell.difference_minor, it.currency),
                ]);
            }
        }
        Some(table)
    }
}

trait Differences {
    fn differences(&self) -> Table;
}

impl Differences for Comparison {
    /// What each other model gives more or less than the first.
    fn differences(&self) -> Table {
        let it = &self.comparison;
        let mut columns = vec![dimension(it.by)];
        columns.extend(it.models.iter().skip(1).map(|model| format!("{model} {}", unit(it.currency))));
        let mut table = Table::new(columns).title(format!("more or less than under {}", it.models[0]));
        for line in &it.lines {
            let mut cells = vec![key(it.by, line.key.as_ref(), line.label.as_ref())];
            cells.extend(line.cells.iter().skip(1).map(|cell| change(cell.difference_minor, it.currency)));
            table.row(cells);
        }
        table
    }
}

impl Answer for Reconciliation {
    fn tables(&self) -> Vec<Table> {
        let it = &self.accounts;
        let reporting = it.currency;
        let names = ["Currency", "Deals", "Won", "Not converted"].map(String::from).into_iter();
        let converted = ["Converted", "Credited", "Unattributed"].map(|name| format!("{name} {reporting}"));
        let verdict = if it.balances { "balances" } else { "DOES NOT BALANCE" };
        let mut table = Table::new(names.chain(converted)).title(format!("{}: {verdict}", self.model));
        for line in &it.lines {
            let own = Currency::parse(&line.currency).unwrap_or(reporting);
            table.row(vec![
                Cell::Text(line.currency.clone()),
                Cell::Count(line.deals),
                Cell::Money(line.won_minor, own),
                Cell::Money(line.unconverted_minor, own),
                Cell::Money(line.converted_minor, reporting),
                Cell::Money(line.credit_minor, reporting),
                Cell::Money(line.unattributed_minor, reporting),
            ]);
        }
        let sum = |value: fn(&tributary_engine::reconcile::Line) -> i64| it.lines.iter().map(value).sum();
        table.total(vec![
            Cell::Text("total".to_owned()),
            Cell::Count(it.lines.iter().map(|line| line.deals).sum()),
            Cell::Nothing,
            Cell::Nothing,
            Cell::Money(sum(|line| line.converted_minor), reporting),
            Cell::Money(sum(|line| line.credit_minor), reporting),
            Cell::Money(sum(|line| line.unattributed_minor), reporting),
        ]);
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        let mut exceptions = Table::new(["Deal", "Amount", "Why it is outside the credit"]);
        for exception in &it.exceptions {
            exceptions.row(vec![
                key(By::Deal, Some(&exception.deal), Some(&exception.label)),
                Cell::option(
                    exception.amount.map(|amount| {
                        format!("{} {}", money(amount.minor, amount.currency), amount.currency)
                    }),
                ),
                Cell::Text(exception.reason.clone()),
            ]);
        }
        if it.exceptions.is_empty() { vec![table] } else { vec![table, exceptions] }
    }
}

/// Why a model that learned gives what it gives on this deal.
fn thought(why: &Thought) -> Table {
    let by = dimension(why.fitted_on);
    let title = format!(
        "{}: the goal was {:.1} % likely; journeys with all these {}s: {}, of which {} reached it",
        why.model,
        why.probability * 100.0,
        by.to_lowercase(),
        why.with.paths,
        why.with.conversions
    );
    let mut table =
        Table::new(["When", &by, "Credit", "Without it", "Journeys like it without", "Reached it"])
            .title(title);
    for touch in &why.touches {
        table.row(vec![
            Cell::Time(touch.at),
            Cell::option(touch.key.as_deref()),
            Cell::Share(touch.weight),
            Cell::Share(touch.probability_without),
            Cell::Count(touch.without.paths as u64),
            Cell::Count(touch.without.conversions as u64),
        ]);
    }
    table
}

impl Answer for Explanation {
    fn tables(&self) -> Vec<Table> {
        let columns = ["When", "Kind", "Channel", "Campaign", "Person", "Role"].map(String::from).into_iter();
        let columns = columns.chain(self.models.iter().map(|model| format!("{model} {}", self.currency)));
        let columns = columns.chain(["Why".to_owned(), "Record".to_owned()]);
        let name =
            printable(self.deal.name.label.as_deref().or(self.deal.name.key.as_deref()).unwrap_or("?"));
        let worth = self.worth_minor.map_or_else(
            || "not converted for want of a rate".to_owned(),
            |minor| format!("{} {}", money(minor, self.currency), self.currency),
        );
        let mut table = Table::new(columns).title(format!("{name}: {worth}"));
        for line in &self.touches {
            let touch = &line.touch;
            let mut cells = vec![
                Cell::Time(line.at),
                Cell::option(touch.kind.clone()),
                Cell::option(touch.channel.clone()),
                Cell::option(touch.campaign.clone()),
                Cell::option(
                    touch.person.as_ref().and_then(|person| person.label.clone().or(person.key.clone())),
                ),
                Cell::option(touch.role.clone()),
            ];
            if line.credits.is_empty() {
                cells.extend(self.models.iter().map(|_| Cell::Nothing));
            } else {
                cells.extend(
                    line.credits.iter().map(|credit| Cell::Money(credit.credit_minor, self.currency)),
                );
            }
            cells.push(Cell::Text(self.why(line)));
            let record = line.records.first();
            cells.push(match record {
                Some(record) => Cell::Text(format!("{}/{}/{}", record.source, record.stream, record.id)),
                None => Cell::option(touch.source.clone()),
            });
            table.row(cells);
        }
        let mut total = |name: &str, values: Vec<i64>| {
            let mut cells = vec![Cell::Text(name.to_owned())];
            cells.extend(vec![Cell::Nothing; 5]);
            cells.extend(values.into_iter().map(|minor| Cell::Money(minor, self.currency)));
            cells.extend([Cell::Nothing, Cell::Nothing]);
            table.total(cells);
        };
        if self.unattributed_minor.iter().any(|minor| *minor != 0) {
            total("unattributed", self.unattributed_minor.clone());
        }
        total("total", vec![self.worth_minor.unwrap_or(0); self.models.len()]);
        note_coverage(&mut table, self.stamp.coverage.as_ref());
        let mut tables = vec![table];
        tables.extend(self.learned.iter().map(thought));
        tables
    }

    fn data(&self) -> Option<Table> {
        let mut table = Table::new([
            "touch",
            "occurred_at",
            "model",
            "weight",
            "credit",
            "currency",
            "rule",
            "outside",
            "record",
        ]);
        for line in &self.touches {
            let record = line
                .records
                .first()
                .map(|record| format!("{}/{}/{}", record.source, record.stream, record.id));
            let mut row = |model: Option<&String>, weight: Cell, credit: Cell, rule: Option<&String>| {
                table.row(vec![
                    Cell::Text(line.touch.id.clone()),
                    Cell::Time(line.at),
                    Cell::option(model.cloned()),
                    weight,
                    credit,
                    Cell::Text(self.currency.to_string()),
                    Cell::option(rule.cloned()),
                    Cell::option(line.outside.clone()),
                    Cell::option(record.clone()),
                ]);
            };
            if line.credits.is_empty() {
                row(None, Cell::Nothing, Cell::Nothing, None);
            }
            for (model, credit) in self.models.iter().zip(&line.credits) {
                let money = Cell::Money(credit.credit_minor, self.currency);
                row(Some(model), Cell::Real(credit.weight), money, Some(&credit.rule));
            }
        }
        Some(table)
    }
}

trait Why {
    fn why(&self, line: &tributary_answers::explanation::Line) -> String;
}

impl Why for Explanation {
    /// The rules that gave a touch its weight or none, models of one rule together.
    fn why(&self, line: &tributary_answers::explanation::Line) -> String {
        if let Some(outside) = &line.outside {
            return outside.clone();
        }
        let mut rules: Vec<(&str, Vec<&str>)> = Vec::new();
        for (model, credit) in self.models.iter().zip(&line.credits) {
            let given = Some(credit.rule.as_str()).filter(|rule| !rule.is_empty());
            let Some(why) = given.or(credit.left_out.as_deref()) else { continue };
            match rules.iter_mut().find(|(rule, _)| *rule == why) {
                Some((_, models)) => models.push(model),
                None => rules.push((why, vec![model])),
            }
        }
        rules
            .iter()
            .map(|(rule, models)| format!("{}: {rule}", models.join(", ")))
            .collect::<Vec<_>>()
            .join("; ")
    }
}
