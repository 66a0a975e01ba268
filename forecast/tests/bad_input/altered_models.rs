//! Model files that are not ours, of a later version, cut off, or changed by one bit.

use std::path::Path;

use forecast::Model;
use sha2::{Digest, Sha256};

use crate::{config, fit, message, noise};

/// The smallest useful model: two lags, two steps.
fn small() -> Vec<u8> {
    let ar = config("ar", &[("order", "2")]);
    fit(&ar, &noise(60), 2).unwrap().to_bytes().unwrap()
}

fn load(bytes: &[u8]) -> forecast::Result<Model> {
    Model::from_bytes(bytes, Path::new("m.longcast"))
}

fn header_length(bytes: &[u8]) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

/// The same file with one part of its header replaced, and a digest that is right again.
pub(super) fn resealed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let end = 8 + header_length(bytes);
    let header = std::str::from_utf8(&bytes[8..end]).unwrap();
    assert_eq!(header.matches(from).count(), 1, "{from} is to stand once in {header}");
    let mut header = header.replace(from, to);
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let before_digest = "{\\\"sha256\\\":\\\"";
    let at = header.find(before_digest).unwrap() + before_digest.len();
    header.replace_range(at..at + 64, &"0".repeat(64));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(&bytes[end..]);
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    file[8 + at..8 + at + 64].copy_from_slice(digest.as_bytes());
    file
}

#[test]
fn a_resealed_file_is_the_file_itself_if_nothing_was_replaced() {
    let bytes = small();
    assert_eq!(resealed(&bytes, "\\\"season_length\\\"", "\\\"season_length\\\""), bytes);
}

#[test]
fn an_empty_file_is_not_a_model() {
    assert_eq!(message(load(b"")), "\"m.longcast\" is not a .longcast model: it is shorter than 8 bytes");
}

#[test]
fn random_bytes_are_not_a_model() {
    for n in [9, 100, 5_000] {
        let bytes: Vec<u8> = noise(n).iter().map(|v| (v * 256.0) as u8).collect();
        let message = message(load(&bytes));
        assert_eq!(message, "\"m.longcast\" is not a .longcast model: it does not start like one");
    }
}

#[test]
fn a_safetensors_file_of_someone_else_is_not_a_model() {
    for header in [
        r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#,
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#,
    ] {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes().chain([0; 8]));
        assert_eq!(
            message(load(&bytes)),
            "\"m.longcast\" is not a .longcast model: it is a safetensors file without a longcast header"
        );
    }
}

#[test]
fn a_later_format_version_says_both_versions_and_to_upgrade() {
    let expected = "\"m.longcast\" has format version 9, but this program reads versions up to 6; upgrade longcast to read it";
    let mut bytes = small();
    let field = b"\\\"format\\\":6";
    let at = bytes.windows(field.len()).position(|window| window == field).unwrap();
    bytes[at + field.len() - 1] = b'9';
    // Said before the digest is looked at: a later format may take it otherwise.
    assert_eq!(message(load(&bytes)), expected);
    assert_eq!(message(load(&resealed(&small(), "\\\"format\\\":6", "\\\"format\\\":9"))), expected);
}

#[test]
fn a_file_cut_off_at_any_length_says_so() {
    let bytes = small();
    assert!(load(&bytes).is_ok());
    for len in 0..bytes.len() {
        let message = message(load(&bytes[..len]));
        let expected = match len {
            0..8 => "is not a .longcast model: it is shorter than 8 bytes",
            8 => "is not a .longcast model: it does not start like one",
            _ => "is damaged: it is cut off",
        };
        assert!(message.contains(expected), "{len}: {message}");
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = small();
    bytes.push(0);
    let message = message(load(&bytes));
    assert!(message.contains("is damaged: it is cut off or has bytes too many"), "{message}");
}

#[test]
fn every_single_flipped_bit_is_noticed() {
    let whole = small();
    let mut bytes = whole.clone();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
            bytes[at] = whole[at] ^ flip;
            let error = load(&bytes).map(|_| ()).unwrap_err();
            assert!(error.is_user_error(), "byte {at} ^ {flip:#x}: {error}");
            bytes[at] = whole[at];
        }
    }
    assert!(load(&bytes).is_ok(), "the unchanged file has to be good");
}

#[test]
fn an_absurd_header_length_is_refused_before_anything_is_allocated() {
    for length in [1u64 << 63, u64::MAX, 1 << 40] {
        let mut bytes = small();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        let message = message(load(&bytes));
        assert!(message.contains(&format!("its header has {length} bytes, but only ")), "{message}");
    }
}

/// Whoever can write a file can also make its digest right; sizes that do not fit each other are still refused.
#[test]
fn a_header_that_does_not_fit_its_tensors_is_damaged() {
    let bytes = small();
    for (from, to) in [
        ("\\\"order\\\":2", "\\\"order\\\":3"),
        ("\\\"order\\\":2", "\\\"order\\\":18446744073709551615"),
        ("\\\"horizon\\\":2", "\\\"horizon\\\":3"),
        ("\\\"horizon\\\":2", "\\\"horizon\\\":18446744073709551615"),
        ("\\\"len\\\":60", "\\\"len\\\":61"),
        ("\\\"len\\\":60", "\\\"len\\\":18446744073709551615"),
        ("[\\\"kW\\\"]", "[\\\"kW\\\",\\\"b\\\"]"),
        ("[\\\"kW\\\"]", "[]"),
        ("[\\\"load\\\"]", "[]"),
        ("[\\\"load\\\"]", "[\\\"load\\\",\\\"b\\\"]"),
        ("\\\"step\\\":\\\"1h\\\"", "\\\"step\\\":\\\"0h\\\""),
        ("\\\"zone\\\":\\\"\\\"", "\\\"zone\\\":\\\"Mars/Olympus\\\""),
        ("\\\"model\\\":\\\"ar\\\"", "\\\"model\\\":\\\"arima\\\""),
        (
            "\"ar.weights\":{\"dtype\":\"F64\",\"shape\":[1,1,2]",
            "\"ar.weights\":{\"dtype\":\"F64\",\"shape\":[1,2,1]",
        ),
        ("\"history\":{\"dtype\":\"F64\"", "\"history\":{\"dtype\":\"I64\""),
        ("\"ar.weights\"", "\"ar.weight\""),
        ("\"calibration.paths\"", "\"calibration.path\""),
        ("\\\"stride\\\":5", "\\\"stride\\\":0"),
        ("\\\"scale_steps\\\":24", "\\\"scale_steps\\\":18446744073709551615"),
    ] {
        let message = message(load(&resealed(&bytes, from, to)));
        assert!(message.starts_with("\"m.longcast\" is damaged: "), "{from} -> {to}: {message}");
    }
}
