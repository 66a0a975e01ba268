//! Whether daily stamps leave out every weekend.

use super::zone::Zone;

/// Two weeks hold two weekends.
const SHORTEST: i64 = 14 * 86_400_000_000_000;

/// True if no stamp of any series, each in order, lies on a Saturday or Sunday, all of one series are at one time
/// of day, and one of them is long enough that this is no accident.
pub(crate) fn are_business_days<S, I>(series: S, zone: &Zone) -> bool
where
    S: IntoIterator<Item = I>,
    I: IntoIterator<Item = i64>,
{
    let mut is_long = false;
    for stamps in series {
        let mut first = None;
        for stamp in stamps {
            let civil = zone.civil(stamp);
            let (start, time) = *first.get_or_insert((stamp, civil.time()));
            if civil.time() != time || civil.weekday().to_monday_zero_offset() >= 5 {
                return false;
            }
            is_long |= stamp.saturating_sub(start) >= SHORTEST;
        }
    }
    is_long
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of January 2024, which began on a Monday.
    fn days(days: &[i64]) -> Vec<i64> {
        days.iter().map(|day| 1_704_067_200_000_000_000 + (day - 1) * 86_400_000_000_000).collect()
    }

    fn are(series: &[Vec<i64>]) -> bool {
        are_business_days(series.iter().map(|stamps| stamps.iter().copied()), &Zone::Local)
    }

    const TWO_WEEKS: [i64; 11] = [1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15];

    #[test]
    fn two_weekends_have_to_be_left_out_and_no_day_of_one_may_be_there() {
        assert!(are(&[days(&TWO_WEEKS)]));
        assert!(!are(&[days(&TWO_WEEKS[..10])]));
        assert!(are(&[days(&[2, 3]), days(&TWO_WEEKS)]));
        assert!(!are(&[days(&[6, 8]), days(&TWO_WEEKS)]));
        assert!(!are(&[]));
    }

    #[test]
    fn one_time_of_day_a_series() {
        let mut shifted = days(&TWO_WEEKS);
        shifted.iter_mut().for_each(|stamp| *stamp += 1);
        assert!(are(&[days(&TWO_WEEKS), shifted.clone()]));
        shifted[3] -= 1;
        assert!(!are(&[shifted]));
    }
}
