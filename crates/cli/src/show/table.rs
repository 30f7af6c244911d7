//! A table with a title above and notes below.

use comfy_table::{CellAlignment, ContentArrangement, TableStyle, presets};

use super::Cell;
use crate::failure::Failure;

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    title: Option<String>,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    totals: Vec<Vec<Cell>>,
    notes: Vec<String>,
}

/// A column's name for people and for programs.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    shown: String,
    exact: String,
}

impl Table {
    /// A table with these columns, named for people; programs see lower case and underscores.
    pub(crate) fn new<T: Into<String>>(columns: impl IntoIterator<Item = T>) -> Self {
        let columns = columns.into_iter().map(Into::into);
        let columns = columns.map(|shown: String| Column { exact: exact_name(&shown), shown }).collect();
        Self { columns, ..Self::default() }
    }

    /// Sets the line above.
    pub(crate) fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has one cell a column");
        self.rows.push(cells);
    }

    /// Appends a row below a line; CSV leaves it out, because its readers add up themselves.
    pub(crate) fn total(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has one cell a column");
        self.totals.push(cells);
    }

    /// Appends the rows of a table of the same columns.
    pub(crate) fn append(&mut self, other: Self) {
        debug_assert_eq!(self.columns, other.columns, "only like tables are one");
        self.rows.extend(other.rows);
    }

    /// Appends a line below.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        if let Some(title) = &self.title {
            out.push_str(title);
            out.push('\n');
        }
        if !self.columns.is_empty() {
            out.push_str(&self.body());
        }
        for note in &self.notes {
            out.push_str(note);
            out.push('\n');
        }
        out
    }

    fn body(&self) -> String {
        const STYLE: TableStyle =
            presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─'));
        let mut table = comfy_table::Table::new();
        // Fits the terminal if stdout is one; else nothing is wrapped.
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.columns.iter().enumerate().map(|(index, column)| {
            aligned(
                column.shown.clone(),
                self.rows.iter().chain(&self.totals).any(|row| row[index].is_number()),
            )
        }));
        let widths = |rows: &[Vec<Cell>], index: usize| {
            rows.iter().map(|row| row[index].shown().chars().count()).max().unwrap_or(0)
        };
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| aligned(cell.shown(), cell.is_number())));
        }
        if !self.totals.is_empty() {
            let line = |(index, column): (usize, &Column)| {
                let width = widths(&self.rows, index)
                    .max(widths(&self.totals, index))
                    .max(column.shown.chars().count());
                "─".repeat(width)
            };
            table.add_row(self.columns.iter().enumerate().map(line));
        }
        for row in &self.totals {
            table.add_row(row.iter().map(|cell| {
                let shown = if *cell == Cell::Nothing { String::new() } else { cell.shown() };
                aligned(shown, cell.is_number())
            }));
        }
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// For programs: header and rows.
    pub(crate) fn to_csv(&self) -> Result<String, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("failed to write CSV: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(self.columns.iter().map(|column| &column.exact))
            .map_err(|error| failed(&error))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::exact)).map_err(|error| failed(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(&error))?;
        String::from_utf8(bytes).map_err(|error| failed(&error))
    }
}

fn exact_name(shown: &str) -> String {
    let name: String =
        shown.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    name.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn aligned(text: String, right: bool) -> comfy_table::Cell {
    let alignment = if right { CellAlignment::Right } else { CellAlignment::Left };
    comfy_table::Cell::new_owned(text).set_alignment(alignment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_core::money::Currency;

    fn example() -> Table {
        let mut table = Table::new(["Channel", "Credit USD", "Share"]).title("Credit");
        let row = |key: Option<&str>, minor, share| {
            vec![Cell::option(key), Cell::Money(minor, Currency::USD), Cell::Share(share)]
        };
        table.row(row(Some("paid, \"search\""), 100_000, 0.5));
        table.row(row(None, 100_000, 0.5));
        table.total(row(Some("total"), 200_000, 1.0));
        table.note("Two rows.");
        table
    }

    #[test]
    fn people_see_aligned_columns() {
        let expected = [
            "Credit",
            " Channel          Credit USD     Share",
            "───────────────────────────────────────",
            " paid, \"search\"     1,000.00    50.0 %",
            " –                  1,000.00    50.0 %",
            " ──────────────   ──────────   ───────",
            " total              2,000.00   100.0 %",
            "Two rows.",
            "",
        ];
        assert_eq!(example().to_text(), expected.join("\n"));
    }

    #[test]
    fn programs_see_exact_values_under_plain_names() {
        let expected = "channel,credit_usd,share\n\"paid, \"\"search\"\"\",1000.00,0.5\n,1000.00,0.5\n";
        assert_eq!(example().to_csv().unwrap(), expected);
    }
}
