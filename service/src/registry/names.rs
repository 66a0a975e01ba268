//! Names of models, revisions and aliases: `models/load`, `models/load/revisions/3f…`, `models/load@champion`.

use std::fmt;

use super::RegistryError;

/// Bytes of a model's or an alias's own name.
const MOST_BYTES: usize = 128;

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
    let bad = |rule: String| {
        Err(RegistryError::BadName { field, value: id.chars().take(MOST_BYTES).collect(), rule })
    };
    if id.is_empty() || id.len() > MOST_BYTES {
        return bad(format!("has {} bytes, but a name must have 1 to {MOST_BYTES}", id.len()));
    }
    if id.starts_with('.') || id.starts_with('-') {
        return bad("starts with a dot or a dash, but a name must not".to_string());
    }
    match id.chars().find(|c| c.is_control() || matches!(c, '/' | '\\' | '@' | ':')) {
        Some(found) => {
            bad(format!("holds {found:?}, but a name must hold no /, \\, @, : or control character"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        for name in ["", "models/a", "models/a/revisions/0123456789ab", "models/a@champion", "models/load 7"]
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
        ] {
            let error = Name::parse("model", name).expect_err(name).to_string();
            assert!(error.starts_with("model: "), "{error}");
        }
        assert!(Name::parse("model", &format!("models/{}", "x".repeat(129))).is_err());
    }
}
