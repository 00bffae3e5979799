//! What a condition implies about null: if `order.shipTo != null` holds, an address exists.

use std::collections::BTreeSet;

use super::kind::Kind;
use super::tree::{Gives, Node, Part, member};

/// Paths that are certainly not null.
pub(in crate::workflow) type Present = BTreeSet<String>;

/// What is not null if a condition holds, and if it does not.
#[derive(Debug, Default)]
pub(super) struct Implied {
    pub holds: Present,
    pub fails: Present,
}

/// The path of a part, if it selects fields from a variable. `#0` is the variable of the outermost
/// loop.
pub(super) fn path(node: &Node) -> Option<String> {
    match &node.part {
        Part::Order => Some("order".to_owned()),
        Part::Steps => Some("steps".to_owned()),
        Part::Local(depth, _) => Some(format!("#{depth}")),
        Part::Select { operand, field, test: false } => Some(path(operand)? + &member(field)),
        Part::Index(sides) => match &sides[1].part {
            Part::Text(field) => Some(path(&sides[0])? + &member(field)),
            Part::Int(index) => Some(format!("{}[{index}]", path(&sides[0])?)),
            _ => None,
        },
        _ => None,
    }
}

/// What a condition implies. `loops`: how many loops surround it.
pub(super) fn implied(condition: &Node, loops: usize) -> Implied {
    match &condition.part {
        Part::Not(operand) => {
            let Implied { holds, fails } = implied(operand, loops);
            Implied { holds: fails, fails: holds }
        }
        Part::And(sides) => {
            let [one, other] = sides.each_ref().map(|side| implied(side, loops));
            Implied { holds: &one.holds | &other.holds, fails: &one.fails & &other.fails }
        }
        Part::Or(sides) => {
            let [one, other] = sides.each_ref().map(|side| implied(side, loops));
            Implied { holds: &one.holds & &other.holds, fails: &one.fails | &other.fails }
        }
        Part::Equals { sides, equal } => {
            let [one, other] = &**sides;
            let Implied { holds, fails } = equality(one, other).or_else(|| equality(other, one)).unwrap_or_default();
            if *equal { Implied { holds, fails } } else { Implied { holds: fails, fails: holds } }
        }
        // A null value has no fields.
        Part::Select { operand, test: true, .. } => Implied { holds: present(operand), ..Implied::default() },
        Part::Loop(looped) if looped.gives == Gives::All && looped.guard.is_none() => {
            let holds = implied(&looped.body, loops + 1).holds;
            let within = path(&looped.range).map(|range| renamed(&holds, &format!("#{loops}"), &format!("{range}[]")));
            Implied { holds: within.unwrap_or_default(), ..Implied::default() }
        }
        _ => Implied::default(),
    }
}

/// What is known of the items of a list, under the name of a loop's variable.
pub(super) fn of_items(present: &Present, range: &Node, loops: usize) -> Present {
    path(range).map_or_else(Present::default, |range| renamed(present, &format!("{range}[]"), &format!("#{loops}")))
}

fn equality(value: &Node, other: &Node) -> Option<Implied> {
    let (tested, holds) = match (&value.part, &other.part) {
        (_, Part::Null) => (value, false),
        (_, Part::Text(_) | Part::Int(_) | Part::UInt(_) | Part::Double(_) | Part::Bool(_)) => (value, true),
        (Part::Call(call), Part::Type(kind)) if call.function == "type" && !call.is_method => {
            (call.arguments.first()?, *kind != Kind::Null)
        }
        _ => return None,
    };
    let present = present(tested);
    Some(if holds {
        Implied { holds: present, ..Implied::default() }
    } else {
        Implied { fails: present, ..Implied::default() }
    })
}

fn present(node: &Node) -> Present {
    path(node).into_iter().collect()
}

/// The paths that begin with `from`, with `to` in its place. `#1` does not begin `#10`.
fn renamed(present: &Present, from: &str, to: &str) -> Present {
    let rest = |path: &String| {
        let rest = path.strip_prefix(from)?;
        (!rest.starts_with(char::is_numeric)).then(|| format!("{to}{rest}"))
    };
    present.iter().filter_map(rest).collect()
}
