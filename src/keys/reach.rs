use crate::domain::{AppName, EnvId, NameError};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What a key may push to: whole apps, or single environments. Written `blog,shop/staging`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    apps: BTreeSet<AppName>,
    environments: BTreeSet<EnvId>,
}

impl Reach {
    /// An app with all of its environments.
    pub fn app(app: AppName) -> Reach {
        Reach {
            apps: [app].into(),
            ..Reach::default()
        }
    }

    /// These environments and no others.
    pub fn environments(environments: impl IntoIterator<Item = EnvId>) -> Reach {
        Reach {
            environments: environments.into_iter().collect(),
            ..Reach::default()
        }
    }

    /// This and that; an app covers its environments.
    pub fn and(mut self, other: Reach) -> Reach {
        self.apps.extend(other.apps);
        self.environments.extend(other.environments);
        let Reach { apps, environments } = &mut self;
        environments.retain(|env| !apps.contains(&env.app));
        self
    }

    /// Whether the key may push to this app at all.
    pub fn has(&self, app: &AppName) -> bool {
        self.apps.contains(app) || self.environments.iter().any(|env| &env.app == app)
    }

    /// The environments of the app that it is limited to; nothing when it may push whatever the app takes.
    pub fn only(&self, app: &AppName) -> Option<Vec<&str>> {
        let its = self.environments.iter().filter(|env| &env.app == app);
        (!self.apps.contains(app)).then(|| its.map(|env| env.env.as_str()).collect())
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apps = self.apps.iter().map(ToString::to_string);
        let environments = self.environments.iter().map(ToString::to_string);
        let all: Vec<String> = apps.chain(environments).collect();
        f.pad(&all.join(","))
    }
}

impl FromStr for Reach {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Reach, NameError> {
        let mut reach = Reach::default();
        for word in text.split(',') {
            let more = match word.contains('/') {
                true => Reach::environments([word.parse()?]),
                false => Reach::app(word.parse()?),
            };
            reach = reach.and(more);
        }
        Ok(reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_what_is_written_and_no_more() {
        let reach: Reach = "blog,shop/staging,shop/qa".parse().unwrap();
        assert_eq!(reach.to_string(), "blog,shop/qa,shop/staging");
        let shop = "shop".parse().unwrap();
        assert_eq!(reach.only(&shop), Some(vec!["qa", "staging"]));
        assert_eq!(reach.only(&"blog".parse().unwrap()), None);
        assert!(!reach.has(&"other".parse().unwrap()));
        // What it has nothing of, it may do nothing in.
        assert_eq!(reach.only(&"other".parse().unwrap()), Some(vec![]));
        assert_eq!(reach.and(Reach::app(shop)).to_string(), "blog,shop");
        for bad in ["", "shop,", "shop/", "../shop", "shop/a/b", "shop;rm"] {
            assert!(bad.parse::<Reach>().is_err(), "{bad}");
        }
    }
}
