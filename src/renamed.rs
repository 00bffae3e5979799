//! Environment variables that were renamed. The earlier name sets the option as well, for one more
//! release.
//!
//! Earlier names of options themselves are hidden aliases where the option is declared.

use clap::{Arg, Command};

/// The variable of today, and the one before.
const RENAMED: [(&str, &str); 4] = [
    ("TENUTO_MAX_ACTIVE_ORDERS", "TENUTO_MOST_ACTIVE_ORDERS"),
    ("TENUTO_MAX_CALLS", "TENUTO_MOST_CALLS"),
    ("TENUTO_MAX_LAG_SECONDS", "TENUTO_MOST_LAG_SECONDS"),
    ("TENUTO_MAX_OVERDUE", "TENUTO_MOST_OVERDUE"),
];

/// Each option reads the earlier name of its variable if only that one is set.
pub(crate) fn with_earlier_variables(command: Command, is_set: &impl Fn(&str) -> bool) -> Command {
    command
        .mut_args(|option| match earlier(&option, is_set) {
            Some(earlier) => option.env(earlier),
            None => option,
        })
        .mut_subcommands(|command| with_earlier_variables(command, is_set))
}

fn earlier(option: &Arg, is_set: &impl Fn(&str) -> bool) -> Option<&'static str> {
    let variable = option.get_env()?;
    let &(today, earlier) = RENAMED.iter().find(|(today, _)| variable == *today)?;
    (!is_set(today) && is_set(earlier)).then_some(earlier)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use clap::CommandFactory;

    use super::{RENAMED, with_earlier_variables};
    use crate::args::Cli;

    /// The variables that the options of `tenuto command-handler` read.
    fn variables(is_set: impl Fn(&str) -> bool) -> Vec<String> {
        let command = with_earlier_variables(Cli::command(), &is_set);
        let role = command.find_subcommand("command-handler").unwrap();
        role.get_arguments().filter_map(|option| Some(option.get_env()?.to_str()?.to_owned())).collect()
    }

    #[test]
    fn an_earlier_variable_counts_where_the_one_of_today_is_not_set() {
        for (today, earlier) in RENAMED {
            let read = |set: &[&str]| {
                let read = variables(|variable| set.contains(&variable));
                (read.iter().any(|name| name == today), read.iter().any(|name| name == earlier))
            };
            assert_eq!(read(&[]), (true, false));
            assert_eq!(read(&[earlier]), (false, true));
            assert_eq!(read(&[today, earlier]), (true, false));
        }
    }
}
