//! What a check has found.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// The role works, and not as well as it could.
    Warning,
    /// The role does not start, or does not work.
    Fault,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked, such as "log".
    pub about: String,
    pub level: Level,
    /// What is there; or what is wrong, and what to do.
    pub detail: String,
}

impl Finding {
    #[expect(clippy::needless_pass_by_value, reason = "an error or a text, as a check has it")]
    pub fn ok(about: impl Into<String>, detail: impl ToString) -> Self {
        Self { about: about.into(), level: Level::Ok, detail: detail.to_string() }
    }

    pub fn warning(about: impl Into<String>, detail: impl ToString) -> Self {
        Self { level: Level::Warning, ..Self::ok(about, detail) }
    }

    pub fn fault(about: impl Into<String>, detail: impl ToString) -> Self {
        Self { level: Level::Fault, ..Self::ok(about, detail) }
    }

    /// What an error says, or else this.
    pub fn of<E: ToString>(about: &str, checked: Result<impl ToString, E>) -> Self {
        match checked {
            Ok(detail) => Self::ok(about, detail),
            Err(error) => Self::fault(about, error),
        }
    }
}
