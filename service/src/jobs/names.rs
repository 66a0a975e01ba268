//! Names of resources.

/// Characters of an id.
const LONGEST_ID: usize = 63;

/// True for 1 to 63 characters out of a-z, A-Z, 0-9, `-`, `_` and `.`, the first one a letter or digit.
pub(super) fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first
        && text.len() <= LONGEST_ID
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// `load` of `models/load` for the collection `models`.
pub(super) fn segment<'a>(name: &'a str, collection: &str) -> Option<&'a str> {
    let id = name.strip_prefix(collection)?.strip_prefix('/')?;
    (!id.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_a_folder_can_be_called_without_harm() {
        for id in ["a", "Load-7_x.1", "0", &"a".repeat(63)] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", ".", "..", "-a", "a/b", "a b", "a\u{e9}", "a\0", &"a".repeat(64)] {
            assert!(!is_id(id), "{id}");
        }
        assert_eq!(segment("models/load", "models"), Some("load"));
        for name in ["models/", "models", "model/load", "models/load/revisions/1"] {
            assert!(segment(name, "models").is_none_or(|id| !is_id(id)), "{name}");
        }
    }
}
