//! Paths as the rows of a regression: counts of keys, and levels of the controls.
//!
//! Not responsible for fitting.

use std::cmp::Ordering;

use super::Options;
use crate::paths::{About, Paths};

/// A level of a control that fewer deals have is no level of its own.
const FEWEST: f64 = 20.0;

/// One path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Keys, sorted, and how many steps each has.
    pub(super) counts: Vec<(u32, u32)>,
    /// The level of each control that is an attribute.
    pub(super) levels: Vec<u32>,
    pub(super) amount: Option<i64>,
    pub(super) won: f64,
    pub(super) lost: f64,
    pub(super) value: f64,
}

/// The rows in an order of their own, and which columns they have.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Each row's columns that are not 0, one row after another.
    cells: Vec<(u32, f64)>,
    starts: Vec<usize>,
    /// How many columns there are.
    pub(super) columns: usize,
    /// The column of each key.
    of_key: Vec<Option<u32>>,
    controls: Vec<Control>,
    bands: Vec<i64>,
    /// Whether paths count that led to no deal.
    pub(super) beyond_deals: bool,
    /// How many keys have no column because there are too many.
    pub(super) pooled: usize,
    /// Conversions and value of the rows together.
    pub(super) credited: (f64, f64),
}

/// A control before it is fitted: the column of each of its levels.
#[derive(Debug)]
struct Control {
    /// The number of the attribute; `None` for the amount.
    attribute: Option<usize>,
    columns: Vec<Option<u32>>,
}

/// What the controls add to η.
#[derive(Clone, Debug)]
pub(super) struct Controls {
    /// By control: the attribute, and what each level adds.
    levels: Vec<(Option<usize>, Vec<f64>)>,
    bands: Vec<i64>,
    mean: f64,
}

impl Table {
    pub(super) fn of(options: &Options, paths: &Paths) -> Self {
        let walked = &paths.walked;
        let is_deal = |path: usize| walked.about.get(path).is_some_and(|about| about.deal.is_some());
        let some = |column: &[f64]| (0..paths.len()).any(|path| is_deal(path) && column[path] > 0.0);
        let deals_alone = some(&paths.conversions) && some(&paths.nulls);
        let attributes: Vec<usize> = (0..walked.traits.len())
            .filter(|place| options.controls.contains(&walked.traits[*place].name))
            .collect();
        let counts_here = |path: &usize| {
            paths.conversions[*path] + paths.nulls[*path] > 0.0 && (!deals_alone || is_deal(*path))
        };
        let row = |path: usize| {
            let about = walked.about.get(path);
            let level = |place: &usize| about.map_or(0, |about| about.traits[*place]);
            Row {
                counts: counts(walked.steps(path).keys),
                levels: attributes.iter().map(level).collect(),
                amount: about.and_then(amount),
                won: paths.conversions[path],
                lost: paths.nulls[path],
                value: paths.value[path],
            }
        };
        let mut rows: Vec<Row> = (0..paths.len()).filter(counts_here).map(row).collect();
        rows.sort_unstable_by(order);
        let credited = (rows.iter().map(|row| row.won).sum(), rows.iter().map(|row| row.value).sum());
        let bands = bands(&rows, options.amount_bands as usize);
        let mut out = Self {
            cells: Vec::new(),
            starts: vec![0],
            columns: 0,
            of_key: Vec::new(),
            controls: Vec::new(),
            bands,
            beyond_deals: !deals_alone && !walked.about.is_empty(),
            pooled: 0,
            credited,
            rows,
        };
        out.number_keys(walked.keys.len(), options.most_keys as usize);
        for (control, attribute) in attributes.iter().enumerate() {
            out.number_levels(Some(*attribute), |row| row.levels[control]);
        }
        let bands = out.bands.clone();
        out.number_levels(None, |row| band(&bands, row.amount));
        out.fill();
        out
    }

    /// Gives a column to each key whose count tells rows apart.
    fn number_keys(&mut self, keys: usize, most: usize) {
        let (mut seen, mut same) = (vec![0.0; keys], vec![None; keys]);
        for row in &self.rows {
            for (key, count) in &row.counts {
                seen[*key as usize] += row.won + row.lost;
                let same = &mut same[*key as usize];
                *same = Some(if same.is_none_or(|it| it == *count) { *count } else { 0 });
            }
        }
        let all: f64 = self.rows.iter().map(|row| row.won + row.lost).sum();
        let varies = |key: usize| seen[key] > 0.0 && (seen[key] < all || same[key] == Some(0));
        let mut chosen: Vec<usize> = (0..keys).filter(|key| varies(*key)).collect();
        chosen.sort_by(|a, b| seen[*b].total_cmp(&seen[*a]).then(a.cmp(b)));
        self.pooled = chosen.len().saturating_sub(most);
        chosen.truncate(most);
        self.of_key = vec![None; keys];
        for key in chosen {
            self.of_key[key] = Some(self.column());
        }
    }

    /// Gives a column to each level of a control but the most frequent.
    fn number_levels(&mut self, attribute: Option<usize>, level: impl Fn(&Row) -> u32) {
        let mut seen: Vec<f64> = Vec::new();
        for row in &self.rows {
            let level = level(row) as usize;
            seen.resize(seen.len().max(level + 1), 0.0);
            seen[level] += row.won + row.lost;
        }
        let most = (0..seen.len()).max_by(|a, b| seen[*a].total_cmp(&seen[*b]).then(b.cmp(a)));
        let own = |level: &usize| Some(*level) != most && seen[*level] >= FEWEST;
        let columns = (0..seen.len()).map(|level| own(&level).then(|| self.column())).collect();
        self.controls.push(Control { attribute, columns });
    }

    fn column(&mut self) -> u32 {
        self.columns += 1;
        self.columns as u32 - 1
    }

    fn fill(&mut self) {
        for row in &self.rows {
            for (key, count) in &row.counts {
                if let Some(column) = self.of_key[*key as usize] {
                    self.cells.push((column, f64::from(*count).ln_1p()));
                }
            }
            let mut levels = row.levels.iter();
            for control in &self.controls {
                let level = match control.attribute {
                    Some(_) => levels.next().copied().unwrap_or(0),
                    None => band(&self.bands, row.amount),
                };
                if let Some(column) = control.columns[level as usize] {
                    self.cells.push((column, 1.0));
                }
            }
            self.starts.push(self.cells.len());
        }
    }

    /// Each row with its columns that are not 0.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Row, &[(u32, f64)])> {
        let cells = self.starts.windows(2).map(|ends| &self.cells[ends[0]..ends[1]]);
        self.rows.iter().zip(cells)
    }

    /// Coefficients by column as coefficients by key, and as controls.
    pub(super) fn place(&self, coefficients: &[f64]) -> (Vec<f64>, Controls) {
        let of = |column: &Option<u32>| column.map_or(0.0, |column| coefficients[column as usize]);
        let levels = |control: &Control| (control.attribute, control.columns.iter().map(of).collect());
        let mut controls = Controls {
            levels: self.controls.iter().map(levels).collect(),
            bands: self.bands.clone(),
            mean: 0.0,
        };
        let (mut sum, mut count) = (0.0, 0.0);
        for row in &self.rows {
            sum += (row.won + row.lost) * controls.of(&row.levels, row.amount);
            count += row.won + row.lost;
        }
        controls.mean = sum / count;
        (self.of_key.iter().map(of).collect(), controls)
    }
}

impl Controls {
    /// What they add for a row.
    pub(super) fn of(&self, levels: &[u32], amount: Option<i64>) -> f64 {
        let mut levels = levels.iter();
        let own = self.levels.iter().map(|(attribute, adds)| {
            let level = if attribute.is_some() {
                levels.next().copied().unwrap_or(0)
            } else {
                band(&self.bands, amount)
            };
            adds.get(level as usize).copied().unwrap_or(0.0)
        });
        own.sum()
    }

    /// What they add for a path; their mean if nothing is known of it.
    pub(super) fn of_path(&self, about: Option<&About>) -> f64 {
        let Some(about) = about else { return self.mean };
        let attributes = self.levels.iter().filter_map(|(attribute, _)| *attribute);
        let levels: Vec<u32> =
            attributes.map(|place| about.traits.get(place).copied().unwrap_or(0)).collect();
        self.of(&levels, amount(about))
    }
}

/// The distinct keys, sorted, and how often each is there.
pub(super) fn counts(keys: &[u32]) -> Vec<(u32, u32)> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

fn amount(about: &About) -> Option<i64> {
    about.amount_minor.map(|minor| minor.round() as i64)
}

/// Where bands of equally many amounts meet.
fn bands(rows: &[Row], count: usize) -> Vec<i64> {
    let mut amounts: Vec<i64> = rows.iter().filter_map(|row| row.amount).collect();
    amounts.sort_unstable();
    let mut out: Vec<i64> =
        (1..count).filter_map(|band| amounts.get(amounts.len() * band / count).copied()).collect();
    out.dedup();
    out
}

/// 0 without an amount, else the number of the band from 1.
fn band(bands: &[i64], amount: Option<i64>) -> u32 {
    amount.map_or(0, |amount| 1 + bands.partition_point(|edge| *edge <= amount) as u32)
}

fn order(one: &Row, other: &Row) -> Ordering {
    (&one.counts, &one.levels, one.amount)
        .cmp(&(&other.counts, &other.levels, other.amount))
        .then_with(|| one.won.total_cmp(&other.won))
        .then_with(|| one.lost.total_cmp(&other.lost))
        .then_with(|| one.value.total_cmp(&other.value))
}
