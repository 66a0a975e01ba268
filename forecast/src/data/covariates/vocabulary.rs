//! Categories and their codes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::declaration::Unseen;
use crate::{Error, Result};

/// The most categories of one column.
pub(super) const MOST_CATEGORIES: usize = 10_000;

/// The categories of a column, sorted by name, so that the order of rows does not matter.
///
/// The code of a category is its position; with [`Unseen::Unknown`], code 0 is the slot for categories that
/// training did not have, and the others begin at 1.
///
/// # Example
/// ```
/// use forecast::data::{Unseen, Vocabulary};
/// let regions = Vocabulary::new(["south", "north", "south"], Unseen::Unknown)?;
/// assert_eq!((regions.code("north"), regions.code("west")), (Some(1), Some(0)));
/// assert_eq!((regions.category(2), regions.category(0)), (Some("south"), None));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    categories: Vec<String>,
    unseen: Unseen,
}

impl Vocabulary {
    /// The vocabulary of these categories, which may repeat.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are more than 10000.
    pub fn new(categories: impl IntoIterator<Item: AsRef<str>>, unseen: Unseen) -> Result<Self> {
        let mut known = BTreeSet::<String>::new();
        for category in categories {
            let category = category.as_ref();
            if !known.contains(category) {
                known.insert(category.to_string());
            }
            check_number(known.len())?;
        }
        Ok(Vocabulary { categories: known.into_iter().collect(), unseen })
    }

    /// The categories, sorted.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// What to do with a category that is not among them.
    #[must_use]
    pub fn unseen(&self) -> Unseen {
        self.unseen
    }

    /// How many codes there are, the slot for unseen categories included.
    #[must_use]
    pub fn n_codes(&self) -> usize {
        self.categories.len() + self.first()
    }

    /// The code of a category; none if it is unseen and has no slot.
    #[must_use]
    pub fn code(&self, category: &str) -> Option<usize> {
        match self.categories.binary_search_by(|known| known.as_str().cmp(category)) {
            Ok(at) => Some(at + self.first()),
            Err(_) => (self.unseen == Unseen::Unknown).then_some(0),
        }
    }

    /// The category of a code; none for the slot of unseen ones and beyond the last.
    #[must_use]
    pub fn category(&self, code: usize) -> Option<&str> {
        self.categories.get(code.checked_sub(self.first())?).map(String::as_str)
    }

    /// True if the categories are sorted, distinct and not too many, as those that [`new`](Self::new) makes.
    pub(super) fn is_sound(&self) -> bool {
        self.categories.len() <= MOST_CATEGORIES && self.categories.is_sorted_by(|a, b| a < b)
    }

    /// The code of the first category.
    fn first(&self) -> usize {
        usize::from(self.unseen == Unseen::Unknown)
    }
}

/// Nothing, if a column may have so many categories.
pub(super) fn check_number(n_categories: usize) -> Result<()> {
    if n_categories <= MOST_CATEGORIES {
        return Ok(());
    }
    let rule =
        format!("a categorical column may have at most {MOST_CATEGORIES}; declare it numeric, or group them");
    Err(Error::option("number of categories", n_categories, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_do_not_depend_on_the_order_of_rows() {
        for unseen in [Unseen::Error, Unseen::Unknown] {
            let names: Vec<String> = (0..300).map(|i| format!("c{}", i * 7919 % 257)).collect();
            let vocabulary = Vocabulary::new(&names, unseen).unwrap();
            assert_eq!(vocabulary, Vocabulary::new(names.iter().rev(), unseen).unwrap());
            for name in &names {
                let code = vocabulary.code(name).unwrap();
                assert!(code < vocabulary.n_codes());
                assert_eq!(vocabulary.category(code), Some(name.as_str()));
            }
            assert_eq!(vocabulary.categories().len(), 257);
            assert_eq!(vocabulary.code("nowhere"), (unseen == Unseen::Unknown).then_some(0));
            assert_eq!(vocabulary.category(vocabulary.n_codes()), None);
        }
    }

    #[test]
    fn too_many_categories_are_an_error() {
        let message = Vocabulary::new((0..).map(|i: u32| i.to_string()), Unseen::Error).unwrap_err();
        assert!(message.to_string().contains("at most 10000"), "{message}");
    }
}
