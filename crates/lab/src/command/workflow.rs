//! `tenuto workflow`: checks, tests and draws workflow files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use command_line::output::{self, WriteError};
use domain::fault_matrix::{self, MatrixReport};
use domain::workflow::Workflow;

use super::complain_of_faults;
use crate::LabError;
use crate::workflow::{NOTHING_TESTED, SCHEMA, Samples, load, read_order, read_samples, sample_order, saw_nothing};

/// The number of failed cases that are printed with their history.
const MAX_TOLD: usize = 5;
/// The exit code for "there was nothing to test".
const NOT_KNOWN: u8 = 2;

/// Options of `tenuto workflow`.
#[derive(Debug, Args)]
pub struct WorkflowArgs {
    #[command(subcommand)]
    command: WorkflowCommand,
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    /// Check files, and report each fault with file, line and column
    #[command(after_help = "Exit code: 0 if no file has a fault; 1 if one has; 2 if one cannot be read.")]
    Check {
        /// Workflow files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Test files against all failures: each step fails in each way, and the instance ends after
    /// each decision
    #[command(
        after_help = "Exit code: 0 if no case failed; 1 if one did, or a file has faults; 2 if there was nothing to test."
    )]
    Test(TrialArgs),
    /// Print the JSON Schema of the format
    Schema,
    /// Draw a file as a Mermaid diagram
    #[command(after_help = "Exit code: 0 if it is drawn; 1 if the file has faults; 2 if it cannot be read.")]
    Diagram {
        /// A workflow file
        file: PathBuf,
    },
}

/// Options of `tenuto workflow test`.
#[derive(Debug, Args)]
struct TrialArgs {
    /// Workflow files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// An order to test with, as JSON [default: an order of Northwind]
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// The data in the answers of steps, as JSON: {"STEP": DATA, …}. For data that an expression
    /// reads and this file lacks, the test makes up a text
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// Carries out a subcommand. Exit code 1: a file has faults, or failed a case; 2: there was nothing
/// to test.
pub fn run(args: WorkflowArgs) -> Result<ExitCode, LabError> {
    output::forgive_closed_pipe(carry_out(args))
}

fn carry_out(args: WorkflowArgs) -> Result<ExitCode, LabError> {
    match args.command {
        WorkflowCommand::Check { files } => check(&files),
        WorkflowCommand::Test(args) => test(&args),
        WorkflowCommand::Schema => {
            output::print(SCHEMA)?;
            Ok(ExitCode::SUCCESS)
        }
        WorkflowCommand::Diagram { file } => diagram(&file),
    }
}

/// Prints lines, which may have parts of a file.
fn print(lines: &str) -> Result<(), WriteError> {
    output::print(&output::printable_lines(lines))
}

/// The workflow of a file; `None`: the file has faults, which are printed.
fn loaded(file: &Path) -> Result<Option<Workflow>, LabError> {
    match load(file) {
        Ok(workflow) => Ok(Some(workflow)),
        Err(error) => complain_of_faults(error.into()).map(|()| None),
    }
}

fn check(files: &[PathBuf]) -> Result<ExitCode, LabError> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let Some(workflow) = loaded(file)? else {
            code = ExitCode::FAILURE;
            continue;
        };
        let steps = workflow.steps.len() + workflow.compensated.len();
        let (name, version, file) = (&workflow.name, workflow.version, file.display());
        print(&format!("{file}: {name} version {version}, {steps} steps, no faults\n"))?;
        for hint in workflow.hints().iter().flatten() {
            let (line, column) = (hint.line, hint.column);
            print(&format!("{file}:{line}:{column}: note: {}: {}\n", hint.path, hint.reason))?;
        }
    }
    Ok(code)
}

fn diagram(file: &Path) -> Result<ExitCode, LabError> {
    let Some(workflow) = loaded(file)? else { return Ok(ExitCode::FAILURE) };
    print(&(workflow.diagram() + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn test(args: &TrialArgs) -> Result<ExitCode, LabError> {
    let order = args.order.as_deref().map_or_else(|| Ok(sample_order()), read_order)?;
    let samples = args.data.as_deref().map_or_else(|| Ok(Samples::new()), read_samples)?;
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        let Some(workflow) = loaded(file)? else {
            code = ExitCode::FAILURE;
            continue;
        };
        let report = fault_matrix::run(&workflow, &order, &samples);
        print(&told(file, &report))?;
        if report.wrong() > 0 {
            code = ExitCode::FAILURE;
        } else if saw_nothing(&workflow, &report) {
            output::complain(&format!("{}: {NOTHING_TESTED} (--order)", file.display()));
            code = if code == ExitCode::SUCCESS { ExitCode::from(NOT_KNOWN) } else { code };
        }
    }
    Ok(code)
}

fn told(file: &Path, report: &MatrixReport) -> String {
    let (cases, wrong) = (report.cases(), report.wrong());
    let mut lines = vec![format!("{}: {cases} cases, {} right, {wrong} wrong", file.display(), cases - wrong)];
    lines.extend(report.kinds.iter().map(|(kind, lives)| format!("  {:>6}  {kind}", lives.cases)));
    let never_begun = report.never_begun.iter();
    lines.extend(
        never_begun.map(|id| format!("  never begun: {id} (its guard asks for another --order, or other --data)")),
    );
    for failure in report.failures.iter().take(MAX_TOLD) {
        lines.push(format!("\n  {}", failure.case));
        lines.extend(failure.wrong.iter().map(|wrong| format!("    wrong: {wrong}")));
        lines.extend(failure.history.iter().map(|told| format!("    {told}")));
    }
    if wrong > MAX_TOLD {
        lines.push(format!("\n  … and {} more", wrong - MAX_TOLD));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_whose_steps_never_begin_was_not_tested() {
        let folder = tempfile::tempdir().unwrap();
        let trial = |when: &str| {
            let file = folder.path().join("w.yaml");
            let source = format!(
                "workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps: {{ a: {{ call: p.a, when: \"{when}\" }} }}\n"
            );
            std::fs::write(&file, source).unwrap();
            test(&TrialArgs { files: vec![file], order: None, data: None }).unwrap()
        };
        assert_eq!(trial("order.currency == 'XXX'"), ExitCode::from(NOT_KNOWN));
        assert_eq!(trial("order.currency == 'EUR'"), ExitCode::SUCCESS);
    }
}
