//! Small charts as SVG, for a page that stands alone.
//!
//! Colours come from the page's style, so that charts follow light and dark. Not responsible for what is charted.

use std::fmt::Write;

/// Text that is safe between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

const LABEL: f64 = 150.0;
const WIDTH: f64 = 760.0;
const ROW: f64 = 24.0;

/// One bar, or one dot with its interval.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Where 95 % of resamplings fall.
    pub(super) interval: Option<(f64, f64)>,
    /// What is written beside it.
    pub(super) shown: String,
    /// The style's class.
    pub(super) class: &'static str,
}

/// Horizontal bars from 0, longest label at the left.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.interval.map_or(bar.value, |(_, high)| high.max(bar.value)));
    let most = most.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let length = |value: f64| value.max(0.0) / most * (WIDTH - LABEL - 90.0);
    let mut out = open(title, ROW * bars.len() as f64 + 8.0);
    for (place, bar) in bars.iter().enumerate() {
        let middle = ROW * place as f64 + ROW / 2.0 + 4.0;
        let (label, class) = (escaped(&bar.label), bar.class);
        let _ =
            write!(out, r#"<text class="label" x="{}" y="{:.1}">{label}</text>"#, LABEL - 8.0, middle + 4.0);
        let end = match bar.interval {
            None => {
                let long = length(bar.value).max(1.0);
                let _ = write!(
                    out,
                    r#"<rect class="{class}" x="{LABEL}" y="{:.1}" width="{long:.1}" height="14" rx="3"/>"#,
                    middle - 7.0
                );
                long
            }
            Some((low, high)) => {
                let (from, until) = (LABEL + length(low), LABEL + length(high));
                let _ = write!(
                    out,
                    r#"<line class="whisker" x1="{from:.1}" x2="{until:.1}" y1="{middle:.1}" y2="{middle:.1}"/><circle class="{class}" cx="{:.1}" cy="{middle:.1}" r="5"/>"#,
                    LABEL + length(bar.value)
                );
                length(high)
            }
        };
        let shown = escaped(&bar.shown);
        let _ = write!(out, r#"<text x="{:.1}" y="{:.1}">{shown}</text>"#, LABEL + end + 10.0, middle + 4.0);
    }
    out + "</svg>"
}

/// A table of shaded cells. `shade` goes from 0 to 1 of the cell's value.
pub(super) fn heat(
    title: &str,
    (rows, columns): (&[String], &[String]),
    cell: impl Fn(usize, usize) -> Option<(f64, String)>,
) -> String {
    const HEAD: f64 = 110.0;
    let side = ((WIDTH - LABEL) / columns.len().max(1) as f64).clamp(26.0, 64.0);
    let mut out = open(title, HEAD + ROW * rows.len() as f64 + 4.0);
    for (place, column) in columns.iter().enumerate() {
        let x = LABEL + side * place as f64 + side / 2.0 + 4.0;
        let y = HEAD - 6.0;
        let name = escaped(column);
        let _ =
            write!(out, r#"<text transform="rotate(-55 {x:.1} {y:.1})" x="{x:.1}" y="{y:.1}">{name}</text>"#);
    }
    for (row, name) in rows.iter().enumerate() {
        let y = HEAD + ROW * row as f64;
        let _ = write!(
            out,
            r#"<text class="label" x="{}" y="{:.1}">{}</text>"#,
            LABEL - 8.0,
            y + 16.0,
            escaped(name)
        );
        for column in 0..columns.len() {
            let Some((shade, shown)) = cell(row, column) else { continue };
            let x = LABEL + side * column as f64;
            let (width, shown) = (side - 2.0, escaped(&shown));
            let _ = write!(
                out,
                r#"<rect class="cell" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{}" style="opacity:{:.2}"/><text class="value" x="{:.1}" y="{:.1}">{shown}</text>"#,
                ROW - 2.0,
                shade.clamp(0.0, 1.0),
                x + width / 2.0,
                y + 15.0
            );
        }
    }
    out + "</svg>"
}

/// Lines over common places, each named at its end.
pub(super) fn lines(title: &str, places: &[String], series: &[(String, Vec<f64>)]) -> String {
    const HEIGHT: f64 = 260.0;
    let most =
        series.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let right = WIDTH - 150.0;
    let step = (right - 50.0) / places.len().saturating_sub(1).max(1) as f64;
    let x = |place: usize| 50.0 + step * place as f64;
    let y = |value: f64| HEIGHT - 30.0 - value.max(0.0) / most * (HEIGHT - 50.0);
    let mut out = open(title, HEIGHT);
    for part in [0.0, 0.5, 1.0] {
        let (at, percent) = (y(most * part), most * part * 100.0);
        let _ = write!(
            out,
            r#"<line class="grid" x1="50" x2="{right}" y1="{at:.1}" y2="{at:.1}"/><text class="label" x="44" y="{:.1}">{percent:.0} %</text>"#,
            at + 4.0
        );
    }
    for (place, name) in places.iter().enumerate() {
        let _ = write!(
            out,
            r#"<text class="value" x="{:.1}" y="{}">{}</text>"#,
            x(place),
            HEIGHT - 10.0,
            escaped(name)
        );
    }
    // Names at the right, spread where lines end close to each other.
    let mut ends: Vec<(f64, usize)> = series
        .iter()
        .enumerate()
        .filter_map(|(index, (_, values))| Some((y(*values.last()?), index)))
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::MIN;
    for (at, index) in ends {
        free = at.max(free + 15.0);
        let (name, values) = &series[index];
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(place, value)| format!("{:.1},{:.1}", x(place), y(*value)))
            .collect();
        let hue = index % HUES;
        let (points, name) = (points.join(" "), escaped(name));
        let _ = write!(
            out,
            r#"<polyline class="hue{hue}" points="{points}"/><text class="hue{hue}" x="{:.1}" y="{:.1}">{name}</text>"#,
            right + 8.0,
            free + 4.0
        );
    }
    out + "</svg>"
}

/// How many hues the style has.
pub(super) const HUES: usize = 8;

fn open(title: &str, height: f64) -> String {
    format!(
        r#"<svg role="img" aria-label="{}" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}">"#,
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_can_not_leave_their_place() {
        let bar = Bar {
            label: "<script>\"&\u{7}".to_owned(),
            value: 1.0,
            interval: None,
            shown: "</text>".to_owned(),
            class: "other",
        };
        let chart = bars("a < b", &[bar]);
        assert!(chart.contains("&lt;script&gt;&quot;&amp;</text>"), "{chart}");
        assert!(chart.contains("&lt;/text&gt;") && chart.contains("aria-label=\"a &lt; b\""), "{chart}");
    }

    #[test]
    fn nothing_to_chart_is_a_chart_of_nothing() {
        for chart in [bars("", &[]), heat("", (&[], &[]), |_, _| None), lines("", &[], &[])] {
            assert!(
                chart.starts_with("<svg") && chart.ends_with("</svg>") && !chart.contains("NaN"),
                "{chart}"
            );
        }
    }
}
