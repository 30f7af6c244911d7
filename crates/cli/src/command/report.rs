//! The reports: what they ask alike, and how each asks.

use std::path::Path;

use tributary_answers::what_if::{Change, what_if};
use tributary_answers::{
    AnswerError, Data, Question, Subject, attribution, evidence, explanation, export, influence, journey,
    load, order, reconciliation,
};
use tributary_core::Time;
use tributary_core::book::Columns;
use tributary_engine::evidence::Effort;
use tributary_engine::{By, Choice, Goal, Model, Policy, columns};
use tributary_store::Store;

use super::{Context, models, sync};
use crate::arguments::{Evidence, Scope};
use crate::config::suggest;
use crate::failure::{Failure, Outcome};
use crate::period;
use crate::show::{self, OneOrMore, progress};

/// Data and the question that a report asks of it.
pub(crate) struct Asked {
    pub(crate) data: Data,
    pub(crate) question: Question,
    pub(crate) models: Vec<Choice>,
}

/// Which columns of the book a report reads.
///
/// It hears the policy, and what each model reads.
type Reads<'a> = &'a dyn Fn(&Policy, &[Columns]) -> Columns;

/// Opens the store, loads the data, and puts flags and configuration together.
async fn ask(context: &Context, scope: &Scope, names: &[String], reads: Reads<'_>) -> Result<Asked, Failure> {
    let store = sync::open(context).await?;
    let asked = ask_reading(context, &store, scope, names, reads).await?;
    store.close().await;
    Ok(asked)
}

/// The same of an open store, with all of the book.
pub(crate) async fn ask_of(
    context: &Context,
    store: &Store,
    scope: &Scope,
    names: &[String],
) -> Result<Asked, Failure> {
    ask_reading(context, store, scope, names, &|_, _| Columns::ALL).await
}

async fn ask_reading(
    context: &Context,
    store: &Store,
    scope: &Scope,
    names: &[String],
    reads: Reads<'_>,
) -> Result<Asked, Failure> {
    let config = &context.config;
    let goal = goal(&scope.goal)?;
    let models = models(&config.models, names)?;
    let period = period::span(scope, &config.zone, config.history_start)?;
    let as_of = period::as_of(scope, &config.zone)?;
    let filter = scope.conditions.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
    if as_of.is_none() {
        sync::derive(context, store).await?;
    }
    let mut policy = Policy {
        goal,
        whose: scope.whose.unwrap_or(config.whose).into(),
        lookback_days: scope.lookback_days.or(config.lookback_days).map(f64::from),
        pipelines: config.pipelines.clone(),
        milestones: config.milestones.clone(),
        period: period::is_limited(period).then_some(period),
        filter,
        ..Policy::new(Time::MAX)
    };
    let fit_on = scope.fit_on.as_deref().map_or(Ok(By::Channel), dimension)?;
    let read: Vec<Columns> = models.iter().map(|model| model.columns(fit_on)).collect();
    let data = load(store, &config.rules, as_of, reads(&policy, &read)).await?;
    policy.as_of = data.as_of;
    let unfinished = store.unfinished().await.map_err(AnswerError::from)?;
    if !unfinished.is_empty() {
        let streams = unfinished.join(", ");
        context.progress.say(&format!("note: {streams} was never read to its end: a sync goes on with it"));
    }
    let question = Question { policy, currency: config.currency, fit_on, rules: config.rules.fingerprint() };
    Ok(Asked { data, question, models })
}

/// `attribute`, and what it would be with some settings changed.
pub(super) async fn attribute(
    context: &Context,
    scope: &Scope,
    mut names: Vec<String>,
    by: &str,
    set: &[String],
) -> Result<Outcome, Failure> {
    let by = dimension(by)?;
    let changes = set.iter().map(|text| setting(text)).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        // A change of a model asks for that model.
        for (model, _) in changes.iter().filter_map(|change| change.name.split_once('.')) {
            if !names.iter().any(|name| name == model) {
                names.push(model.to_owned());
            }
        }
    }
    if names.is_empty() {
        names.push("linear".to_owned());
    }
    // A change may be of anything.
    let reads = |policy: &Policy, models: &[Columns]| {
        if changes.is_empty() { columns(policy, models, by) } else { Columns::ALL }
    };
    let asked = ask(context, scope, &names, &reads).await?;
    if changes.is_empty() {
        let answers = attribution::attribute(&asked.data, &asked.question, &asked.models, by)?;
        show::print(&OneOrMore(answers), context.format)?;
    } else {
        let answers = what_if(&asked.data, &asked.question, &asked.models, &changes, by)?;
        show::print(&OneOrMore(answers), context.format)?;
    }
    Ok(Outcome::Done)
}

/// `w.first=0.4`
fn setting(text: &str) -> Result<Change, Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok(Change { name: name.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err(Failure::usage(format!("--set: `{text}` is no setting"))
            .hint("expected NAME=VALUE, such as w.first=0.4 or lookback_days=180")),
    }
}

/// What `compare` puts side by side.
pub(super) struct Compared {
    names: Vec<String>,
    with_reasons: bool,
}

impl Compared {
    /// The presets, if some are named, else the models.
    pub(super) fn of(models: Vec<String>, presets: Vec<String>, with_reasons: bool) -> Result<Self, Failure> {
        if presets.is_empty() {
            let usual = || ["first", "last", "linear", "w", "time_decay"].map(str::to_owned).to_vec();
            let names = if models.is_empty() { usual() } else { models };
            return Ok(Self { names, with_reasons });
        }
        let known = Model::presets();
        if let Some(unknown) = presets.iter().find(|name| !known.contains(name)) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(Failure::usage(format!("no preset is called `{unknown}`"))
                .hint(suggest::hint(unknown, &known)));
        }
        Ok(Self { names: presets, with_reasons: true })
    }
}

/// `compare`.
pub(super) async fn compare(
    context: &Context,
    scope: &Scope,
    compared: &Compared,
    by: &str,
) -> Result<Outcome, Failure> {
    let by = dimension(by)?;
    // Reasons name deals, and read what any rule may read.
    let reads = |policy: &Policy, models: &[Columns]| {
        if compared.with_reasons { Columns::ALL } else { columns(policy, models, by) }
    };
    let asked = ask(context, scope, &compared.names, &reads).await?;
    let compare =
        if compared.with_reasons { attribution::compare_with_reasons } else { attribution::compare };
    match compare(&asked.data, &asked.question, &asked.models, by)? {
        Some(comparison) => show::print(&comparison, context.format)?,
        None => return Err(Failure::usage("there is no model to compare")),
    }
    Ok(Outcome::Done)
}

/// `compare --evidence`. Without models named, all that are built in are judged.
pub(super) async fn evidence(
    context: &Context,
    scope: &Scope,
    mut names: Vec<String>,
    by: &str,
    asks: &Evidence,
) -> Result<Outcome, Failure> {
    if names.is_empty() {
        let presets = Model::presets();
        names = Choice::names().into_iter().filter(|name| !presets.contains(name)).collect();
    }
    let by = dimension(by)?;
    let asked = ask(context, scope, &names, &|_, _| Columns::ALL).await?;
    let effort = Effort { seed: asks.seed, ..Effort::default() };
    let bar = context.progress.bar("weighing evidence");
    let told = |done: usize, of: usize| progress::advance(&bar, done as u64, Some(of as u64));
    let zone = &context.config.zone;
    let answer = evidence::evidence(&asked.data, &asked.question, &asked.models, by, zone, effort, &told)?;
    bar.finish_and_clear();
    if let Some(file) = &asks.page {
        std::fs::write(file, show::evidence::page::page(&answer))
            .map_err(|error| Failure::failed(format!("failed to write {}: {error}", file.display())))?;
        context.progress.say(&format!("{}: the evidence with charts, for a browser", file.display()));
    }
    show::print(&answer, context.format)?;
    Ok(Outcome::Done)
}

/// `report influence`.
pub(super) async fn influence(context: &Context, scope: &Scope, by: &str) -> Result<Outcome, Failure> {
    let by = dimension(by)?;
    let asked = ask(context, scope, &[], &|policy, models| columns(policy, models, by)).await?;
    show::print(&influence::influence(&asked.data, &asked.question, by), context.format)?;
    Ok(Outcome::Done)
}

/// `report order`.
pub(super) async fn order(context: &Context, scope: &Scope, by: &str) -> Result<Outcome, Failure> {
    let by = dimension(by)?;
    let asked = ask(context, scope, &[], &|policy, models| columns(policy, models, by)).await?;
    show::print(&order::order(&asked.data, &asked.question, by), context.format)?;
    Ok(Outcome::Done)
}

/// `journey`.
pub(super) async fn journey(context: &Context, scope: &Scope, subject: &str) -> Result<Outcome, Failure> {
    let asked = ask(context, scope, &[], &|_, _| Columns::ALL).await?;
    let subject = Subject::find(&asked.data.book, subject)?;
    show::print(&journey::journey(&asked.data, &asked.question, subject)?, context.format)?;
    Ok(Outcome::Done)
}

/// `explain`.
pub(super) async fn explain(
    context: &Context,
    scope: &Scope,
    names: &[String],
    deal: &str,
) -> Result<Outcome, Failure> {
    let store = sync::open(context).await?;
    let asked = ask_of(context, &store, scope, names).await?;
    let mut answer = explanation::explain(&asked.data, &asked.question, &asked.models, deal)?;
    answer.add_evidence(&store).await?;
    store.close().await;
    show::print(&answer, context.format)?;
    Ok(Outcome::Done)
}

/// `reconcile`: exit code 1 where the accounts do not balance.
pub(super) async fn reconcile(
    context: &Context,
    scope: &Scope,
    names: &[String],
) -> Result<Outcome, Failure> {
    let reads =
        |policy: &Policy, models: &[Columns]| columns(policy, models, By::Channel).and(By::Deal.columns());
    let asked = ask(context, scope, names, &reads).await?;
    let answers = reconciliation::reconcile(&asked.data, &asked.question, &asked.models)?;
    let balances = answers.iter().all(|answer| answer.accounts.balances);
    show::print(&OneOrMore(answers), context.format)?;
    if balances { Ok(Outcome::Done) } else { Err(Failure::failed("the accounts do not balance")) }
}

/// `export`: one CSV file a table, and the credit of each touch.
pub(super) async fn export(
    context: &Context,
    scope: &Scope,
    names: &[String],
    folder: &Path,
) -> Result<Outcome, Failure> {
    if scope.as_of.is_some() {
        return Err(Failure::usage("export writes what is known now: it takes no --as-of"));
    }
    let store = sync::open(context).await?;
    let asked = ask_of(context, &store, scope, names).await?;
    let tables = store.export().await.map_err(AnswerError::from)?;
    store.close().await;
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::failed(format!("failed to make {}: {error}", folder.display())))?;
    for table in &tables {
        let file = format!("{}.csv", table.name);
        let (mut writer, failed) = create(folder, &file)?;
        writer.write_record(&table.columns).map_err(&failed)?;
        for row in &table.rows {
            writer
                .write_record(row.iter().map(|cell| cell.as_deref().unwrap_or_default()))
                .map_err(&failed)?;
        }
        writer.flush().map_err(|error| failed(error.into()))?;
        context.progress.say(&format!("{}: {} rows", folder.join(file).display(), table.rows.len()));
    }
    let rows = write_credits(folder, &asked)?;
    context.progress.say(&format!("{}: {rows} rows", folder.join(CREDIT).display()));
    Ok(Outcome::Done)
}

/// The file of credits.
const CREDIT: &str = "credit.csv";

fn write_credits(folder: &Path, asked: &Asked) -> Result<u64, Failure> {
    let (mut writer, failed) = create(folder, CREDIT)?;
    let mut count = 0;
    export::credits(&asked.data, &asked.question, &asked.models, |row| {
        count += 1;
        writer.serialize(row).map_err(&failed)
    })?;
    writer.flush().map_err(|error| failed(error.into()))?;
    Ok(count)
}

type Writer = csv::Writer<std::fs::File>;

fn create(folder: &Path, name: &str) -> Result<(Writer, impl Fn(csv::Error) -> Failure + use<>), Failure> {
    let path = folder.join(name);
    let failed =
        move |error: csv::Error| Failure::failed(format!("failed to write {}: {error}", path.display()));
    let writer = csv::Writer::from_path(folder.join(name)).map_err(&failed)?;
    Ok((writer, failed))
}

fn goal(text: &str) -> Result<Goal, Failure> {
    named("goal", text)
}

fn dimension(text: &str) -> Result<By, Failure> {
    named("dimension", text)
}

/// A value by the name that its type gives it.
fn named<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Failure> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let read: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(read).map_err(|error| {
        let message = error.to_string();
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        Failure::usage(format!("no {what} is called `{text}`")).hint(suggest::hint(text, &known))
    })
}

/// `industry=finance`
fn condition(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Failure::usage(format!("--where: `{text}` is no condition"))
            .hint("expected NAME=VALUE, such as industry=finance")),
    }
}
