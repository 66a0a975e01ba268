//! Names of models, revisions and aliases: `models/load`, `models/load/revisions/3f…`, `models/load@champion`.

use std::fmt;

use super::RegistryError;

/// Bytes of a model's or an alias's own name.
const MOST_BYTES: usize = 63;

/// A name that was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// No name: the only model there is.
    Only,
    /// `models/{m}`: its revision that serves.
    Model(String),
    /// `models/{m}/revisions/{r}`.
    Revision(String, String),
    /// `models/{m}@{alias}`.
    Alias(String, String),
}

impl Name {
    /// Takes a name apart; `field` is the one of the request.
    ///
    /// # Errors
    /// [`RegistryError::BadName`].
    ///
    /// # Example
    /// ```
    /// use longcast::registry::Name;
    /// let name = Name::parse("model", "models/load@champion")?;
    /// assert_eq!(name, Name::Alias("load".to_string(), "champion".to_string()));
    /// assert!(Name::parse("model", "models/../etc").is_err());
    /// # Ok::<(), longcast::registry::RegistryError>(())
    /// ```
    pub fn parse(field: &'static str, name: &str) -> Result<Self, RegistryError> {
        if name.is_empty() {
            return Ok(Name::Only);
        }
        let bad = |rule: &str| RegistryError::BadName {
            field,
            value: name.chars().take(MOST_BYTES).collect(),
            rule: rule.to_string(),
        };
        let form = "must be models/{m}, models/{m}/revisions/{r} or models/{m}@{alias}";
        let rest = name.strip_prefix("models/").ok_or_else(|| bad(form))?;
        let parsed = match (rest.split_once("/revisions/"), rest.split_once('@')) {
            (Some((model, revision)), _) => Name::Revision(model.to_string(), revision.to_string()),
            (None, Some((model, alias))) => Name::Alias(model.to_string(), alias.to_string()),
            (None, None) => Name::Model(rest.to_string()),
        };
        let parts: [&str; 2] = match &parsed {
            Name::Only => ["x", "x"],
            Name::Model(model) => [model, "x"],
            Name::Revision(model, part) | Name::Alias(model, part) => [model, part],
        };
        parts.into_iter().try_for_each(|part| check_id(field, part))?;
        Ok(parsed)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Only => Ok(()),
            Name::Model(model) => write!(f, "models/{model}"),
            Name::Revision(model, revision) => write!(f, "{}", revision_name(model, revision)),
            Name::Alias(model, alias) => write!(f, "models/{model}@{alias}"),
        }
    }
}

pub(super) fn revision_name(model: &str, revision: &str) -> String {
    format!("models/{model}/revisions/{revision}")
}

/// Checks the own name of a model, a revision or an alias, which is a folder's too.
///
/// # Errors
/// [`RegistryError::BadName`].
pub(super) fn check_id(field: &'static str, id: &str) -> Result<(), RegistryError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_good = id.len() <= MOST_BYTES
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(is_plain);
    if is_good {
        return Ok(());
    }
    let rule = format!(
        "must be 1 to {MOST_BYTES} letters, digits, dashes, dots or underscores, the first one a letter or digit"
    );
    Err(RegistryError::BadName { field, value: id.chars().take(MOST_BYTES).collect(), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        for name in
            ["", "models/a", "models/a/revisions/0123456789ab", "models/a@champion", "models/load-7.b_C"]
        {
            assert_eq!(Name::parse("model", name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for name in [
            "load",
            "models/",
            "models/..",
            "models/a/b",
            "models/a/revisions/",
            "models/a/revisions/../../x",
            "models/a@",
            "models/.hidden",
            "models/a\\b",
            "models/a\0",
            "models/a/revisions/b/c",
            "models/a@b@c",
            "models/a b",
            "models/-a",
            "models/ä",
        ] {
            let error = Name::parse("model", name).expect_err(name).to_string();
            assert!(error.starts_with("model: "), "{error}");
        }
        assert!(Name::parse("model", &format!("models/{}", "x".repeat(64))).is_err());
    }
}
