//! Civil times from text, without a zone: the forms that files use, read digit by digit.
//!
//! Values are nanoseconds since 1970 as if the text were in UTC.

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Days from 1970 to the first and last that fit into nanoseconds.
const DAYS: std::ops::RangeInclusive<i64> = -106_751..=106_750;

/// The order of day, month and year in dates with numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum DateOrder {
    YearMonthDay,
    DayMonthYear,
    MonthDayYear,
}

/// Reads `2024-05-31`, `2024-05-31 13:45`, `2024-05-31T13:45:00.5`: the time, and what follows it.
pub(in crate::data) fn iso(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let days = days(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
    match rest.split_first() {
        Some((b' ' | b'T' | b't', clock)) => {
            let (nanos, rest) = time(clock)?;
            Some((days * DAY + nanos, rest))
        }
        _ => Some((days * DAY, rest)),
    }
}

/// Reads `2024-05-31 13:45:00` and nothing else, as [`iso`] does; `date` is the last one and its days since 1970.
pub(in crate::data) fn iso_seconds(text: &[u8], date: &mut ([u8; 10], i64)) -> Option<i64> {
    let text: &[u8; 19] = text.try_into().ok()?;
    let (day, clock) = text.split_first_chunk::<10>()?;
    if day != &date.0 {
        let (nanos, _) = iso(day)?;
        *date = (*day, nanos / DAY);
    }
    let two = |at: usize| {
        let (tens, ones) = (clock[at].wrapping_sub(b'0'), clock[at + 1].wrapping_sub(b'0'));
        if tens < 10 && ones < 10 { i64::from(10 * tens + ones) } else { 99 }
    };
    let (hour, minute, second) = (two(1), two(4), two(7));
    let is_valid = hour < 24 && minute < 60 && second < 60;
    let has_marks = matches!(clock[0], b' ' | b'T') && clock[3] == b':' && clock[6] == b':';
    (is_valid && has_marks).then_some(date.1 * DAY + ((hour * 60 + minute) * 60 + second) * SECOND)
}

/// Reads `31/5/2024 13:45`, `5/31/2024 1:45 PM`, `2024/5/31`, `31.05.2024 13:45:00`.
pub(in crate::data) fn numeric(text: &[u8], order: DateOrder) -> Option<i64> {
    let ([a, b, c], rest) = parts(text)?;
    let (year, month, day) = match order {
        DateOrder::YearMonthDay => (a, b, c),
        DateOrder::DayMonthYear => (c, b, a),
        DateOrder::MonthDayYear => (c, a, b),
    };
    let days = days(year, month, day)?;
    let Some((b' ' | b'T', clock)) = rest.split_first() else {
        return rest.is_empty().then_some(days * DAY);
    };
    let (nanos, rest) = time(clock)?;
    const HALF: i64 = DAY / 2;
    let nanos = match rest.trim_ascii() {
        b"" => nanos,
        b"AM" | b"am" if (HALF..HALF + HALF / 12).contains(&nanos) => nanos - HALF,
        b"PM" | b"pm" if nanos < HALF => nanos + HALF,
        b"AM" | b"am" if nanos < HALF => nanos,
        b"PM" | b"pm" if nanos < HALF + HALF / 12 => nanos,
        _ => return None,
    };
    Some(days * DAY + nanos)
}

/// Reads `20240531` as an integer, for the years that data are from.
pub(in crate::data) fn compact(date: i64) -> Option<i64> {
    let (year, month, day) = (date.div_euclid(10_000), date.div_euclid(100) % 100, date % 100);
    days(year, month, day).filter(|_| (1900..2100).contains(&year)).map(|days| days * DAY)
}

/// What one date says of the order of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Hint {
    Order(DateOrder),
    /// Day and month could change places.
    Either,
    /// Not a date of numbers.
    None,
}

/// What the text of one stamp says of the order of its date.
pub(in crate::data) fn order_hint(text: &[u8]) -> Hint {
    let Some(([a, b, c], _)) = parts(text) else { return Hint::None };
    match (a, b, c) {
        (1000.., 1..=12, 1..=31) => Hint::Order(DateOrder::YearMonthDay),
        (13..=31, 1..=12, 1000..) => Hint::Order(DateOrder::DayMonthYear),
        (1..=12, 13..=31, 1000..) => Hint::Order(DateOrder::MonthDayYear),
        // Dots are written between day, month and year.
        (1..=12, 1..=12, 1000..) if text.contains(&b'.') && !text.contains(&b'/') => {
            Hint::Order(DateOrder::DayMonthYear)
        }
        (1..=12, 1..=12, 1000..) => Hint::Either,
        _ => Hint::None,
    }
}

/// Three numbers with `/`, `.` or `-` between them, and what follows.
fn parts(text: &[u8]) -> Option<([i64; 3], &[u8])> {
    let mut numbers = [0; 3];
    let mut rest = text;
    for (i, value) in numbers.iter_mut().enumerate() {
        let n_digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        *value = number(&rest[..n_digits])?;
        rest = &rest[n_digits..];
        if i < 2 {
            let (separator, after) = rest.split_first()?;
            if !matches!(separator, b'/' | b'.' | b'-') {
                return None;
            }
            rest = after;
        }
    }
    Some((numbers, rest))
}

/// Reads `13:45`, `3:05`, `13:45:00`, `13:45:00.123456789` as nanoseconds of the day, and what follows.
fn time(text: &[u8]) -> Option<(i64, &[u8])> {
    let n_digits = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let hour = number(&text[..n_digits])?;
    let rest = text[n_digits..].strip_prefix(b":")?;
    let minute = number(rest.get(..2)?)?;
    let mut rest = &rest[2..];
    let (mut second, mut fraction) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        second = number(after.get(..2)?)?;
        rest = &after[2..];
        if let Some(after) = rest.strip_prefix(b".") {
            let n_digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&n_digits) {
                return None;
            }
            fraction = number(&after[..n_digits])? * 10i64.pow(9 - u32::try_from(n_digits).ok()?);
            rest = &after[n_digits..];
        }
    }
    let is_valid = hour < 24 && minute < 60 && second < 60;
    is_valid.then_some((((hour * 60 + minute) * 60 + second) * SECOND + fraction, rest))
}

/// Digits and nothing else; at most nine of them.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| 10 * value + i64::from(byte - b'0')))
}

/// Days since 1970 of a Gregorian date (Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=in_month).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468).filter(|days| DAYS.contains(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{DateTime, date};
    use jiff::tz::TimeZone;

    fn nanos(civil: DateTime) -> i64 {
        i64::try_from(TimeZone::UTC.to_timestamp(civil).unwrap().as_nanosecond()).unwrap()
    }

    #[test]
    fn every_day_of_four_centuries_is_where_the_calendar_library_has_it() {
        let mut day = date(1680, 1, 1);
        let mut last = ([0; 10], 0);
        while day < date(2260, 1, 1) {
            let text = format!("{day} 23:45:09");
            let expected = nanos(day.at(23, 45, 9, 0));
            assert_eq!(iso_seconds(text.as_bytes(), &mut last), Some(expected), "{text}");
            let text = format!("{day} 13:45:09.25");
            let expected = nanos(day.at(13, 45, 9, 250_000_000));
            assert_eq!(iso(text.as_bytes()), Some((expected, &b""[..])), "{text}");
            day = day.tomorrow().unwrap();
        }
    }

    #[test]
    fn forms_of_one_moment_agree() {
        let expected = nanos(date(2024, 5, 31).at(13, 5, 0, 0));
        assert_eq!(iso(b"2024-05-31T13:05Z"), Some((expected, &b"Z"[..])));
        for (text, order) in [
            ("31/5/2024 13:05", DateOrder::DayMonthYear),
            ("31.05.2024 13:05:00", DateOrder::DayMonthYear),
            ("5/31/2024 1:05 PM", DateOrder::MonthDayYear),
            ("2024/5/31 13:05", DateOrder::YearMonthDay),
        ] {
            assert_eq!(numeric(text.as_bytes(), order), Some(expected), "{text}");
            assert_eq!(order_hint(text.as_bytes()), Hint::Order(order), "{text}");
        }
        assert_eq!(
            numeric(b"1/1/2010 12:30 AM", DateOrder::MonthDayYear),
            Some(nanos(date(2010, 1, 1).at(0, 30, 0, 0)))
        );
        assert_eq!(order_hint(b"1/2/2010"), Hint::Either);
        assert_eq!(order_hint(b"1.2.2010"), Hint::Order(DateOrder::DayMonthYear));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024",
            "2024-02-30",
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "2024-01-01 24:00",
            "2024-01-01 12:60",
            "2024-01-01 12:00:61",
            "2024-01-01 1",
            "2024-01-01T",
            "1500-01-01",
            "2024-01-01 12:00:60",
            "2024-01-01 12.00:00",
            "2024-01-01 1a:00:00",
            "2024-01-01 12:00:00.",
            "2024-01-01 12:00:00.0123456789",
        ] {
            assert_eq!(iso(text.as_bytes()), None, "{text}");
            assert_eq!(iso_seconds(text.as_bytes(), &mut ([0; 10], 0)), None, "{text}");
        }
        assert_eq!(iso_seconds(b"2024-01-01x12:00:00", &mut ([0; 10], 0)), None);
        for text in ["31/5", "31/5/2024 25:00", "31/13/2024", "31/5/2024 13:00 PMM", "a/b/c", "31 5 2024"] {
            assert_eq!(numeric(text.as_bytes(), DateOrder::DayMonthYear), None, "{text}");
        }
    }
}
