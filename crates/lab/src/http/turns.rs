//! Who may begin: a few runs at a time, and one for each principal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::Caller;
use http_problem::Problem;

/// How many runs there are at a time.
const MAX_AT_ONCE: usize = 2;

/// The turns of a server.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Whose they are. `None`: of a caller that is not authenticated.
    taken: Mutex<Vec<Option<String>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    principal: Option<String>,
}

impl Turns {
    /// A turn, if one is free.
    pub fn take(self: &Arc<Self>, caller: &Caller) -> Result<Turn, Problem> {
        let principal = caller.name().map(str::to_owned);
        let mut taken = self.taken();
        if principal.is_some() && taken.contains(&principal) {
            return Err(Problem::later("another test or backtest of yours is under way; stop it, or wait for its end"));
        }
        if taken.len() >= MAX_AT_ONCE {
            return Err(Problem::later(format!(
                "{MAX_AT_ONCE} other tests or backtests are under way; send the request again"
            )));
        }
        taken.push(principal.clone());
        Ok(Turn { turns: self.clone(), principal })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        if let Some(own) = taken.iter().position(|principal| *principal == self.principal) {
            taken.swap_remove(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use access::{Principal, Role};

    use super::*;

    fn known(name: &str) -> Caller {
        let roles = [Role::Author].into();
        Caller::Known(Arc::new(Principal { name: name.to_owned(), roles, on_behalf_of: false }))
    }

    #[test]
    fn a_principal_has_one_turn_until_it_ends() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(&known("ann")).unwrap();
        assert!(turns.take(&known("ann")).unwrap_err().detail().contains("of yours"));
        let other = turns.take(&known("bob")).unwrap();
        assert!(turns.take(&known("cleo")).unwrap_err().detail().starts_with("2 other tests"));
        drop(first);
        let again = turns.take(&known("ann"));
        drop((other, again));
        assert!(turns.taken().is_empty());
    }

    #[test]
    fn callers_that_are_not_authenticated_share_the_turns() {
        let turns = Arc::new(Turns::default());
        let both = [turns.take(&Caller::Anyone).unwrap(), turns.take(&Caller::Anyone).unwrap()];
        assert!(turns.take(&Caller::Anyone).is_err());
        drop(both);
        assert!(turns.take(&Caller::Anyone).is_ok());
    }
}
