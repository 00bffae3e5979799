//! Checks Relay's paging arguments, and cuts pages. Pure: the caller defines the content of a
//! cursor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use views::Page;

/// The number of rows in a page by default.
pub const DEFAULT_SIZE: i32 = 50;
/// The most rows in a page.
pub const MAX_SIZE: i32 = 200;

/// `first`, `after`, `last` and `before`, as the client sent them.
#[derive(Debug, Clone, Default)]
pub struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// What is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("`{0}` must not be negative")]
    Negative(&'static str),
    #[error("`{0}` must be at most {MAX_SIZE}")]
    TooLarge(&'static str),
    #[error("`first` and `last` cannot be used together")]
    BothEnds,
    #[error("`{0}` is not a cursor of this list")]
    Cursor(&'static str),
}

impl PageArguments {
    /// Checks the arguments. `decode` reads what [`encode_cursor`] was given.
    pub fn check<C>(&self, decode: impl Fn(&str) -> Option<C>) -> Result<Page<C>, PageError> {
        let (name, size, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(PageError::BothEnds),
            (None, Some(last)) => ("last", last, true),
            (first, None) => ("first", first.unwrap_or(DEFAULT_SIZE), false),
        };
        let cursor = |name: &'static str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => decode_cursor(text).and_then(|inner| decode(&inner)).map(Some).ok_or(PageError::Cursor(name)),
        };
        Ok(Page {
            size: match u16::try_from(size) {
                Err(_) if size < 0 => return Err(PageError::Negative(name)),
                Ok(size) if i32::from(size) <= MAX_SIZE => size,
                _ => return Err(PageError::TooLarge(name)),
            },
            from_end,
            after: cursor("after", &self.after)?,
            before: cursor("before", &self.before)?,
        })
    }
}

/// The complexity of a row is multiplied by this.
pub fn cost_factor(first: Option<i32>, last: Option<i32>) -> usize {
    let size = first.or(last).unwrap_or(DEFAULT_SIZE).clamp(1, MAX_SIZE);
    usize::try_from(size).unwrap_or(1)
}

/// Makes a text opaque: clients must not read the content of a cursor.
pub fn encode_cursor(inner: &str) -> String {
    URL_SAFE_NO_PAD.encode(inner)
}

fn decode_cursor(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// A page for the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut<T> {
    /// The rows in the order of the list, also if they were counted from its end.
    pub rows: Vec<T>,
    /// Whether the list has rows before these.
    pub has_previous: bool,
    /// Whether the list has rows after these.
    pub has_next: bool,
}

/// Makes a page of rows, which are in the order in which they are counted.
pub fn cut<T, C>(page: &Page<C>, mut rows: Vec<T>) -> Cut<T> {
    let more = rows.len() > usize::from(page.size);
    rows.truncate(usize::from(page.size));
    if page.from_end {
        rows.reverse();
        // A cursor was a row of the list, so the list has a row on its other side.
        Cut { rows, has_previous: more, has_next: page.before.is_some() }
    } else {
        Cut { rows, has_previous: page.after.is_some(), has_next: more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: Option<i32>, last: Option<i32>) -> Result<Page<String>, PageError> {
        PageArguments { first, last, ..PageArguments::default() }.check(|text| Some(text.to_owned()))
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(check(None, None).unwrap().size, 50);
        assert_eq!(check(Some(0), None).unwrap().size, 0);
        assert_eq!(check(Some(200), None).unwrap().size, 200);
        assert_eq!(check(Some(201), None), Err(PageError::TooLarge("first")));
        assert_eq!(check(None, Some(70_000)), Err(PageError::TooLarge("last")));
        assert_eq!(check(Some(-1), None), Err(PageError::Negative("first")));
        assert_eq!(check(None, Some(-1)), Err(PageError::Negative("last")));
        assert_eq!(check(Some(1), Some(1)), Err(PageError::BothEnds));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["%", "=", "a", "_____w"] {
            let arguments = PageArguments { before: Some(text.into()), ..PageArguments::default() };
            assert_eq!(arguments.check(|text| Some(text.to_owned())), Err(PageError::Cursor("before")), "{text}");
        }
    }

    #[test]
    fn a_page_counted_from_the_end_is_in_the_order_of_the_list() {
        let page = check(None, Some(2)).unwrap();
        assert_eq!(cut(&page, vec![9, 8, 7]), Cut { rows: vec![8, 9], has_previous: true, has_next: false });
    }
}
