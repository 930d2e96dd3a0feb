//! Which of an app's settings are kept out of every log.

use std::collections::BTreeMap;

/// What the name of a secret has in it. Values of other names (`NODE_ENV=production`) would blacken half of every log.
const SECRET: [&str; 8] = [
    "SECRET",
    "TOKEN",
    "PASS",
    "KEY",
    "CREDENTIAL",
    "PRIVATE",
    "DSN",
    "DATABASE_URL",
];

/// The values whose names say that they are secret, and the passwords inside addresses, whatever those are called.
pub(super) fn of(settings: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in settings {
        let name = name.to_ascii_uppercase();
        if SECRET.iter().any(|part| name.contains(part)) {
            found.push(value.clone());
        }
        found.extend(password(value).map(str::to_owned));
    }
    found
}

/// The password of `scheme://name:password@host/…`. One that stands for itself in the middle of a log is masked as well.
fn password(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (user, _) = rest.get(..end)?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_its_place() {
        let settings = [
            ("NODE_ENV", "production"),
            ("api_token", "t0ken-value"),
            ("CACHE", "redis://:hunter2@10.0.0.1:6379/0"),
            ("BROKER", "amqp://app:s3cr@t@mq/vhost?x=a:b@c"),
            ("HOME_PAGE", "https://example.com/a:b@c"),
            ("MAIL", "smtp://mail.example.com:25"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of(&settings.into()), ["s3cr@t", "hunter2", "t0ken-value"]);
    }
}
