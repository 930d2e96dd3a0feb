//! One key of a TOML file with its value, and what the value may be.

use super::document::{Document, Rules, Section, nearest};
use super::error::{ConfigError, shown};
use super::values;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

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

    /// The value as the file has it, when it is a string.
    pub fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Whether the value is a table.
    pub fn is_table(&self) -> bool {
        self.value.as_table().is_some()
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        self.value.as_array().is_some()
    }

    /// A string on one line.
    pub fn text(&self) -> Result<&'a str, ConfigError> {
        let text = self.as_text().ok_or_else(|| self.wrong_type("a string"))?;
        match text.chars().find(|c| c.is_control()) {
            Some(_) => Err(self.error(format!("`{}` has a control character in it", self.label()))),
            None => Ok(text),
        }
    }

    /// A string that is not empty, on one line.
    pub fn some_text(&self) -> Result<&'a str, ConfigError> {
        match self.text()? {
            "" => Err(self.error(format!("`{}` is empty", self.label()))),
            text => Ok(text),
        }
    }

    /// A shell line, or several; an empty one means that there is none.
    pub fn command(&self) -> Result<Option<String>, ConfigError> {
        let text = self.as_text().ok_or_else(|| self.wrong_type("a string"))?;
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            let message = format!("`{}` has a control character in it", self.label());
            return Err(self.error(message));
        }
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// A whole number within the range.
    pub fn number(&self, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let number = self
            .value
            .as_integer()
            .ok_or_else(|| self.wrong_type("a whole number"))?;
        u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|n| range.contains(n))
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                self.error(format!(
                    "`{}` must be between {low} and {high}",
                    self.label()
                ))
            })
    }

    /// A duration: `"30s"`.
    pub fn duration(&self) -> Result<Duration, ConfigError> {
        const HELP: &str = "a number with its unit: \"500ms\", \"30s\", \"10m\", \"2h\" or \"1d\"";
        let text = self
            .as_text()
            .ok_or_else(|| self.error_help(self.wrong_type_text("a duration"), HELP))?;
        values::duration(text).ok_or_else(|| {
            let message = format!("`{}`: \"{}\" is not a duration", self.label(), shown(text));
            self.error_help(message, HELP)
        })
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(text, &names) {
            Some(right) => format!("did you mean \"{right}\"?"),
            None => format!("one of: {}", names.join(", ")),
        };
        let message = format!("`{}` cannot be \"{}\"", self.label(), shown(text));
        Err(self.error_help(message, help))
    }

    /// A list's items.
    pub fn list(&self) -> Result<Vec<Field<'a>>, ConfigError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type("a list"))?;
        Ok(items.iter().map(|item| self.item(item)).collect())
    }

    /// A list's items, or the one string as a list.
    pub fn one_or_list(&self) -> Result<Vec<Field<'a>>, ConfigError> {
        if self.is_list() {
            return self.list();
        }
        self.as_text()
            .ok_or_else(|| self.wrong_type("a string or a list of strings"))?;
        Ok(vec![self.clone()])
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

    /// A string, a number or a truth value, as JSON has it.
    pub fn scalar(&self) -> Result<serde_json::Value, ConfigError> {
        let wrong = || self.wrong_type("a string, a number, true or false");
        match self.value {
            DeValue::String(text) => Ok(text.as_ref().into()),
            DeValue::Boolean(truth) => Ok((*truth).into()),
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .map(Into::into)
                .map_err(|_| wrong()),
            DeValue::Float(n) => n
                .as_str()
                .parse::<f64>()
                .map(Into::into)
                .map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    /// The mistake that the value is of another type than this.
    pub fn wrong_type(&self, wanted: &str) -> ConfigError {
        self.error(self.wrong_type_text(wanted))
    }

    fn wrong_type_text(&self, wanted: &str) -> String {
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

    /// The key as messages name it.
    pub fn label(&self) -> String {
        shown(&self.name)
    }

    fn item(&self, item: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field {
            at: item.span(),
            value: item.get_ref(),
            ..self.clone()
        }
    }
}
