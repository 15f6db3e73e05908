//! Numbers and times as a person says them.

use jiff::Timestamp;

use crate::ui::clean;

/// `31 MB`, in powers of 1000 as docker shows sizes.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: &[&str] = &["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // Display only: precision beyond three digits is not shown.
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `12 s ago`, `3 days ago`. A time to come is `just now` up to a minute, then said to be in the future.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    match seconds {
        ..=-60 => format!("in the future ({})", then.strftime("%Y-%m-%d %H:%M UTC")),
        -59..=1 => "just now".to_owned(),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// `12 s`, `5 min`, `3 h`, `2 days`.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `1 table`, `3 tables`, `12,345 rows`.
#[must_use]
pub fn count(number: u64, one: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{grouped} {one}{plural}")
}

/// The first twelve digits of a volume's or container's id; other names as they are.
#[must_use]
pub fn short(name: &str) -> &str {
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { &name[..12] } else { name }
}

/// A word as a shell takes it back.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", clean(word).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        let shown: Vec<String> = [0, 999, 1000, 9_949, 31_000_000, 999_600, 4_200_000_000].map(size).to_vec();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "9.9 kB", "31 MB", "1.0 MB", "4.2 GB"]);
    }

    #[test]
    fn ages_are_rounded_down_and_the_future_is_named() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| ago(Timestamp::from_second(1_000_000 - seconds).unwrap(), now);
        assert_eq!(
            [at(0), at(12), at(300), at(7200), at(400_000)],
            ["just now", "12 s ago", "5 min ago", "2 h ago", "4 days ago"]
        );
        assert!(at(-3600).starts_with("in the future"));
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            [count(1, "row"), count(0, "row"), count(1_234_567, "row")],
            ["1 row", "0 rows", "1,234,567 rows"]
        );
    }

    #[test]
    fn words_come_back_from_a_shell_as_they_were() {
        assert_eq!(quoted("shop-db-1"), "shop-db-1");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
