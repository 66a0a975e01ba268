//! The digest inside a file: the SHA-256 of all its bytes, taken with its own 64 digits replaced by zeros.
//!
//! It stands in the metadata of a safetensors file, as the first field of a JSON object inside a JSON string, so its
//! quotes are escaped.

use sha2::{Digest, Sha256};

/// What stands for the digest before it is known.
pub(crate) const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const BEFORE_DIGEST: &[u8] = b"{\\\"sha256\\\":\\\"";

/// The position of the digest's 64 digits.
pub(crate) fn digest_position(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(BEFORE_DIGEST.len()).position(|window| window == BEFORE_DIGEST)?;
    let digits = at + BEFORE_DIGEST.len();
    (digits + 64 <= bytes.len()).then_some(digits)
}

/// Writes the digest in the place of [`NO_DIGEST`]; `None` if that is not there.
pub(crate) fn seal(bytes: &mut [u8]) -> Option<()> {
    let at = digest_position(bytes)?;
    let digest = hex(&Sha256::digest(&*bytes));
    bytes[at..at + 64].copy_from_slice(digest.as_bytes());
    Some(())
}

/// Whether the bytes have this digest; the message completes "is damaged: ".
pub(crate) fn check_digest(bytes: &[u8], expected: &str) -> Result<(), String> {
    let at = digest_position(bytes).ok_or("its header holds no digest")?;
    let mut hash = Sha256::new();
    hash.update(&bytes[..at]);
    hash.update(NO_DIGEST.as_bytes());
    hash.update(&bytes[at + 64..]);
    if hex(&hash.finalize()) == expected {
        Ok(())
    } else {
        Err("its contents do not match its SHA-256".to_string())
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
