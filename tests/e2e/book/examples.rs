//! Runs the examples. Blocks of `sh` and `graphql` run in the order of their page, in a fresh
//! folder where `tenuto dev` runs with its sample orders. A block of `text` after them is their
//! expected output; `sh refused` must end with an error. `console` does not run.
//!
//! All blocks of a page are one script whose lines are the lines of the page. So variables last
//! from block to block, and bash reports the line of the page where a command fails.

use std::fmt::Write as _;
use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

use postgres_cluster::testing::database;
use serde_json::{Value, json};

use super::expected::matches;
use super::page::{Block, Page};
use super::{files_below, root};
use crate::process::{LIMIT, Process, binary};

/// Where pages say that Tenuto runs.
const ADDRESS: &str = "http://127.0.0.1:7007";
/// Comes in the output before that of a block, with the line of the block.
const MARK: &str = "@@ block at line";
/// The parts of the book, and README.
const PARTS: [&str; 6] = ["shop", "operator", "workflow", "participant", "auditor", "platform"];

fn runs(block: &Block) -> bool {
    matches!(block.kind.as_str(), "sh" | "sh refused" | "graphql")
}

/// The script of a page. Its line numbers are those of the page.
fn script(page: &Page, base: &str) -> String {
    let mut lines = vec![String::new(); page.text.lines().count()];
    // The first line of a page is its title.
    "set -Eeuo pipefail; exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT; \
     trap 'echo \"the command at line $LINENO ended with $?\"' ERR"
        .clone_into(&mut lines[0]);
    for block in page.blocks.iter().filter(|block| runs(block)) {
        let mark = format!("printf '\\n%s %s\\n' '{MARK}' {}", block.opens);
        let (before, after) = match block.kind.as_str() {
            "sh refused" => {
                (format!("{mark}; if ("), format!(") then echo 'line {}: not refused'; exit 1; fi", block.opens))
            }
            "graphql" => (mark, query(base, block.opens)),
            _ => (mark, String::new()),
        };
        lines[block.opens - 1] = before;
        lines[block.closes - 1] = after;
        if block.kind != "graphql" {
            for (index, line) in block.text.lines().enumerate() {
                lines[block.opens + index] = line.replace(ADDRESS, base);
            }
        }
    }
    lines.join("\n")
}

/// Asks a query, again while its first field is `null`: the views may still be behind the command
/// before it.
fn query(base: &str, line: usize) -> String {
    format!(
        "for try in $(seq 600); do \
         answer=$(curl -sS {base}/graphql -H 'content-type: application/json' -d @query-{line}.json); \
         [[ $answer =~ ^.?.data.:.?.[a-zA-Z]+.:null ]] || break; sleep 0.1; done; echo \"$answer\""
    )
}

/// Runs the page, and returns what is wrong with it.
async fn faults_of(page: &Page) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("workflows"), folder.path().join("workflows")).unwrap();
    let database = database().await;
    let data = folder.path().join(".tenuto");
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let server = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
    let base = server.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
    // The samples have come to rest by then.
    server.line_after("Stop with Ctrl-C");

    for block in page.blocks.iter().filter(|block| block.kind == "graphql") {
        let body = json!({ "query": block.text }).to_string();
        fs::write(folder.path().join(format!("query-{}.json", block.opens)), body).unwrap();
    }
    // A refused request is an error.
    fs::write(folder.path().join(".curlrc"), "fail-with-body\nmax-time = 120\n").unwrap();
    fs::write(folder.path().join("page.sh"), script(page, &base)).unwrap();
    let output = run_script(folder.path()).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut faults = String::new();
    if !output.status.success() {
        let _ = writeln!(faults, "{}: {}\n{text}", page.name(), output.status);
        return faults;
    }
    for (index, block) in page.blocks.iter().enumerate().filter(|(_, block)| runs(block)) {
        let own = text.split(&format!("{MARK} {}\n", block.opens)).nth(1).unwrap_or_default();
        let own = own.split(MARK).next().unwrap_or_default().lines();
        // curl also reports on standard error that a request was refused.
        let own = own.filter(|line| !line.starts_with("curl: (22)")).collect::<Vec<_>>().join("\n");
        if let Some(fault) = fault_of(block, page.blocks.get(index + 1), own.trim()) {
            let _ = writeln!(faults, "{}:{}: {fault}\n{own}\n", page.name(), block.opens);
        }
    }
    faults
}

/// What is wrong with the output of a block that is followed by this one.
fn fault_of(block: &Block, next: Option<&Block>, output: &str) -> Option<String> {
    if block.kind == "graphql" {
        let answer: Value = serde_json::from_str(output).unwrap_or_default();
        let data = answer["data"].as_object();
        let complete = data.is_some_and(|data| !data.is_empty() && data.values().all(|value| !value.is_null()));
        if !complete || answer.get("errors").is_some() {
            return Some("the query has an error, or no data".to_owned());
        }
    }
    let expected = next.filter(|next| next.kind == "text" && next.opens == block.closes + 2)?;
    (!matches(&expected.text, output)).then(|| format!("the output is not as expected at line {}", expected.opens))
}

async fn run_script(folder: &std::path::Path) -> Output {
    let own = binary();
    let program = std::path::Path::new(own.get_program()).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = tokio::process::Command::new("bash");
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .arg("page.sh")
        .current_dir(folder)
        .env("PATH", path)
        .env("CURL_HOME", folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT + Duration::from_mins(1), command.output()).await;
    output.unwrap_or_else(|late| panic!("{} does not end: {late}", folder.join("page.sh").display())).unwrap()
}

/// Runs these pages. There have to be some that run.
async fn run(pages: Vec<Page>) {
    let pages: Vec<Page> = pages.into_iter().filter(|page| page.blocks.iter().any(runs)).collect();
    assert!(!pages.is_empty(), "no page has an example that runs");
    let mut faults = String::new();
    for page in &pages {
        faults += &faults_of(page).await;
    }
    assert!(faults.is_empty(), "{faults}");
}

async fn run_part(part: &str) {
    let files = files_below(&root().join("docs").join(part), ".md");
    run(files.iter().map(|path| Page::read(path)).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_in_readme_and_on_the_first_pages_run() {
    run(["README.md", "docs/first-order.md"].map(|name| Page::read(&root().join(name))).into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_shops_run() {
    run_part("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_operators_run() {
    run_part("operator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_workflow_authors_run() {
    run_part("workflow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_participants_run() {
    run_part("participant").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_auditors_run() {
    run_part("auditor").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_for_platform_engineers_run() {
    run_part("platform").await;
}

#[test]
fn every_page_with_an_example_belongs_to_a_part_that_runs() {
    let docs = root().join("docs");
    for page in super::pages().iter().filter(|page| page.blocks.iter().any(runs)) {
        let name = page.name();
        let part = PARTS.iter().any(|part| page.path.starts_with(docs.join(part)));
        assert!(
            part || ["README.md", "docs/first-order.md"].contains(&name.as_str()),
            "{name} is in no part that runs"
        );
    }
}

#[test]
fn every_kind_of_block_is_known() {
    let known = ["sh", "sh refused", "console", "graphql", "yaml", "text", "http", "json", "rust", "toml", ""];
    for page in super::pages() {
        for block in &page.blocks {
            assert!(known.contains(&block.kind.as_str()), "{}:{}: {:?}", page.name(), block.opens, block.kind);
        }
    }
}

#[test]
fn every_whole_workflow_in_the_book_is_correct() {
    let folder = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for page in super::pages() {
        for block in page.blocks.iter().filter(|block| block.kind == "yaml" && block.text.starts_with("workflow:")) {
            let file = folder.path().join("workflow.yaml");
            fs::write(&file, &block.text).unwrap();
            let output = binary().args(["workflow", "check"]).arg(&file).output().unwrap();
            assert!(
                output.status.success(),
                "{}:{}: {}",
                page.name(),
                block.opens,
                crate::process::output_text(&output)
            );
            checked += 1;
        }
    }
    assert!(checked > 0, "the book has no whole workflow");
}
