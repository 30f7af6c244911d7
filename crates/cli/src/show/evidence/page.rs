//! The evidence as one page for a browser: no script, nothing fetched, so that it can be mailed and kept.

use std::fmt::Write;

use tributary_answers::evidence::Evidence;
use tributary_engine::evidence::ModelEvidence;

use super::chart::{self, Bar, HUES, escaped};
use super::{Standing, stands_out};
use crate::show::report::dimension;
use crate::show::{Answer, Table};

/// Lays the page out.
pub(crate) fn page(answer: &Evidence) -> String {
    let it = &answer.evidence;
    let by = dimension(it.by).to_lowercase();
    let title = format!("Which model to trust, by {by}");
    let keys: Vec<String> =
        it.keys.iter().map(|row| row.key.clone().unwrap_or_else(|| format!("(no {by})"))).collect();
    let names: Vec<String> = it.models.iter().map(|model| model.name.clone()).collect();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>{}</style></head><body><main>",
        escaped(&title),
        style()
    );
    let mut section = |heading: &str, says: &str, body: &str| {
        let (heading, says) = (escaped(heading), escaped(says));
        let _ = writeln!(out, "<section><h2>{heading}</h2><p>{says}</p>{body}</section>");
    };
    let counts = format!(
        "{} deals won and {} lost, {} accounts without a deal; known as of {}.",
        it.won, it.lost, it.without_deal, answer.stamp.as_of
    );
    section(&title, &counts, &format!("<p class=\"verdict\">{}</p>", escaped(&it.verdict.text)));

    let tried: Vec<&ModelEvidence> = it.models.iter().filter(|model| model.recovery.rounds > 0).collect();
    let mut by_error = tried.clone();
    by_error.sort_by(|a, b| a.recovery.mean_error.total_cmp(&b.recovery.mean_error));
    section(
        "Error on planted truth",
        "Effects were planted into this book's own journeys, in several ways in which touches may work. How far each \
         model's shares were off, a key on average, in hundredths of all credit. Shorter is better.",
        &chart::bars(
            "Error on planted truth",
            &bars(
                answer,
                &by_error,
                |model| Some(model.recovery.mean_error),
                |value| format!("{:.1}", value * 100.0),
            ),
        ),
    );
    let generators: Vec<String> = tried.first().map_or_else(Vec::new, |model| {
        model.by_generator.iter().map(|(generator, _)| format!("{generator:?}").to_lowercase()).collect()
    });
    let tried_names: Vec<String> = tried.iter().map(|model| model.name.clone()).collect();
    let worst =
        tried.iter().flat_map(|model| &model.by_generator).map(|(_, it)| it.mean_error).fold(0.0, f64::max);
    section(
        "The same by the way in which touches may work",
        "A model of one kind does well where touches work in its own way; look for one that does well in all.",
        &chart::heat("Error by generator", (&tried_names, &generators), |row, column| {
            let error = tried[row].by_generator[column].1.mean_error;
            (worst > 0.0).then(|| (error / worst, format!("{:.1}", error * 100.0)))
        }),
    );
    section(
        "Later won deals told from lost ones",
        "The chance that a later deal that was won had been given a higher probability than one that was lost: 0.50 \
         is guessing. Of models that learn.",
        &chart::bars(
            "AUC on later deals",
            &bars(
                answer,
                &it.models.iter().collect::<Vec<_>>(),
                |model| Some(model.held_out.as_ref()?.at_close?.auc),
                |value| format!("{value:.2}"),
            ),
        ),
    );
    for model in it.models.iter().filter(|model| stands_out(answer, model) != Standing::Other) {
        let intervals: Vec<Bar> = keys
            .iter()
            .zip(&model.resampled.intervals)
            .map(|(key, interval)| Bar {
                label: key.clone(),
                value: interval.share,
                interval: Some((interval.low, interval.high)),
                shown: format!("{:.1} %", interval.share * 100.0),
                class: class(stands_out(answer, model)),
            })
            .collect();
        section(
            &format!("Shares by {}", model.name),
            "Each key's share, and where 95 % of the shares fall when accounts are drawn anew.",
            &chart::bars("Shares", &intervals),
        );
        let series: Vec<(String, Vec<f64>)> = strongest(model)
            .into_iter()
            .map(|key| (keys[key].clone(), model.drift.shares.iter().map(|shares| shares[key]).collect()))
            .collect();
        if model.drift.quarters.len() > 1 {
            section(
                &format!("Shares by quarter of closing, {}", model.name),
                "The largest keys. What jumps about tells of the quarter rather than of the key.",
                &chart::lines("Shares by quarter", &model.drift.quarters, &series),
            );
        }
    }
    section(
        "How alike models order the keys",
        "Kendall's tau: 1 is the same order, 0 no relation, −1 the opposite.",
        &chart::heat("Agreement", (&names, &names), |row, column| {
            let tau = it.agreement[row][column]?;
            Some((f64::midpoint(tau, 1.0) * 0.9, format!("{tau:.2}")))
        }),
    );
    for table in answer.tables() {
        let _ = writeln!(out, "<section><pre>{}</pre></section>", escaped_lines(&table));
    }
    let effort = it.effort;
    let _ = writeln!(
        out,
        "<footer>Seed {}, {} resamplings, {} drawings a generator, of at most {} deals. Configuration {}, version {}.\
         </footer></main></body></html>",
        effort.seed,
        effort.replicates,
        effort.rounds,
        effort.most_deals,
        escaped(&answer.stamp.config_hash),
        escaped(&answer.stamp.engine_version)
    );
    out
}

fn escaped_lines(table: &Table) -> String {
    table.to_text().lines().map(escaped).collect::<Vec<_>>().join("\n")
}

fn bars(
    answer: &Evidence,
    models: &[&ModelEvidence],
    value: impl Fn(&ModelEvidence) -> Option<f64>,
    shown: impl Fn(f64) -> String,
) -> Vec<Bar> {
    let bar = |model: &&ModelEvidence| {
        let value = value(model)?;
        Some(Bar {
            label: model.name.clone(),
            value,
            interval: None,
            shown: shown(value),
            class: class(stands_out(answer, model)),
        })
    };
    models.iter().filter_map(bar).collect()
}

/// The keys with the largest shares, as many as there are hues.
fn strongest(model: &ModelEvidence) -> Vec<usize> {
    let mut keys: Vec<usize> = (0..model.resampled.intervals.len()).collect();
    let share = |key: &usize| model.resampled.intervals[*key].share;
    keys.sort_by(|a, b| share(b).total_cmp(&share(a)));
    keys.truncate(HUES);
    keys
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Recommended => "recommended",
        Standing::Measure => "measure",
        Standing::Other => "other",
    }
}

fn style() -> String {
    let hues = ["#4269d0", "#d3741c", "#c9432f", "#3a9c8a", "#3f8f3a", "#c05fa0", "#8a63d2", "#7b6b58"];
    let mut out = STYLE.to_owned();
    for (place, hue) in hues.iter().enumerate() {
        let _ = write!(out, "polyline.hue{place}{{stroke:{hue}}}text.hue{place}{{fill:{hue}}}");
    }
    out
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--faint:#dfe4ea;--soft:#9aa7b5;--strong:#2463c4;--measure:#e0902a}\
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#14181d;--faint:#2b333d;--soft:#6d7a89;--strong:#6aa0f0}}\
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:820px;margin:0 auto;padding:2rem 1rem}\
section{margin-bottom:2.5rem}h2{margin:0 0 .3rem;font-size:1.25rem}p{margin:.2rem 0 .8rem}\
.verdict{border-left:4px solid var(--strong);padding:.6rem 1rem;background:color-mix(in srgb,var(--strong) 8%,transparent);font-size:1.05rem}\
svg{max-width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}\
text.label{text-anchor:end}text.value{text-anchor:middle}\
rect.other,circle.other{fill:var(--soft)}rect.recommended,circle.recommended{fill:var(--strong)}rect.measure,circle.measure{fill:var(--measure)}\
rect.cell{fill:var(--strong)}line.whisker{stroke:var(--soft);stroke-width:3}line.grid{stroke:var(--faint)}\
polyline{fill:none;stroke-width:2.5}pre{overflow-x:auto;font-size:12px}footer{color:var(--soft)}";
