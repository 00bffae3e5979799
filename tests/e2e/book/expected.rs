//! Expected output: its lines are those of the output, where `…` stands for any text, and a line of
//! `…` alone for any lines.

/// Whether the output is as expected.
pub fn matches(expected: &str, output: &str) -> bool {
    let trimmed = |text: &str| -> Vec<String> { text.trim().lines().map(|line| line.trim_end().to_owned()).collect() };
    lines_match(&trimmed(expected), &trimmed(output))
}

fn lines_match(expected: &[String], output: &[String]) -> bool {
    match expected {
        [] => output.is_empty(),
        [any, rest @ ..] if any == "…" => (0..=output.len()).any(|skipped| lines_match(rest, &output[skipped..])),
        [line, rest @ ..] => {
            output.split_first().is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others))
        }
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let mut pieces = expected.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_any_text_and_alone_for_any_lines() {
    for (expected, output, same) in [
        ("a…c", "abc", true),
        ("a…c", "abd", false),
        ("a…b…c", "a1b2c", true),
        ("a…b…c", "a1c2b", false),
        ("a", "ab", false),
        ("…\nlast", "one\ntwo\nlast", true),
        ("first\n…", "first", true),
        ("first\n…\nlast", "first\nother", false),
        ("…", "", true),
    ] {
        assert_eq!(matches(expected, output), same, "{expected:?} {output:?}");
    }
}
