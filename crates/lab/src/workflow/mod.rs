//! `tenuto workflow`: what an author of workflow files needs before they ship.

mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use domain::workflow::Workflow;

use crate::LabError;
use command_line::output;

/// The JSON Schema of the format, for editors.
const SCHEMA: &str = include_str!("../../../../workflows/schema.json");

/// Options of `tenuto workflow`.
#[derive(Debug, Args)]
pub struct WorkflowArgs {
    #[command(subcommand)]
    command: WorkflowCommand,
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    /// Check files; every fault is named with file, line and column
    Check {
        /// Workflow files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Try files against everything that can go wrong: each step failing in each way, each decision's driver disappearing
    Test(trial::TrialArgs),
    /// Print the JSON Schema of the format
    Schema,
    /// Draw a file as a Mermaid diagram
    Diagram {
        /// A workflow file
        file: PathBuf,
    },
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not hold what it should.
    #[error("{path}: {fault}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// Exit code 1: a file is wrong.
pub fn run(args: WorkflowArgs) -> Result<ExitCode, LabError> {
    output::forgive_closed_pipe(carry_out(args))
}

fn carry_out(args: WorkflowArgs) -> Result<ExitCode, LabError> {
    match args.command {
        WorkflowCommand::Check { files } => check(&files),
        WorkflowCommand::Test(args) => trial::run(&args),
        WorkflowCommand::Schema => {
            output::print(SCHEMA)?;
            Ok(ExitCode::SUCCESS)
        }
        WorkflowCommand::Diagram { file } => diagram(&file),
    }
}

fn check(files: &[PathBuf]) -> Result<ExitCode, LabError> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        if let Some(workflow) = parse(file)? {
            let steps = workflow.steps.len() + workflow.compensated.len();
            let (name, version) = (&workflow.name, workflow.version);
            output::print(&format!("{}: {name} version {version}, {steps} steps, no faults\n", file.display()))?;
            for hint in workflow.hints().iter().flatten() {
                output::print(&format!(
                    "{}:{}:{}: note: {}: {}\n",
                    file.display(),
                    hint.line,
                    hint.column,
                    hint.path,
                    hint.reason
                ))?;
            }
        } else {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn diagram(file: &Path) -> Result<ExitCode, LabError> {
    let Some(workflow) = parse(file)? else { return Ok(ExitCode::FAILURE) };
    output::print(&(workflow.diagram() + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The workflow, or its faults on standard error.
pub(super) fn parse(file: &Path) -> Result<Option<Workflow>, FileError> {
    let text = read(file)?;
    match Workflow::parse(&text) {
        Ok(workflow) => Ok(Some(workflow)),
        Err(faults) => {
            for fault in &faults {
                output::complain(&format!("{}:{fault}", file.display()));
            }
            Ok(None)
        }
    }
}

pub(super) fn read(file: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(file).map_err(|source| FileError::Read { path: file.display().to_string(), source })
}
