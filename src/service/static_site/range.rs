//! What a client already has, and which part it wants.

use http::header::{self, HeaderMap, HeaderName};

const DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Which part of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part { start: u64, count: u64 },
    Outside,
}

/// Whether the client has this very file already.
pub(super) fn is_fresh(asked: &HeaderMap, file: &HeaderMap) -> bool {
    let tag = text(file, header::ETAG);
    if let Some(known) = text(asked, header::IF_NONE_MATCH) {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        return known.trim() == "*"
            || tag.is_some_and(|tag| known.split(',').any(|one| weak(one) == weak(tag)));
    }
    let since = text(asked, header::IF_MODIFIED_SINCE).and_then(seconds);
    let changed = text(file, header::LAST_MODIFIED).and_then(seconds);
    matches!((since, changed), (Some(since), Some(changed)) if changed <= since)
}

/// The part that the request asks for. Several parts at once, and whatever is not understood, mean all of it.
pub(super) fn wanted(asked: &HeaderMap, file: &HeaderMap, length: u64) -> Wanted {
    let Some(range) = text(asked, header::RANGE).and_then(|text| text.strip_prefix("bytes="))
    else {
        return Wanted::All;
    };
    if let Some(condition) = text(asked, header::IF_RANGE) {
        // The rest of another version would not fit to what the client has.
        let same = [header::ETAG, header::LAST_MODIFIED]
            .into_iter()
            .any(|name| text(file, name) == Some(condition));
        if !same {
            return Wanted::All;
        }
    }
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::All;
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let (start, end) = match (
        first.is_empty(),
        number(first),
        last.is_empty(),
        number(last),
    ) {
        (true, _, false, Some(count)) => (length.saturating_sub(count), length),
        (false, Some(start), true, _) => (start, length),
        (false, Some(start), false, Some(last)) if last >= start => {
            (start, last.saturating_add(1).min(length))
        }
        _ => return Wanted::All,
    };
    if start >= end {
        return Wanted::Outside;
    }
    Wanted::Part {
        start,
        count: end - start,
    }
}

/// A time as HTTP writes it.
pub(super) fn date(seconds: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.strftime(DATE).to_string())
}

fn seconds(text: &str) -> Option<i64> {
    let time = jiff::civil::DateTime::strptime(DATE, text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_second())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: &str) -> Wanted {
        let mut asked = HeaderMap::new();
        asked.insert(header::RANGE, range.parse().unwrap());
        wanted(&asked, &HeaderMap::new(), 100)
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let is = |start, count| Wanted::Part { start, count };
        assert_eq!(part("bytes=0-9"), is(0, 10));
        assert_eq!(part("bytes=90-"), is(90, 10));
        assert_eq!(part("bytes=-5"), is(95, 5));
        assert_eq!(part("bytes=-500"), is(0, 100));
        assert_eq!(part("bytes=95-1000"), is(95, 5));
        assert_eq!(part("bytes=100-"), Wanted::Outside);
        assert_eq!(part("bytes=-0"), Wanted::Outside);
        for odd in [
            "bytes=9-3",
            "bytes=0-1,4-5",
            "bytes=a-b",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=-",
        ] {
            assert_eq!(part(odd), Wanted::All, "{odd}");
        }
    }

    #[test]
    fn dates_go_both_ways() {
        let text = date(784_111_777).unwrap();
        assert_eq!(text, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(seconds(&text), Some(784_111_777));
    }
}
