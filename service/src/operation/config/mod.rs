//! The configuration of the server: one TOML file, the environment, and flags, each over the one before.
//!
//! Every key has a default and a range in one table, from which the documentation is made; a key that is not in it is
//! an error, wherever it stands.

mod error;
mod jobs;
mod sections;
mod sessions;
mod setting;
mod tokens;
mod values;

use std::fmt::Write;
use std::path::Path;

use toml::Table;

pub use error::ConfigError;
pub use sections::{Limits, Listening, Logging, TlsFiles};
pub use setting::{Kind, Setting};
pub use tokens::TokenEntry;
pub use values::Values;

use crate::jobs::JobsConfig;
use crate::registry::RegistryLimits;
use crate::session::StoreOptions;

/// What begins the name of an environment variable.
const PREFIX: &str = "LONGCAST_";
/// A configuration file is smaller.
const MOST_BYTES: u64 = 1 << 20;

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens, and with what.
    pub listening: Listening,
    /// Certificates; `None` where connections are plain.
    pub tls: Option<TlsFiles>,
    /// Who may call what; empty where everybody may.
    pub tokens: Vec<TokenEntry>,
    /// Bounds.
    pub limits: Limits,
    /// Bounds of the registry.
    pub registry: RegistryLimits,
    /// Trainings, back-tests and data sets.
    pub jobs: JobsConfig,
    /// Sessions.
    pub sessions: StoreOptions,
    /// The log.
    pub logging: Logging,
    values: Values,
}

impl Default for Config {
    fn default() -> Self {
        // No file and no variable: the defaults fit each other, as a test says.
        let values = Values::of(settings());
        Config {
            listening: Listening::of(&values),
            tls: None,
            tokens: Vec::new(),
            limits: Limits::of(&values),
            registry: sections::registry_limits(&values),
            jobs: jobs::of(&values),
            sessions: sessions::options(&values),
            logging: Logging::of(&values),
            values,
        }
    }
}

/// Every key of the configuration.
#[must_use]
pub fn settings() -> Vec<Setting> {
    [sections::SETTINGS, sessions::SETTINGS, jobs::SETTINGS].concat()
}

impl Config {
    /// The configuration out of a file, the environment and flags (`key`, `value`), each over the one before.
    ///
    /// # Errors
    /// [`ConfigError`], with the key, the value, where it stood, and the rule.
    ///
    /// # Example
    /// ```
    /// use longcast::operation::Config;
    /// let environment = [("LONGCAST_LIMITS_STREAMS".to_string(), "8".to_string())];
    /// let config = Config::read(None, environment, [("server.port", "0".to_string())])?;
    /// assert_eq!((config.limits.streams, config.listening.address.port()), (8, 0));
    /// let error = Config::read(None, [], [("server.prt", "0".to_string())]).unwrap_err();
    /// assert!(error.to_string().contains("did you mean server.port"));
    /// # Ok::<(), longcast::operation::ConfigError>(())
    /// ```
    pub fn read<'a>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Self, ConfigError> {
        let mut values = Values::of(settings());
        let mut entries = Vec::new();
        if let Some(path) = file {
            let table = read_table(path)?;
            let source = path.display().to_string();
            for (section, content) in table {
                match (section.as_str(), content) {
                    ("tokens", content) => entries = tokens::entries(content, &source)?,
                    (section, toml::Value::Table(table)) => {
                        for (name, value) in table {
                            let key = format!("{section}.{name}");
                            values.set(&key, &text_of(&key, &value, &source)?, &source)?;
                        }
                    }
                    (key, value) => values.set(key, &text_of(key, &value, &source)?, &source)?,
                }
            }
        }
        for (name, value) in environment {
            if let Some(key) = key_of(&name, values.settings()) {
                values.set(&key, &value, &name)?;
            }
        }
        for (key, value) in flags {
            values.set(key, &value, "the command line")?;
        }
        Self::of(values, entries)
    }

    fn of(values: Values, tokens: Vec<TokenEntry>) -> Result<Self, ConfigError> {
        let tls = TlsFiles::of(&values).map_err(|rule| ConfigError::Together { rule: rule.to_string() })?;
        let listening = Listening::of(&values);
        let is_same = |admin: std::net::SocketAddr| admin == listening.address && admin.port() != 0;
        if listening.admin.is_some_and(is_same) {
            let rule =
                format!("server and admin both listen on {}; choose another admin.port", listening.address);
            return Err(ConfigError::Together { rule });
        }
        let limits = Limits::of(&values);
        Ok(Config {
            tls,
            tokens,
            limits,
            registry: sections::registry_limits(&values),
            jobs: jobs::of(&values),
            sessions: sessions::options(&values),
            logging: Logging::of(&values),
            listening,
            values,
        })
    }

    /// The values of all keys, for parts of the server that have sections of their own.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The table of all keys in Markdown, as the documentation has it.
    #[must_use]
    pub fn documentation() -> String {
        let mut text = "| key | default | range | meaning |\n|---|---|---|---|\n".to_string();
        for Setting { key, kind, default, meaning } in settings() {
            let default = if default.is_empty() { "not set".to_string() } else { format!("`{default}`") };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| `{key}` | {default} | {} | {meaning} |", kind.range());
        }
        text
    }
}

fn read_table(path: &Path) -> Result<Table, ConfigError> {
    let fail = |why: String| ConfigError::File { path: path.to_path_buf(), why };
    let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if length > MOST_BYTES {
        return Err(fail(format!("it has {length} bytes, at most {MOST_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    text.parse::<Table>().map_err(|error| fail(error.to_string()))
}

/// A plain value as the text that means it.
fn text_of(key: &str, value: &toml::Value, source: &str) -> Result<String, ConfigError> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(is) => Ok(is.to_string()),
        other => Err(ConfigError::BadValue {
            key: key.to_string(),
            value: other.to_string(),
            rule: "it must be a text, a whole number, true or false".to_string(),
            source_name: source.to_string(),
        }),
    }
}

/// The key that an environment variable sets: `LONGCAST_LIMITS_CALL_TIME` is `limits.call_time`. A variable of no
/// section is somebody else's; one of a section names a key, there or not.
fn key_of(variable: &str, settings: &[Setting]) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let (section, name) = rest.split_once('_')?;
    let is_ours = settings.iter().any(|setting| setting.key.split('.').next() == Some(section));
    is_ours.then(|| format!("{section}.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_in_its_range_and_every_key_is_there_once() {
        let all = settings();
        for (i, setting) in all.iter().enumerate() {
            assert!(
                setting.default.is_empty() || setting.kind.parse(setting.default).is_ok(),
                "{}",
                setting.key
            );
            assert!(all[..i].iter().all(|other| other.key != setting.key), "{} is there twice", setting.key);
            assert!(setting.key.split('.').count() == 2 && !setting.meaning.is_empty());
        }
    }

    #[test]
    fn the_documentation_holds_the_table_of_all_keys() {
        let text = include_str!("../../../README.md");
        assert!(
            text.contains(&Config::documentation()),
            "put this into service/README.md:\n{}",
            Config::documentation()
        );
    }

    #[test]
    fn flags_win_over_the_environment_and_it_over_the_file() {
        let folder = std::env::temp_dir().join(format!("longcast-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("longcast.toml");
        let text = "[server]\nport = 1000\ndrain = \"3s\"\n[limits]\nstreams = 7\nunary_bytes = \"2 MiB\"\n";
        std::fs::write(&file, text).unwrap();
        let environment = [
            ("LONGCAST_SERVER_PORT", "2000"),
            ("LONGCAST_LIMITS_STREAMS", "8"),
            ("LONGCAST_DATA", "elsewhere"),
            ("PATH", "/bin"),
        ];
        let environment = environment.map(|(name, value)| (name.to_string(), value.to_string()));
        let config = Config::read(Some(&file), environment, [("server.port", "3000".to_string())]).unwrap();
        assert_eq!(config.listening.address.port(), 3000);
        assert_eq!((config.limits.streams, config.limits.unary_bytes), (8, 2 << 20));
        assert_eq!(config.listening.drain.as_secs(), 3);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let folder = std::env::temp_dir().join(format!("longcast-config-bad-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("longcast.toml");
        let digest = "0".repeat(64);
        for (text, part) in [
            ("[server]\nprt = 1\n", "unknown key server.prt"),
            ("port = 1\n", "unknown key port"),
            ("[sever]\nport = 1\n", "unknown key sever.port"),
            ("[limits]\nstreams = 0\n", "limits.streams is 0"),
            ("[limits]\nstreams = [1]\n", "limits.streams is [1]"),
            ("[limits]\ncall_time = 10\n", "limits.call_time is 10"),
            ("[tls]\nkey = \"a.pem\"\n", "belong together"),
            ("[tls]\nclient_ca = \"a.pem\"\n", "mutual TLS needs"),
            ("[admin]\nport = 50051\n", "both listen"),
            ("[admin]\nport = 70000\n", "0 to 65535"),
            ("[[tokens]]\nname = \"a\"\n", "sha256"),
            ("[[tokens]]\nname = \"a\"\nsha256 = \"12\"\nscopes = []\n", "64 hexadecimal"),
            (&format!("[[tokens]]\nname = \"a\"\nsha256 = \"{digest}\"\nscopes = [\"root\"]\n"), "root"),
            ("[server\n", "longcast.toml"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Config::read(Some(&file), [], []).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let variable = [("LONGCAST_LIMITS_STREEMS".to_string(), "8".to_string())];
        let error = Config::read(None, variable, []).unwrap_err().to_string();
        assert!(error.contains("limits.streems") && error.contains("LONGCAST_LIMITS_STREEMS"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
