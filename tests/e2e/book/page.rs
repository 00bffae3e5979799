//! A page of Markdown: its lines, its fenced blocks, its headings, its links.

use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// A page.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// What follows the fence: `sh`, `console`, `graphql`, `yaml`, `text`, …
    pub kind: String,
    /// The line of its opening fence, from 1.
    pub opens: usize,
    /// The line of its closing fence.
    pub closes: usize,
    pub text: String,
}

impl Page {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let blocks = blocks_of(&text);
        assert!(
            text.lines().filter(|line| line.starts_with("```")).count() == 2 * blocks.len(),
            "{}: a fenced block does not end",
            path.display()
        );
        Self { path: path.to_owned(), text, blocks }
    }

    /// Its path in the repository.
    pub fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    /// Its lines with their numbers, without those of fenced blocks.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let in_block = |number: &usize| self.blocks.iter().any(|block| (block.opens..=block.closes).contains(number));
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(move |(number, _)| !in_block(number))
    }

    /// What stands between backticks in its prose, with the line.
    pub fn code_spans(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            found.extend(line.split('`').skip(1).step_by(2).map(|span| (number, span)));
        }
        found
    }

    /// The targets of its links, with the line.
    pub fn links(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| (number, target)));
        }
        found
    }

    /// The anchors of its headings, as forges and mdBook derive them.
    pub fn anchors(&self) -> Vec<String> {
        let heading = |line: &str| {
            let title = line.trim_start_matches('#');
            (title.len() < line.len() && title.starts_with(' ')).then(|| anchor_of(title.trim()))
        };
        self.prose().filter_map(|(_, line)| heading(line)).collect()
    }
}

fn anchor_of(title: &str) -> String {
    let kept = title.chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn blocks_of(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, Vec<&str>)> = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let fence = line.strip_prefix("```");
        match (open.take(), fence) {
            (None, Some(kind)) => open = Some((number, kind, Vec::new())),
            (Some((opens, kind, lines)), Some(_)) => {
                blocks.push(Block { kind: kind.to_owned(), opens, closes: number, text: lines.join("\n") });
            }
            (Some((opens, kind, mut lines)), None) => {
                lines.push(line);
                open = Some((opens, kind, lines));
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn an_anchor_is_the_title_in_small_letters_with_hyphens() {
    assert_eq!(anchor_of("What an answer means"), "what-an-answer-means");
    assert_eq!(anchor_of("An order, file by file"), "an-order-file-by-file");
}
