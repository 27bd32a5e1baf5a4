//! Bars over time as an SVG picture, drawn here: no script, no other file, colours by class from the style sheet.
//!
//! Everything in it is a number, a time, or a word of the program.

use std::fmt::Write as _;

use lingqu_core::Timestamp;

use crate::api::pages::view::{grouped, to_the_day, to_the_second};
use crate::audit::search::Bars;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 190.0;
/// Room for the numbers on the left, the times below, and above and at the right end.
const LEFT: f64 = 52.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 10.0;
const RIGHT: f64 = 12.0;
/// Times below the picture.
const TICKS: usize = 4;

/// One part of each bar: its class in the style sheet and the word for it.
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    /// Which of the counts.
    pub(super) column: usize,
}

/// The picture of some of the counts, stacked; `title` is read out to those who cannot see it.
pub(super) fn svg(bars: &Bars, parts: &[Part], title: &str) -> String {
    let of = |counts: &[u64; 3]| parts.iter().map(|part| counts[part.column]).sum::<u64>();
    let highest = bars.counts.iter().map(of).max().unwrap_or(0);
    let (top, step) = scale(highest);
    let mut picture = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    );
    grid(&mut picture, top, step);
    let width = (WIDTH - LEFT - RIGHT) / number(bars.counts.len() as u64).max(1.0);
    for (at, counts) in bars.counts.iter().enumerate() {
        let left = LEFT + width * number(at as u64);
        let mut below = 0;
        for part in parts {
            let count = counts[part.column];
            if count == 0 {
                continue;
            }
            let (low, high) = (y(below, top), y(below + count, top));
            let (from, word) = (start_of(bars, at), part.word);
            let _ = write!(
                picture,
                "<rect class=\"{}\" x=\"{:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} · {word} {}</title></rect>",
                part.class,
                left + width * 0.1,
                (width * 0.8).max(1.0),
                (low - high).max(1.0),
                to_the_second(from),
                grouped(count),
            );
            below += count;
        }
    }
    times(&mut picture, bars, width);
    picture.push_str("</svg>");
    picture
}

/// The highest line and the distance between lines: round numbers.
fn scale(highest: u64) -> (u64, u64) {
    let mut step = 1_u64;
    for factor in [2, 5, 10].into_iter().cycle() {
        if step.saturating_mul(4) >= highest {
            break;
        }
        let decade = 10_u64.saturating_pow(step.ilog10());
        step = decade.saturating_mul(factor);
    }
    (step.saturating_mul(4).max(4), step)
}

fn grid(picture: &mut String, top: u64, step: u64) {
    for line in 0..=4 {
        let value = step.saturating_mul(line);
        let at = y(value, top);
        let _ = write!(
            picture,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            grouped(value),
        );
    }
}

fn times(picture: &mut String, bars: &Bars, width: f64) {
    let count = bars.counts.len();
    if count == 0 {
        return;
    }
    let every = count.div_ceil(TICKS).max(1);
    for at in (0..count).step_by(every) {
        let from = start_of(bars, at);
        let text = match bars.length_s {
            length if length >= 86_400 => to_the_day(from),
            length => {
                // Where the day changes between two times below, it is told; otherwise the time is enough.
                let before = (at > 0).then(|| to_the_day(start_of(bars, at - every)));
                let (day, time) = (to_the_day(from), to_the_second(from));
                let long = if length < 60 { 19 } else { 16 };
                let time = time.get(11..long).unwrap_or_default();
                if before.as_ref() == Some(&day) {
                    time.to_owned()
                } else {
                    format!("{} {time}", day.get(5..).unwrap_or_default())
                }
            }
        };
        let _ = write!(
            picture,
            "<text class=\"time\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            LEFT + width * number(at as u64),
            HEIGHT - 6.0,
        );
    }
}

fn start_of(bars: &Bars, at: usize) -> Timestamp {
    let at = i64::try_from(at).unwrap_or(0);
    Timestamp::from_unix_s(bars.start.unix_s() + at * bars.length_s)
}

fn y(value: u64, top: u64) -> f64 {
    let height = HEIGHT - ABOVE - BELOW;
    HEIGHT - BELOW - height * number(value) / number(top)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has far fewer points than a number has digits"
)]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_round_numbers_and_nothing_stands_out() {
        for (highest, expected) in [
            (0, (4, 1)),
            (1, (4, 1)),
            (4, (4, 1)),
            (5, (8, 2)),
            (9, (20, 5)),
            (21, (40, 10)),
            (41, (80, 20)),
            (81, (200, 50)),
            (399, (400, 100)),
            (401, (800, 200)),
            (7_999, (8_000, 2_000)),
        ] {
            assert_eq!(scale(highest), expected, "{highest}");
        }
        let (top, _) = scale(u64::MAX);
        assert!(top > u64::MAX / 2);
    }

    #[test]
    fn a_picture_has_a_bar_for_each_count_and_no_empty_ones() {
        let bars = Bars {
            start: Timestamp::from_unix_s(1_795_132_800),
            length_s: 60,
            counts: vec![[3, 0, 1], [0, 0, 0], [2_000, 1, 0]],
        };
        let parts = [("answered", 0), ("failed", 1)].map(|(class, column)| Part {
            class,
            word: "w",
            column,
        });
        let picture = svg(&bars, &parts, "calls");
        assert_eq!(picture.matches("<rect class=\"answered\"").count(), 2);
        assert_eq!(picture.matches("<rect class=\"failed\"").count(), 1);
        assert!(picture.contains("2\u{2009}000") && picture.ends_with("</svg>"));
        let empty = svg(&Bars::default(), &parts, "calls");
        assert!(!empty.contains("<rect") && !empty.contains("NaN") && !empty.contains("inf"));
    }
}
