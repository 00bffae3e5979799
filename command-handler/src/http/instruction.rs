//! The instruction of an operator in a request, for one order or for many.

use access::{Caller, Operation as Access, Reach, Role};
use domain::order::Operation;
use http_request::{Fields, line_fault};

use crate::answer::{data_fault, outcome_fault};
use crate::erasure::Attribution;
use crate::instruction::Instruction;

/// The longest reason, in characters.
pub(super) const MAX_REASON: usize = 500;
/// The longest name of a person, in characters.
pub(super) const MAX_ACTOR: usize = 100;
/// The actor of a request that names none, while callers are not authenticated.
const DEFAULT_ACTOR: &str = "operator";

/// What an operator has done to an order: the last part of the path, and the name in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperatorAction {
    Cancel,
    Note,
    Pause,
    Resume,
    Retry,
    Skip,
}

impl OperatorAction {
    pub const ALL: [Self; 6] = [Self::Cancel, Self::Note, Self::Pause, Self::Resume, Self::Retry, Self::Skip];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Note => "note",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }

    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// Takes the fields of an instruction from a request. The result is valid only if no fault was
/// noted.
pub(super) fn take(action: OperatorAction, fields: &mut Fields, caller: &Caller) -> Instruction {
    let Attribution { actor, reason } = attribution(fields, caller);
    let operation = match action {
        OperatorAction::Cancel => Operation::Cancel,
        OperatorAction::Note => Operation::Note,
        OperatorAction::Pause => Operation::Pause,
        OperatorAction::Resume => Operation::Resume,
        OperatorAction::Retry => Operation::Retry { step: fields.text("step", |_| None) },
        OperatorAction::Skip => skip(fields),
    };
    Instruction { operation, actor, reason, approved_by: None, asker: None }
}

fn skip(fields: &mut Fields) -> Operation {
    let step = fields.required_text("step", "the step whose answer is to be assumed", |_| None);
    let outcome = fields.text("outcome", outcome_fault);
    let data = fields.take("data").unwrap_or_default();
    if let Some(fault) = data_fault(&data) {
        fields.wrong("data", fault);
    }
    Operation::Skip { step, outcome, data }
}

/// The actor of a request, and the reason.
pub(super) fn attribution(fields: &mut Fields, caller: &Caller) -> Attribution {
    let reason = fields.required_text("reason", "why it is done, for the order's history", reason_fault);
    let actor = actor(fields, caller).unwrap_or_else(|| DEFAULT_ACTOR.to_owned());
    Attribution { actor, reason }
}

/// The person and the reason of an answer, if a person gives it. While callers are not
/// authenticated, that is an answer that names either; a reason alone has the default actor.
pub(super) fn signature(fields: &mut Fields, caller: &Caller) -> Option<(String, Option<String>)> {
    let (actor, reason) = (actor(fields, caller), fields.text("reason", reason_fault));
    let is_person = match caller {
        Caller::Anyone => actor.is_some() || reason.is_some(),
        Caller::Stranger => false,
        Caller::Known(_) => caller.reach(Access::AnswerStep) == Reach::Everything,
    };
    is_person.then(|| (actor.unwrap_or_else(|| DEFAULT_ACTOR.to_owned()), reason))
}

/// Who acts: the principal, or the person that it names, if it may name one. Then both are
/// recorded.
fn actor(fields: &mut Fields, caller: &Caller) -> Option<String> {
    let named = fields.text("actor", actor_fault);
    let principal = match caller {
        Caller::Anyone => return named,
        Caller::Known(principal) => principal,
        Caller::Stranger => {
            if named.is_some() {
                fields.wrong("actor", "must be left out: the request has no credentials of a person");
            }
            return None;
        }
    };
    match named {
        Some(named) if named != principal.name => {
            if !principal.on_behalf_of && !principal.roles.contains(&Role::Admin) {
                let detail =
                    format!("must be left out: the request is by {}, which may not name others", principal.name);
                fields.wrong("actor", detail);
            }
            Some(format!("{named}, by {}", principal.name))
        }
        Some(_) | None => Some(principal.name.clone()),
    }
}

pub(super) fn reason_fault(reason: &str) -> Option<String> {
    line_fault(reason, MAX_REASON)
}

fn actor_fault(actor: &str) -> Option<String> {
    line_fault(actor, MAX_ACTOR)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::Principal;
    use serde_json::{Value, json};

    use super::*;

    fn read(action: OperatorAction, body: Value) -> Result<Instruction, Vec<String>> {
        let mut fields = Fields::of(body, "", "must be an object").unwrap_or_else(|_| panic!("an object"));
        let instruction = take(action, &mut fields, &Caller::Anyone);
        let faults: Vec<String> = fields.faults().into_iter().map(|fault| fault.pointer).collect();
        if faults.is_empty() { Ok(instruction) } else { Err(faults) }
    }

    #[test]
    fn the_words_are_those_of_the_operations() {
        for action in OperatorAction::ALL {
            let body = if action == OperatorAction::Skip {
                json!({ "reason": "so", "step": "ship" })
            } else {
                json!({ "reason": "so" })
            };
            assert_eq!(read(action, body).unwrap().operation.as_str(), action.as_str());
            assert_eq!(OperatorAction::of(action.as_str()), Some(action));
        }
        assert_eq!(OperatorAction::of("delete"), None);
    }

    #[test]
    fn a_reason_has_to_be_given_and_an_actor_may() {
        assert_eq!(read(OperatorAction::Cancel, json!({})), Err(vec!["/reason".to_owned()]));
        let without_actor = read(OperatorAction::Cancel, json!({ "reason": "so" })).unwrap();
        assert_eq!((without_actor.actor.as_str(), without_actor.reason.as_str()), ("operator", "so"));
        assert_eq!(read(OperatorAction::Cancel, json!({ "reason": "so", "actor": "ann" })).unwrap().actor, "ann");
    }

    #[test]
    fn each_operation_takes_its_own_fields_and_no_others() {
        let with = |name: &str, value: Value| json!({ "reason": "so", name: value });
        for action in [OperatorAction::Cancel, OperatorAction::Note, OperatorAction::Pause, OperatorAction::Resume] {
            assert_eq!(read(action, with("step", json!("ship"))), Err(vec!["/step".to_owned()]), "{action:?}");
        }
        assert!(read(OperatorAction::Retry, with("step", json!("ship"))).is_ok());
        assert_eq!(read(OperatorAction::Retry, with("outcome", json!("shipped"))), Err(vec!["/outcome".to_owned()]));
        assert_eq!(read(OperatorAction::Skip, with("outcome", json!("shipped"))), Err(vec!["/step".to_owned()]));
        let skip = read(
            OperatorAction::Skip,
            json!({ "reason": "so", "step": "ship", "outcome": "shipped", "data": { "t": 1 } }),
        );
        let (outcome, data) = (Some("shipped".to_owned()), json!({ "t": 1 }));
        assert_eq!(skip.unwrap().operation, Operation::Skip { step: "ship".to_owned(), outcome, data });
    }

    #[test]
    fn an_answer_is_signed_only_if_it_names_a_person_or_a_reason() {
        let signed = |body| {
            let mut fields = Fields::of(body, "", "").unwrap_or_else(|_| panic!("an object"));
            signature(&mut fields, &Caller::Anyone)
        };
        assert_eq!(signed(json!({})), None);
        assert_eq!(signed(json!({ "actor": "ann" })), Some(("ann".to_owned(), None)));
        assert_eq!(signed(json!({ "reason": "so" })), Some(("operator".to_owned(), Some("so".to_owned()))));
    }

    fn by(role: &str, on_behalf_of: bool) -> Caller {
        let roles = [role.parse().unwrap()].into();
        Caller::Known(Arc::new(Principal { name: "ci".to_owned(), roles, on_behalf_of }))
    }

    fn actor_of(caller: &Caller, body: Value) -> Result<Option<String>, Vec<String>> {
        let mut fields = Fields::of(body, "", "").unwrap_or_else(|_| panic!("an object"));
        let actor = actor(&mut fields, caller);
        let faults: Vec<String> = fields.faults().into_iter().map(|fault| fault.detail).collect();
        if faults.is_empty() { Ok(actor) } else { Err(faults) }
    }

    #[test]
    fn the_actor_is_the_principal_and_only_some_may_name_a_person() {
        for body in [json!({}), json!({ "actor": "ci" })] {
            assert_eq!(actor_of(&by("operator", false), body), Ok(Some("ci".to_owned())));
        }
        let both = Ok(Some("ann, by ci".to_owned()));
        assert_eq!(actor_of(&by("operator", true), json!({ "actor": "ann" })), both);
        assert_eq!(actor_of(&by("admin", false), json!({ "actor": "ann" })), both);
        let faults = actor_of(&by("operator", false), json!({ "actor": "ann" })).unwrap_err();
        assert!(faults[0].contains("by ci"), "{faults:?}");
    }

    #[test]
    fn an_answer_of_an_operator_is_a_persons_and_one_of_a_participant_is_not() {
        let signed = |caller: &Caller| {
            signature(&mut Fields::of(json!({}), "", "").unwrap_or_else(|_| panic!("an object")), caller)
        };
        assert_eq!(signed(&by("operator", false)), Some(("ci".to_owned(), None)));
        assert_eq!(signed(&by("participant:payments", false)), None);
    }
}
