//! One module a command: it gathers what the question needs, asks, and hands the answer to `show`.

mod check;
mod connect;
mod connectors_list;
mod demo;
mod dry_run;
mod import;
mod init;
mod key;
mod normalize;
mod paths;
mod plan;
mod quarantine;
pub(crate) mod report;
mod serve;
mod simulate;
pub(crate) mod status;
mod sync;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tributary_engine::Choice;
use tributary_source::Environment;
use tributary_store::Store;
use tributary_sync::SealedTokens;

use crate::arguments::{Arguments, Command, Format, Global, Key, Report};
use crate::config::{Config, SourceConfig};
use crate::failure::{Failure, Outcome};
use crate::key::KeyPlace;
use crate::show::progress::Progress;
use crate::{config, connectors};

/// The configuration file that is read if none is named.
const DEFAULT_CONFIG: &str = "tributary.toml";

/// Carries out a command.
pub(crate) async fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let global = arguments.global;
    match arguments.command {
        Command::Demo(demo) => demo::run(&global, &demo).await,
        Command::Init { force } => init::run(&global, force),
        Command::Check { sources } => check::run(&Context::load(&global)?, &sources).await,
        Command::Connect(asked) => connect::run(&Context::load(&global)?, &asked).await,
        Command::Disconnect { source } => connect::forget(&Context::load(&global)?, &source).await,
        Command::Key { key: Key::Rotate } => key::rotate(&Context::load(&global)?).await,
        Command::Paths { file, model } => {
            let own = Context::own_models(&global)?;
            paths::run(&file, &models(&own, &model)?, global.format)
        }
        Command::Simulate(simulate) => simulate::run(&simulate).await,
        Command::Connectors { name } => connectors_list::run(name.as_deref(), global.format),
        Command::Schema => connectors_list::schema(),
        Command::Normalize { source, stream, file } => normalize::run(&global, &source, &stream, &file),
        Command::Sync { sources, dry_run: true, .. } => {
            dry_run::run(&Context::load(&global)?, &sources).await
        }
        Command::Sync { sources, rebuild, allow_mass_delete, .. } => {
            sync::run(&Context::load(&global)?, &sources, rebuild, allow_mass_delete).await
        }
        Command::Serve { .. } => serve::run(&global).await,
        Command::Pause { sources } => plan::pause(&Context::load(&global)?, &sources).await,
        Command::Resume { sources } => plan::resume(&Context::load(&global)?, &sources).await,
        Command::Quarantine(asked) => quarantine::run(&Context::load(&global)?, &asked).await,
        Command::Import(import) => import::run(&Context::load(&global)?, &import).await,
        Command::Status { watch: true } => status::watch(&Context::load(&global)?).await,
        Command::Status { watch: false } => status::once(&Context::load(&global)?).await,
        Command::Runs { source, last } => {
            status::runs(&Context::load(&global)?, source.as_deref(), last).await
        }
        Command::Attribute { scope, model, by, set } => {
            report::attribute(&Context::load(&global)?, &scope, model, &by, &set).await
        }
        Command::Compare { scope, evidence, model, by, .. } if evidence.is_asked => {
            report::evidence(&Context::load(&global)?, &scope, model, &by, &evidence).await
        }
        Command::Compare { scope, model, preset, why, by, .. } => {
            let asked = report::Compared::of(model, preset, why)?;
            report::compare(&Context::load(&global)?, &scope, &asked, &by).await
        }
        Command::Report { report: Report::Influence { scope, by } } => {
            report::influence(&Context::load(&global)?, &scope, &by).await
        }
        Command::Report { report: Report::Order { scope, by } } => {
            report::order(&Context::load(&global)?, &scope, &by).await
        }
        Command::Journey { subject, scope } => {
            report::journey(&Context::load(&global)?, &scope, &subject).await
        }
        Command::Explain { deal, scope, model } => {
            report::explain(&Context::load(&global)?, &scope, &model, &deal).await
        }
        Command::Reconcile { scope, model } => {
            report::reconcile(&Context::load(&global)?, &scope, &model).await
        }
        Command::Export { folder, scope, model } => {
            report::export(&Context::load(&global)?, &scope, &model, &folder).await
        }
    }
}

/// What most commands need.
pub(crate) struct Context {
    /// The configuration.
    pub(crate) config: Config,
    /// The store's address.
    pub(crate) store: String,
    /// How data is printed.
    pub(crate) format: Format,
    /// Where talk goes.
    pub(crate) progress: Progress,
    /// Set by Ctrl-C: end after the page in hand.
    pub(crate) cancel: CancellationToken,
}

impl Context {
    /// Reads the configuration. Without one, naming a store is enough.
    fn load(global: &Global) -> Result<Self, Failure> {
        let connectors = connectors::names();
        let path = global.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        let config = if global.config.is_none() && global.store.is_some() && !path.exists() {
            Config::absent(&path, &connectors)?
        } else {
            Config::load(&path, &connectors)?
        };
        Ok(Self {
            store: global.store.clone().unwrap_or_else(|| config.store.clone()),
            config,
            format: global.format,
            progress: Progress::to_stderr(),
            cancel: cancel_on_ctrl_c(),
        })
    }

    /// The configuration's own models, where there is a configuration.
    fn own_models(global: &Global) -> Result<Vec<Choice>, Failure> {
        let path = config_path(global);
        if global.config.is_none() && !path.exists() {
            return Ok(Vec::new());
        }
        Ok(Config::load(path, &connectors::names())?.models)
    }

    /// Sign-ins in a store.
    pub(crate) fn tokens(&self, store: &Store) -> SealedTokens {
        let keys = Arc::new(KeyPlace::find(&self.config.folder));
        SealedTokens::new(store.clone(), keys, Arc::new(sync::now))
    }

    /// The outside world of connections whose sign-ins are kept in a store.
    pub(crate) fn environment(&self, store: &Store) -> Environment {
        let tokens = Arc::new(self.tokens(store));
        Environment { tokens, ..Environment::new(Arc::new(sync::now)) }
    }

    /// The configured sources of these ids; all of them without ids.
    fn sources(&self, ids: &[String]) -> Result<Vec<&SourceConfig>, Failure> {
        let known: Vec<&str> = self.config.sources.iter().map(|source| source.id.as_str()).collect();
        if let Some(unknown) = ids.iter().find(|id| !known.contains(&id.as_str())) {
            return Err(Failure::usage(format!("no source has the id `{unknown}`")).hint(
                if known.is_empty() {
                    "the configuration has no [[source]]".to_owned()
                } else {
                    config::suggest::hint(unknown, &known)
                },
            ));
        }
        let chosen = |source: &&SourceConfig| ids.is_empty() || ids.contains(&source.id);
        Ok(self.config.sources.iter().filter(chosen).collect())
    }
}

/// Models by name: the configuration's own, then the built-in ones and the presets.
fn models(own: &[Choice], names: &[String]) -> Result<Vec<Choice>, Failure> {
    let find = |name: &String| {
        let mine = own.iter().find(|model| model.name() == *name).cloned();
        mine.or_else(|| Choice::builtin(name)).ok_or_else(|| {
            let built_in = Choice::names();
            let mine = own.iter().map(Choice::name);
            let known: Vec<&str> = mine.chain(built_in.iter().map(String::as_str)).collect();
            Failure::usage(format!("no model is called `{name}`")).hint(config::suggest::hint(name, &known))
        })
    };
    names.iter().map(find).collect()
}

/// The first Ctrl-C asks for an orderly end, the second ends at once.
fn cancel_on_ctrl_c() -> CancellationToken {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if token.is_cancelled() {
                std::process::exit(130);
            }
            eprintln!("stopping after the page in hand; press Ctrl-C again to stop at once");
            token.cancel();
        }
    });
    cancel
}

/// Where a command writes its configuration, or would read it from.
fn config_path(global: &Global) -> &Path {
    global.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
}
