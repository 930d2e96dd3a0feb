use serde_json::Value;

/// The API's description in the format of OpenAPI, as far as it uses JSON Schema: answers are held against it.
pub struct Description(Value);

impl Description {
    /// Reads it.
    #[track_caller]
    pub fn of(text: &str) -> Description {
        Description(serde_json::from_str(text).expect("the description is JSON"))
    }

    /// Every path with its method.
    pub fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        });
        operations.collect()
    }

    /// The schema of what an operation answers with this status.
    #[track_caller]
    pub fn answer(&self, method: &str, path: &str, status: u16) -> (&str, &Value) {
        let responses = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let exact = &responses[status.to_string()];
        let response = match exact {
            Value::Null => &responses["default"],
            exact => exact,
        };
        let content = response["content"].as_object();
        let content =
            content.unwrap_or_else(|| panic!("{method} {path} {status} is not described"));
        let (kind, body) = content.iter().next().expect("a kind of content");
        (kind, &body["schema"])
    }

    /// What does not fit in the value, place by place.
    pub fn misfits(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(schema, value, "$", &mut found);
        found
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            match self.0.pointer(pointer) {
                Some(schema) => self.check(schema, value, at, found),
                None => found.push(format!("{at}: {name} is nowhere")),
            }
            return;
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = |choice: &&Value| self.misfits(choice, value).is_empty();
            if choices.iter().filter(fits).count() != 1 {
                found.push(format!("{at}: {value} is not one of the choices"));
            }
            return;
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        if !kinds.iter().any(|kind| is(kind, value)) {
            found.push(format!("{at}: {value} is not {kinds:?}"));
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            found.push(format!("{at}: {value} is none of {words:?}"));
        }
        match value {
            Value::Object(fields) => self.fields(schema, fields, at, found),
            Value::Array(items) => {
                for (nth, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &format!("{at}[{nth}]"), found);
                }
            }
            _ => {}
        }
    }

    fn fields(
        &self,
        schema: &Value,
        fields: &serde_json::Map<String, Value>,
        at: &str,
        found: &mut Vec<String>,
    ) {
        for needed in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(needed.as_str().unwrap_or_default()) {
                found.push(format!("{at}: {needed} is missing"));
            }
        }
        for (name, value) in fields {
            let at = format!("{at}.{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{at} is not described")),
                (Value::Null, Value::Null | Value::Bool(true)) => {}
                (Value::Null, others) => self.check(others, value, &at, found),
                (own, _) => self.check(own, value, &at, found),
            }
        }
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}
