//! The `[[tokens]]` of a configuration: names, digests, scopes.

use serde::Deserialize;

use super::ConfigError;
use crate::operation::access::Scope;

/// Tokens that a server knows.
const MOST_TOKENS: usize = 1000;

/// A token, by its digest: the token itself stands nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// Whose it is, for the log.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it may do.
    pub scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    sha256: String,
    scopes: Vec<String>,
}

pub(super) fn entries(content: toml::Value, source: &str) -> Result<Vec<TokenEntry>, ConfigError> {
    let bad = |key: String, value: String, rule: String| ConfigError::BadValue {
        key,
        value,
        rule,
        source_name: source.to_string(),
    };
    let raw: Vec<Raw> = content.try_into().map_err(|error: toml::de::Error| {
        let rule = format!("each needs name, sha256 and scopes: {}", error.message());
        bad("tokens".to_string(), "not a list of tokens".to_string(), rule)
    })?;
    if raw.len() > MOST_TOKENS {
        let rule = format!("at most {MOST_TOKENS} may be");
        return Err(bad("tokens".to_string(), format!("{} long", raw.len()), rule));
    }
    let mut entries: Vec<TokenEntry> = Vec::with_capacity(raw.len());
    for (i, token) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("tokens[{i}].{name}");
        let digest = digest(&token.sha256).ok_or_else(|| {
            let rule = "it must be 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them";
            bad(key("sha256"), token.sha256.clone(), rule.to_string())
        })?;
        if entries.iter().any(|other| other.name == token.name || other.digest == digest) {
            let rule = "its name and its digest must not be those of another token".to_string();
            return Err(bad(key("name"), token.name, rule));
        }
        let scopes = token.scopes.iter().map(|scope| {
            Scope::parse(scope).ok_or_else(|| {
                bad(key("scopes"), scope.clone(), format!("scopes are {}", Scope::NAMES.join(", ")))
            })
        });
        let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
        entries.push(TokenEntry { name: token.name, digest, scopes });
    }
    Ok(entries)
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(digest)
}
