//! The picture of a cutover: requests per second and latency of each color, drawn as SVG. Every number that it shows is
//! also in the receipt beside it, in words.

use crate::domain::{Color, Upstreams};
use crate::store::cutovers::{Counted, Interval};
use std::fmt::Write;

/// The width of the picture, in its own units.
const WIDE: f64 = 720.0;
/// The height of each of its two parts.
const HIGH: f64 = 110.0;

/// A picture.
pub(super) struct Picture {
    /// Its width.
    pub wide: i64,
    /// The height of each part.
    pub high: i64,
    /// Where the traffic moved.
    pub switch_x: Option<String>,
    /// Requests per second of each color, as areas.
    pub requests: Upstreams<String>,
    /// Latency (p99) of each color, as lines.
    pub latency: Upstreams<String>,
    /// Where something was lost or answered 5xx.
    pub errors: Vec<String>,
    /// The largest rate, in words.
    pub most: String,
    /// The longest latency, in words.
    pub slowest: String,
    /// How long the picture is, in words.
    pub lasts: String,
    /// What it shows, for those who do not see it.
    pub told: String,
}

/// Draws the intervals of a cutover that moved the traffic at this moment.
pub(super) fn draw(intervals: &[Interval], switched_ms: Option<i64>) -> Option<Picture> {
    let first = intervals.first()?;
    let start = first.at_ms - i64::try_from(first.ms).unwrap_or(0);
    let end = intervals.last()?.at_ms.max(start + 1);
    let x = |at: i64| (at - start) as f64 / (end - start) as f64 * WIDE;
    let most = highest(intervals, rate);
    let slowest = highest(intervals, |_, counted| counted.p99_us.unwrap_or(0) as f64);
    let mut picture = Picture {
        wide: WIDE as i64,
        high: HIGH as i64,
        switch_x: switched_ms
            .filter(|at| (start..=end).contains(at))
            .map(|at| format!("{:.1}", x(at))),
        requests: Upstreams::default(),
        latency: Upstreams::default(),
        errors: intervals
            .iter()
            .filter(|one| Color::BOTH.iter().any(|c| one.colors.of(*c).errors > 0))
            .map(|one| format!("{:.1}", x(one.at_ms)))
            .collect(),
        most: format!("{most:.0} requests/s"),
        slowest: milliseconds(slowest),
        lasts: crate::report::duration(u64::try_from(end - start).unwrap_or(0)),
        told: told(intervals),
    };
    for color in Color::BOTH {
        let y = |value: f64, most: f64| HIGH - value / most.max(1.0) * (HIGH - 6.0);
        let mut area = format!("M0 {HIGH}");
        let mut line = String::new();
        for one in intervals {
            let counted = one.colors.of(color);
            // Writing to a String cannot fail.
            let from = x(one.at_ms - i64::try_from(one.ms).unwrap_or(0));
            let height = y(rate(one, counted), most);
            let _ = write!(
                area,
                "L{from:.1} {height:.1}L{:.1} {height:.1}",
                x(one.at_ms)
            );
            if let Some(p99) = counted.p99_us {
                let command = if line.is_empty() { 'M' } else { 'L' };
                let _ = write!(
                    line,
                    "{command}{:.1} {:.1}",
                    x(one.at_ms),
                    y(p99 as f64, slowest)
                );
            }
        }
        let _ = write!(area, "L{WIDE} {HIGH}Z");
        *picture.requests.of_mut(color) = area;
        *picture.latency.of_mut(color) = line;
    }
    Some(picture)
}

fn highest(intervals: &[Interval], value: impl Fn(&Interval, &Counted) -> f64) -> f64 {
    let values = intervals.iter().flat_map(|one| {
        let value = &value;
        Color::BOTH.map(move |color| value(one, one.colors.of(color)))
    });
    values.fold(0.0, f64::max)
}

fn rate(interval: &Interval, counted: &Counted) -> f64 {
    counted.requests as f64 * 1000.0 / interval.ms.max(1) as f64
}

fn milliseconds(us: f64) -> String {
    match us {
        0.0 => "no requests".to_owned(),
        us if us < 10_000.0 => format!("{:.1} ms", us / 1000.0),
        us => format!("{:.0} ms", us / 1000.0),
    }
}

fn told(intervals: &[Interval]) -> String {
    let sum = |color: Color, value: fn(&Counted) -> u64| -> u64 {
        intervals
            .iter()
            .map(|one| value(one.colors.of(color)))
            .sum()
    };
    let [blue, green] = Color::BOTH.map(|color| sum(color, |counted| counted.requests));
    let errors: u64 = Color::BOTH
        .map(|color| sum(color, |counted| counted.errors))
        .iter()
        .sum();
    format!("Blue was given {blue} requests, green {green}; {errors} were lost or answered 5xx.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_color_has_its_area_and_its_line() {
        let counted = |requests, p99_us| Counted {
            requests,
            errors: 0,
            p50_us: p99_us,
            p99_us,
        };
        let interval = |at_ms, blue, green| Interval {
            at_ms,
            ms: 1000,
            colors: Upstreams { blue, green },
        };
        let intervals = [
            interval(1000, counted(100, Some(2000)), counted(0, None)),
            interval(2000, counted(0, None), counted(50, Some(1000))),
        ];
        let picture = draw(&intervals, Some(1000)).unwrap();
        assert_eq!(picture.switch_x.as_deref(), Some("360.0"));
        assert_eq!(picture.most, "100 requests/s");
        assert_eq!(picture.slowest, "2.0 ms");
        assert_eq!(
            picture.requests.blue,
            "M0 110L0.0 6.0L360.0 6.0L360.0 110.0L720.0 110.0L720 110Z"
        );
        assert_eq!(picture.latency.green, "M720.0 58.0");
        assert_eq!(
            picture.told,
            "Blue was given 100 requests, green 50; 0 were lost or answered 5xx."
        );
        assert!(draw(&[], None).is_none());
    }
}
