//! `[[alerts]]`: who is told of what, and how.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use tributary_answers::alerts::{CODES, Rule};
use tributary_core::time::DAY_MICROS;

use super::diagnostic::{Diagnostic, Text};
use super::file::Value;
use super::suggest;
use super::timing::duration;
use crate::alerts::{Receiver, Way};

/// One `[[alerts]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Alerts {
    /// A name that stays: under it is remembered what was told.
    #[schemars(with = "String")]
    name: Spanned<String>,
    /// An address that gets each alert as JSON by POST.
    webhook: Option<Value>,
    /// An incoming webhook of Slack.
    slack: Option<Value>,
    /// A program and its arguments, which gets each alert as JSON on stdin.
    command: Option<Vec<String>>,
    /// Codes of problems that are told of. Default: failing, late, needs_authorization, authorization_ends, row_drop,
    /// quota_near and version-ends.
    #[schemars(with = "Option<Vec<String>>")]
    on: Option<Vec<Spanned<String>>>,
    /// How many runs in a row fail before it is told. Default: 3.
    #[schemars(range(min = 1))]
    after_failures: Option<u32>,
    /// When a problem that lasts is told again. Default: 1d.
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+[smhd]$"))]
    remind: Option<Spanned<String>>,
}

/// Codes that may be told of.
const KNOWN: [&str; 10] = [
    "failing",
    "late",
    "needs_authorization",
    "authorization_ends",
    "row_drop",
    "quota_near",
    "version-ends",
    "never_run",
    "quarantine",
    "shape-changed",
];

/// Reads all of them.
pub(super) fn read(text: &Text, alerts: Vec<Alerts>) -> Result<Vec<Receiver>, Diagnostic> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for one in alerts {
        let span = one.name.span();
        let name = one.name.into_inner();
        if receivers.iter().any(|receiver| receiver.rule.receiver == name) {
            return Err(text.at(span, format!("two alerts have the name `{name}`")));
        }
        let address = |value: Value| match value {
            Value::Text(url) => Ok(url),
            Value::Env { env } => std::env::var(&env)
                .map_err(|_| text.at(span.clone(), format!("the environment variable `{env}` is not set"))),
        };
        let way = match (one.webhook, one.slack, one.command) {
            (Some(url), None, None) => Way::Webhook(address(url)?),
            (None, Some(url), None) => Way::Slack(address(url)?),
            (None, None, Some(words)) if !words.is_empty() => Way::Command(words),
            _ => {
                return Err(text
                    .at(span, format!("`{name}` needs one way to be told"))
                    .hint("write one of: webhook = { env = \"NAME\" }, slack = { env = \"NAME\" }, command = [\"…\"]"));
            }
        };
        let on = match one.on {
            None => CODES.iter().map(|code| (*code).to_owned()).collect(),
            Some(codes) => {
                let known = |code: &Spanned<String>| KNOWN.contains(&code.get_ref().as_str());
                if let Some(unknown) = codes.iter().find(|code| !known(code)) {
                    return Err(text
                        .at(unknown.span(), format!("no problem has the code `{}`", unknown.get_ref()))
                        .hint(suggest::hint(unknown.get_ref(), &KNOWN)));
                }
                codes.into_iter().map(Spanned::into_inner).collect::<BTreeSet<_>>()
            }
        };
        let remind = duration(text, one.remind.as_ref())?.map_or(DAY_MICROS, |it| it.as_micros() as i64);
        let after_failures = one.after_failures.unwrap_or(3).max(1);
        receivers
            .push(Receiver { rule: Rule { receiver: name, on, after_failures, remind_micros: remind }, way });
    }
    Ok(receivers)
}
