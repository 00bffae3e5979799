//! Splits a line of conditions into keys, operators and values.

/// The value of a condition.
#[derive(Debug)]
pub(super) struct Operand {
    pub text: String,
    pub is_quoted: bool,
}

/// Key, operator and value of each condition.
pub(super) fn split(text: &str) -> Result<Vec<(&str, &str, Operand)>, String> {
    let mut conditions = Vec::new();
    let mut rest = text;
    loop {
        let key_ends = rest.find(['=', '<', '>', ',', '!']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(key_ends);
        let Some(operator) = ["=", ">=", "<=", "<"].into_iter().find(|operator| after.starts_with(operator)) else {
            let so_far = format!("{key}{}", after.chars().take(2).collect::<String>());
            return Err(format!(
                "{so_far:?} begins no condition; write key=value, or a span of time as placedAt>=… and placedAt<…"
            ));
        };
        let (value, after) = value(&after[operator.len()..])?;
        conditions.push((key.trim(), operator, value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(conditions),
        }
    }
}

/// Reads a value, and returns the rest: a comma and more conditions, or nothing.
fn value(text: &str) -> Result<(Operand, &str), String> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Ok((Operand { text: text[..end].trim_end().to_owned(), is_quoted: false }, &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => {
                let after = quoted[index + 1..].trim_start();
                let ends = after.is_empty() || after.starts_with(',');
                if !ends {
                    return Err(format!("after {value:?}, a comma has to follow"));
                }
                return Ok((Operand { text: value, is_quoted: true }, after));
            }
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => return Err("in quotes, a backslash stands before a quote or a backslash".to_owned()),
            },
            other => value.push(other),
        }
    }
    Err(format!("the quote before {quoted:?} is not closed"))
}
