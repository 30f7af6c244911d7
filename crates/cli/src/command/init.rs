//! `tributary init`: a configuration to start from.

use std::io::ErrorKind;

use super::config_path;
use crate::arguments::Global;
use crate::failure::{Failure, Outcome};

/// What a new configuration says.
const START: &str = r#"# Tributary's configuration. Every option is shown in config.example.toml.

[company]
name = "My company"
# People with an address at these domains are your own: their touches count for nothing.
domains = []
# The zone in which a report's days begin and end.
time_zone = "UTC"
# The currency of reports.
currency = "USD"

[store]
# One file, or postgres://USER@HOST/DATABASE.
url = "sqlite:tributary.db"

# One [[source]] for each system to read. Canonical CSV or JSON Lines files need none: `tributary import FOLDER`.
# [[source]]
# id = "crm"
# connector = "tryton"
"#;

/// Writes the file, unless one is there.
pub(super) fn run(global: &Global, force: bool) -> Result<Outcome, Failure> {
    let path = config_path(global);
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    let written =
        options.open(path).and_then(|mut file| std::io::Write::write_all(&mut file, START.as_bytes()));
    match written {
        Ok(()) => {
            eprintln!("wrote {}", path.display());
            eprintln!("next: tributary import FOLDER, or add a [[source]] and run tributary check");
            Ok(Outcome::Done)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("{} is there already", path.display()))
                .hint("overwrite it with --force"))
        }
        Err(error) => Err(Failure::failed(format!("failed to write {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_is_a_configuration() {
        let folder = std::env::temp_dir().join(format!("tributary-init-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tributary.toml");
        std::fs::write(&path, super::START).unwrap();
        let config = crate::config::Config::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.company.as_deref(), Some("My company"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
