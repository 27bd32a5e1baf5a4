//! A bar chart of the rows as plain SVG: one panel per metric, two bars per case, ours and the baseline's.
//!
//! Each panel has its own linear scale from zero, so that lengths can be compared within it.

use std::fmt::Write as _;

use crate::report::Row;

const WIDTH: f64 = 760.0;
const BARS_LEFT: f64 = 110.0;
/// Longest bar; the rest of the width is for its number.
const BAR_LEN_MAX: f64 = 520.0;
const BAR_HEIGHT: f64 = 16.0;
const CASE_HEIGHT: f64 = 46.0;
const TITLE_HEIGHT: f64 = 34.0;
const LEGEND_HEIGHT: f64 = 30.0;
const OURS: &str = "#1b6ca8";
const BASELINE: &str = "#b8b8b8";

/// Draws all metrics of the rows, in their order.
pub(crate) fn draw(rows: &[Row]) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for row in rows {
        if !metrics.contains(&row.metric) {
            metrics.push(row.metric);
        }
    }
    let mut body = String::new();
    let mut y = legend(&mut body, rows);
    for metric in metrics {
        let panel: Vec<&Row> = rows.iter().filter(|row| row.metric == metric).collect();
        y = draw_panel(&mut body, &panel, y);
    }
    let style = "font-family=\"sans-serif\" font-size=\"12\"";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" width=\"{WIDTH}\" height=\"{y}\" {style}>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Names the two colours; gives where the first panel begins.
fn legend(body: &mut String, rows: &[Row]) -> f64 {
    let (ours, baseline) = rows
        .first()
        .map_or(("", ""), |row| (row.scenario, row.baseline_name));
    rect(body, 10.0, 10.0, 12.0, OURS);
    text(body, 28.0, 22.0, &format!("lingqu {ours}"), "");
    rect(body, 160.0, 10.0, 12.0, BASELINE);
    text(body, 178.0, 22.0, baseline, "");
    LEGEND_HEIGHT
}

fn draw_panel(body: &mut String, rows: &[&Row], top: f64) -> f64 {
    let longest = rows
        .iter()
        .flat_map(|row| [row.ours, row.baseline])
        .fold(f64::MIN_POSITIVE, f64::max);
    let Some(first) = rows.first() else {
        return top;
    };
    let title = format!("{} ({})", first.metric, first.unit);
    text(body, 10.0, top + 22.0, &title, " font-weight=\"bold\"");
    let mut y = top + TITLE_HEIGHT;
    for row in rows {
        text(body, 10.0, y + BAR_HEIGHT + 4.0, row.case, "");
        let number = format!("{:.0} (×{})", row.ours, row.ratio);
        bar(body, y, row.ours / longest, OURS, &number);
        let number = format!("{:.0}", row.baseline);
        bar(
            body,
            y + BAR_HEIGHT + 2.0,
            row.baseline / longest,
            BASELINE,
            &number,
        );
        y += CASE_HEIGHT;
    }
    y
}

fn bar(body: &mut String, y: f64, share: f64, colour: &str, number: &str) {
    let len = (share * BAR_LEN_MAX).max(1.0);
    rect(body, BARS_LEFT, y, len, colour);
    text(body, BARS_LEFT + len + 6.0, y + 12.0, number, "");
}

fn rect(body: &mut String, x: f64, y: f64, width: f64, colour: &str) {
    let line = writeln!(
        body,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{colour}\"/>"
    );
    line.expect("a string takes everything");
}

fn text(body: &mut String, x: f64, y: f64, text: &str, attributes: &str) {
    writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y}\"{attributes}>{text}</text>"
    )
    .expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bar_and_the_largest_is_the_longest() {
        let row = |case, ours, baseline| Row {
            scenario: "verify",
            case,
            metric: "p50_us",
            unit: "us",
            ours,
            baseline_name: "tonic-echo-mtls",
            baseline,
            ratio: ours / baseline,
        };
        let svg = draw(&[row("unary-c1", 800.0, 200.0), row("unary-c8", 400.0, 100.0)]);
        let bars = svg
            .lines()
            .filter(|line| line.contains(&format!("x=\"{BARS_LEFT}\"")) && line.contains("<rect"));
        let lens: Vec<&str> = bars
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next())
            .collect();
        assert_eq!(lens, ["520.0", "130.0", "260.0", "65.0"]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(!draw(&[]).contains("p50_us"));
    }
}
