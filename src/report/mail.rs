//! Mail, in plain text and HTML, threaded by the numbers of messages.

use super::memory::Memory;
use super::message::{Message as Words, message};
use super::news::News;
use super::wire::{PATIENCE, Refusal, trouble};
use super::wording::one_line;
use crate::config::{Mail as Settings, MailTls};
use crate::system::https;
use askama::Template;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A mail server, and who is written to.
#[derive(Debug, Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailboxes,
}

impl Mail {
    /// Opens it; nothing is said yet.
    pub fn new(settings: &Settings) -> Result<Mail, Refusal> {
        https::provide();
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
                .port(settings.port)
                .timeout(Some(PATIENCE))
                .tls(tls(settings)?);
        let builder = match &settings.login {
            Some((user, password)) => {
                builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()))
            }
            None => builder,
        };
        let mailbox = |text: &str| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|error| Refusal::later(format!("{text} is no address: {error}")))
        };
        let to = settings.to.iter().map(|text| mailbox(text));
        Ok(Mail {
            transport: builder.build(),
            from: mailbox(&settings.from)?,
            to: to.collect::<Result<Vec<_>, _>>()?.into_iter().collect(),
        })
    }

    /// Signs in at the mail server, and sends nothing.
    pub async fn check(&self) -> Result<String, Refusal> {
        match self.transport.test_connection().await {
            Ok(true) => Ok("the mail server lets Teal in".to_owned()),
            Ok(false) => Err(Refusal::later("the mail server is there and takes nothing")),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// Tells it; what the mail server answered, in words.
    pub async fn tell(&self, news: &News, memory: &Memory) -> Result<String, Refusal> {
        let id = self.id(news);
        // A thread begins with a deployment's first mail, or with the first of an app that goes on failing.
        let own = format!("deployment {}", news.deployment.id);
        let first = news.repeats().or(news.recovers()).map(|heard| heard.first);
        let first = first.map(|first| format!("deployment {first}"));
        let mut answers: Option<String> = memory.recall(own.clone()).await?;
        if let (None, Some(first)) = (&answers, first) {
            answers = memory.recall(first).await?;
        }
        let mail = self.written(news, &id, answers.as_deref().filter(|root| *root != id))?;
        let told = self.transport.send(mail).await;
        let response = told.map_err(|error| refusal(&error))?;
        memory.remember(own, answers.unwrap_or(id)).await?;
        let said = response.message().collect::<Vec<_>>().join(" ");
        Ok(format!("the mail server took it: {}", one_line(&said, 120)))
    }

    /// The same message always has the same number: a mailbox that gets it twice can tell.
    fn id(&self, news: &News) -> String {
        let server = hex::encode(&Sha256::digest(news.page.as_bytes())[..6]);
        let host = self.from.email.domain();
        format!(
            "<teal-{}-{}-{server}@{host}>",
            news.deployment.id, news.moment
        )
    }

    fn written(&self, news: &News, id: &str, answers: Option<&str>) -> Result<Message, Refusal> {
        let words = message(news);
        let mut builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .subject(format!("[teal] {}", words.title))
            .message_id(Some(id.to_owned()));
        for recipient in self.to.iter() {
            builder = builder.to(recipient.clone());
        }
        if let Some(root) = answers {
            builder = builder
                .in_reply_to(root.to_owned())
                .references(root.to_owned());
        }
        let html = Html {
            words: &words,
            story: &news.story,
        };
        let html = html
            .render()
            .map_err(|error| Refusal::never(format!("the mail cannot be written: {error}")))?;
        builder
            .multipart(MultiPart::alternative_plain_html(
                text(&words, &news.story),
                html,
            ))
            .map_err(|error| Refusal::never(format!("the mail cannot be written: {error}")))
    }
}

fn tls(settings: &Settings) -> Result<Tls, Refusal> {
    if settings.tls == MailTls::None {
        return Ok(Tls::None);
    }
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca {
        let refused = |why: String| Refusal::later(format!("cannot use {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let certificate =
            Certificate::from_pem(&pem).map_err(|error| refused(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    let parameters = builder
        .build()
        .map_err(|error| Refusal::later(format!("TLS cannot be used: {error}")))?;
    Ok(match settings.tls {
        MailTls::Implicit => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

/// 5xx is final, bar what is about who Teal is: that can be put right.
fn refusal(error: &lettre::transport::smtp::Error) -> Refusal {
    let Some(code) = error.status() else {
        return Refusal::later(trouble(error));
    };
    let source = std::error::Error::source(error).map(ToString::to_string);
    let said = one_line(&source.unwrap_or_default(), 200);
    let code = code.to_string();
    let words = format!("it answered {code} {said}").trim_end().to_owned();
    match code.as_str() {
        "530" | "534" | "535" | "538" => {
            Refusal::later(words).hint("user or password are not what the mail server knows")
        }
        code if code.starts_with('5') => Refusal::never(words),
        _ => Refusal::later(words),
    }
}

fn text(words: &Words, story: &[String]) -> String {
    let mut text = format!("{}\n\n", words.title);
    for (what, fact) in &words.facts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what}: {fact}");
    }
    if !words.tail.is_empty() {
        text.push_str("\nlast lines:\n");
    }
    for line in &words.tail {
        let _ = writeln!(text, "| {line}");
    }
    text.push_str("\nall that happened:\n");
    for line in story {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "\n{}", words.page);
    text
}

/// The same in HTML; the template escapes every word of it.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html><body style="font-family: sans-serif">
<p><strong>{{ words.title }}</strong></p>
<table>
{%- for (what, fact) in words.facts %}
<tr><td style="color: #666; vertical-align: top; padding-right: 1em">{{ what }}</td><td>{{ fact }}</td></tr>
{%- endfor %}
</table>
{%- if !words.tail.is_empty() %}
<pre style="background: #f4f4f4; padding: 0.5em">
{%- for line in words.tail %}
{{ line }}
{%- endfor %}
</pre>
{%- endif %}
<details><summary>all that happened</summary><pre>
{%- for line in story %}
{{ line }}
{%- endfor %}
</pre></details>
<p><a href="{{ words.page }}">{{ words.page }}</a></p>
</body></html>
"#
)]
struct Html<'a> {
    words: &'a Words,
    story: &'a [String],
}
