//! From files to reports, through the binary alone.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{folder, tributary};

const FILES: [(&str, &str); 5] = [
    ("accounts.csv", "id,name,domain,industry\na1,Acme,acme.com,finance\na2,Beta,beta.io,retail\n"),
    (
        "people.csv",
        "id,account,email,name,role,created_at\np1,a1,ann@acme.com,Ann Lee,champion,2026-01-05\n\
         p2,a1,bob@acme.com,Bob Roe,economic buyer,2026-01-20\np3,a2,cy@beta.io,Cy Day,,2026-02-01\n",
    ),
    (
        "deals.csv",
        "id,account,name,amount,currency,created_at,closed_at,outcome\n\
         d1,a1,Acme platform,10000.00,USD,2026-01-25,2026-03-01,won\n\
         d2,a2,Beta pilot,5000,EUR,2026-02-05,2026-03-10,won\n\
         d3,a2,Beta more,700,GBP,2026-02-05,2026-04-10,won\n",
    ),
    (
        "touches.csv",
        "id,occurred_at,person,email,kind,direction,channel,campaign,team,actor\n\
         t1,2026-01-01T10:00:00Z,,ann@acme.com,visit,inbound,paid_search,brand,marketing,\n\
         t2,2026-01-05T10:00:00Z,p1,,form,inbound,webinar,january,marketing,\n\
         t3,2026-01-24T10:00:00Z,p2,,meeting,outbound,ae_meeting,,sales,Rita\n",
    ),
    ("rates.csv", "date,from,to,rate\n2026-01-01,EUR,USD,1.1\n"),
];

/// A folder with a configuration and the files imported.
fn imported() -> TempDir {
    let folder = folder();
    write_files(folder.path());
    std::fs::write(folder.path().join("tributary.toml"), "[company]\nname = \"Us\"\n")
        .expect("it may be written");
    let ran = tributary(folder.path(), &["import", "data"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.all());
    folder
}

fn write_files(folder: &Path) {
    std::fs::create_dir_all(folder.join("data")).expect("the folder can be made");
    for (name, text) in FILES {
        std::fs::write(folder.join("data").join(name), text).expect("it may be written");
    }
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["--format", "json"];
    all.extend(arguments);
    let ran = tributary(folder, &all);
    assert_eq!(ran.code, 0, "{}", ran.all());
    serde_json::from_str(&ran.stdout).expect("stdout is JSON and nothing else")
}

/// The keys and credits of a report.
fn credits(report: &Value) -> Vec<(Option<&str>, i64)> {
    let rows = report["rows"].as_array().expect("a report has rows");
    rows.iter()
        .map(|row| (row["key"].as_str(), row["credit_minor"].as_i64().expect("credit is a number")))
        .collect()
}

#[test]
fn a_deals_money_goes_to_its_touches() {
    let folder = imported();
    let report = json(folder.path(), &["attribute", "--model", "w", "--by", "channel"]);
    assert_eq!(
        credits(&report),
        [(Some("paid_search"), 600_000), (Some("ae_meeting"), 300_000), (Some("webinar"), 100_000)]
    );
    assert_eq!(report["unattributed_minor"], 550_000);
    assert_eq!(report["total_minor"], 1_550_000);
    assert_eq!(report["unconverted"][0]["amount_minor"], 70_000);
    for field in ["model", "by", "goal", "currency", "deals", "config_hash", "engine_version", "as_of"] {
        assert!(!report[field].is_null(), "{field}");
    }
}

#[test]
fn two_vendors_are_put_side_by_side_with_their_reasons() {
    let folder = imported();
    let report = json(folder.path(), &["compare", "--preset", "marketo_w,hubspot_w"]);
    assert_eq!(report["models"], serde_json::json!(["marketo_w", "hubspot_w"]));
    let why = &report["why"][0];
    assert_eq!(why["models"], report["models"]);
    let reasons = why["reasons"].as_array().unwrap();
    let moved: i64 = reasons.iter().map(|it| it["difference_minor"].as_i64().unwrap()).sum();
    let unattributed = &report["unattributed_minor"];
    assert_eq!(moved, unattributed[0].as_i64().unwrap() - unattributed[1].as_i64().unwrap());
    // Nobody named the deals' contacts: HubSpot sees none of it.
    assert_eq!(
        reasons[0]["reason"],
        "lead and opportunity under marketo_w, by nobody of the committee under hubspot_w"
    );
    let ran = tributary(folder.path(), &["compare", "--preset", "marketo_w,hubspot_w"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("compare_presets", ran.stdout);
    let plain = json(folder.path(), &["compare", "--model", "marketo_w", "--model", "hubspot_w"]);
    assert!(plain["why"].is_null(), "{plain}");
}

#[test]
fn what_if_shows_the_difference_to_the_saved_configuration() {
    let folder = imported();
    let report = json(folder.path(), &["attribute", "--set", "w.first=0.6", "--set", "lookback_days=50"]);
    assert_eq!(report["model"], "w");
    let rows: Vec<_> = report["rows"].as_array().unwrap().iter().collect();
    let row = |key: &str| *rows.iter().find(|row| row["key"] == key).unwrap();
    // What came before the look-back has nothing left.
    assert_eq!(row("paid_search")["saved_minor"], 600_000);
    assert_eq!(row("paid_search")["credit_minor"], 0);
    assert_eq!(row("paid_search")["difference_minor"], -600_000);
    assert_eq!(report["changes"][0], serde_json::json!({ "name": "w.first", "from": "0.3", "to": "0.6" }));
    let ran = tributary(folder.path(), &["attribute", "--set", "w.first=0.6"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("what_if", ran.stdout);
    // The configuration is as it was.
    let saved = json(folder.path(), &["attribute", "--model", "w"]);
    assert_eq!(saved["config_hash"], report["saved_config_hash"]);
}

#[test]
fn a_model_that_learns_is_asked_like_any_other() {
    let folder = imported();
    let own =
        "[company]\nname = \"Us\"\n[learned.wins]\nmethod = \"markov\"\norder = 2\nnulls = \"omitted\"\n";
    std::fs::write(folder.path().join("tributary.toml"), own).expect("it may be written");
    let reports =
        json(folder.path(), &["attribute", "--model", "wins", "--model", "shapley", "--model", "linear"]);
    let [wins, shapley, linear] = [0, 1, 2].map(|place| &reports[place]);
    for report in [wins, shapley] {
        let credited: i64 = credits(report).iter().map(|(_, credit)| credit).sum();
        let unattributed = report["unattributed_minor"].as_i64().expect("a number");
        assert_eq!(credited + unattributed, linear["total_minor"].as_i64().expect("a number"), "{report}");
        assert_eq!(report["learned"]["fitted_on"], "channel", "{report}");
    }
    assert!(linear.get("learned").is_none(), "{linear}");
    let explained = json(folder.path(), &["explain", "d1", "--model", "shapley", "--fit-on", "team"]);
    assert_eq!(explained["learned"][0]["fitted_on"], "team", "{explained}");
    let nothing = tributary(folder.path(), &["attribute", "--model", "logistic"]);
    assert_eq!(nothing.code, 2, "{}", nothing.all());
    assert!(nothing.stderr.contains("model logistic: "), "{}", nothing.stderr);
}

#[test]
fn evidence_says_that_there_are_too_few_deals_and_writes_its_page() {
    let folder = imported();
    let asked =
        ["compare", "--evidence", "--page", "evidence.html", "--model", "linear", "--model", "shapley"];
    let evidence = json(folder.path(), &asked);
    assert_eq!(evidence["verdict"]["model"], Value::Null, "{evidence}");
    let page = std::fs::read_to_string(folder.path().join("evidence.html")).expect("the page is there");
    let verdict = evidence["verdict"]["text"].as_str().expect("a text");
    assert!(page.contains(verdict) && page.contains("<svg") && !page.contains("<script"), "{page}");
    let leads = tributary(folder.path(), &["compare", "--evidence", "--goal", "lead"]);
    assert_eq!(leads.code, 2, "{}", leads.all());
}

#[test]
fn a_setting_that_is_none_gets_a_suggestion() {
    let folder = imported();
    for (setting, told) in [
        ("w.frist=0.4", "no setting `w.frist`\nhint: did you mean `w.first`?"),
        ("lookback=180", "no setting `lookback`\nhint: did you mean `lookback_days`?"),
        ("w.first", "--set: `w.first` is no setting\nhint: expected NAME=VALUE"),
        ("w.first=lots", "w.first: invalid type"),
        ("ww.first=0.4", "no model is called `ww`\nhint: did you mean `w`?"),
    ] {
        let ran = tributary(folder.path(), &["attribute", "--set", setting]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{setting}");
        assert!(ran.stderr.contains(told), "{setting}: {}", ran.stderr);
    }
    let ran = tributary(folder.path(), &["compare", "--preset", "hubspot_ww"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("no preset is called `hubspot_ww`\nhint: did you mean `hubspot_w`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn influence_cannot_be_mistaken_for_credit() {
    let folder = imported();
    let report = json(folder.path(), &["report", "influence", "--by", "channel"]);
    assert_eq!(report["rows"][0]["influenced_minor"], 1_000_000);
    assert_eq!((&report["total_minor"], &report["untouched_minor"]), (&1_550_000.into(), &550_000.into()));
    let ran = tributary(folder.path(), &["report", "influence"]);
    insta::assert_snapshot!("influence", ran.stdout);
    let columns = tributary(folder.path(), &["--format", "csv", "report", "influence"]).stdout;
    assert!(!columns.contains("credit"), "{columns}");
}

#[test]
fn what_opens_and_what_closes_is_told_by_place() {
    let folder = imported();
    let report = json(folder.path(), &["report", "order"]);
    let credit = |row: &serde_json::Value| row["credit_minor"].as_f64().unwrap();
    let rows = report["rows"].as_array().unwrap();
    let sum: f64 = rows.iter().map(credit).sum();
    assert!((sum - report["total_minor"].as_f64().unwrap()).abs() < 0.01, "{report}");
    for row in rows {
        let places: f64 = row["places"].as_array().unwrap().iter().map(credit).sum();
        assert!((places - credit(row)).abs() < 0.01, "{row}");
    }
    insta::assert_snapshot!("order", tributary(folder.path(), &["report", "order"]).stdout);
}

#[test]
fn open_deals_are_credited_as_the_pipeline() {
    let folder = imported();
    std::fs::write(
        folder.path().join("data/deals.csv"),
        "id,account,name,amount,currency,created_at,closed_at,outcome\nd9,a1,Acme next,300.00,USD,2026-01-22,,open\n",
    )
    .unwrap();
    assert_eq!(tributary(folder.path(), &["import", "data"]).code, 0);
    let report = json(folder.path(), &["attribute", "--goal", "open", "--model", "linear"]);
    assert_eq!((&report["deals"], &report["total_minor"]), (&1.into(), &30_000.into()));
    let created = json(folder.path(), &["attribute", "--goal", "open", "--period", "2026-02"]);
    assert_eq!(created["deals"], 0);
}

#[test]
fn every_dimension_gives_the_same_total() {
    let folder = imported();
    for by in [
        "channel",
        "campaign",
        "content",
        "team",
        "rep",
        "person",
        "role",
        "kind",
        "direction",
        "account",
        "deal",
        "source",
    ] {
        let report = json(folder.path(), &["attribute", "--by", by]);
        let credit: i64 = credits(&report).iter().map(|(_, credit)| credit).sum();
        assert_eq!(credit + report["unattributed_minor"].as_i64().unwrap(), 1_550_000, "{by}");
    }
}

#[test]
fn several_models_are_an_array_and_one_is_an_object() {
    let folder = imported();
    assert!(json(folder.path(), &["attribute", "--model", "first"]).is_object());
    let both = json(folder.path(), &["attribute", "--model", "first", "--model", "last"]);
    assert_eq!(both.as_array().map(Vec::len), Some(2));
}

#[test]
fn a_period_and_a_condition_narrow_the_deals() {
    let folder = imported();
    let total = |arguments: &[&str]| {
        let mut all = vec!["attribute"];
        all.extend(arguments);
        json(folder.path(), &all)["total_minor"].as_i64()
    };
    assert_eq!(total(&["--period", "2026-03"]), Some(1_550_000));
    assert_eq!(total(&["--from", "2026-03-01", "--to", "2026-03-01"]), Some(1_000_000));
    assert_eq!(total(&["--where", "industry=retail"]), Some(550_000));
    assert_eq!(total(&["--period", "2025"]), Some(0));
}

#[test]
fn importing_twice_changes_nothing() {
    let folder = imported();
    let before = json(folder.path(), &["attribute"]);
    // Not the same file: the same rows, in another order, under another name.
    let text = FILES[3].1;
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    std::fs::write(folder.path().join("data/touches-again.csv"), lines.join("\n")).unwrap();
    let ran = json(folder.path(), &["import", "data/touches-again.csv"]);
    let stream = &ran["sources"][0]["streams"][0];
    assert_eq!(
        (&stream["fetched"], &stream["added"], &stream["unchanged"]),
        (&3.into(), &0.into(), &3.into())
    );
    let after = json(folder.path(), &["attribute"]);
    assert_eq!(before["rows"], after["rows"]);
}

#[test]
fn a_bad_row_is_named_and_the_rest_goes_in() {
    let folder = folder();
    write_files(folder.path());
    let path = folder.path().join("data/touches.csv");
    let text = FILES[3].1.to_owned() + "t4,someday,p2,,meeting,outbound,ae_meeting,,sales,Rita\n";
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("tributary.toml"), "").unwrap();
    let ran = tributary(folder.path(), &["import", "data"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.stderr.contains("touches.csv:5: occurred_at: `someday` is not a time"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 problem is kept in quarantine, the rest went in"), "{}", ran.stderr);
    let status = json(folder.path(), &["status"]);
    assert_eq!(status["quarantined"], 1);
    assert_eq!(status["counts"]["touches"], 3);
}

#[test]
fn explain_walks_a_cent_back_to_its_record() {
    let folder = imported();
    let explained = json(folder.path(), &["explain", "Acme platform", "--model", "w"]);
    let first = &explained["touches"][0];
    assert_eq!(first["credits"][0]["credit_minor"], 600_000);
    assert_eq!(first["credits"][0]["rule"], "first + lead");
    assert_eq!(first["records"][0]["id"], "t1");
    assert_eq!(tributary(folder.path(), &["explain", "nothing"]).code, 2);
}

#[test]
fn reconcile_gives_every_difference_its_reason() {
    let folder = imported();
    let accounts = json(folder.path(), &["reconcile"]);
    assert_eq!(accounts["balances"], true);
    let reasons: Vec<_> = accounts["exceptions"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    assert_eq!(
        reasons,
        [
            "unattributed: no touch before the close",
            "unconverted: no rate from GBP to USD at or before the close"
        ]
    );
}

#[test]
fn a_journey_is_a_timeline() {
    let folder = imported();
    let ran = tributary(folder.path(), &["journey", "Acme"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    insta::assert_snapshot!("journey", ran.stdout);
}

#[test]
fn a_changed_rule_changes_the_past_without_a_new_import() {
    let folder = imported();
    let rule = "[[channels]]\nchannel = \"seminar\"\nwhen = { campaign = \"jan*\" }\n";
    std::fs::write(folder.path().join("tributary.toml"), rule).unwrap();
    let report = json(folder.path(), &["attribute"]);
    assert!(credits(&report).iter().any(|(key, _)| *key == Some("seminar")), "{report}");
}

#[test]
fn an_empty_store_says_what_to_do() {
    let folder = folder();
    std::fs::write(folder.path().join("tributary.toml"), "").unwrap();
    let ran = tributary(folder.path(), &["attribute"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert_eq!(ran.stderr, "error: the store is empty: import files or sync a source first\n");
}

#[test]
fn mistyped_words_get_suggestions() {
    let folder = imported();
    for (arguments, hint) in [
        (["attribute", "--model", "lienar"], "did you mean `linear`?"),
        (["attribute", "--by", "chanel"], "did you mean `channel`?"),
        (["attribute", "--goal", "wonn"], "did you mean `won`?"),
    ] {
        let ran = tributary(folder.path(), &arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    }
}

#[test]
fn export_writes_a_file_a_table() {
    let folder = imported();
    let ran = tributary(folder.path(), &["export", "bi", "--model", "first", "--model", "last"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.all());
    let credit = std::fs::read_to_string(folder.path().join("bi/credit.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(credit.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| name == "credit").unwrap();
    let sum: f64 = reader.records().map(|row| row.unwrap()[column].parse::<f64>().unwrap()).sum();
    assert!((sum - 2.0 * 15_500.0).abs() < 1e-6, "{credit}");
    for table in ["accounts", "people", "deals", "touches"] {
        assert!(folder.path().join(format!("bi/{table}.csv")).is_file(), "{table}");
    }
}

#[test]
fn the_demo_reports_on_a_company_of_its_own() {
    let folder = folder();
    let ran = tributary(folder.path(), &["demo", "here", "--accounts", "30", "--truth"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.all());
    for heading in [
        "What was read",
        "Credit by channel under five models",
        "Sales against marketing",
        "How the biggest deal was won",
        "Deals whose money is unattributed",
        "What each channel was made to bring in",
        "What to try next",
    ] {
        assert!(ran.stdout.contains(heading), "{heading}");
    }
    // The same seed is the same company, and the folder is known again.
    let again = tributary(folder.path(), &["demo", "here", "--accounts", "30", "--truth"]);
    assert_eq!(ran.stdout, again.stdout);
    // A folder with something else in it is left alone.
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/file"), "").unwrap();
    assert_eq!(tributary(folder.path(), &["demo", "mine"]).code, 2);
}
