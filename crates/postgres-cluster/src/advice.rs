//! The command that installs a Postgres server on this platform, for the error that none was found.

/// The install command for this machine.
pub(crate) fn install_command() -> String {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17".into();
    }
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = linux_command(&os_release);
    if rustix::process::geteuid().is_root() { command.into() } else { format!("sudo {command}") }
}

/// Chosen by the distribution's name, then by the names in `ID_LIKE`.
fn linux_command(os_release: &str) -> &'static str {
    let value = |key: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    let names = format!("{} {}", value("ID"), value("ID_LIKE"));
    names
        .split_whitespace()
        .find_map(|name| match name {
            "debian" | "ubuntu" => Some("apt-get install -y postgresql"),
            "fedora" | "rhel" | "centos" => Some("dnf install -y postgresql-server"),
            "suse" | "opensuse" => Some("zypper install -y postgresql-server"),
            "arch" => Some("pacman -S --noconfirm postgresql"),
            "alpine" => Some("apk add postgresql"),
            _ => None,
        })
        .unwrap_or("apt-get install -y postgresql (or your distribution's package of the PostgreSQL server)")
}

#[cfg(test)]
mod tests {
    use super::linux_command;

    #[test]
    fn a_derived_distribution_gets_the_command_of_its_base() {
        assert!(linux_command("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").starts_with("apt-get"));
        assert!(linux_command("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n").starts_with("dnf"));
        assert!(linux_command("ID=alpine\nVERSION_ID=3.20\n").starts_with("apk"));
    }
}
