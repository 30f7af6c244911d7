//! `tributary demo`: a make-believe company from its files to its first report.

mod joins;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tributary_answers::{Subject, attribution, journey, reconciliation};
use tributary_engine::credit::{Worth, worth};
use tributary_engine::journey::{Journey, Subject as Target};
use tributary_engine::{By, journeys};
use tributary_sandbox::{CURRENCY, OWN_DOMAIN, Plan, TIME_ZONE, Truth, World};
use tributary_source::ExposeSecret;

use super::report::{Asked, ask_of};
use super::{Context, sync};
use crate::arguments::{Demo, Format, Global, Scope};
use crate::failure::{Failure, Outcome};
use crate::show::progress::{Progress, advance};
use crate::show::{self, Answer, Cell, Table};
use crate::simulators::{self, Simulated};

/// The first line of the demo's configuration, by which a folder is known to be ours.
const MARK: &str = "# Made by `tributary demo`: running that again overwrites this folder.";

/// The models that are put side by side.
const MODELS: [&str; 5] = ["first", "last", "linear", "w", "time_decay"];

/// Events of a timeline that are shown at its beginning and at its end.
const SHOWN: (usize, usize) = (15, 30);

/// Makes the company up and imports it, or syncs the sources of a configuration that is named, and reports on it.
pub(super) async fn run(global: &Global, demo: &Demo) -> Result<Outcome, Failure> {
    let mut truth = None;
    let mut vendors = Vec::new();
    let config = if let Some(path) = &global.config {
        path.clone()
    } else {
        prepare(&demo.folder)?;
        let mut plan = Plan::with_accounts(demo.accounts);
        plan.seed = demo.seed;
        let world = tributary_sandbox::build(&plan);
        if !demo.files {
            vendors = start(&world).await?;
        }
        write_world(demo, &world, &vendors, &Progress::to_stderr())?;
        truth = Some(world.truth);
        demo.folder.join("tributary.toml")
    };
    let global = Global { config: Some(config.clone()), store: global.store.clone(), format: Format::Table };
    let context = Context::load(&global)?;
    let store = sync::open(&context).await?;
    let look_up = |variable: &str| secret(&vendors, variable).map_or_else(|| std::env::var(variable), Ok);
    let report = sync::pull(&context, &store, &sync::runs_with(&context, &[], look_up)?, false).await?;
    heading("What was read")?;
    let outcome = sync::finish(&context, &report)?;
    sync::derive(&context, &store).await?;
    let scope = Scope { goal: "won".to_owned(), ..Scope::default() };
    let asked = ask_of(&context, &store, &scope, &MODELS.map(String::from)).await?;
    let tables = store.export().await.map_err(tributary_answers::AnswerError::from)?;
    store.close().await;
    tell(&asked)?;
    if !vendors.is_empty() {
        heading("What the tools know together")?;
        for (about, told) in joins::find(&asked, &tables) {
            show::print_text(&format!("{about}\n{}\n\n", show::wrapped(&told, "  ")))?;
        }
    }
    if let Some(truth) = truth.filter(|_| demo.truth) {
        heading("What each channel was made to bring in")?;
        show::print_text(&truth_table(&truth).to_text())?;
    }
    heading("What to try next")?;
    show::print_text(&next_steps(&config, &context.store, &asked))?;
    if !vendors.is_empty() {
        show::print_text(
            "HubSpot, Matomo and Google Ads were simulated here and have stopped; `tributary simulate` starts one.\n",
        )?;
    }
    Ok(outcome)
}

/// The reports.
fn tell(asked: &Asked) -> Result<(), Failure> {
    let compared = |by| {
        let comparison = attribution::compare(&asked.data, &asked.question, &asked.models, by)?;
        let table = comparison.and_then(|comparison| comparison.tables().into_iter().next());
        Ok::<_, Failure>(table.as_ref().map(Table::to_text).unwrap_or_default())
    };
    heading("Credit by channel under five models")?;
    show::print_text(&compared(By::Channel)?)?;
    let channels = attribution::compare(&asked.data, &asked.question, &asked.models, By::Channel)?;
    if channels.is_some_and(|comparison| comparison.comparison.lines.len() < 2) {
        heading("Credit by campaign")?;
        show::print_text(&compared(By::Campaign)?)?;
    }
    heading("Sales against marketing")?;
    show::print_text(&compared(By::Team)?)?;
    if let Some(deal) = biggest_won(asked) {
        heading("How the biggest deal was won")?;
        let mut timeline = journey::journey(&asked.data, &asked.question, Subject::Deal(deal))?;
        let hidden = timeline.events.len().saturating_sub(SHOWN.0 + SHOWN.1);
        if hidden > 0 {
            let later = timeline.events.split_off(SHOWN.0 + hidden);
            timeline.events.truncate(SHOWN.0);
            show::print(&timeline, Format::Table)?;
            show::print_text(&format!("  … {hidden} more …\n"))?;
            timeline.events = later;
            show::print_text(&timeline.tables().last().map(Table::to_text).unwrap_or_default())?;
        } else {
            show::print(&timeline, Format::Table)?;
        }
    }
    let mut accounts = reconciliation::reconcile(&asked.data, &asked.question, &asked.models[2..3])?;
    heading("Deals whose money is unattributed")?;
    for answer in &mut accounts {
        answer.accounts.exceptions.retain(|exception| exception.reason.starts_with("unattributed"));
        match answer.tables().get(1) {
            Some(exceptions) => show::print_text(&exceptions.to_text())?,
            None => show::print_text("none: every won deal has a touch that counts\n")?,
        }
    }
    Ok(())
}

/// Makes the folder; one that is there must be ours.
fn prepare(folder: &Path) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(format!("failed to make {}: {error}", folder.display()));
    let ours =
        std::fs::read_to_string(folder.join("tributary.toml")).is_ok_and(|text| text.starts_with(MARK));
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(failed(error)),
    };
    if !ours && !is_empty {
        return Err(Failure::usage(format!("{} holds something else", folder.display()))
            .hint("name another folder: tributary demo FOLDER"));
    }
    let files = folder.join("files");
    if ours && files.exists() {
        std::fs::remove_dir_all(&files).map_err(failed)?;
    }
    std::fs::create_dir_all(files).map_err(failed)?;
    for name in ["tributary.db", "tributary.db-wal", "tributary.db-shm"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

/// The ids of the simulated vendors' sources.
const SOURCES: [(&str, &str); 3] = [("crm", "hubspot"), ("web", "matomo"), ("ads", "google-ads")];

/// Starts the simulated vendors over one world.
async fn start(world: &World) -> Result<Vec<Simulated>, Failure> {
    let mut vendors = Vec::new();
    for (_, connector) in SOURCES {
        let vendor = simulators::start(connector, world, 0).await;
        vendors.push(
            vendor.map_err(|error| Failure::failed(format!("failed to simulate {connector}: {error}")))?,
        );
    }
    Ok(vendors)
}

/// A secret of a simulated vendor.
fn secret(vendors: &[Simulated], variable: &str) -> Option<String> {
    let all = vendors
        .iter()
        .flat_map(|vendor| vendor.secrets.iter().map(move |(key, it)| (vendor.variable(key), it)));
    all.into_iter().find(|(name, _)| name == variable).map(|(_, secret)| secret.expose_secret().to_owned())
}

/// Writes files with what no vendor tells, and the configuration that reads them all.
fn write_world(
    demo: &Demo,
    world: &World,
    vendors: &[Simulated],
    progress: &Progress,
) -> Result<(), Failure> {
    let bar = progress.bar("writing files");
    let folder = demo.folder.join("files");
    let mut told = |file: &str, done, all| {
        bar.set_message(file.to_owned());
        advance(&bar, done, Some(all));
    };
    let written = match vendors {
        [] => tributary_sandbox::write_csv(world, &folder, &mut told),
        _ => tributary_sandbox::write_sheets(world, &folder, &mut told),
    };
    bar.finish_and_clear();
    written.map_err(|error| Failure::failed(format!("failed to write the company: {error}")))?;
    let path = demo.folder.join("tributary.toml");
    std::fs::write(&path, configuration(vendors))
        .map_err(|error| Failure::failed(format!("failed to write {}: {error}", path.display())))
}

fn configuration(vendors: &[Simulated]) -> String {
    let id = if vendors.is_empty() { "files" } else { "sheets" };
    let mut text = format!(
        r#"{MARK}

[company]
name = "Tributary's sandbox"
domains = ["{OWN_DOMAIN}"]
time_zone = "{TIME_ZONE}"
currency = "{CURRENCY}"

[store]
url = "sqlite:tributary.db"

[[source]]
id = "{id}"
connector = "files"
paths = ["files"]
"#
    );
    for (vendor, (id, _)) in vendors.iter().zip(SOURCES) {
        text.push('\n');
        text.push_str(&vendor.configuration(id));
    }
    text
}

/// The won deal that is worth most in the reporting currency, of those with a touch if there are any.
fn biggest_won(asked: &Asked) -> Option<usize> {
    let found = journeys(&asked.data.book, &asked.question.policy);
    let rank = |found: &Journey| {
        let (Target::Deal(row), Worth::Minor(minor)) =
            (found.subject, worth(found, &asked.data.rates, asked.question.currency))
        else {
            return None;
        };
        Some((!found.touches.is_empty(), minor, std::cmp::Reverse(row)))
    };
    found.list.iter().filter_map(rank).max().map(|(_, _, row)| row.0)
}

fn truth_table(truth: &Truth) -> Table {
    let currency = tributary_core::Currency::USD;
    let mut table = Table::new(["Channel", "Effect", "Incremental USD", "Share"]);
    for effect in &truth.effects {
        table.row(vec![
            Cell::Text(effect.channel.to_owned()),
            Cell::Real(effect.beta),
            Cell::Money(effect.incremental_minor, currency),
            Cell::Share(effect.share),
        ]);
    }
    table
}

fn next_steps(config: &Path, store: &str, asked: &Asked) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tributary"));
    let deal = biggest_won(asked).and_then(|row| asked.data.book.terms.get(asked.data.book.deals[row].key));
    let deal = deal.unwrap_or("DEAL");
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    format!(
        "  cd {}\n  alias tributary={}\n  \
         tributary status\n  \
         tributary attribute --model w --by campaign\n  \
         tributary compare --by rep\n  \
         tributary attribute --goal lost --by team\n  \
         tributary explain {deal}\n  \
         tributary reconcile --model w\n  \
         tributary export bi\n\n\
         The configuration is {}, the store is {store}.\n",
        folder.display(),
        program.display(),
        config.display(),
    )
}

fn heading(text: &str) -> Result<(), Failure> {
    show::print_text(&format!("\n{text}\n{}\n\n", "═".repeat(text.chars().count())))
}
