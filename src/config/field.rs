//! What the value of a key may be: each reader says so of a value that is something else.

use super::document::{Field, nearest};
use super::error::{ConfigError, shown};
use super::values;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

impl<'a> Field<'a> {
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

    /// True or false.
    pub fn truth(&self) -> Result<bool, ConfigError> {
        let truth = self.value.as_bool();
        truth.ok_or_else(|| self.wrong_type("true or false"))
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

    fn item(&self, item: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field {
            at: item.span(),
            value: item.get_ref(),
            ..self.clone()
        }
    }
}
