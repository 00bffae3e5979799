//! The prose of a file as words with their lines, so that a phrase is found across line ends: of
//! Markdown all of it, of Rust its comments and its texts.

/// A word in small letters, and its line.
pub struct Word {
    pub text: String,
    pub line: usize,
}

/// The words of a text, without what stands between backticks: those are names.
pub fn words_of(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        let pieces = line.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|piece| !piece.is_empty());
        words.extend(pieces.map(|piece| Word { text: piece.to_lowercase(), line: index + 1 }));
    }
    words
}

/// The lines at which a phrase begins.
pub fn lines_with(words: &[Word], phrase: &str) -> Vec<usize> {
    let wanted: Vec<&str> = phrase.split(' ').collect();
    let is_there = |window: &&[Word]| window.iter().zip(&wanted).all(|(word, wanted)| word.text == *wanted);
    words.windows(wanted.len()).filter(is_there).map(|window| window[0].line).collect()
}

/// A Rust source with everything but comments and texts blanked out; its lines stay where they are.
pub fn prose_of_rust(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut prose = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_prose(&chars, at);
        // A text without a space is a name, and not prose.
        let kept = end.is_some_and(|end| chars[at] == '/' || chars[at..end].contains(&' '));
        let end = end.unwrap_or_else(|| end_of_char(&chars, at));
        prose.extend(chars[at..end].iter().map(|&c| if kept || c == '\n' { c } else { ' ' }));
        at = end;
    }
    prose
}

/// Where the comment or text ends that begins here, if one does.
fn end_of_prose(chars: &[char], at: usize) -> Option<usize> {
    let find = |wanted: &[char], from: usize| {
        let found = chars.get(from..)?.windows(wanted.len()).position(|window| window == wanted)?;
        Some(from + found + wanted.len())
    };
    match chars[at] {
        '/' if chars.get(at + 1) == Some(&'/') => Some(find(&['\n'], at).map_or(chars.len(), |end| end - 1)),
        '/' if chars.get(at + 1) == Some(&'*') => Some(find(&['*', '/'], at).unwrap_or(chars.len())),
        'r' if at == 0 || !(chars[at - 1].is_alphanumeric() && chars[at - 1] != 'b' || chars[at - 1] == '_') => {
            let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            (chars.get(at + 1 + hashes) == Some(&'"')).then(|| {
                let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                find(&closing, at + 2 + hashes).unwrap_or(chars.len())
            })
        }
        '"' => {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            Some((end + 1).min(chars.len()))
        }
        _ => None,
    }
}

/// A character such as `'"'` begins no text.
fn end_of_char(chars: &[char], at: usize) -> usize {
    let is_char = chars[at] == '\'' && at + 2 < chars.len();
    match (is_char, chars.get(at + 1)) {
        (true, Some('\\')) => chars[at + 3..].iter().position(|&c| c == '\'').map_or(at + 1, |found| at + 4 + found),
        (true, Some(_)) if chars[at + 2] == '\'' => at + 3,
        _ => at + 1,
    }
}

#[test]
fn only_comments_and_texts_of_a_source_are_prose() {
    let source =
        "let x = '\"'; // a comment\nlet x = \"a \\\" text\" + r#\"raw \"x\" one\"#; /* more */ f('\\'', \"name\")\n";
    let prose = prose_of_rust(source);
    let words: Vec<String> = words_of(&prose).into_iter().map(|word| word.text).collect();
    assert_eq!(words, ["a", "comment", "a", "text", "r", "raw", "x", "one", "more"]);
    assert_eq!(prose.lines().count(), source.lines().count());
}

#[test]
fn a_phrase_is_found_across_the_end_of_a_line() {
    let words = words_of("One `name` idea\n/// a sentence.");
    assert_eq!(lines_with(&words, "one idea a sentence"), [1]);
    assert!(lines_with(&words, "idea sentence").is_empty());
}
