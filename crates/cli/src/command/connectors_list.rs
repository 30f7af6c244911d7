//! `tributary connectors` and `tributary schema`: what can be read, and how.

use serde::Serialize;
use tributary_source::Mode;

use crate::arguments::Format;
use crate::config::suggest;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};
use crate::{config, connectors};

#[derive(Serialize)]
struct Listed {
    connectors: Vec<ListedConnector>,
}

#[derive(Serialize)]
struct ListedConnector {
    connector: &'static str,
    streams: Vec<ListedStream>,
}

#[derive(Serialize)]
struct ListedStream {
    stream: &'static str,
    reads: &'static str,
}

/// Lists all, or shows what one says about itself.
pub(super) fn run(name: Option<&str>, format: Format) -> Result<Outcome, Failure> {
    let all = connectors::all();
    if let Some(name) = name {
        let Some(connector) = all.iter().find(|connector| connector.name() == name) else {
            let failure = Failure::usage(format!("no connector is called `{name}`"));
            return Err(failure.hint(suggest::hint(name, &connectors::names())));
        };
        show::print_text(connector.about())?;
        return Ok(Outcome::Done);
    }
    let listed = all.iter().map(|connector| ListedConnector {
        connector: connector.name(),
        streams: connector
            .streams()
            .iter()
            .map(|stream| ListedStream { stream: stream.name, reads: reads(stream.mode) })
            .collect(),
    });
    show::print(&Listed { connectors: listed.collect() }, format)?;
    Ok(Outcome::Done)
}

/// Prints what `tributary.toml` may say, every connector's settings among it.
pub(super) fn schema() -> Result<Outcome, Failure> {
    show::print_text(&config::schema::text())?;
    Ok(Outcome::Done)
}

fn reads(mode: Mode) -> &'static str {
    match mode {
        Mode::Keyset => "what changed since the last time",
        Mode::Snapshot => "all of it each time",
        Mode::Token => "what the vendor's token says is new",
        Mode::Windows => "windows of days, the latest ones again",
    }
}

impl Answer for Listed {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Connector", "Stream", "Reads"]);
        for connector in &self.connectors {
            for stream in &connector.streams {
                table.row(
                    [connector.connector, stream.stream, stream.reads]
                        .map(|it| Cell::Text(it.to_owned()))
                        .to_vec(),
                );
            }
        }
        vec![table]
    }
}
