//! What `${NAME}` in participants' URLs stands for: services move, while orders are under way.

use std::collections::BTreeMap;

/// Values for the `${NAME}` in participants' URLs.
#[derive(Debug, Clone, Default)]
pub struct Settings(pub BTreeMap<String, String>);

/// A URL asks for a setting that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting {0} has no value")]
pub struct UnknownSetting(pub String);

impl Settings {
    /// Puts the values in.
    pub fn resolve(&self, url: &str) -> Result<String, UnknownSetting> {
        let mut resolved = String::with_capacity(url.len());
        let mut rest = url;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            resolved.push_str(before);
            resolved.push_str(self.0.get(name).ok_or_else(|| UnknownSetting(name.to_owned()))?);
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_put_into_urls_and_missing_ones_are_named() {
        let settings = Settings(BTreeMap::from([("HOST".to_owned(), "h:1".to_owned())]));
        assert_eq!(settings.resolve("http://${HOST}/a").as_deref(), Ok("http://h:1/a"));
        assert_eq!(settings.resolve("http://h/${PATH}"), Err(UnknownSetting("PATH".to_owned())));
        assert_eq!(settings.resolve("http://h/${PATH").as_deref(), Ok("http://h/${PATH"));
    }
}
