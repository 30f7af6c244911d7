//! The world as canonical import files.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tributary_core::time::Zone;

use crate::TIME_ZONE;
use crate::channel::Channel;
use crate::row::Tool;
use crate::world::{Alias, Outcome, Spend, World};

/// Why the world could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder can't be made.
    #[error("cannot make the folder `{0}`")]
    Folder(PathBuf, #[source] std::io::Error),
    /// A file can't be written.
    #[error("cannot write `{0}`")]
    File(PathBuf, #[source] csv::Error),
}

/// Progress is told every so many rows.
const STEP: usize = 10_000;

/// Writes the files into a folder, which is made if it is missing; files of the same names are overwritten.
///
/// `progress` hears the file's name, the rows done and the rows in all.
pub fn write_csv(
    world: &World,
    folder: &Path,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|error| WriteError::Folder(folder.to_owned(), error))?;
    let mut files = Files { folder, progress };
    files.write("accounts.csv", world.accounts.len(), |index, rows| {
        let it = &world.accounts[index];
        rows.add(AccountRow {
            id: &it.id,
            name: &it.name,
            // Some are written as a web address.
            domain: if index % 7 == 3 { format!("https://www.{}/", it.domain) } else { it.domain.clone() },
            industry: it.industry,
            employees: it.employees,
            region: it.region,
            segment: it.segment,
            owner: &world.reps[it.owner].name,
        })
    })?;
    files.write("people.csv", world.people.len(), |index, rows| {
        let it = &world.people[index];
        if !it.is_in_crm {
            return Ok(());
        }
        let row = PersonRow {
            id: &it.id,
            account: &world.accounts[it.account].id,
            email: &it.email,
            name: &it.name,
            title: it.title,
            role: it.role,
            seniority: it.seniority,
            created_at: it.created_at.to_string(),
        };
        if index == 0 {
            // The same record twice.
            rows.add(&row)?;
        }
        rows.add(row)
    })?;
    files.write("deals.csv", world.deals.len(), |index, rows| {
        let it = &world.deals[index];
        rows.add(DealRow {
            id: &it.id,
            account: &world.accounts[it.account].id,
            name: &it.name,
            amount: it.amount.to_decimal().to_string(),
            currency: it.amount.currency.code(),
            created_at: it.created_at.to_string(),
            closed_at: (it.outcome != Outcome::Open).then(|| it.closes_at.to_string()),
            outcome: it.outcome,
            stage: it.stage,
            owner: &world.reps[it.owner].name,
            pipeline: it.pipeline,
        })
    })?;
    files.write("stages.csv", world.stages.len(), |index, rows| {
        let it = &world.stages[index];
        let entered_at = it.entered_at.to_string();
        rows.add(StageRow { deal: &world.deals[it.deal].id, stage: it.stage, entered_at })
    })?;
    files.write("committee.csv", world.committee.len(), |index, rows| {
        let it = &world.committee[index];
        rows.add(CommitteeRow {
            deal: &world.deals[it.deal].id,
            person: &world.people[it.person].id,
            role: it.role,
            is_primary: it.is_primary,
        })
    })?;
    files.write("touches.csv", world.touches.len(), |index, rows| {
        let row = world.touch_row(index);
        if world.touches[index].is_repeated {
            rows.add(&row)?;
        }
        rows.add(row)
    })?;
    files.spend(world, |_| true)?;
    files.aliases(world, |_| true)?;
    files.rates(world)
}

/// Writes what neither the CRM nor the site nor Google tells: the sheets of all other tools.
///
/// They know accounts by their domain and people by their address.
pub fn write_sheets(
    world: &World,
    folder: &Path,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|error| WriteError::Folder(folder.to_owned(), error))?;
    let mut files = Files { folder, progress };
    files.write("accounts.csv", world.accounts.len(), |index, rows| {
        let it = &world.accounts[index];
        rows.add(SheetAccountRow { id: &it.id, domain: &it.domain, segment: it.segment })
    })?;
    files.write("touches.csv", world.touches.len(), |index, rows| {
        if world.tool(index) == Tool::Sheets { rows.add(world.sheet_row(index)) } else { Ok(()) }
    })?;
    files.spend(world, |it| {
        !matches!(world.campaigns[it.campaign].channel, Channel::PaidSearch | Channel::Display)
    })?;
    files.aliases(world, |it| it.a.0 == "email" && it.b.0 == "email")?;
    files.rates(world)
}

struct Files<'a> {
    folder: &'a Path,
    progress: &'a mut dyn FnMut(&str, u64, u64),
}

/// The rows of one file.
struct Rows(csv::Writer<std::fs::File>);

impl Rows {
    fn add(&mut self, row: impl Serialize) -> Result<(), csv::Error> {
        self.0.serialize(row)
    }
}

impl Files<'_> {
    fn spend(&mut self, world: &World, counts: impl Fn(&Spend) -> bool) -> Result<(), WriteError> {
        let zone = Zone::parse(TIME_ZONE).unwrap_or_default();
        self.write("spend.csv", world.spend.len(), |index, rows| {
            let it = &world.spend[index];
            if !counts(it) {
                return Ok(());
            }
            let campaign = &world.campaigns[it.campaign];
            rows.add(SpendRow {
                date: it.day.date_in(&zone),
                channel: campaign.channel.name(),
                campaign: &campaign.name,
                amount: it.amount.to_decimal().to_string(),
                currency: it.amount.currency.code(),
            })
        })
    }

    fn aliases(&mut self, world: &World, counts: impl Fn(&Alias) -> bool) -> Result<(), WriteError> {
        self.write("aliases.csv", world.aliases.len(), |index, rows| {
            let it = &world.aliases[index];
            if !counts(it) {
                return Ok(());
            }
            rows.add(AliasRow {
                kind_a: it.a.0,
                id_a: &it.a.1,
                kind_b: it.b.0,
                id_b: &it.b.1,
                seen_at: it.seen_at.to_string(),
            })
        })
    }

    fn rates(&mut self, world: &World) -> Result<(), WriteError> {
        let zone = Zone::parse(TIME_ZONE).unwrap_or_default();
        self.write("rates.csv", world.rates.len(), |index, rows| {
            let it = &world.rates[index];
            rows.add(RateRow {
                date: it.day.date_in(&zone),
                from: it.from.code(),
                to: it.to.code(),
                rate: it.rate.to_string(),
            })
        })
    }

    fn write(
        &mut self,
        name: &str,
        count: usize,
        mut add: impl FnMut(usize, &mut Rows) -> Result<(), csv::Error>,
    ) -> Result<(), WriteError> {
        let path = self.folder.join(name);
        let failed = |error| WriteError::File(path.clone(), error);
        let writer = csv::WriterBuilder::new().buffer_capacity(1 << 18).from_path(&path);
        let mut rows = Rows(writer.map_err(failed)?);
        for index in 0..count {
            if index % STEP == 0 {
                (self.progress)(name, index as u64, count as u64);
            }
            add(index, &mut rows).map_err(failed)?;
        }
        rows.0.flush().map_err(|error| failed(error.into()))?;
        (self.progress)(name, count as u64, count as u64);
        Ok(())
    }
}

#[derive(Serialize)]
struct AccountRow<'a> {
    id: &'a str,
    name: &'a str,
    domain: String,
    industry: &'a str,
    employees: u32,
    region: &'a str,
    segment: &'a str,
    owner: &'a str,
}

#[derive(Serialize)]
struct SheetAccountRow<'a> {
    id: &'a str,
    domain: &'a str,
    segment: &'a str,
}

#[derive(Serialize)]
struct PersonRow<'a> {
    id: &'a str,
    account: &'a str,
    email: &'a str,
    name: &'a str,
    title: &'a str,
    role: &'a str,
    seniority: &'a str,
    created_at: String,
}

#[derive(Serialize)]
struct DealRow<'a> {
    id: &'a str,
    account: &'a str,
    name: &'a str,
    amount: String,
    currency: &'a str,
    created_at: String,
    closed_at: Option<String>,
    outcome: Outcome,
    stage: &'a str,
    owner: &'a str,
    pipeline: &'a str,
}

#[derive(Serialize)]
struct StageRow<'a> {
    deal: &'a str,
    stage: &'a str,
    entered_at: String,
}

#[derive(Serialize)]
struct CommitteeRow<'a> {
    deal: &'a str,
    person: &'a str,
    role: &'a str,
    is_primary: bool,
}

#[derive(Serialize)]
struct SpendRow<'a> {
    date: String,
    channel: &'a str,
    campaign: &'a str,
    amount: String,
    currency: &'a str,
}

#[derive(Serialize)]
struct AliasRow<'a> {
    kind_a: &'a str,
    id_a: &'a str,
    kind_b: &'a str,
    id_b: &'a str,
    seen_at: String,
}

#[derive(Serialize)]
struct RateRow<'a> {
    date: String,
    from: &'a str,
    to: &'a str,
    rate: String,
}
