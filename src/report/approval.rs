//! What is said around a deployment that waits for somebody's yes.

use super::changed::changed;
use super::moments::span;
use super::news::Changes;
use super::wording::{Line, Tone, one_line};
use crate::domain::{Asked, DeploymentId};
use crate::system::clock;

/// Whom a deployment waits for, and until when: the end of "waiting for approval: …".
pub fn asks(asked: &Asked) -> String {
    format!("by {} until {}", asked.of, clock::local(asked.until_ms))
}

/// What was said to it, once something was: "approved by ada: looks good".
pub fn answered(asked: &Asked) -> Option<String> {
    let answer = asked.answer.as_ref()?;
    let why = answer.why.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {}", one_line(why, 200)));
    Some(match (answer.approved, &answer.by) {
        (true, Some(by)) => format!("approved by {by}{why}"),
        (false, Some(by)) => format!("rejected by {by}{why}"),
        (true, None) => format!("approved{why}"),
        (false, None) => {
            let waited = span(asked.until_ms - asked.since_ms);
            format!(
                "nobody approved it within {waited}, and it was for {}",
                asked.of
            )
        }
    })
}

/// How whoever may say yes or no says it.
pub fn how_to_answer(id: DeploymentId) -> Line {
    Line {
        text: format!("  yes: teal approve {id}, no: teal reject {id} (both take -m \"why\")"),
        tone: Tone::Plain,
    }
}

/// What becomes of a deployment that waits for a yes, for whoever does not want to wait with it.
pub fn goes_on(id: DeploymentId) -> Line {
    Line {
        text: format!("  it goes live when that is said; look at it with: teal logs {id} -f"),
        tone: Tone::Plain,
    }
}

/// What a release brings, line by line, for whoever has to say yes to it.
pub fn brings(changes: &Changes) -> Vec<Line> {
    let facts = changed(changes).into_iter();
    let line = |(what, text): (&str, String)| Line {
        text: format!("  {what:<10} {}", one_line(&text, 600)),
        tone: Tone::Plain,
    };
    facts.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Answer;

    fn asked(answer: Option<(bool, Option<&str>, Option<&str>)>) -> Asked {
        Asked {
            of: "group:release".to_owned(),
            since_ms: 0,
            until_ms: 2 * 3600 * 1000,
            answer: answer.map(|(approved, by, why)| Answer {
                approved,
                by: by.map(str::to_owned),
                said_ms: 0,
                why: why.map(str::to_owned),
            }),
        }
    }

    #[test]
    fn an_answer_is_told_with_who_gave_it_and_their_words() {
        let told = |answer| answered(&asked(answer));
        assert_eq!(told(None), None);
        let shown: Vec<String> = [
            told(Some((true, Some("ada"), None))),
            told(Some((false, Some("ada"), Some("not today\nreally")))),
            told(Some((false, None, None))),
        ]
        .into_iter()
        .flatten()
        .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        approved by ada
        rejected by ada: not todayreally
        nobody approved it within 2 h, and it was for group:release
        ");
    }
}
