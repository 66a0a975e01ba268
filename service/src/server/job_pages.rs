//! Pages of jobs and data sets: how many, and where the last one ended.

use tonic::Status;

use super::Reason;

/// Entries of a page, if the request does not say, and at most.
const USUAL: usize = 100;
const MOST: i32 = 1_000;
/// What tokens begin with, so that those of another list are refused.
const MARK: &str = "after";

/// How many entries a page has.
///
/// # Errors
/// `INVALID_ARGUMENT` for `page_size`.
pub(super) fn page_size(asked: i32) -> Result<usize, Status> {
    match asked {
        0 => Ok(USUAL),
        1..=MOST => Ok(usize::try_from(asked).unwrap_or(USUAL)),
        _ => Err(Reason::FieldInvalid.at("page_size", &format!("it is {asked}, but it must be 0 to {MOST}"))),
    }
}

/// The token of the page after an entry.
pub(super) fn token(list: &str, last: &str) -> String {
    let text = format!("{MARK} {list} {last}");
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The entry that a token was made for; `None` for the first page.
///
/// # Errors
/// `INVALID_ARGUMENT` for `page_token`.
pub(super) fn after(list: &str, token: &str) -> Result<Option<String>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let (pairs, rest) = token.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let text = bytes.filter(|_| rest.is_empty()).and_then(|bytes| String::from_utf8(bytes).ok());
    let last = text.as_deref().and_then(|text| text.strip_prefix(&format!("{MARK} {list} ")));
    last.map(|last| Some(last.to_string())).ok_or_else(|| {
        Reason::FieldInvalid.at("page_token", "it is not the next_page_token of a page of this list")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_their_list() {
        assert_eq!(after("jobs", &token("jobs", "17")).unwrap(), Some("17".to_string()));
        assert_eq!(after("jobs", "").unwrap(), None);
        for bad in [token("datasets", "17"), "1".to_string(), "zz".to_string(), "61".to_string()] {
            assert!(after("jobs", &bad).is_err(), "{bad}");
        }
        assert_eq!((page_size(0).unwrap(), page_size(7).unwrap()), (100, 7));
        assert!(page_size(-1).is_err() && page_size(1_001).is_err());
    }
}
