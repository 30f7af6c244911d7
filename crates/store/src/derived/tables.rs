//! The tables that clusters write to, and which of their rows a change leaves as they are.

use std::collections::{BTreeMap, HashMap, HashSet};

use tributary_core::id::Hash;

use crate::StoreError;
use crate::db::{Row, Tx, Value};

/// Rows of one table.
pub(super) type Rows = Vec<Vec<Value>>;

/// A table of derived rows.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Rows that have it in common stay or go together.
    pub(super) key: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

/// The type of a column.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Int,
    Text,
    Bytes,
}

/// Every table that a cluster writes to.
pub(super) const TABLES: [Table; 12] = [
    Table { name: "term", key: "id", columns: &[("id", Kind::Int), ("cluster", Kind::Int)] },
    Table { name: "depends", key: "cluster", columns: &[("term", Kind::Int), ("cluster", Kind::Int)] },
    Table { name: "member", key: "record", columns: &[("record", Kind::Int), ("cluster", Kind::Int)] },
    Table {
        name: "account",
        key: "id",
        columns: &[
            ("id", Kind::Int),
            ("cluster", Kind::Int),
            ("hash", Kind::Bytes),
            ("key", Kind::Text),
            ("name", Kind::Text),
            ("domain", Kind::Text),
            ("owner", Kind::Text),
            ("attributes", Kind::Text),
        ],
    },
    Table {
        name: "person",
        key: "id",
        columns: &[
            ("id", Kind::Int),
            ("cluster", Kind::Int),
            ("hash", Kind::Bytes),
            ("key", Kind::Text),
            ("account", Kind::Int),
            ("lead_account", Kind::Int),
            ("name", Kind::Text),
            ("email", Kind::Text),
            ("title", Kind::Text),
            ("role", Kind::Text),
            ("seniority", Kind::Text),
            ("created_at", Kind::Int),
            ("is_internal", Kind::Int),
        ],
    },
    Table {
        name: "identifier",
        key: "cluster",
        columns: &[
            ("cluster", Kind::Int),
            ("kind", Kind::Text),
            ("value", Kind::Text),
            ("person", Kind::Int),
            ("reason", Kind::Text),
            ("record", Kind::Int),
        ],
    },
    Table {
        name: "deal",
        key: "id",
        columns: &[
            ("id", Kind::Int),
            ("cluster", Kind::Int),
            ("hash", Kind::Bytes),
            ("key", Kind::Text),
            ("account", Kind::Int),
            ("name", Kind::Text),
            ("amount_minor", Kind::Int),
            ("currency", Kind::Text),
            ("created_at", Kind::Int),
            ("closed_at", Kind::Int),
            ("outcome", Kind::Text),
            ("stage", Kind::Text),
            ("owner", Kind::Text),
            ("pipeline", Kind::Text),
            ("attributes", Kind::Text),
            ("record", Kind::Int),
        ],
    },
    Table {
        name: "stage_entry",
        key: "cluster",
        columns: &[
            ("cluster", Kind::Int),
            ("deal", Kind::Int),
            ("stage", Kind::Text),
            ("entered_at", Kind::Int),
        ],
    },
    Table {
        name: "committee",
        key: "cluster",
        columns: &[
            ("cluster", Kind::Int),
            ("deal", Kind::Int),
            ("person", Kind::Int),
            ("role", Kind::Text),
            ("is_primary", Kind::Int),
        ],
    },
    Table {
        name: "touch",
        key: "id",
        columns: &[
            ("id", Kind::Int),
            ("cluster", Kind::Int),
            ("hash", Kind::Bytes),
            ("occurred_at", Kind::Int),
            ("account", Kind::Int),
            ("person", Kind::Int),
            ("kind", Kind::Text),
            ("direction", Kind::Text),
            ("channel", Kind::Text),
            ("channel_rule", Kind::Text),
            ("campaign", Kind::Text),
            ("content", Kind::Text),
            ("team", Kind::Text),
            ("actor", Kind::Text),
            ("source", Kind::Text),
            ("weight", Kind::Int),
            ("silent", Kind::Text),
            ("cost_minor", Kind::Int),
            ("cost_currency", Kind::Text),
            ("record", Kind::Int),
            ("copies", Kind::Int),
        ],
    },
    Table {
        name: "evidence",
        key: "touch",
        columns: &[("cluster", Kind::Int), ("touch", Kind::Int), ("record", Kind::Int)],
    },
    Table {
        name: "finding",
        key: "cluster",
        columns: &[("cluster", Kind::Int), ("code", Kind::Text), ("message", Kind::Text)],
    },
];

impl Table {
    /// Every row of some clusters.
    pub(super) async fn rows_of(&self, tx: &mut Tx, clusters: &[i64]) -> Result<Rows, StoreError> {
        let columns: Vec<&str> = self.columns.iter().map(|(column, _)| *column).collect();
        let sql = format!("select {} from {} where cluster", columns.join(", "), self.name);
        let rows = tx.fetch_in(&sql, clusters).await?;
        let value = |row: &Row, (at, (_, kind)): (usize, &(&str, Kind))| {
            Ok(match kind {
                Kind::Int => Value::Int(row.opt_int(at)?),
                Kind::Text => Value::Text(row.opt_text(at)?),
                Kind::Bytes => Value::Bytes(row.opt_bytes(at)?),
            })
        };
        rows.iter().map(|row| self.columns.iter().enumerate().map(|it| value(row, it)).collect()).collect()
    }

    fn place(&self, column: &str) -> usize {
        self.columns.iter().position(|(name, _)| *name == column).unwrap_or_default()
    }

    fn key_of(&self, row: &[Value]) -> i64 {
        if let Some(Value::Int(Some(key))) = row.get(self.place(self.key)) { *key } else { 0 }
    }

    fn hash_of(&self, row: &[Value]) -> Option<Hash> {
        if let Some(Value::Bytes(Some(bytes))) = row.get(self.place("hash")) {
            Hash::from_slice(bytes)
        } else {
            None
        }
    }

    /// The key of each row by its hash.
    pub(super) fn keys(&self, rows: &Rows) -> HashMap<Hash, i64> {
        rows.iter().filter_map(|row| Some((self.hash_of(row)?, self.key_of(row)))).collect()
    }

    /// Leaves the new rows that are to be written, and gives the keys of the old ones that are to go.
    pub(super) fn keep_changed(&self, old: Rows, new: &mut Rows) -> Vec<i64> {
        if old.is_empty() {
            return Vec::new();
        }
        let mut before: BTreeMap<i64, Rows> = BTreeMap::new();
        for row in old {
            before.entry(self.key_of(&row)).or_default().push(row);
        }
        let mut after: HashMap<i64, Vec<&Vec<Value>>> = HashMap::new();
        for row in new.iter() {
            after.entry(self.key_of(row)).or_default().push(row);
        }
        let mut stale = Vec::new();
        let mut same = HashSet::new();
        for (key, mut old) in before {
            let mut new = after.remove(&key).unwrap_or_default();
            old.sort_unstable();
            new.sort_unstable();
            if old.iter().eq(new) {
                same.insert(key);
            } else {
                stale.push(key);
            }
        }
        new.retain(|row| !same.contains(&self.key_of(row)));
        stale
    }
}

/// The rows of some clusters before they are worked out anew, in the order of the tables.
pub struct Before(pub(super) Vec<Rows>);

impl Before {
    pub(super) fn table(&self, name: &str) -> Option<(&Table, &Rows)> {
        TABLES.iter().zip(&self.0).find(|(table, _)| table.name == name)
    }

    /// What names their book entries: accounts, and people and deals without one.
    pub fn entries(&self) -> Vec<Hash> {
        let mut out = Vec::new();
        for (name, has_home) in [("account", false), ("person", true), ("deal", true)] {
            let Some((table, rows)) = self.table(name) else { continue };
            let home = table.place("account");
            let names = |row: &&Vec<Value>| !has_home || row.get(home) == Some(&Value::Int(None));
            out.extend(rows.iter().filter(names).filter_map(|row| table.hash_of(row)));
        }
        out
    }
}
