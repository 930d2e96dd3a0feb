use super::{Account, Act, Actor, EnvId, GroupName, PersonName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One person, with all accounts that are theirs: the one identity that every `allow` and `by` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name here.
    pub name: PersonName,
    /// The accounts that the configuration gives them.
    pub accounts: BTreeSet<Account>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// The groups that they are in.
    pub roles: BTreeSet<GroupName>,
}

/// Whom an `allow` or a `by` names: one person, or everybody with a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// `ada`
    Person(PersonName),
    /// `group:release`
    Group(GroupName),
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::Person(name) => write!(f, "{name}"),
            Grant::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// Everybody who may do something, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, grant) in self.0.iter().enumerate() {
            let before = if nth == 0 { "" } else { ", " };
            write!(f, "{before}{grant}")?;
        }
        Ok(())
    }
}

/// Everybody whom the configuration knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People(BTreeMap<PersonName, Person>);

impl People {
    /// These people.
    pub fn new(people: impl IntoIterator<Item = Person>) -> People {
        let named = people.into_iter().map(|one| (one.name.clone(), one));
        People(named.collect())
    }

    /// The person of that name.
    pub fn get(&self, name: &PersonName) -> Option<&Person> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.0.values()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose account this is. Forges take logins in any case; a key or a user of the dashboard that is named like a person
    /// is that person's, because only who runs the server can make one.
    pub fn whois(&self, account: Account) -> Actor {
        let same = |theirs: &Account| match (theirs, &account) {
            (Account::GitHub(a), Account::GitHub(b))
            | (Account::Gitea(a), Account::Gitea(b))
            | (Account::GitLab(a), Account::GitLab(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        let found = self.iter().find(|one| one.accounts.iter().any(same));
        let person = found.or_else(|| match &account {
            Account::Key(name) | Account::User(name) => self.0.get(&name.parse().ok()?),
            _ => None,
        });
        Actor {
            person: person.map(|person| person.name.clone()),
            account,
        }
    }

    /// Whether one of the grants means this person.
    pub fn is_granted(&self, grants: &Grants, name: &PersonName) -> bool {
        let roles = self.get(name).map(|person| &person.roles);
        grants.0.iter().any(|grant| match grant {
            Grant::Person(granted) => granted == name,
            Grant::Group(group) => roles.is_some_and(|roles| roles.contains(group)),
        })
    }

    /// Everybody whom the grants mean, by name.
    pub fn granted<'p>(&'p self, grants: &'p Grants) -> impl Iterator<Item = &'p Person> {
        self.iter()
            .filter(|person| self.is_granted(grants, &person.name))
    }

    /// What somebody who may not do something needs to know: who they are to Teal, and who may.
    pub fn why_not(&self, grants: &Grants, actor: &Actor, act: Act, env: &EnvId) -> String {
        let who = match (&actor.person, actor.account.config_key()) {
            (Some(_), _) => format!("you are {actor}"),
            (None, Some(key)) => {
                format!("you are {actor}, which is in no person's `{key}` in teal.toml")
            }
            (None, None) => format!("you are {actor}, which is no person of teal.toml"),
        };
        match act {
            Act::Approve => format!("{who}; deployments to {env} are approved by {grants}"),
            _ => format!("{who}; {env} is for {grants}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, accounts: &[Account], roles: &[&str]) -> Person {
        Person {
            name: name.parse().unwrap(),
            accounts: accounts.iter().cloned().collect(),
            email: None,
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        }
    }

    fn people() -> People {
        People::new([
            person(
                "ada",
                &[
                    Account::Unix("al".into()),
                    Account::GitHub("Ada-Lovelace".into()),
                    Account::Key("laptop".into()),
                ],
                &["release"],
            ),
            person("bob", &[Account::Slack("U1".into())], &[]),
        ])
    }

    fn whois(account: Account) -> Option<String> {
        people().whois(account).person.map(String::from)
    }

    #[test]
    fn an_account_leads_to_its_person_and_to_nobody_else() {
        let ada = Some("ada".to_owned());
        assert_eq!(whois(Account::Unix("al".into())), ada);
        assert_eq!(whois(Account::GitHub("ada-lovelace".into())), ada);
        assert_eq!(whois(Account::Key("laptop".into())), ada);
        assert_eq!(whois(Account::Slack("U1".into())), Some("bob".to_owned()));
        for stranger in [
            // A unix user's name is not a person's, however it is spelled.
            Account::Unix("ada".into()),
            Account::Unix("AL".into()),
            Account::Gitea("ada-lovelace".into()),
            Account::GitHub("al".into()),
            Account::Slack("ada".into()),
            Account::Teal,
        ] {
            assert_eq!(whois(stranger.clone()), None, "{stranger:?}");
        }
    }

    #[test]
    fn keys_and_users_of_the_dashboard_may_be_named_like_their_person() {
        assert_eq!(whois(Account::Key("bob".into())), Some("bob".to_owned()));
        assert_eq!(whois(Account::User("bob".into())), Some("bob".to_owned()));
        assert_eq!(whois(Account::User("Bob".into())), None);
        assert_eq!(whois(Account::Key("../bob".into())), None);
    }

    #[test]
    fn a_grant_names_a_person_or_everybody_with_a_role() {
        let people = people();
        let group = Grants(vec![Grant::Group("release".parse().unwrap())]);
        let bob = Grants(vec![Grant::Person("bob".parse().unwrap())]);
        let named = |grants: &Grants| -> Vec<String> {
            people.granted(grants).map(|p| p.name.to_string()).collect()
        };
        assert_eq!(named(&group), ["ada"]);
        assert_eq!(named(&bob), ["bob"]);
        let env = "shop/production".parse().unwrap();
        let why = |account| people.why_not(&group, &people.whois(account), Act::Deploy, &env);
        insta::assert_snapshot!(why(Account::Slack("U1".into())), @"you are bob, by the Slack user U1; shop/production is for group:release");
        insta::assert_snapshot!(why(Account::Unix("eve".into())), @"you are the unix user eve, which is in no person's `unix` in teal.toml; shop/production is for group:release");
        insta::assert_snapshot!(why(Account::User("eve".into())), @"you are the dashboard's user eve, which is no person of teal.toml; shop/production is for group:release");
    }
}
