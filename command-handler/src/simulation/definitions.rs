//! Workflow definitions that no person wrote: every shape that the format knows, drawn from the
//! dice.

use std::fmt::Write;

use super::dice::Dice;
use super::personal::{ADDRESS, ATTRIBUTES, EMAIL, GREETING};

/// The most steps.
const MAX_STEPS: u64 = 8;

/// How a step comes to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Request,
    Await,
}

/// What later steps have to know of an earlier one.
struct Drawn {
    name: String,
    /// Everything that comes before it.
    before: Vec<usize>,
    /// The outcomes after which the order goes on.
    going_on: Vec<&'static str>,
}

/// A definition of that name and version, as a file has it. Different versions ask for different
/// actions.
pub fn definition(dice: &Dice, name: &str, version: u32) -> String {
    let mut file = format!("workflow: {name}\nversion: {version}\nparticipants:\n  p: {{ url: 'http://p' }}\nsteps:\n");
    let mut drawn: Vec<Drawn> = Vec::new();
    for index in 0..usize::try_from(*dice.pick(&[2, 2, 3, 3, 4, 4, 5, MAX_STEPS])).unwrap() {
        let step = step(dice, &mut file, version, index, &drawn);
        drawn.push(step);
    }
    let compensated = dice.within(0..3);
    if compensated > 0 {
        file.push_str("compensated:\n");
    }
    for index in 0..compensated {
        write!(file, "  c{index}: {{ call: p.v{version}-c{index}, retry: {{ attempts: 20, initial: 500ms, max: 5s }}")
            .unwrap();
        if dice.hits(300) {
            file.push_str(", with: { lines: order.lines }");
        }
        file.push_str(if index == 1 && dice.hits(500) { ", after: [c0] }\n" } else { " }\n" });
    }
    if dice.hits(200) {
        writeln!(file, "result: {}", dice.pick(&["order.lines", "order.lines + order.lines", EMAIL, "steps.s0.data"]))
            .unwrap();
    }
    file
}

fn step(dice: &Dice, file: &mut String, version: u32, index: usize, drawn: &[Drawn]) -> Drawn {
    let name = format!("s{index}");
    let after = followed(dice, index);
    writeln!(file, "  {name}:").unwrap();
    if !after.is_empty() {
        let names: Vec<&str> = after.iter().map(|before| drawn[*before].name.as_str()).collect();
        writeln!(file, "    after: [{}]", names.join(", ")).unwrap();
        if after.len() > 1 && dice.hits(400) {
            file.push_str("    join: any\n");
        }
    }
    let mut before: Vec<usize> =
        after.iter().flat_map(|one| drawn[*one].before.iter().copied().chain([*one])).collect();
    before.sort_unstable();
    before.dedup();
    guard(dice, file, &before, drawn);
    // The first step sends a request: at least one has to.
    let kind = dice.within(if index == 0 { 18..100 } else { 0..100 });
    if kind < 8 {
        writeln!(file, "    wait: {}", dice.pick(&["50ms", "3s", "1m"])).unwrap();
        return Drawn { name, before, going_on: Vec::new() };
    }
    if kind < 18 {
        writeln!(file, "    await: approval\n    timeout: {}", dice.pick(&["5s", "20s"])).unwrap();
        return Drawn { name, before, going_on: outcomes(dice, file, Kind::Await) };
    }
    let kind = if kind < 55 { Kind::Request } else { Kind::Call };
    let way = if kind == Kind::Request { "request" } else { "call" };
    writeln!(file, "    {way}: p.v{version}-do-{index}").unwrap();
    writeln!(file, "    timeout: {}", dice.pick(&["1s", "5s", "20s"])).unwrap();
    writeln!(file, "    retry: {{ attempts: {}, initial: 100ms, max: 5s }}", dice.pick(&[1, 3, 8])).unwrap();
    if dice.hits(700) {
        writeln!(file, "    undo: p.v{version}-undo-{index}").unwrap();
    }
    match dice.within(0..100) {
        0..5 => writeln!(file, "    with: {{ total: order.total }}").unwrap(),
        5..35 => writeln!(file, "    with: {{ lines: order.lines }}").unwrap(),
        35..40 => writeln!(file, "    with: {{ lines: order.lines, again: order.lines }}").unwrap(),
        40..85 => told(dice, file, &before, drawn),
        _ => {}
    }
    if dice.hits(300) {
        writeln!(file, "    sets-status: Status{index}").unwrap();
    }
    Drawn { name, before, going_on: outcomes(dice, file, kind) }
}

/// An input that reads personal data, text that others wrote, or both.
fn told(dice: &Dice, file: &mut String, before: &[usize], drawn: &[Drawn]) {
    let own = [("to", EMAIL), ("dear", GREETING), ("at", ADDRESS)];
    let mut fields: Vec<String> =
        own.into_iter().filter(|_| dice.hits(400)).map(|(name, what)| format!("{name}: \"{what}\"")).collect();
    if dice.hits(400) {
        fields.push(format!("gift: \"{ATTRIBUTES}\""));
    }
    if !before.is_empty() && dice.hits(600) {
        fields.push(format!("said: \"steps.{}.data\"", drawn[*dice.pick(before)].name));
    }
    if !fields.is_empty() {
        writeln!(file, "    with: {{ {} }}", fields.join(", ")).unwrap();
    }
}

/// None, one, or two of the steps before.
fn followed(dice: &Dice, index: usize) -> Vec<usize> {
    let mut after: Vec<usize> = (0..dice.within(0..3))
        .filter(|_| index > 0)
        .map(|_| usize::try_from(dice.within(0..index as u64)).unwrap())
        .collect();
    after.sort_unstable();
    after.dedup();
    after
}

fn guard(dice: &Dice, file: &mut String, before: &[usize], drawn: &[Drawn]) {
    let asked: Vec<&Drawn> = before.iter().map(|one| &drawn[*one]).filter(|one| !one.going_on.is_empty()).collect();
    if !asked.is_empty() && dice.hits(400) {
        let one = *dice.pick(&asked);
        writeln!(file, "    when: steps.{}.outcome == '{}'", one.name, dice.pick(&one.going_on)).unwrap();
    }
}

fn outcomes(dice: &Dice, file: &mut String, kind: Kind) -> Vec<&'static str> {
    if dice.hits(400) {
        return Vec::new();
    }
    let interim = kind == Kind::Request && dice.hits(500);
    let compensates = dice.hits(300);
    let mut going_on = vec!["fine", "well"];
    if interim {
        file.push_str("    interim: { later: 30s }\n");
        going_on.push("later");
    }
    let mut all = going_on.clone();
    if compensates {
        file.push_str("    compensate-on: [no]\n");
        all.push("no");
    }
    writeln!(file, "    outcomes: [{}]", all.join(", ")).unwrap();
    if kind != Kind::Call && dice.hits(300) {
        writeln!(file, "    on-timeout: {}", if compensates { "no" } else { "fine" }).unwrap();
    }
    going_on
}

#[cfg(test)]
mod tests {
    use domain::workflow::Workflow;

    use super::*;

    #[test]
    fn every_definition_that_the_dice_draw_is_valid() {
        for seed in 0..300 {
            let source = definition(&Dice::new(seed), "drawn", 1);
            if let Err(faults) = Workflow::parse(&source) {
                panic!("{faults}\n{source}");
            }
        }
    }
}
