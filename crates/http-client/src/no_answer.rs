//! Why a server gave no answer, for a person who checks a set-up.

use std::io::{self, ErrorKind};

use reqwest::Error;

use super::mistake::{causes, mistake, server};

/// Why a server gave no answer, in one line with the remedy.
pub fn no_answer(error: &Error) -> String {
    if let Some(mistake) = mistake(error) {
        let prefixes = ["not sent: ", "not received: "];
        let told = prefixes.iter().find_map(|prefix| mistake.strip_prefix(prefix));
        return told.unwrap_or(&mistake).to_owned();
    }
    let server = error.url().map(server).unwrap_or_default();
    if error.is_timeout() {
        return format!("{server} does not answer in time; is it running, and does the network reach it?");
    }
    let is_refused = |cause: &io::Error| cause.kind() == ErrorKind::ConnectionRefused;
    if causes(error).filter_map(|cause| cause.downcast_ref()).any(is_refused) {
        return format!(
            "{server} refuses the connection: nothing listens there; start the server, or correct host and port"
        );
    }
    let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
    format!("{server} gives no answer: {cause}; check the URL, and that the server runs")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    async fn reason(url: &str) -> String {
        let client = crate::builder().unwrap().timeout(Duration::from_millis(300)).build().unwrap();
        no_answer(&client.get(url).send().await.unwrap_err())
    }

    #[tokio::test]
    async fn the_reason_names_the_server_the_cause_and_the_remedy() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = silent.local_addr().unwrap();
        let told = reason(&format!("http://{at}/")).await;
        assert!(told.starts_with(&format!("{at} does not answer in time; ")), "{told}");
        drop(silent);
        let told = reason(&format!("http://{at}/")).await;
        assert!(
            told.starts_with(&format!("{at} refuses the connection: ")) && told.contains("start the server"),
            "{told}"
        );
        let told = reason("http://no-such-host.invalid/").await;
        assert!(
            told.starts_with("the host no-such-host.invalid is not found") && told.contains("correct the URL"),
            "{told}"
        );
    }
}
