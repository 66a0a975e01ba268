//! CRC-32C (Castagnoli), the checksum of chunks on the wire: polynomial 0x1EDC6F41, reflected, as RFC 3720 has it.

/// The polynomial, its lowest power first.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[k][b]`: what byte `b` leaves `k` bytes before the end of eight.
static TABLES: [[u32; 256]; 8] = tables();

/// The checksum of some bytes.
///
/// # Example
/// ```
/// assert_eq!(longcast::crc32c(b"123456789"), 0xE306_9283);
/// assert_eq!(longcast::crc32c(b""), 0);
/// ```
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let crc = eights.iter().fold(!0, |crc: u32, eight| {
        let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
        word.to_le_bytes()
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)])
    });
    !rest.iter().fold(crc, |crc, byte| one(crc, *byte))
}

fn one(crc: u32, byte: u8) -> u32 {
    let [lowest, ..] = crc.to_le_bytes();
    (crc >> 8) ^ TABLES[0][usize::from(lowest ^ byte)]
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the standard defines it.
    fn reference(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            }
        }
        !crc
    }

    /// RFC 3720, B.4.
    #[test]
    fn the_vectors_of_the_standard() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&[0u8; 32][..], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
        ] {
            assert_eq!(crc32c(bytes), crc);
        }
    }

    #[test]
    fn every_length_equals_the_reference() {
        let bytes: Vec<u8> = (0..200u32).map(|i| (i * i * 31 + 7) as u8).collect();
        for end in 0..bytes.len() {
            assert_eq!(crc32c(&bytes[..end]), reference(&bytes[..end]), "{end}");
        }
    }
}
