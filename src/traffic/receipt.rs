//! What a cutover cost, from two snapshots of the proxy's counters.

use super::{ColorMeasure, Histogram, Measure};
use crate::domain::{Color, Receipt, Upstreams};

/// The receipt of the cutover from `from` (absent: nothing served) to `to`, out of snapshots taken before and after the
/// switch. The window between them is what the receipt calls the cutover.
pub fn receipt(before: &Measure, after: &Measure, from: Option<Color>, to: Color) -> Receipt {
    let old = from.map(|color| Window::of(before, after, color));
    let new = Window::of(before, after, to);
    let both = Color::BOTH.map(|color| Window::of(before, after, color));
    let turned_away = after.turned_away.saturating_sub(before.turned_away);
    let earlier = old.as_ref().map(Window::baseline).unwrap_or_default();
    let later = new.latency();
    Receipt {
        requests: Some(both.iter().map(|window| window.grown(|c| c.begun)).sum()),
        in_flight: Some(from.map_or(0, |color| in_flight_at_switch(after, color, to))),
        lost: Some(
            both.iter()
                .map(|window| window.grown(|c| c.lost))
                .sum::<u64>()
                + turned_away,
        ),
        old_5xx: old.as_ref().map(|window| window.grown(|c| c.server_errors)),
        new_5xx: Some(new.grown(|c| c.server_errors)),
        p50_before_us: earlier.percentile(50),
        p99_before_us: earlier.percentile(99),
        p50_after_us: later.percentile(50),
        p99_after_us: later.percentile(99),
        overlap_us: Some(from.map_or(0, |color| overlap(after, color, to))),
    }
}

/// One color's counters at both ends of the cutover.
struct Window<'a> {
    before: &'a ColorMeasure,
    after: &'a ColorMeasure,
}

impl<'a> Window<'a> {
    fn of(before: &'a Measure, after: &'a Measure, color: Color) -> Window<'a> {
        Window {
            before: before.colors.of(color),
            after: after.colors.of(color),
        }
    }

    /// A proxy that was restarted in between counts from zero: that reads as nothing, never as a huge number.
    fn grown(&self, counter: impl Fn(&ColorMeasure) -> u64) -> u64 {
        counter(self.after).saturating_sub(counter(self.before))
    }

    fn latency(&self) -> Histogram {
        self.after.latency.since(&self.before.latency)
    }

    /// What to compare the new color with: the old one's latency in the window, or, if it was asked nothing in the
    /// window, everything it has answered until then.
    fn baseline(&self) -> Histogram {
        match self.latency() {
            empty if empty.count() == 0 => self.before.latency.clone(),
            latency => latency,
        }
    }
}

/// What was in flight on the old color when the new one last got all the traffic.
fn in_flight_at_switch(after: &Measure, old: Color, new: Color) -> u64 {
    let to_new = Upstreams::all_to(new);
    let mut switches = after.switches.iter().rev();
    switches
        .find(|switch| switch.shares == to_new)
        .map_or(0, |switch| *switch.in_flight.of(old))
}

/// The microseconds in which both colors were given new requests.
fn overlap(after: &Measure, old: Color, new: Color) -> u64 {
    let last_of_old = after.colors.of(old).last_begun_us;
    let first_of_new = after.colors.of(new).first_begun_us;
    match (first_of_new, last_of_old) {
        (Some(first), Some(last)) => last.saturating_sub(first),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Switch;
    use Color::{Blue, Green};

    fn color(begun: u64, server_errors: u64, lost: u64, latencies: &[u64]) -> ColorMeasure {
        let mut color = ColorMeasure {
            begun,
            server_errors,
            lost,
            ..ColorMeasure::default()
        };
        latencies.iter().for_each(|us| color.latency.record(*us));
        color
    }

    fn measure(blue: ColorMeasure, green: ColorMeasure) -> Measure {
        Measure {
            colors: Upstreams { blue, green },
            ..Measure::default()
        }
    }

    #[test]
    fn counts_are_what_grew_between_the_snapshots() {
        let before = measure(color(100, 2, 1, &[10, 10]), color(7, 5, 0, &[30]));
        let mut after = measure(
            color(110, 3, 1, &[10, 10, 20]),
            color(47, 5, 2, &[30, 5, 5]),
        );
        after.turned_away = 3;
        after.switches = vec![Switch {
            generation: 4,
            at_us: 1_000,
            in_flight: Upstreams { blue: 6, green: 0 },
            shares: Upstreams::all_to(Green),
        }];
        after.colors.blue.last_begun_us = Some(1_200);
        after.colors.green.first_begun_us = Some(1_050);
        let receipt = receipt(&before, &after, Some(Blue), Green);
        let expected = Receipt {
            requests: Some(50),
            in_flight: Some(6),
            lost: Some(5),
            old_5xx: Some(1),
            new_5xx: Some(0),
            p50_before_us: Some(20),
            p99_before_us: Some(20),
            p50_after_us: Some(5),
            p99_after_us: Some(5),
            overlap_us: Some(150),
        };
        assert_eq!(receipt, expected);
    }

    #[test]
    fn a_first_deployment_has_nothing_before() {
        let after = measure(color(5, 0, 0, &[9]), color(0, 0, 0, &[]));
        let receipt = receipt(&Measure::default(), &after, None, Blue);
        assert_eq!(receipt.requests, Some(5));
        assert_eq!(receipt.in_flight, Some(0));
        assert_eq!(receipt.old_5xx, None);
        assert_eq!(receipt.p99_before_us, None);
        assert_eq!(receipt.p99_after_us, Some(9));
        assert_eq!(receipt.overlap_us, Some(0));
    }

    #[test]
    fn colors_that_follow_each_other_do_not_overlap() {
        let before = measure(color(1, 0, 0, &[25]), color(0, 0, 0, &[]));
        let mut after = before.clone();
        after.colors.blue.last_begun_us = Some(10);
        after.colors.green.first_begun_us = Some(11);
        let receipt = receipt(&before, &after, Some(Blue), Green);
        assert_eq!(receipt.overlap_us, Some(0));
        assert_eq!(receipt.p50_before_us, Some(25), "all it ever answered");
    }
}
