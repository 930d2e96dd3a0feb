//! The hours in which an environment is deployed to.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use std::fmt;

/// A week and a day: whatever hours there are have come by then.
const LOOK_AHEAD_DAYS: i64 = 8;

/// The hours in which pushes go live; at other times they wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployHours {
    windows: Vec<Window>,
}

/// The same hours on some days of the week: `Mon-Thu 09:00-17:00 Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    days: Vec<Weekday>,
    from: Time,
    /// Not included; midnight at the end of the day is none.
    to: Option<Time>,
    zone: TimeZone,
    said: String,
}

/// What is wrong with hours that were typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// It is not of three words, or of two.
    #[error("is not of the form `Mon-Thu 09:00-17:00 Europe/Berlin`")]
    Form,
    /// No day is called so.
    #[error("names a day `{0}`: they are Mon, Tue, Wed, Thu, Fri, Sat and Sun")]
    Day(String),
    /// No time, or the end is not after the beginning.
    #[error(
        "has the hours `{0}`: write them as 09:00-17:00, the later one second (24:00 is midnight)"
    )]
    Times(String),
    /// The zone is not in the database of time zones.
    #[error("names a time zone `{0}` that nobody knows: write it as Europe/Berlin or UTC")]
    Zone(String),
}

impl DeployHours {
    /// Reads windows as people type them; any of them lets a push through.
    ///
    /// # Errors
    /// With the number of the window that is wrong, and what is wrong with it.
    pub fn parse<'a>(
        typed: impl IntoIterator<Item = &'a str>,
    ) -> Result<DeployHours, (usize, HoursError)> {
        let windows = typed
            .into_iter()
            .enumerate()
            .map(|(number, text)| Window::parse(text).map_err(|wrong| (number, wrong)))
            .collect::<Result<_, _>>()?;
        Ok(DeployHours { windows })
    }

    /// Whether pushes go live at this moment, in milliseconds since the epoch.
    pub fn are_open(&self, now_ms: i64) -> bool {
        self.windows
            .iter()
            .any(|window| at(now_ms, &window.zone).is_some_and(|moment| window.contains(&moment)))
    }

    /// When they will next, in milliseconds since the epoch.
    pub fn next_ms(&self, now_ms: i64) -> Option<i64> {
        let openings = self.windows.iter().filter_map(|window| window.next(now_ms));
        openings.min().map(|opening| opening.as_millisecond())
    }
}

impl fmt::Display for DeployHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<&str> = self.windows.iter().map(|window| &window.said[..]).collect();
        f.write_str(&said.join(", "))
    }
}

impl Window {
    fn parse(text: &str) -> Result<Window, HoursError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times, zone) = match words[..] {
            [days, times] => (days, times, TimeZone::system()),
            [days, times, zone] => {
                let known = TimeZone::get(zone).map_err(|_| HoursError::Zone(shown(zone)))?;
                (days, times, known)
            }
            _ => return Err(HoursError::Form),
        };
        let (from, to) = hours(times).ok_or_else(|| HoursError::Times(shown(times)))?;
        Ok(Window {
            days: all_days(days)?,
            from,
            to,
            zone,
            said: words.join(" "),
        })
    }

    fn contains(&self, moment: &Zoned) -> bool {
        let time = moment.time();
        self.days.contains(&moment.weekday())
            && time >= self.from
            && self.to.is_none_or(|to| time < to)
    }

    fn next(&self, now_ms: i64) -> Option<Timestamp> {
        let now = at(now_ms, &self.zone)?;
        (0..LOOK_AHEAD_DAYS).find_map(|days| {
            let day = now.date().checked_add(Span::new().days(days)).ok()?;
            if !self.days.contains(&day.weekday()) {
                return None;
            }
            // Where the clocks are put forward over it, the hours begin when they have been.
            let opening = day
                .to_datetime(self.from)
                .to_zoned(self.zone.clone())
                .ok()?;
            (opening > now).then(|| opening.timestamp())
        })
    }
}

fn at(now_ms: i64, zone: &TimeZone) -> Option<Zoned> {
    let now = Timestamp::from_millisecond(now_ms).ok()?;
    Some(now.to_zoned(zone.clone()))
}

fn all_days(text: &str) -> Result<Vec<Weekday>, HoursError> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let mut next = first;
        all.push(next);
        while next != last {
            next = next.next();
            all.push(next);
        }
    }
    Ok(all)
}

fn day(word: &str) -> Result<Weekday, HoursError> {
    match word.to_ascii_lowercase().as_str() {
        "mon" => Ok(Weekday::Monday),
        "tue" => Ok(Weekday::Tuesday),
        "wed" => Ok(Weekday::Wednesday),
        "thu" => Ok(Weekday::Thursday),
        "fri" => Ok(Weekday::Friday),
        "sat" => Ok(Weekday::Saturday),
        "sun" => Ok(Weekday::Sunday),
        _ => Err(HoursError::Day(shown(word))),
    }
}

fn hours(text: &str) -> Option<(Time, Option<Time>)> {
    let (from, to) = text.split_once('-')?;
    let from = time(from)?;
    if to == "24:00" {
        return Some((from, None));
    }
    let to = time(to)?;
    (from < to).then_some((from, Some(to)))
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |word: &str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn shown(word: &str) -> String {
    word.chars().take(40).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(typed: &[&str]) -> DeployHours {
        DeployHours::parse(typed.iter().copied()).unwrap()
    }

    fn ms(moment: &str) -> i64 {
        moment.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn work_is_let_through_and_the_evening_waits_for_the_next_morning() {
        let hours = hours(&["Mon-Thu 09:00-17:00 Europe/Berlin"]);
        // A Monday in winter, when Berlin is an hour ahead.
        assert!(!hours.are_open(ms("2026-11-23T07:59:59Z")));
        assert!(hours.are_open(ms("2026-11-23T08:00:00Z")));
        assert!(hours.are_open(ms("2026-11-23T15:59:59Z")));
        assert!(!hours.are_open(ms("2026-11-23T16:00:00Z")));
        let evening = ms("2026-11-23T20:00:00Z");
        assert_eq!(hours.next_ms(evening), Some(ms("2026-11-24T08:00:00Z")));
        let thursday_evening = ms("2026-11-26T20:00:00Z");
        let monday = Some(ms("2026-11-30T08:00:00Z"));
        assert_eq!(hours.next_ms(thursday_evening), monday);
        assert_eq!(hours.to_string(), "Mon-Thu 09:00-17:00 Europe/Berlin");
    }

    #[test]
    fn any_window_lets_through_and_a_week_may_wrap() {
        let hours = hours(&["Fri-Mon 22:00-24:00 UTC", "Wed 12:00-13:00 UTC"]);
        assert!(hours.are_open(ms("2026-11-22T23:59:59Z")), "Sunday");
        assert!(hours.are_open(ms("2026-11-25T12:30:00Z")), "Wednesday");
        assert!(!hours.are_open(ms("2026-11-24T22:30:00Z")), "Tuesday");
        let tuesday = ms("2026-11-24T22:30:00Z");
        assert_eq!(hours.next_ms(tuesday), Some(ms("2026-11-25T12:00:00Z")));
        // In the last minute of the only window the next one is a week away.
        let only = self::hours(&["Wed 12:00-13:00 UTC"]);
        let next = only.next_ms(ms("2026-11-25T12:00:00Z"));
        assert_eq!(next, Some(ms("2026-12-02T12:00:00Z")));
    }

    #[test]
    fn hours_follow_the_clocks_of_their_zone() {
        let hours = hours(&["Sun 02:30-04:00 Europe/Berlin"]);
        // On that Sunday the clocks go from two to three.
        let before = ms("2026-03-28T12:00:00Z");
        assert_eq!(hours.next_ms(before), Some(ms("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text| DeployHours::parse([text]).unwrap_err().1.to_string();
        for (typed, says) in [
            ("always", "is not of the form"),
            (
                "Mon-Thu 09:00-17:00 Europe/Berlin please",
                "is not of the form",
            ),
            ("Mo 09:00-17:00", "names a day `Mo`"),
            ("Mon 9-17", "has the hours `9-17`"),
            ("Mon 17:00-09:00", "has the hours `17:00-09:00`"),
            ("Mon 09:00-25:00", "has the hours"),
            ("Mon 09:00-17:00 Mars/Base", "names a time zone `Mars/Base`"),
        ] {
            assert!(wrong(typed).starts_with(says), "{typed}: {}", wrong(typed));
        }
    }
}
