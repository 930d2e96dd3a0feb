//! Moments to come, as people type them: `18:00`, `2026-11-27`, `2026-11-27 09:00`, `2h`, `3d`.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// Reads a moment after `now`, in milliseconds since the epoch; where no zone is given, the server's own is meant. A time
/// without a day is the next one.
pub(super) fn until(text: &str, now: &Zoned) -> Result<i64, String> {
    let wrong = || {
        format!("`{text}` is no moment: write 18:00, 2026-11-27, \"2026-11-27 09:00\", 2h or 3d")
    };
    let moment = read(text.trim(), now).ok_or_else(wrong)?;
    if moment <= *now {
        return Err(format!(
            "`{text}` is in the past: it is {} now",
            now.strftime("%Y-%m-%d %H:%M")
        ));
    }
    Ok(moment.timestamp().as_millisecond())
}

fn read(text: &str, now: &Zoned) -> Option<Zoned> {
    let zone = now.time_zone().clone();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.to_zoned(zone));
    }
    // A date alone is its midnight.
    if let Ok(moment) = text.parse::<DateTime>() {
        return moment.to_zoned(zone).ok();
    }
    if let Ok(time) = text.parse::<Time>() {
        return next(time, now);
    }
    let span: Span = text.parse().ok()?;
    now.checked_add(span).ok()
}

fn next(time: Time, now: &Zoned) -> Option<Zoned> {
    let at = |days| {
        let day = now.date().checked_add(Span::new().days(days)).ok()?;
        let zone: TimeZone = now.time_zone().clone();
        day.to_datetime(time).to_zoned(zone).ok()
    };
    at(0).filter(|moment| moment > now).or_else(|| at(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_mean_them() {
        let now: Zoned = "2026-11-23T14:05:00+01:00[Europe/Berlin]".parse().unwrap();
        let read = |text: &str| {
            let ms = until(text, &now)?;
            let moment = Timestamp::from_millisecond(ms).map_err(|e| e.to_string())?;
            Ok::<_, String>(moment.to_string())
        };
        for (typed, meant) in [
            ("18:00", "2026-11-23T17:00:00Z"),
            ("09:30", "2026-11-24T08:30:00Z"),
            ("2026-11-27", "2026-11-26T23:00:00Z"),
            ("2026-11-27 09:00", "2026-11-27T08:00:00Z"),
            ("2026-11-27T09:00", "2026-11-27T08:00:00Z"),
            ("2026-11-27T09:00:00Z", "2026-11-27T09:00:00Z"),
            ("2h", "2026-11-23T15:05:00Z"),
            ("3d", "2026-11-26T13:05:00Z"),
        ] {
            assert_eq!(read(typed).as_deref(), Ok(meant), "{typed}");
        }
        insta::assert_snapshot!(read("friday").unwrap_err(), @r#"`friday` is no moment: write 18:00, 2026-11-27, "2026-11-27 09:00", 2h or 3d"#);
        insta::assert_snapshot!(read("2026-11-22").unwrap_err(), @"`2026-11-22` is in the past: it is 2026-11-23 14:05 now");
    }
}
