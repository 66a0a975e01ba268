//! How long a call may take: the smaller of what its client says and what the server allows.

use std::time::Duration;

use http::HeaderMap;
use tonic::Status;

use super::call::Stage;
use crate::server::Reason;

/// The time that a call may take: its client's `grpc-timeout`, and `cap` where the server has one; the smaller of both.
///
/// # Errors
/// `INVALID_ARGUMENT` if the client's is none.
pub(crate) fn allowed(headers: &HeaderMap, cap: Option<Duration>) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(cap) };
    let asked = value.to_str().ok().and_then(parse);
    let asked = asked.ok_or_else(|| {
        Reason::FieldInvalid
            .status("grpc-timeout: it must be up to 8 digits and one of H, M, S, m, u, n", &[])
    })?;
    Ok(Some(cap.map_or(asked, |cap| cap.min(asked))))
}

/// `TimeoutValue TimeoutUnit`, as gRPC over HTTP/2 has it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// What a client gets whose time is over.
pub(crate) fn exceeded(allowed: Duration, stage: Stage) -> Status {
    let message = format!("{} ms were over in stage {}", allowed.as_millis(), stage.name());
    Reason::DeadlineExceeded.status(message, &[("stage", stage.name().to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_time_counts() {
        let check = |timeout: &str, cap: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", timeout.parse().unwrap());
            allowed(&headers, cap.map(Duration::from_millis))
        };
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(check("100m", Some(50)).unwrap(), ms(50));
        assert_eq!(check("100m", Some(500)).unwrap(), ms(100));
        assert_eq!(check("100m", None).unwrap(), ms(100));
        assert_eq!(check("99999999H", Some(7)).unwrap(), ms(7));
        assert_eq!(check("2500u", None).unwrap(), Some(Duration::from_micros(2500)));
        assert_eq!(allowed(&HeaderMap::new(), ms(9)).unwrap(), ms(9));
        for wrong in ["", "m", "10", "-1m", "123456789m", "1x", "1 S", "+1S"] {
            assert!(check(wrong, None).is_err(), "{wrong:?}");
        }
    }
}
