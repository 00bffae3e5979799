//! The fields of a JSON object. A handler takes them one by one, and every fault is noted with its
//! pointer. A field that no handler takes is a fault.

use domain::order::request::Violation;
use http_problem::Problem;
use serde_json::{Map, Value};

/// The fields that are left of an object, and the faults of those that were taken.
#[derive(Debug)]
pub struct Fields {
    /// The pointer to the object in the body.
    at: String,
    left: Map<String, Value>,
    faults: Vec<Violation>,
}

impl Fields {
    /// The fields of `value`, which is at the pointer `at`. If `value` is not an object, the fault
    /// is `what`.
    pub fn of(value: Value, at: &str, what: &str) -> Result<Self, Problem> {
        let Value::Object(left) = value else { return Err(Problem::at(at, what)) };
        Ok(Self { at: at.to_owned(), left, faults: Vec::new() })
    }

    /// A field's value; `null` means the same as a missing field.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// Whether a field exists and was not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    /// A text, if the field exists and `fault` finds nothing wrong with it.
    pub fn text(&mut self, name: &str, fault: impl Fn(&str) -> Option<String>) -> Option<String> {
        let detail = match self.take(name)? {
            Value::String(text) => match fault(&text) {
                None => return Some(text),
                Some(detail) => detail,
            },
            other => format!("must be a text, found {other}"),
        };
        self.wrong(name, detail);
        None
    }

    /// The same for a required text; `what` explains it in the fault.
    pub fn required_text(&mut self, name: &str, what: &str, fault: impl Fn(&str) -> Option<String>) -> String {
        if !self.has(name) {
            self.wrong(name, format!("must be there: {what}"));
        }
        self.text(name, fault).unwrap_or_default()
    }

    /// True or false; false by default.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.wrong(name, format!("must be true or false, found {other}"));
                false
            }
        }
    }

    /// A whole number that is not less than `least`. `allowed` completes the error.
    pub fn whole_number<N: Copy + PartialOrd + TryFrom<i64>>(
        &mut self,
        name: &str,
        least: N,
        allowed: &str,
    ) -> Option<N> {
        let value = self.take(name)?;
        let number = value.as_i64().and_then(|number| N::try_from(number).ok()).filter(|number| *number >= least);
        if number.is_none() {
            self.wrong(name, format!("must be a whole number {allowed}, found {value}"));
        }
        number
    }

    /// The fields of an object below this one, which is at the pointer `at`. If `value` is not an
    /// object, that is among the faults of this one.
    pub fn below(&mut self, value: Value, at: &str, what: &str) -> Option<Self> {
        if !value.is_object() {
            self.wrong_too(vec![Violation { pointer: at.to_owned(), detail: what.to_owned() }]);
            return None;
        }
        Self::of(value, at, what).ok()
    }

    /// Notes a fault of a field, or of a part of it: `name` may be a pointer without its first
    /// slash.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Violation { pointer: format!("{}/{name}", self.at), detail: detail.into() });
    }

    /// Adds faults that were found elsewhere.
    pub fn wrong_too(&mut self, faults: Vec<Violation>) {
        self.faults.extend(faults);
    }

    /// The faults so far.
    pub fn noted(self) -> Vec<Violation> {
        self.faults
    }

    /// All faults, including the fields that were not taken.
    pub fn faults(mut self) -> Vec<Violation> {
        let left = std::mem::take(&mut self.left);
        for unknown in left.keys() {
            self.wrong(&unknown.replace('~', "~0").replace('/', "~1"), "is not known here");
        }
        self.faults
    }

    /// An error with all faults, if there are any.
    pub fn finish(self) -> Result<(), Problem> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
    }
}

/// The fault of a line of text for people, if it has one.
pub fn line_fault(text: &str, longest: usize) -> Option<String> {
    let fits = text.chars().count() <= longest && !text.trim().is_empty() && !text.chars().any(char::is_control);
    (!fits).then(|| format!("must be 1 to {longest} characters, not all of them blank, none a control character"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(value, "/data", "must be an object").unwrap_or_else(|_| panic!("an object"))
    }

    #[test]
    fn null_means_a_missing_field() {
        let mut fields = fields(json!({ "actor": null, "all": null }));
        assert_eq!(fields.text("actor", |_| None), None);
        assert!(!fields.flag("all"));
        assert!(fields.faults().is_empty());
    }

    #[test]
    fn every_fault_is_noted_with_its_pointer() {
        let mut fields = fields(json!({ "actor": 1, "all": "yes", "a/b": 2 }));
        fields.text("actor", |_| None);
        fields.required_text("reason", "why", |_| None);
        fields.flag("all");
        let pointers: Vec<String> = fields.faults().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/data/actor", "/data/reason", "/data/all", "/data/a~1b"]);
    }

    #[test]
    fn a_line_is_bounded_and_not_blank() {
        assert_eq!(line_fault("the customer called", 20), None);
        assert_eq!(line_fault(&"ö".repeat(20), 20), None);
        for wrong in ["", "  ", "a\nb", &"x".repeat(21)] {
            assert!(line_fault(wrong, 20).is_some(), "{wrong:?}");
        }
    }
}
