//! One parameter as a field of the form: a native input with everything it needs to be
//! understood by people who see it and by people who hear it.

use stagedoor_domain::param::{Choice, Condition, Kind, Param, Pass};

use super::given::{defaults, is_one_per_line};
use super::hint::hint;
use crate::language::{Languages, Text};
use crate::pages::markdown::Prose;
use crate::safe_form::Fields;

/// A field as the template writes it.
pub(in crate::pages) struct Field {
    pub name: String,
    pub title: Text,
    pub description: Prose,
    pub hint: String,
    pub error: Option<String>,
    pub required: bool,
    /// Nothing has to stand there, and nothing does by itself.
    pub optional: bool,
    pub wide: bool,
    /// Conditions as JSON, for the script of the page.
    pub when: Option<String>,
    /// Conditions in words, for people without it.
    pub when_note: String,
    pub control: Control,
}

/// What it is made of.
pub(in crate::pages) enum Control {
    /// An `input`.
    Line(Line),
    /// One or more boxes for text with line ends.
    Area {
        texts: Vec<String>,
        rows: usize,
        placeholder: String,
        secret: bool,
    },
    /// A list to choose one from.
    Select {
        /// What stands for no value; none when one is chosen and there must be one.
        empty: Option<&'static str>,
        options: Vec<Choosable>,
    },
    /// Boxes to tick, one for each choice.
    Boxes { options: Vec<Choosable> },
    /// One box to tick.
    Tick { on: bool },
}

/// The attributes of an `input`; empty ones are left out.
pub(in crate::pages) struct Line {
    pub kind: &'static str,
    pub value: String,
    pub mode: &'static str,
    pub min: String,
    pub max: String,
    pub step: String,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub placeholder: String,
    pub suggestions: Vec<Choosable>,
}

/// A choice or suggestion.
pub(in crate::pages) struct Choosable {
    pub value: String,
    pub label: String,
    pub disabled: bool,
    pub chosen: bool,
    pub when: Option<String>,
}

impl Field {
    /// The field, with what was sent or its default. `paths` are what a `path` field offers.
    pub fn new(
        param: &Param,
        languages: &Languages,
        fields: Option<&Fields>,
        sent: bool,
        paths: Vec<String>,
        error: Option<String>,
    ) -> Self {
        let values = values(param, fields, sent);
        let control = control(param, &values, paths);
        let wide = matches!(control, Control::Area { .. } | Control::Boxes { .. });
        Self {
            name: param.name.to_string(),
            title: languages.label(param),
            description: Prose::of(languages.help(param)),
            hint: hint(param, error.as_deref().unwrap_or_default()),
            error,
            // A browser would hold the form back for a required field that is hidden.
            required: param.required && param.when.is_empty() && !param.pass_empty,
            optional: !param.required && param.default.is_none(),
            wide,
            when: conditions(&param.when),
            when_note: in_words(&param.when),
            control,
        }
    }
}

/// What the field shows: what was sent, else what a link fills in, else the default. A secret is
/// never shown.
fn values(param: &Param, fields: Option<&Fields>, sent: bool) -> Vec<String> {
    if param.secret {
        return Vec::new();
    }
    let given: Option<Vec<String>> = fields.and_then(|fields| {
        let all: Vec<String> = fields.all(param.name.as_str()).map(str::to_owned).collect();
        (sent || !all.is_empty()).then_some(all)
    });
    given.unwrap_or_else(|| defaults(param))
}

fn control(param: &Param, values: &[String], paths: Vec<String>) -> Control {
    if param.kind == Kind::Flag {
        let on = values
            .last()
            .is_some_and(|value| matches!(value.as_str(), "true" | "on"));
        return Control::Tick { on };
    }
    if !param.choices.is_empty() {
        let options: Vec<Choosable> = param
            .choices
            .iter()
            .map(|choice| choosable(choice, values))
            .collect();
        if param.multiple.is_some() {
            return Control::Boxes { options };
        }
        let empty = no_choice(param, &options);
        return Control::Select { empty, options };
    }
    if matches!(param.kind, Kind::Multiline | Kind::Json) || is_one_per_line(param) {
        return area(param, values);
    }
    Control::Line(line(param, values, paths))
}

/// The option without a value. What the script knows by its place cannot be left out before
/// something that must be given, so its default stands for it.
fn no_choice(param: &Param, options: &[Choosable]) -> Option<&'static str> {
    let placed = param.pass == Pass::Arg && param.option.is_none();
    let must_be = param.required || (placed && param.default.is_some());
    if !must_be {
        return Some("None");
    }
    let is_chosen = options.iter().any(|o| o.chosen && !o.disabled);
    (!is_chosen).then_some("Choose…")
}

fn area(param: &Param, values: &[String]) -> Control {
    let placeholder = param.example.clone().unwrap_or_default();
    let mut texts = if is_one_per_line(param) {
        vec![values.join("\n")]
    } else {
        values.to_vec()
    };
    let spare = if param.multiple.is_some() && !is_one_per_line(param) {
        texts.len() + 2
    } else {
        1
    };
    texts.resize(spare.max(texts.len()), String::new());
    let rows = if is_one_per_line(param) { 3 } else { 6 };
    Control::Area {
        texts,
        rows,
        placeholder,
        secret: param.secret,
    }
}

fn line(param: &Param, values: &[String], paths: Vec<String>) -> Line {
    let (kind, mode) = input_of(param);
    let bounded = matches!(kind, "number" | "date" | "time" | "datetime-local");
    let bound = |text: &Option<String>| text.clone().filter(|_| bounded).unwrap_or_default();
    let mut suggestions: Vec<Choosable> = param
        .suggestions
        .iter()
        .map(|s| choosable(s, &[]))
        .collect();
    suggestions.extend(paths.into_iter().map(|path| Choosable {
        label: path.clone(),
        value: path,
        disabled: false,
        chosen: false,
        when: None,
    }));
    Line {
        kind,
        value: values.last().cloned().unwrap_or_default(),
        mode,
        min: if param.kind == Kind::Count {
            "0".to_owned()
        } else {
            bound(&param.bounds.min)
        },
        max: bound(&param.bounds.max),
        step: step(param, kind),
        min_length: param.bounds.min_length,
        max_length: param.bounds.max_length,
        placeholder: param
            .example
            .clone()
            .unwrap_or_else(|| placeholder(param.kind).to_owned()),
        suggestions,
    }
}

fn step(param: &Param, kind: &str) -> String {
    match (&param.bounds.step, param.kind) {
        (Some(step), Kind::Integer | Kind::Number | Kind::Count) => step.clone(),
        (None, Kind::Number) => "any".to_owned(),
        // Seconds can be given, but a browser asks for them only when told so.
        (None, Kind::Time | Kind::DateTime) if kind != "password" => "1".to_owned(),
        _ => String::new(),
    }
}

fn input_of(param: &Param) -> (&'static str, &'static str) {
    if param.secret {
        return ("password", "");
    }
    match param.kind {
        Kind::Integer | Kind::Count => ("number", "numeric"),
        Kind::Number => ("number", "decimal"),
        Kind::Date => ("date", ""),
        Kind::Time => ("time", ""),
        Kind::DateTime => ("datetime-local", ""),
        Kind::Email => ("email", ""),
        Kind::Url => ("url", ""),
        Kind::Hostname | Kind::Ip | Kind::Ipv4 | Kind::Ipv6 => ("text", "url"),
        _ => ("text", ""),
    }
}

fn placeholder(kind: Kind) -> &'static str {
    match kind {
        Kind::Duration => "1h30m",
        Kind::Ipv4 => "192.0.2.10",
        Kind::Ipv6 => "2001:db8::10",
        Kind::Hostname => "host.example.org",
        Kind::Url => "https://example.org/",
        _ => "",
    }
}

fn choosable(choice: &Choice, values: &[String]) -> Choosable {
    Choosable {
        value: choice.value.clone(),
        label: choice.label.clone(),
        disabled: choice.disabled,
        chosen: values.contains(&choice.value),
        when: conditions(&choice.when),
    }
}

fn conditions(when: &[Condition]) -> Option<String> {
    let map: serde_json::Map<String, serde_json::Value> = when
        .iter()
        .map(|condition| (condition.param.to_string(), condition.any_of.clone().into()))
        .collect();
    (!map.is_empty()).then(|| serde_json::Value::Object(map).to_string())
}

fn in_words(when: &[Condition]) -> String {
    let each = when.iter().map(|condition| {
        let values = condition.any_of.join(" or ");
        match values.as_str() {
            "true" => format!("{} is on", condition.param),
            "false" => format!("{} is off", condition.param),
            values => format!("{} is {values}", condition.param),
        }
    });
    each.collect::<Vec<_>>().join(" and ")
}
