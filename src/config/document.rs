//! A TOML file as it was typed, read strictly: every value knows its key and its place, every table knows which keys it
//! may have. The readers of `teal.toml` and `.teal.toml` are built on these.

use super::error::{ConfigError, Mistake, shown};
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

/// A key with its value.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub doc: &'a Document<'a>,
    /// The key.
    pub name: String,
    /// The dotted path of the table that it is in.
    pub parent: String,
    /// Where the key stands.
    pub key_at: Range<usize>,
    /// Where the value stands.
    pub at: Range<usize>,
    pub value: &'a DeValue<'a>,
}

impl<'a> Field<'a> {
    /// Something wrong with the value.
    pub fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::Mistake(Box::new(self.doc.mistake(self.at.clone(), message.into())))
    }

    /// Something wrong with the value, and what to write instead.
    pub fn error_help(&self, message: impl Into<String>, help: impl Into<String>) -> ConfigError {
        let mut mistake = self.doc.mistake(self.at.clone(), message.into());
        mistake.help = Some(help.into());
        ConfigError::Mistake(Box::new(mistake))
    }

    /// Something wrong with the key, or with a value that must not be shown.
    pub fn key_error(&self, message: impl Into<String>, help: Option<String>) -> ConfigError {
        let mut mistake = self
            .doc
            .mistake(self.key_at.clone(), message.into())
            .hide_value();
        mistake.help = help;
        ConfigError::Mistake(Box::new(mistake))
    }

    /// The line of the value, from 1.
    pub fn line(&self) -> usize {
        self.doc.line(self.key_at.start)
    }

    /// The dotted path of the key.
    pub fn path(&self) -> String {
        match self.parent.as_str() {
            "" => self.name.clone(),
            parent => format!("{parent}.{}", self.name),
        }
    }

    /// The key as messages name it.
    pub fn label(&self) -> String {
        shown(&self.name)
    }

    /// A table that may have only these keys.
    pub fn table(&self, rules: &Rules) -> Result<Section<'a>, ConfigError> {
        let section = self.any_table()?;
        section.only(rules)?;
        Ok(section)
    }

    /// A table whose keys are names that people choose.
    pub fn any_table(&self) -> Result<Section<'a>, ConfigError> {
        let table = self
            .value
            .as_table()
            .ok_or_else(|| self.wrong_type("a table"))?;
        Ok(Section {
            doc: self.doc,
            path: self.path(),
            at: if self.at.is_empty() {
                self.key_at.clone()
            } else {
                self.at.clone()
            },
            table,
        })
    }

    /// The mistake that the value is of another type than this.
    pub fn wrong_type(&self, wanted: &str) -> ConfigError {
        self.error(self.wrong_type_text(wanted))
    }

    /// The words of that mistake.
    pub fn wrong_type_text(&self, wanted: &str) -> String {
        let is = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        format!("`{}` must be {wanted}, not {is}", self.label())
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
