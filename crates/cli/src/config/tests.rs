//! What a configuration may say, and how mistakes in it are shown.

mod validate;

use std::sync::Arc;

use tributary_core::Time;
use tributary_source::Environment;

use self::validate::validate;
use super::*;

const CONNECTORS: &[&str] = &["files", "tryton"];

fn parse(text: &str) -> Result<Config, Diagnostic> {
    let text = Text { path: "tributary.toml".into(), text: text.to_owned() };
    Config::parse(text, CONNECTORS)
}

/// The whole message that a user would see.
fn check(text: &str, expected: &str) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.to_string(), expected.trim_start_matches('\n'));
}

#[test]
fn an_empty_file_is_a_whole_configuration() {
    let config = parse("").unwrap();
    assert_eq!(config.store, "sqlite:tributary.db");
    assert_eq!(config.currency, Currency::USD);
    assert_eq!(config.zone, Zone::default());
    assert!(config.sources.is_empty());
}

#[test]
fn the_example_shows_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config.example.toml");
    let config = Config::load(&path, &crate::connectors::names()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        config.history_start.is_some()
            && config.rules.amount_field.is_some()
            && config.lookback_days.is_some()
    );
    assert!(!config.pipelines.is_empty() && !config.milestones.is_empty() && !config.rules.reps.is_empty());
    assert!(!config.rules.channels.is_empty() && !config.rules.teams.is_empty());
    let mut shown: Vec<&str> = config.sources.iter().map(|source| source.connector).collect();
    shown.sort_unstable();
    let mut known = crate::connectors::names();
    known.sort_unstable();
    assert_eq!(shown, known);
    // Each connector accepts what is shown of it, up to what only a sign-in could tell.
    let environment = Environment::new(Arc::new(|| Time(0)));
    for source in &config.sources {
        let settings = source.settings_with(&config, |_| Ok("secret".into())).unwrap();
        let connected = crate::connectors::named(source.connector).connect(&settings, &environment);
        assert!(connected.is_ok(), "{}: {}", source.id, connected.map(|_| ()).unwrap_err());
    }
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    check(
        "[company]\nname = \"Acme\"\ntimezone = \"UTC\"\n",
        r#"
tributary.toml:3:1: unknown key `timezone`
  |
3 | timezone = "UTC"
  | ^^^^^^^^
hint: did you mean `time_zone`?"#,
    );
}

#[test]
fn an_unknown_table_gets_the_list() {
    check(
        "[webhooks]\n",
        r"
tributary.toml:1:2: unknown key `webhooks`
  |
1 | [webhooks]
  |  ^^^^^^^^
hint: expected one of: company, store, daemon, alerts, deals, journey, channels, teams, reps, models, learned",
    );
}

#[test]
fn broken_toml_shows_the_place() {
    check(
        "[company\nname = \"Acme\"\n",
        r"
tributary.toml:1:9: unclosed table
  |
1 | [company
  |         ^
hint: expected `]`",
    );
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    check(
        "[journey]\nlookback_days = \"ninety\"\n",
        r#"
tributary.toml:2:17: invalid type: string "ninety"
  |
2 | lookback_days = "ninety"
  |                 ^^^^^^^^
hint: expected a whole number"#,
    );
}

#[test]
fn an_unknown_currency_is_refused() {
    check(
        "[company]\ncurrency = \"EURO\"\n",
        r#"
tributary.toml:2:12: unknown currency `EURO` (expected an ISO 4217 code such as USD)
  |
2 | currency = "EURO"
  |            ^^^^^^"#,
    );
}

#[test]
fn an_unknown_time_zone_is_refused() {
    check(
        "[company]\ntime_zone = \"Berlin\"\n",
        r#"
tributary.toml:2:13: unknown time zone `Berlin`
  |
2 | time_zone = "Berlin"
  |             ^^^^^^^^
hint: expected an IANA name such as Europe/Berlin"#,
    );
}

#[test]
fn two_sources_of_one_id_are_refused_with_both_lines() {
    check(
        "[[source]]\nid = \"crm\"\nconnector = \"tryton\"\n\n[[source]]\nid = \"crm\"\nconnector = \"files\"\n",
        r#"
tributary.toml:6:6: two sources have the id `crm`
  |
6 | id = "crm"
  |      ^^^^^
  |
2 | id = "crm"
  |      ^^^^^ the first is here
hint: an id names one source's records for ever: give each its own"#,
    );
}

#[test]
fn an_unknown_connector_gets_a_suggestion() {
    check(
        "[[source]]\nid = \"crm\"\nconnector = \"trytn\"\n",
        r#"
tributary.toml:3:13: unknown connector `trytn`
  |
3 | connector = "trytn"
  |             ^^^^^^^
hint: did you mean `tryton`?"#,
    );
}

#[test]
fn a_source_without_an_id_is_refused() {
    check(
        "[[source]]\nconnector = \"files\"\n",
        r#"
tributary.toml:1:1: this source lacks `id`
  |
1 | [[source]]
  | ^^^^^^^^^^
hint: write id = "…": a short name that never changes"#,
    );
}

#[test]
fn a_duration_needs_a_unit() {
    check(
        "[[source]]\nid = \"a\"\nconnector = \"files\"\nevery = \"15\"\n",
        r#"
tributary.toml:4:9: `15` is not a duration
  |
4 | every = "15"
  |         ^^^^
hint: expected a number and a unit, such as 15m, 6h or 1d"#,
    );
}

#[test]
fn a_schedule_that_makes_no_sense_is_shown_where_it_stands() {
    let source = "[[source]]\nid = \"a\"\nconnector = \"files\"\n";
    check(
        &format!("{source}cron = \"0 25 * * *\"\n"),
        r#"
tributary.toml:4:8: `0 25 * * *` can't be read: value must be in range 0..=23; found 25
  |
4 | cron = "0 25 * * *"
  |        ^^^^^^^^^^^^
hint: such as "0 6 * * 1-5": at six on workdays"#,
    );
    check(
        &format!("{source}every = \"1h\"\nwindow = \"at night\"\n"),
        r#"
tributary.toml:5:10: `at night` is no part of a day
  |
5 | window = "at night"
  |          ^^^^^^^^^^
hint: expected two times such as 20:00-06:00"#,
    );
    check(
        &format!("{source}every = \"1h\"\nstreams.touchs = {{ every = \"5m\" }}\n"),
        r#"
tributary.toml:5:9: the connector has no stream `touchs`
  |
5 | streams.touchs = { every = "5m" }
  |         ^^^^^^
hint: did you mean `touches`?"#,
    );
}

#[test]
fn the_caret_stands_under_the_word_after_tabs_and_umlauts() {
    check(
        "[company]\n\tname = \"Müller\"; x\n",
        "\ntributary.toml:2:17: unexpected key or value\n  |\n2 | \tname = \"Müller\"; x\n  | \t               ^\nhint: expected newline, `#`",
    );
}

#[test]
fn a_connector_gets_its_own_settings_and_secrets_stand_apart() {
    let config = parse(
        "[company]\ntime_zone = \"Europe/Berlin\"\n[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nevery = \"15m\"\n\
         url = \"http://localhost\"\nroles = { a = \"b\" }\nkey = { env = \"PATH\" }\n",
    )
    .unwrap();
    let source = &config.sources[0];
    let settings = source.settings(&config).unwrap();
    assert_eq!(source.timing.schedule.as_ref().map(ToString::to_string).as_deref(), Some("every 15m"));
    assert_eq!(settings.source, "crm");
    assert_eq!(settings.zone.name(), "Europe/Berlin");
    assert_eq!(settings.values, serde_json::json!({ "url": "http://localhost", "roles": { "a": "b" } }));
    assert!(settings.secret("key").is_ok());
    assert!(!format!("{config:?}").contains(&std::env::var("PATH").unwrap()));
}

#[test]
fn a_secret_that_is_not_set_is_named() {
    let config =
        parse("[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nkey = { env = \"NO_SUCH_VARIABLE_1\" }\n")
            .unwrap();
    let error = config.sources[0].settings(&config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tributary.toml:4:7: the environment variable `NO_SUCH_VARIABLE_1` is not set\n  |\n\
         4 | key = { env = \"NO_SUCH_VARIABLE_1\" }\n  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"
    );
}

#[test]
fn a_connectors_complaint_is_shown_at_the_key_it_names() {
    let config = parse("[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nurl = \"x\"\n").unwrap();
    let shown = config.complaint(&config.sources[0], "source `crm`: `url` is no address").to_string();
    assert!(shown.starts_with("tributary.toml:4:1: source `crm`: `url` is no address"), "{shown}");
}

#[test]
fn a_relative_store_lies_beside_the_configuration() {
    let text =
        Text { path: "some/where/tributary.toml".into(), text: "[store]\nurl = \"sqlite:data.db\"".into() };
    assert_eq!(Config::parse(text, &[]).unwrap().store, "sqlite:some/where/data.db");
    check(
        "[store]\nurl = \"mysql://x\"\n",
        r#"
tributary.toml:2:7: unknown kind of store
  |
2 | url = "mysql://x"
  |       ^^^^^^^^^^^
hint: expected sqlite:FILE, such as sqlite:tributary.db, or postgres://USER@HOST/DATABASE"#,
    );
}

/// Written anew by `cargo xtask schema`.
#[test]
fn the_committed_schema_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tributary.schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == super::schema::text(),
        "docs/tributary.schema.json is stale: run `cargo xtask schema`"
    );
}

/// What the schema says of a configuration: the places of what is wrong.
fn invalid(text: &str) -> Vec<String> {
    let schema = super::schema::schema();
    let configuration: serde_json::Value = toml::from_str(text).unwrap();
    let mut wrong = Vec::new();
    validate(&schema, &configuration, "", &mut wrong);
    wrong
}

#[test]
fn the_example_fits_the_schema() {
    assert_eq!(invalid(include_str!("../../../../config.example.toml")), [""; 0]);
    assert_eq!(invalid(""), [""; 0]);
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let source = |more: &str| format!("[[source]]\nid = \"x\"\n{more}\n");
    let hubspot = |more: &str| source(&format!("connector = \"hubspot\"\n{more}"));
    let model = |more: &str| format!("[models.ours]\n{more}\n");
    for (text, place) in [
        ("compnay = 1".to_owned(), ""),
        ("[company]\ndomain = \"acme.com\"".to_owned(), "/company"),
        ("[journey]\nwhose = \"somebody\"".to_owned(), "/journey/whose"),
        ("[journey]\nlookback_days = -1".to_owned(), "/journey/lookback_days"),
        (model("rest = -0.1"), "/models/ours/rest"),
        (model("weights = { first = -1.0 }"), "/models/ours/weights/first"),
        (model("multiply = { kind = { call = -2.0 } }"), "/models/ours/multiply/kind/call"),
        (model("half_life_days = 0"), "/models/ours/half_life_days"),
        (model("lookback_days = 0"), "/models/ours/lookback_days"),
        ("[[source]]\nconnector = \"files\"".to_owned(), "/source/0"),
        (source("connector = \"no-such\""), "/source/0"),
        (source("connector = \"matomo\""), "/source/0"),
        (source("connector = \"files\"\nevery = \"soon\""), "/source/0"),
        (hubspot("page_size = 0"), "/source/0"),
        (hubspot("page_size = 101"), "/source/0"),
        (hubspot("requests_per_second = 0"), "/source/0"),
        (hubspot("pagesize = 10"), "/source/0"),
        (hubspot("token = \"in plain sight\""), "/source/0"),
        (hubspot("url = { env = \"URL\" }"), "/source/0"),
    ] {
        assert_eq!(invalid(&text), [place], "{text}");
    }
    // The same without the mistake.
    assert_eq!(invalid(&hubspot("page_size = 100\ntoken = { env = \"T\" }")), [""; 0]);
}

#[test]
fn a_misspelt_setting_of_a_source_gets_a_suggestion() {
    check(
        "[[source]]\nid = \"crm\"\nconnector = \"tryton\"\npagesize = 10\n",
        r"
tributary.toml:4:1: unknown key `pagesize`
  |
4 | pagesize = 10
  | ^^^^^^^^
hint: did you mean `page_size`?",
    );
}

#[test]
fn a_secret_is_read_from_the_environment_and_nothing_else_is() {
    check(
        "[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nkey = \"abc\"\n",
        r#"
tributary.toml:4:7: `key` is a secret, which does not belong into a file
  |
4 | key = "abc"
  |       ^^^^^
hint: write key = { env = "NAME" }, and put it into the environment variable NAME"#,
    );
    check(
        "[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nurl = { env = \"URL\" }\n",
        r#"
tributary.toml:4:7: `url` is no secret
  |
4 | url = { env = "URL" }
  |       ^^^^^^^^^^^^^^^
hint: write it here: only secrets are read from the environment"#,
    );
}
