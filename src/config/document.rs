//! A TOML file as it was typed, read strictly: every value knows its key and its place, every table knows which keys it
//! may have. The readers of `teal.toml` and `.teal.toml` are built on these.

use super::error::{ConfigError, Mistake, shown};
use super::field::Field;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file's name and text.
pub(super) struct Document<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

impl<'a> Document<'a> {
    /// The file's top table; a text that is not TOML is a mistake.
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            ConfigError::Mistake(Box::new(self.mistake(at, shown(&message)).hide_rest()))
        })
    }

    /// The line that the byte is on, from 1.
    pub fn line(&self, at: usize) -> usize {
        let at = self.text.floor_char_boundary(at.min(self.text.len()));
        self.text[..at].matches('\n').count() + 1
    }

    /// A mistake at a place of the file.
    pub fn mistake(&self, at: Range<usize>, message: String) -> Mistake {
        Mistake::new(self.file, self.text, at, message)
    }
}

/// Which keys a table may have, and what is said about others.
pub(super) struct Rules {
    /// The keys that mean something here.
    pub keys: &'static [&'static str],
    /// The whole message about a key that is known and may not be here.
    pub refused: fn(&str) -> Option<String>,
    /// Where a key belongs that is unknown here.
    pub elsewhere: fn(&str) -> Option<String>,
}

/// A table of the file.
pub(super) struct Section<'a> {
    pub doc: &'a Document<'a>,
    /// Its dotted path; empty for the top.
    pub path: String,
    /// Its header, or the table itself when it is inline.
    pub at: Range<usize>,
    pub table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The top table, which may have only these keys.
    pub fn top(
        doc: &'a Document<'a>,
        table: &'a Spanned<DeTable<'a>>,
        rules: &Rules,
    ) -> Result<Self, ConfigError> {
        let section = Section {
            doc,
            path: String::new(),
            at: 0..0,
            table: table.get_ref(),
        };
        section.only(rules)?;
        Ok(section)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(self.field(name, value))
    }

    /// The table of a key, which may have only these keys.
    pub fn table(&self, key: &str, rules: &Rules) -> Result<Option<Section<'a>>, ConfigError> {
        self.get(key).map(|field| field.table(rules)).transpose()
    }

    /// All values in the order of the file.
    pub fn fields(&self) -> Vec<Field<'a>> {
        let mut fields: Vec<_> = self.table.iter().map(|(k, v)| self.field(k, v)).collect();
        fields.sort_by_key(|field| field.key_at.start);
        fields
    }

    /// Something wrong with the table as a whole.
    pub fn error(&self, message: impl Into<String>, help: impl Into<String>) -> ConfigError {
        let mut mistake = self.doc.mistake(self.at.clone(), message.into());
        mistake.help = Some(help.into());
        ConfigError::Mistake(Box::new(mistake))
    }

    fn field(
        &self,
        name: &Spanned<std::borrow::Cow<'a, str>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Field<'a> {
        Field {
            doc: self.doc,
            name: name.get_ref().to_string(),
            parent: self.path.clone(),
            key_at: name.span(),
            at: value.span(),
            value: value.get_ref(),
        }
    }

    /// Refuses keys that the table may not have.
    pub fn only(&self, rules: &Rules) -> Result<(), ConfigError> {
        match self
            .fields()
            .iter()
            .find(|field| !rules.keys.contains(&field.name.as_str()))
        {
            Some(unknown) => Err(self.unknown(unknown, rules)),
            None => Ok(()),
        }
    }

    fn unknown(&self, field: &Field<'_>, rules: &Rules) -> ConfigError {
        if let Some(message) = (rules.refused)(&field.name) {
            return field.key_error(message, None);
        }
        let key = shown(&field.name);
        let message = match self.path.as_str() {
            "" => format!("unknown key `{key}`"),
            path => format!("unknown key `{key}` in [{}]", shown(path)),
        };
        let help = (rules.elsewhere)(&field.name).or_else(|| {
            nearest(&field.name, rules.keys).map(|right| format!("did you mean `{right}`?"))
        });
        let all = || format!("known here: {}", rules.keys.join(", "));
        field.key_error(message, Some(help.unwrap_or_else(all)))
    }
}

/// The known word that was probably meant.
pub(super) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    if word.len() > 60 {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let near = |right: &&str| {
        let distance = strsim::damerau_levenshtein(&word, right);
        (distance <= 1 + right.len().max(word.len()) / 4).then_some(distance)
    };
    known
        .iter()
        .filter_map(|right| near(right).map(|distance| (distance, *right)))
        .min()
        .map(|(_, right)| right)
}
