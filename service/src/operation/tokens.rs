//! Tokens: a caller's `authorization: Bearer …` against the digests of the configuration.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tonic::Status;

use super::access::{Access, Scope};
use super::config::TokenEntry;
use crate::server::Reason;

/// Longer tokens are not looked at.
const MOST_BYTES: usize = 4096;

/// Who may call what.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    entries: Vec<TokenEntry>,
}

impl Tokens {
    pub(crate) fn new(entries: Vec<TokenEntry>) -> Self {
        Tokens { entries }
    }

    /// Whether a call may go on; the name of its token if it needed one. Without any token in the configuration
    /// everybody may do everything.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` and `PERMISSION_DENIED`; nothing in them tells whether what was asked for exists.
    pub(crate) fn check(&self, authorization: Option<&[u8]>, access: Access) -> Result<Option<&str>, Status> {
        if self.entries.is_empty() || access == Access::Open {
            return Ok(None);
        }
        let Some(authorization) = authorization else {
            let message = "no token was sent; send the metadata `authorization: Bearer TOKEN`";
            return Err(Reason::TokenMissing.status(message, &[]));
        };
        let unknown = || Reason::TokenUnknown.status("the token is not known to this server", &[]);
        let token = bearer(authorization).ok_or_else(unknown)?;
        let entry = self.find(token).ok_or_else(unknown)?;
        match access {
            Access::Scope(scope) if !entry.scopes.contains(&scope) => Err(denied(&entry.name, scope)),
            _ => Ok(Some(&entry.name)),
        }
    }

    /// The entry of a token: all digests are compared, each in constant time.
    fn find(&self, token: &[u8]) -> Option<&TokenEntry> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = u32::MAX;
        for (at, entry) in (0u32..).zip(&self.entries) {
            let is_it: Choice = entry.digest.ct_eq(&digest);
            found.conditional_assign(&at, is_it);
        }
        self.entries.get(usize::try_from(found).ok()?)
    }
}

fn denied(name: &str, scope: Scope) -> Status {
    let message = format!("the token of {name} has not the scope {}", scope.name());
    Reason::ScopeMissing.status(message, &[("scope", scope.name().to_string())])
}

fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() && token.len() <= MOST_BYTES)
        .then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn tokens() -> Tokens {
        let entry = |name: &str, token: &str, scopes: &[Scope]| TokenEntry {
            name: name.to_string(),
            digest: Sha256::digest(token).into(),
            scopes: scopes.to_vec(),
        };
        Tokens::new(vec![
            entry("meters", "first token", &[Scope::Forecast, Scope::Session]),
            entry("operator", "second token", &Scope::ALL),
        ])
    }

    #[test]
    fn a_token_opens_what_its_scopes_say_and_nothing_else() {
        let tokens = tokens();
        let check = |authorization: &str, access| tokens.check(Some(authorization.as_bytes()), access);
        let forecast = Access::Scope(Scope::Forecast);
        assert_eq!(check("Bearer first token", forecast).unwrap(), Some("meters"));
        assert_eq!(check("bearer second token", Access::Scope(Scope::Admin)).unwrap(), Some("operator"));
        assert_eq!(check("Bearer first token", Access::AnyToken).unwrap(), Some("meters"));
        assert_eq!(tokens.check(None, Access::Open).unwrap(), None);
        let code = |result: Result<Option<&str>, Status>| result.unwrap_err().code();
        assert_eq!(code(check("Bearer first token", Access::Scope(Scope::Admin))), Code::PermissionDenied);
        assert_eq!(code(tokens.check(None, forecast)), Code::Unauthenticated);
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer first toke", "Basic first token", "Bearer first token "]
        {
            assert_eq!(code(check(wrong, forecast)), Code::Unauthenticated, "{wrong:?}");
        }
    }

    #[test]
    fn without_tokens_everybody_may_do_everything() {
        assert!(Tokens::default().check(None, Access::Scope(Scope::Admin)).is_ok());
    }
}
