//! The command line: commands, flags and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Whose;

/// Tells which marketing and sales touches brought in the revenue.
///
/// Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 usage or configuration,
/// 3 some sources failed.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: tributary.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The store, whatever the configuration says: sqlite:FILE or postgres://….
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// How data is printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Log {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a company up, sync it from simulated vendors, and report on it.
    ///
    /// HubSpot, Matomo and Google Ads are simulated on loopback; what other tools know comes from files.
    /// With --config, nothing is made up: the configured sources are synced, and reported on in the same way.
    Demo(Demo),
    /// Write a configuration to start from.
    Init {
        /// Overwrite a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Prove the configuration, and each source's address, credentials and permissions.
    Check {
        /// Only these sources.
        sources: Vec<String>,
    },
    /// Sign in to a source's vendor in the browser, and keep that for its syncs.
    Connect(Connect),
    /// Forget a source's sign-in.
    Disconnect {
        /// The source's id.
        source: String,
    },
    /// Look after the key that seals sign-ins in the store.
    Key {
        #[command(subcommand)]
        key: Key,
    },
    /// Fetch what is new from every source, and work out what it means.
    Sync {
        /// Only these sources.
        sources: Vec<String>,
        /// Ask for one page of each stream, say what it would bring, and write nothing.
        #[arg(long, conflicts_with_all = ["rebuild", "allow_mass_delete"])]
        dry_run: bool,
        /// Work everything out anew from what was fetched before.
        #[arg(long)]
        rebuild: bool,
        /// Delete what a source no longer has, even if that is much of it.
        #[arg(long)]
        allow_mass_delete: bool,
    },
    /// Sync every source when it is due, until SIGTERM or Ctrl-C.
    ///
    /// A changed configuration is read without a restart. SQLite takes one daemon a file, Postgres any number.
    Serve {
        /// How the log is written to stderr.
        #[arg(long, value_enum, default_value_t)]
        log: Log,
    },
    /// Keep the daemon from syncing sources until they are resumed; what is in hand ends after its page.
    Pause {
        /// The sources' ids.
        #[arg(required = true)]
        sources: Vec<String>,
    },
    /// Have the daemon sync paused sources again.
    Resume {
        /// The sources' ids.
        #[arg(required = true)]
        sources: Vec<String>,
    },
    /// List the connectors, or explain one.
    Connectors {
        /// Its name, such as hubspot.
        name: Option<String>,
    },
    /// Print the JSON schema of tributary.toml, for editors.
    Schema,
    /// Show what records mean: vendor JSON in, facts out, nothing written.
    Normalize {
        /// The source whose settings count, or a connector's name.
        source: String,
        /// The stream that the records are of.
        #[arg(long)]
        stream: String,
        /// A file with one JSON record, a list of records, or one record a line; `-` is stdin.
        file: PathBuf,
    },
    /// Say how every source stands, what is in the store, and what is wrong with it.
    Status {
        /// Keep saying how the sources stand, until `q` or Ctrl-C.
        #[arg(long)]
        watch: bool,
    },
    /// Show past syncs, the latest first.
    Runs {
        /// Only those of this source.
        source: Option<String>,
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        last: u32,
    },
    /// List what could not be understood, and why.
    Quarantine(Quarantine),
    /// Import CSV or JSON Lines files in the canonical form.
    Import(Import),
    /// Split every deal's revenue over its touches.
    Attribute {
        #[command(flatten)]
        scope: Scope,
        /// A model; may repeat [default: those that --set speaks of, else linear].
        #[arg(long, value_name = "NAME")]
        model: Vec<String>,
        /// What the credit is added up by.
        #[arg(long, value_name = "DIMENSION", default_value = "channel")]
        by: String,
        /// What if this were otherwise: lookback_days, whose, or a model's field or weight, as in w.first=0.4 or
        /// time_decay.half_life_days=30, or markov.order=2; may repeat. Shows the difference to the saved configuration, and saves nothing.
        #[arg(long, value_name = "NAME=VALUE")]
        set: Vec<String>,
    },
    /// Put models side by side, with their differences.
    Compare {
        #[command(flatten)]
        scope: Scope,
        /// The models; the differences are to the first [default: first, last, linear, w and time_decay; with
        /// --evidence all that are built in].
        #[arg(long, value_name = "NAME")]
        model: Vec<String>,
        #[command(flatten)]
        evidence: Evidence,
        /// Vendors' documented rules instead, with commas between, such as marketo_w,hubspot_w; says why they differ.
        #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "model")]
        preset: Vec<String>,
        /// Say why each other model differs from the first, deal by deal.
        #[arg(long)]
        why: bool,
        /// What the credit is added up by.
        #[arg(long, value_name = "DIMENSION", default_value = "channel")]
        by: String,
    },
    /// Answer another question than who gets the credit.
    Report {
        #[command(subcommand)]
        report: Report,
    },
    /// Show the touches of an account or of a deal, in order.
    Journey {
        /// The id or name of a deal or account.
        subject: String,
        #[command(flatten)]
        scope: Scope,
    },
    /// Show each touch of a deal, its weight under each model, the rule that gave it, and its source record.
    Explain {
        /// The id or name of a deal.
        deal: String,
        #[command(flatten)]
        scope: Scope,
        /// A model; may repeat.
        #[arg(long, value_name = "NAME", default_values_t = ["first", "last", "linear", "w", "time_decay"].map(String::from))]
        model: Vec<String>,
    },
    /// Prove that credit, unattributed and unconverted money add up to what was won.
    Reconcile {
        #[command(flatten)]
        scope: Scope,
        /// A model; may repeat.
        #[arg(long, value_name = "NAME", default_values_t = ["linear".to_owned()])]
        model: Vec<String>,
    },
    /// Write accounts, people, deals, touches and credit as CSV files for BI.
    Export {
        /// The folder to write into.
        folder: PathBuf,
        #[command(flatten)]
        scope: Scope,
        /// The models to credit; may repeat.
        #[arg(long, value_name = "NAME", default_values_t = ["linear".to_owned()])]
        model: Vec<String>,
    },
    /// Start a simulated vendor on loopback, to try its connector on by hand.
    Simulate(Simulate),
    /// Attribute aggregated paths from a file, without a store.
    Paths {
        /// A CSV file with the columns path (steps joined by ` > `), conversions, value and nulls; `-` is stdin.
        file: PathBuf,
        /// A model; may repeat.
        #[arg(long, value_name = "NAME", default_values_t = ["linear".to_owned()])]
        model: Vec<String>,
    },
}

/// The reports beside credit.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// How much of the deals each key took part in: every deal that it touched, in full.
    ///
    /// This is participation, not credit: a deal counts for every key that touched it, so that the amounts add up to
    /// more than 100 %.
    Influence {
        #[command(flatten)]
        scope: Scope,
        /// What deals are added up by.
        #[arg(long, value_name = "DIMENSION", default_value = "channel")]
        by: String,
    },
    /// What each key brings in as the first, the second, … to touch a deal: its Shapley value by place.
    Order {
        #[command(flatten)]
        scope: Scope,
        /// What the credit is added up by.
        #[arg(long, value_name = "DIMENSION", default_value = "channel")]
        by: String,
    },
}

/// What `compare` takes for evidence.
#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// Say which model deserves trust on this book: tried on later deals, other accounts, other quarters and look-backs,
    /// and against effects planted into the book's own journeys.
    #[arg(long = "evidence", id = "evidence", conflicts_with_all = ["preset", "why"])]
    pub(crate) is_asked: bool,
    /// Also write the evidence as one page with charts.
    #[arg(long, value_name = "FILE.html", requires = "evidence")]
    pub(crate) page: Option<PathBuf>,
    /// Where the chance in the evidence begins; the same seed gives the same evidence.
    #[arg(long, default_value_t = 1, requires = "evidence")]
    pub(crate) seed: u64,
}

/// Which deals a report speaks of, and how their journeys are found.
#[derive(Debug, Default, Args)]
pub(crate) struct Scope {
    /// What is credited: won, lost, opportunity, open or lead.
    #[arg(long, value_name = "GOAL", default_value = "won")]
    pub(crate) goal: String,
    /// From this day or instant on, in the company's time zone.
    #[arg(long, value_name = "DAY", conflicts_with = "period")]
    pub(crate) from: Option<String>,
    /// Up to the end of this day, or to this instant.
    #[arg(long, value_name = "DAY", conflicts_with = "period")]
    pub(crate) to: Option<String>,
    /// A year, half, quarter, month or day: 2026, 2026-H1, 2026-Q1, 2026-03, 2026-03-31.
    #[arg(long, value_name = "PERIOD")]
    pub(crate) period: Option<String>,
    /// Only deals with this attribute, or of accounts with it; may repeat.
    #[arg(long = "where", value_name = "NAME=VALUE")]
    pub(crate) conditions: Vec<String>,
    /// As the sources were known at this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
    /// Whose touches count [default: the configuration's, else all].
    #[arg(long, value_enum)]
    pub(crate) whose: Option<Whose>,
    /// The dimension whose keys data-driven models learn [default: channel].
    #[arg(long, value_name = "DIMENSION")]
    pub(crate) fit_on: Option<String>,
    /// How many days before its end a journey may begin [default: the configuration's, else no limit].
    #[arg(long, value_name = "DAYS")]
    pub(crate) lookback_days: Option<u32>,
}

/// `connect`.
#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// The source's id.
    pub(crate) source: String,
    /// The port of this machine that the vendor sends the browser back to [default: any free one].
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Sign in on another machine: print the address, and read the one that it ends at from stdin.
    #[arg(long)]
    pub(crate) paste: bool,
    /// How long to wait for somebody to sign in.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
}

/// `key`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Key {
    /// Seal every token anew under a new key: a random one in the key file, or that of TRIBUTARY_NEW_KEY.
    Rotate,
}

/// `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files, or folders that hold them.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The source that the records belong to: one of the configuration, or a new name.
    #[arg(long, value_name = "ID", default_value = "import")]
    pub(crate) source: String,
}

/// `quarantine`.
#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    /// Only this source.
    pub(crate) source: Option<String>,
    /// Show what came as it came; it may hold personal data.
    #[arg(long)]
    pub(crate) raw: bool,
    /// First read what landed anew, with the connectors and settings of now; nothing is asked of a vendor.
    #[arg(long)]
    pub(crate) retry: bool,
}

/// `simulate`.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The vendor, by the name of its connector, such as hubspot.
    pub(crate) vendor: String,
    /// The port of 127.0.0.1 [default: any free one].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// How many accounts its company deals with.
    #[arg(long, default_value_t = 300)]
    pub(crate) accounts: u32,
    /// The seed that the company grows from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The folder to write into.
    #[arg(default_value = "demo")]
    pub(crate) folder: PathBuf,
    /// How many accounts the company deals with.
    #[arg(long, default_value_t = 300)]
    pub(crate) accounts: u32,
    /// The seed that the company grows from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Import everything from files instead of starting simulated vendors.
    #[arg(long)]
    pub(crate) files: bool,
    /// Also print what each channel was made to bring in.
    #[arg(long)]
    pub(crate) truth: bool,
}
