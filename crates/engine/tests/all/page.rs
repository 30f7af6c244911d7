//! What `docs/models.md` says is what the engine does: its tables, its examples and its TOML.

use std::collections::BTreeMap;

use tributary_engine::learn::markov::{Markov, Removal};
use tributary_engine::learn::{Learned, Method};
use tributary_engine::{By, Goal, Model, Policy, Whose};

use crate::learned::paths;
use crate::story::{by, day, policy, told};

const PAGE: &str = include_str!("../../../../docs/models.md");

/// The bodies of the fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fences = PAGE.split("```").skip(1).step_by(2);
    fences.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The rows of all tables whose heading begins with these cells, without blanks and backticks.
fn rows(heading: &[&str]) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut inside = false;
    for line in PAGE.lines() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        if inside && !cells[0].starts_with("--") {
            out.push(cells);
        } else if !inside {
            inside = cells.iter().zip(heading).all(|(cell, wanted)| cell == wanted);
        }
    }
    out
}

/// The page's own models, each as TOML, and the policy with its milestones.
fn own() -> (BTreeMap<String, String>, Policy) {
    let (mut models, mut policy) = (BTreeMap::new(), policy());
    for block in blocks("toml") {
        let file: toml::Table = block.parse().unwrap();
        for (name, model) in file.get("models").and_then(|it| it.as_table()).into_iter().flatten() {
            assert!(Model::builtin(name).is_err(), "{name} is built in");
            assert!(models.insert(name.clone(), toml::to_string(model).unwrap()).is_none(), "{name} twice");
        }
        let stages = file.get("deals").and_then(|deals| deals["milestones"].as_table());
        for (stage, milestone) in stages.into_iter().flatten() {
            let stages = policy.milestones.entry(milestone.as_str().unwrap().to_owned()).or_default();
            stages.insert(stage.clone());
        }
    }
    (models, policy)
}

/// Splits `linear --goal lost --by channel` into the model, the policy and the dimension.
fn asked(text: &str, mut policy: Policy) -> (&str, Policy, Option<By>) {
    let mut words = text.split(' ');
    let (model, mut dimension) = (words.next().unwrap(), None);
    while let Some(flag) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{flag} has no value"));
        match flag {
            "--goal" => policy.goal = serde_json::from_value::<Goal>(value.into()).unwrap(),
            "--whose" => policy.whose = serde_json::from_value::<Whose>(value.into()).unwrap(),
            "--lookback-days" => policy.lookback_days = Some(value.parse().unwrap()),
            "--by" => dimension = Some(serde_json::from_value(value.into()).unwrap()),
            _ => panic!("{flag} is not known here"),
        }
    }
    (model, policy, dimension)
}

#[test]
fn the_worked_example_is_what_the_engine_gives() {
    let (own, policy) = own();
    let touches = rows(&["Touch", "Day"]);
    let milestones = rows(&["Milestone", "Day"]);
    let time = |name: &str| &milestones.iter().find(|row| row[0] == name).unwrap()[1];
    let touch = |row: &Vec<String>| {
        let [_, day, channel, campaign, kind, team, who, _] = row.as_slice() else { panic!("{row:?}") };
        format!("{channel}@{day}:campaign={campaign}:kind={kind}:team={team}:by={who}")
    };
    let journey = format!(
        "{} | lead={} opp={} stage.Proposal=83 close={} usd=10000.00 primary=ann committee=ben",
        touches.iter().map(touch).collect::<Vec<_>>().join(" "),
        time("lead"),
        time("opportunity"),
        time("closed"),
    );
    let table = rows(&["Model", "1 organic_search"]);
    for row in &table {
        let cells = touches.iter().zip(&row[1..]).filter(|(_, cell)| *cell != "0.00");
        let expected: Vec<String> =
            cells.map(|(touch, cell)| format!("{} {}", touch[2], cell.replace(',', ""))).collect();
        let model = own.get(&row[0]).unwrap_or(&row[0]);
        assert_eq!(told(&policy, &[&journey], model), expected.join(", "), "{}", row[0]);
    }
    let shown: Vec<&str> = table.iter().map(|row| row[0].as_str()).collect();
    let names = Model::names();
    assert_eq!(shown[..names.len()], names);
    let presets = Model::presets();
    assert_eq!(shown[shown.len() - presets.len()..], presets);
}

#[test]
fn a_milestone_of_the_worked_example_belongs_to_the_touch_that_the_page_says() {
    let touches = rows(&["Touch", "Day"]);
    for milestone in rows(&["Milestone", "Day"]) {
        let before = |touch: &&Vec<String>| day(&touch[1]) <= day(&milestone[1]);
        let holds = touches.iter().rfind(before).unwrap();
        assert_eq!(milestone[2], format!("touch {}", holds[0]), "{}", milestone[0]);
    }
}

#[test]
fn every_edge_rule_is_what_the_engine_does() {
    let (own, policy) = own();
    let mut checked = 0;
    for block in blocks("text") {
        let mut journey = "";
        for line in block.lines() {
            let Some((question, expected)) = line.split_once(" → ") else {
                journey = line;
                continue;
            };
            let (name, policy, dimension) = asked(question, policy.clone());
            let model = own.get(name).map_or(name, String::as_str);
            let found = match dimension {
                Some(dimension) => by(&policy, &[journey], model, dimension),
                None => told(&policy, &[journey], model).replace("nothing", "unattributed"),
            };
            assert_eq!(found, expected, "{question}: {journey}");
            checked += 1;
        }
    }
    assert!(checked > 30, "the page has its examples: {checked}");
}

#[test]
fn every_built_in_model_is_told_in_its_own_words() {
    for name in [Model::names(), Model::presets()].concat() {
        let section = PAGE.split("\n### ").find(|section| section.starts_with(&format!("`{name}`\n")));
        let section = section.unwrap_or_else(|| panic!("{name} has no section"));
        let model = Model::builtin(&name).unwrap();
        let spec = model.spec();
        assert!(section.contains(&format!("\n{}\n", spec.idea)), "{name}: {}", spec.idea);
        assert!(
            section.contains(&format!("\nWhen it misleads: {}\n", spec.misleads)),
            "{name}: {}",
            spec.misleads
        );
        let rule = format!("\nThe rule: {}\n\nDocumented in: {}.\n", spec.rule, spec.documented_in);
        assert!(spec.rule.is_empty() || section.contains(&rule), "{name}: {rule}");
    }
}

#[test]
fn the_book_that_models_learn_from_gives_what_the_page_says() {
    let line = |row: Vec<String>| format!("{} = {}/{}/{}", row[0], row[1], row[1], row[2]);
    let lines: Vec<String> = rows(&["Path", "Won", "Lost"]).into_iter().map(line).collect();
    let book = paths(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let table = rows(&["Method", "ad"]);
    for row in &table {
        let fitted = Method::builtin(&row[0]).unwrap().fit(&book).unwrap();
        let ours: Vec<String> =
            fitted.credit().iter().map(|credit| format!("{:.2}", credit.conversions)).collect();
        assert_eq!(ours, row[1..], "{}", row[0]);
    }
    let shown: Vec<&str> = table.iter().map(|row| row[0].as_str()).collect();
    let on_paths = Method::names().iter().filter(|name| **name != "hazard");
    assert_eq!(shown, on_paths.copied().collect::<Vec<_>>());
}

#[test]
fn each_removal_of_a_markov_chain_gives_what_the_page_says() {
    let line = |row: Vec<String>| format!("{} = {}/0/{}", row[0], row[1], row[2]);
    let lines: Vec<String> = rows(&["Steps", "Conversions", "Nulls"]).into_iter().map(line).collect();
    let book = paths(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let table = rows(&["Removal", "g effect"]);
    for row in &table {
        let removal: Removal = serde_json::from_value(row[0].as_str().into()).unwrap();
        let fitted = Markov { removal, ..Markov::default() }.fit(&book).unwrap();
        let [g, m] = fitted.credit() else { panic!("two keys") };
        let ours = [format!("{:.4}", g.effect), format!("{:.4}", m.effect)];
        assert_eq!(ours, row[1..3], "{removal:?}");
        let ours = [format!("{:.2}", g.conversions), format!("{:.2}", m.conversions)];
        assert_eq!(ours, row[3..], "{removal:?}");
    }
    assert_eq!(table.len(), 4);
}

#[test]
fn every_model_that_learns_is_told() {
    for name in Method::names() {
        let section = PAGE.split("\n### ").find(|section| section.starts_with(&format!("`{name}`\n")));
        let section = section.unwrap_or_else(|| panic!("{name} has no section"));
        for part in ["\nFormula: ", "\nWhen it misleads: ", "\nElsewhere: "] {
            assert!(section.contains(part), "{name} has no {part}");
        }
    }
}

#[test]
fn a_model_that_the_page_speaks_of_is_one() {
    let (own, _) = own();
    let vendors = rows(&["Name", "Who"]);
    assert!(!vendors.is_empty());
    for row in vendors {
        for name in row[3].split(", ").map(|name| name.trim_start_matches("near to ")) {
            assert!(name == "–" || own.contains_key(name) || Model::builtin(name).is_ok(), "{name}");
        }
    }
}
