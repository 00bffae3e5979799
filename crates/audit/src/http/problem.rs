//! Why an audit could not be carried out, as a problem.

use error_causes::with_causes;
use http_problem::Problem;
use tracing::warn;

use crate::error::AuditError;

/// The problem of an audit that could not be carried out.
pub(super) fn problem(error: &AuditError) -> Problem {
    match error {
        AuditError::NoSuchOrder(_) => Problem::not_found(error.to_string()),
        AuditError::NothingToVerify(_) => Problem::conflict("nothing was verified: the log has no order"),
        AuditError::Read(_)
        | AuditError::Log(_)
        | AuditError::Database(_)
        | AuditError::Postgres(_)
        | AuditError::Compare(_)
        | AuditError::Broken(_) => {
            warn!(error = with_causes(error), "an audit could not be carried out");
            Problem::later(format!("the audit could not be carried out: {error}; send the request again"))
        }
        AuditError::NotNamed(_)
        | AuditError::Append(_)
        | AuditError::SealedMeanwhile
        | AuditError::File { .. }
        | AuditError::TooLarge { .. }
        | AuditError::Key { .. }
        | AuditError::Content { .. }
        | AuditError::NothingToSeal(_)
        | AuditError::EmptyBundle(_)
        | AuditError::UnsealedBundle(_)
        | AuditError::To { .. }
        | AuditError::NoRandomness
        | AuditError::Output(_) => {
            warn!(error = with_causes(error), "an audit failed as only a command can");
            Problem::internal(error.to_string())
        }
    }
}
