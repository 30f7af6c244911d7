//! `tributary connect` and `disconnect`: a person signs in at the vendor, and the sign-in is kept for the source.
//!
//! Not responsible for what is sent to the vendor: that is `source`'s.

mod loopback;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tributary_answers::AnswerError;
use tributary_core::Time;
use tributary_core::time::DAY_MICROS;
use tributary_source::http::{Authorize, Consent, OAuth};
use tributary_source::{Environment, Error, Finding, NextStep, SecretString};

use super::{Context, sync};
use crate::arguments::Connect;
use crate::connectors;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, Table};
use loopback::Loopback;

/// The port in the address that a person copies the answer from: nobody listens there.
const PASTE_PORT: u16 = 8723;

/// A sign-in and what it proved.
#[derive(Serialize)]
struct Connected {
    source: String,
    scopes: Vec<String>,
    access_until: Option<String>,
    until: Option<String>,
    days_left: Option<i64>,
    findings: Vec<Finding>,
}

/// Signs in, keeps it, and proves it.
pub(super) async fn run(context: &Context, asked: &Connect) -> Result<Outcome, Failure> {
    let id = &asked.source;
    let configured = context.sources(std::slice::from_ref(id))?.remove(0);
    let settings = configured.settings(&context.config)?;
    let connector = connectors::named(configured.connector);
    let complaint = |error: Error| match error.next {
        NextStep::FixConfig => context.config.complaint(configured, &error.message).into(),
        _ => failed(id, &error),
    };
    let Some(oauth) = connector.oauth(&settings).map_err(complaint)? else {
        let hint = format!("`tributary connectors {}` says how it does", configured.connector);
        return Err(Failure::usage(format!("source `{id}` does not sign in by OAuth")).hint(hint));
    };
    let store = sync::open(context).await?;
    let tokens = Arc::new(context.tokens(&store));
    let environment = Environment { tokens: tokens.clone(), ..Environment::new(Arc::new(sync::now)) };
    if let Some(authorize) = &oauth.authorize {
        // A key that is missing is told before anybody is asked for anything.
        tokens.key().await.map_err(|error| failed(id, &error))?;
        consent(context, asked, &oauth, authorize, &environment).await.map_err(|error| failed(id, &error))?;
    } else {
        // Nobody is asked: a refusal that is kept is forgotten, and the vendor asked anew.
        store.forget_credential(id).await.map_err(AnswerError::from)?;
    }
    let source = connector.connect(&settings, &environment).map_err(complaint)?;
    let proof = source.check().await;
    let kept = store.credential(id).await.map_err(AnswerError::from)?.unwrap_or_default();
    store.close().await;
    let findings = proof.map_err(|error| {
        Failure::failed(format!("source `{id}` is connected, but failed to prove itself: {error}"))
            .hint(format!("mend it, then run `tributary check {id}`: it stays connected"))
    })?;
    let left = |until: Time| (until.0 - sync::now().0) / DAY_MICROS;
    let connected = Connected {
        source: id.clone(),
        scopes: kept.scopes,
        access_until: kept.access_until.map(|at| at.to_string()),
        until: kept.until.map(|at| at.to_string()),
        days_left: kept.until.map(left),
        findings,
    };
    show::print(&connected, context.format)?;
    Ok(Outcome::Done)
}

/// Asks a person in the browser, and gives the answer for tokens.
async fn consent(
    context: &Context,
    asked: &Connect,
    oauth: &OAuth,
    authorize: &Authorize,
    environment: &Environment,
) -> Result<(), Error> {
    let redirect = |port: u16| format!("http://{}:{port}{}", authorize.this_machine, loopback::PATH);
    let (consent, code) = if asked.paste {
        let consent = oauth.consent(&redirect(asked.port.unwrap_or(PASTE_PORT)))?;
        let code = pasted(context, asked, &consent).await?;
        (consent, code)
    } else {
        let loopback = Loopback::bind(asked.port.unwrap_or(0))?;
        let consent = oauth.consent(&redirect(loopback.port))?;
        context.progress.say(&format!("Open this address to sign in:\n\n{}\n", consent.address()));
        // Where there is no browser, the address is enough.
        let _ = open::that_detached(consent.address());
        let code = answer(context, asked, loopback.answer(&consent)).await?;
        (consent, code)
    };
    consent.redeem(&code, environment).await.map(|_| ())
}

/// Reads what a person pastes, on a thread that nobody waits for.
async fn pasted(context: &Context, asked: &Connect, consent: &Consent<'_>) -> Result<SecretString, Error> {
    context.progress.say(&format!(
        "Open this address anywhere to sign in:\n\n{}\n\nThe page that it ends at can't be shown. Paste its address \
         here, or the code in it:",
        consent.address()
    ));
    let (send, line) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // What can't be read is as good as nothing.
        let _ = std::io::stdin().read_line(&mut line);
        let _ = send.send(SecretString::from(line));
    });
    let pasted = async {
        let line = line.await.unwrap_or_default();
        consent.pasted(tributary_source::ExposeSecret::expose_secret(&line))
    };
    answer(context, asked, pasted).await
}

/// Waits for an answer as long as it may take.
async fn answer(
    context: &Context,
    asked: &Connect,
    answer: impl Future<Output = Result<SecretString, Error>>,
) -> Result<SecretString, Error> {
    let nothing = |what: String| Err(Error::new(NextStep::Reauthorize, what));
    tokio::select! {
        answer = answer => answer,
        () = tokio::time::sleep(Duration::from_secs(asked.timeout)) => {
            nothing(format!("nobody signed in within {} s: nothing was kept, begin again", asked.timeout))
        }
        () = context.cancel.cancelled() => nothing("stopped: nothing was kept".to_owned()),
    }
}

/// Forgets a source's sign-in, whether the configuration still has the source or not.
pub(super) async fn forget(context: &Context, id: &str) -> Result<Outcome, Failure> {
    let store = sync::open(context).await?;
    let forgotten = store.forget_credential(id).await.map_err(AnswerError::from)?;
    store.close().await;
    if !forgotten {
        return Err(Failure::usage(format!("nothing is kept of a sign-in for `{id}`")));
    }
    context.progress.say(&format!(
        "forgot the sign-in for {id}; what was granted at the vendor holds until it is taken back there"
    ));
    Ok(Outcome::Done)
}

fn failed(id: &str, error: &Error) -> Failure {
    Failure::failed(format!("failed to connect source `{id}`: {error}"))
}

impl Answer for Connected {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Source", "Scopes", "Until", "Days left", "What to know"]);
        let known = self.findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>();
        table.row(vec![
            Cell::Text(self.source.clone()),
            Cell::option(Some(self.scopes.join(" ")).filter(|scopes| !scopes.is_empty())),
            Cell::option(self.until.clone()),
            self.days_left.map_or(Cell::Nothing, |days| Cell::Count(days.max(0) as u64)),
            Cell::Text(known.join("; ")),
        ]);
        vec![table]
    }
}
