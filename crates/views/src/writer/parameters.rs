//! The parameters of a statement. Each value gets its placeholder when it is bound, so that no
//! parameter is counted by hand.

use std::fmt::{self, Display, Formatter, Write};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Arguments, Encode, Postgres, SqlSafeStr, Type};

/// The values that are bound so far.
#[derive(Default)]
pub(crate) struct Parameters {
    arguments: PgArguments,
    /// The first value that could not be encoded.
    failed: Option<sqlx::error::BoxDynError>,
}

/// The place of a value in the text of a statement: `$1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholder(usize);

impl Display for Placeholder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

impl Parameters {
    /// Binds a value.
    pub fn bind<'t>(&mut self, value: impl Encode<'t, Postgres> + Type<Postgres>) -> Placeholder {
        if let Err(error) = self.arguments.add(value) {
            self.failed.get_or_insert(error);
        }
        Placeholder(self.arguments.len())
    }

    /// Binds the rows of a table.
    pub fn rows(&mut self, rows: &impl Columns) -> Rows {
        let mut bound = Rows(Vec::new());
        rows.bind_to(self, &mut bound);
        bound
    }

    /// The statement of this text, with these parameters. The text is made only if every value is
    /// bound: otherwise the places in it would be wrong.
    pub fn statement<S: SqlSafeStr>(
        self,
        text: impl FnOnce() -> S,
    ) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
        match self.failed {
            Some(error) => Err(sqlx::Error::Encode(error)),
            None => Ok(sqlx::query_with(text(), self.arguments)),
        }
    }
}

/// Rows of a table as arrays, one for each column: a batch is one statement, whatever its size.
pub(crate) trait Columns {
    /// Binds each column.
    fn bind_to(&self, parameters: &mut Parameters, rows: &mut Rows);
}

/// Whether a later event of the same row changes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The row has the value from its first event on.
    Never,
    /// The value is that of the last event.
    Follows,
}

/// A column whose values are bound.
pub(crate) struct Bound {
    pub name: &'static str,
    pub sql_type: &'static str,
    pub change: Change,
    pub values: Placeholder,
}

/// The columns of some rows, as lists for SQL.
pub(crate) struct Rows(pub(crate) Vec<Bound>);

impl Rows {
    /// The names of all columns.
    pub fn names(&self) -> String {
        self.list(|list, column| write!(list, "{}", column.name))
    }

    /// The arrays that `unnest` takes, in the order of the names.
    pub fn arrays(&self) -> String {
        self.list(|list, column| write!(list, "{}::{}", column.values, column.sql_type))
    }

    /// What `ON CONFLICT DO UPDATE` sets.
    pub fn updates(&self) -> String {
        let Self(columns) = self;
        let following = columns.iter().filter(|column| column.change == Change::Follows);
        joined(following, |list, column| write!(list, "{0} = excluded.{0}", column.name))
    }

    /// The array of the first column.
    pub fn key(&self) -> String {
        self.0.first().map(|key| format!("{}::{}", key.values, key.sql_type)).unwrap_or_default()
    }

    fn list(&self, write: impl Fn(&mut String, &Bound) -> fmt::Result) -> String {
        joined(self.0.iter(), write)
    }
}

fn joined<'a>(columns: impl Iterator<Item = &'a Bound>, write: impl Fn(&mut String, &Bound) -> fmt::Result) -> String {
    let mut list = String::new();
    for column in columns {
        if !list.is_empty() {
            list.push_str(", ");
        }
        // Writing to a text does not fail.
        let _ = write(&mut list, column).is_ok();
    }
    list
}

/// Declares the rows of a table: each line has a column's name, the type of its values, the type of
/// its array in SQL, and whether later events change it. Both the text and the parameters of a
/// statement follow from it. `name as "column"` is for a column whose name Rust reserves.
macro_rules! columns {
    ($(#[$meta:meta])* $vis:vis struct $struct:ident { $($field:ident $(as $column:literal)?: $type:ty, $sql:literal, $change:ident;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $struct { $($field: Vec<$type>,)+ }

        impl $crate::writer::parameters::Columns for $struct {
            fn bind_to(
                &self,
                parameters: &mut $crate::writer::parameters::Parameters,
                rows: &mut $crate::writer::parameters::Rows,
            ) {
                $(rows.0.push($crate::writer::parameters::Bound {
                    name: $crate::writer::parameters::column_name!($field $($column)?),
                    sql_type: $sql,
                    change: $crate::writer::parameters::Change::$change,
                    values: parameters.bind(&self.$field),
                });)+
            }
        }
    };
}

macro_rules! column_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}
pub(crate) use {column_name, columns};

#[cfg(test)]
mod tests {
    use super::*;

    columns! {
        /// Rows of a table that does not exist.
        struct Things {
            id: String, "text[]", Never;
            kind as "type": String, "text[]", Follows;
            data: Option<String>, "text[]::jsonb[]", Follows;
        }
    }

    #[test]
    fn each_column_has_one_place_in_the_lists_of_a_statement() {
        let mut parameters = Parameters::default();
        let name = parameters.bind("a name");
        let things = parameters.rows(&Things::default());
        let after = parameters.bind(1_i64);
        assert_eq!((name.to_string().as_str(), after.to_string().as_str()), ("$1", "$5"));
        assert_eq!(things.names(), "id, type, data");
        assert_eq!(things.arrays(), "$2::text[], $3::text[], $4::text[]::jsonb[]");
        assert_eq!(things.updates(), "type = excluded.type, data = excluded.data");
        assert_eq!(things.key(), "$2::text[]");
    }
}
