//! Spans of time as people write them: `24h`, `7d`, `1d12h`.

use jiff::SignedDuration;

/// Ten years: longer is a slip of the finger, and would overflow nothing.
const LONGEST_SECONDS: i64 = 10 * 365 * 86_400;

/// Reads a span: whole numbers with `s`, `m`, `h`, `d` or `w`, one after the other.
///
/// # Errors
/// What is wrong with it, as a clause.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is no span of time such as \"24h\" or \"7d\"");
    let mut seconds: i64 = 0;
    let mut digits = String::new();
    for letter in text.trim().chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit: i64 = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let number: i64 = std::mem::take(&mut digits).parse().map_err(|_no_number| wrong())?;
        let more = number.checked_mul(unit).and_then(|more| seconds.checked_add(more));
        seconds =
            more.filter(|sum| *sum <= LONGEST_SECONDS).ok_or_else(|| format!("{text:?} is too long"))?;
    }
    if !digits.is_empty() || seconds == 0 {
        return Err(wrong());
    }
    Ok(SignedDuration::from_secs(seconds))
}

/// The span as `parse` reads it, in the largest units.
#[must_use]
pub fn show(age: SignedDuration) -> String {
    let mut rest = age.as_secs();
    let mut shown = String::new();
    // A day and less reads better in hours.
    let units = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
    let units = if rest <= 86_400 { &units[1..] } else { &units[..] };
    for (unit, length) in units {
        if rest >= *length {
            shown.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("24h", 86_400, "24h"),
            ("7d", 604_800, "7d"),
            ("1d12h", 129_600, "1d12h"),
            ("90m", 5400, "1h30m"),
            ("2w", 1_209_600, "14d"),
        ] {
            let age = parse(text).unwrap();
            assert_eq!((age.as_secs(), show(age).as_str()), (seconds, shown));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "24", "h", "0h", "-1h", "1 h", "24hours", "999999999999999999999h", "99999d", "1.5h"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
