//! `tributary simulate`: a vendor that is not one, to try a connector on by hand.

use tributary_sandbox::Plan;
use tributary_source::ExposeSecret;

use crate::arguments::Simulate;
use crate::config::suggest;
use crate::failure::{Failure, Outcome};
use crate::show;
use crate::simulators::{names, start};

/// Answers on loopback until Ctrl-C, and says how to read it.
pub(super) async fn run(simulate: &Simulate) -> Result<Outcome, Failure> {
    let names = names();
    let Some(name) = names.iter().find(|name| **name == simulate.vendor) else {
        let failure = Failure::usage(format!("there is no simulator of `{}`", simulate.vendor));
        return Err(failure.hint(suggest::hint(&simulate.vendor, &names)));
    };
    let mut plan = Plan::with_accounts(simulate.accounts);
    plan.seed = simulate.seed;
    let world = tributary_sandbox::build(&plan);
    let vendor = start(name, &world, simulate.port)
        .await
        .map_err(|error| Failure::failed(format!("failed to listen on port {}: {error}", simulate.port)))?;
    let mut text = vendor.configuration(name);
    text.push('\n');
    let exports = vendor
        .secrets
        .iter()
        .map(|(key, secret)| format!("# export {}={}\n", vendor.variable(key), secret.expose_secret()));
    text.extend(exports);
    show::print_text(&text)?;
    eprintln!("a simulated {name} answers on {} until Ctrl-C; nothing of it is real", vendor.served.url());
    // Without a signal there is nothing to wait for.
    let _ = tokio::signal::ctrl_c().await;
    Ok(Outcome::Done)
}
