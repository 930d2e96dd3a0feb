//! Which keys `teal.toml` may have, and what is said about others.

use super::document::Rules;

/// Every table with its keys, to tell where a misplaced key belongs.
const PLACES: &[(&str, &[&str])] = &[
    ("at the top, before the first [table]", SERVER.keys),
    ("in [proxy]", PROXY.keys),
    ("in [apps.<app>]", APP.keys),
    (
        "in [apps.<app>.environments.<environment>]",
        ENVIRONMENT.keys,
    ),
    ("in [people.<name>]", PERSON.keys),
];

pub(super) const SERVER: Rules = Rules {
    keys: &[
        "state_dir",
        "apps_dir",
        "listen",
        "public_url",
        "public_page",
        "ssh_host",
        "build_slots",
        "reconcile",
        "log",
        "traces",
        "proxy",
        "apps",
        "people",
        "notify",
    ],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const PROXY: Rules = Rules {
    keys: &[
        "kind",
        "listen",
        "tls",
        "redirect_http",
        "trusted",
        "access_log",
        "conf_dir",
        "command",
        "verify",
    ],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const TRACES: Rules = Rules {
    keys: &["url", "token"],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const TLS: Rules = Rules {
    keys: &["listen", "certificates"],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const CERTIFICATE: Rules = Rules {
    keys: &["cert", "key"],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const APP: Rules = Rules {
    keys: &[
        "forge",
        "repo",
        "webhook_secret",
        "token",
        "ssh_key",
        "largest_push",
        "allow",
        "api_url",
        "api_token",
        "github_app",
        "statuses",
        "deployments",
        "comments",
        "environments",
    ],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const PERSON: Rules = Rules {
    keys: &[
        "unix", "github", "gitea", "forgejo", "gitlab", "slack", "keys", "email", "roles",
    ],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const ENVIRONMENT: Rules = Rules {
    keys: &[
        "branch",
        "tag",
        "root",
        "ports",
        "domain",
        "domains",
        "redirect",
        "mode",
        "on_push",
        "drain",
        "drain_websockets",
        "hold",
        "keep_warm",
        "observe",
        "backups",
        "backups_size",
        "reconcile",
        "triggers",
        "after",
        "deploy_hours",
        "approval",
        "allow",
        "run_as",
        "limits",
    ],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const LIMITS: Rules = Rules {
    keys: &["memory", "build_memory", "processes", "log"],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const AFTER: Rules = Rules {
    keys: &["ci", "timeout"],
    refused: |_| None,
    elsewhere: |_| None,
};

pub(super) const APPROVAL: Rules = Rules {
    keys: &["by", "timeout"],
    refused: |_| None,
    elsewhere: |_| None,
};

pub(super) const PORTS: Rules = Rules {
    keys: &["blue", "green"],
    refused: |_| None,
    elsewhere: belongs,
};

pub(super) const GITHUB_APP: Rules = Rules {
    keys: &["id", "installation", "key"],
    refused: |_| None,
    elsewhere: belongs,
};

/// A `[[notify]]` of one of the kinds that are nothing but an address to post to.
pub(super) const CHAT: Rules =
    notify(&["kind", "name", "events", "apps", "environments", "webhook"]);

pub(super) const SLACK: Rules = notify(&[
    "kind",
    "name",
    "events",
    "apps",
    "environments",
    "webhook",
    "token",
    "channel",
    "api_url",
    "signing_secret",
]);

pub(super) const MAIL: Rules = notify(&[
    "kind",
    "name",
    "events",
    "apps",
    "environments",
    "from",
    "to",
    "smtp",
]);

pub(super) const WEBHOOK: Rules = notify(&[
    "kind",
    "name",
    "events",
    "apps",
    "environments",
    "url",
    "secret",
]);

pub(super) const SMTP: Rules = Rules {
    keys: &["host", "port", "tls", "user", "password", "ca"],
    refused: |_| None,
    elsewhere: |_| None,
};

const fn notify(keys: &'static [&'static str]) -> Rules {
    Rules {
        keys,
        refused: |_| None,
        elsewhere: |_| None,
    }
}

/// Where a key belongs that is not known where it stands.
fn belongs(key: &str) -> Option<String> {
    PLACES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(place, _)| format!("`{key}` belongs {place}"))
}
