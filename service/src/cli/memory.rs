//! The peak memory of this process, where the system tells it.

use std::fs;

/// Lets the peak begin anew at what is in use now. False where the system does not allow it, so that the peak
/// stays that of the whole process.
pub(crate) fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The most memory that was resident at a time, in MB (of 10^6 bytes); `None` where the system does not tell.
pub(crate) fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_sees_pages_that_are_touched_and_given_back() {
        let before = peak_mb().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        drop(block);
        let peak = peak_mb().unwrap();
        assert!(peak >= before && peak > 64.0, "{before} {peak}");
        if reset_peak() {
            assert!(peak_mb().unwrap() < peak, "{peak}");
        }
    }
}
