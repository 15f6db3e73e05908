//! Sizes and spans of time as compose files and servers' options write them.

use std::time::Duration;

/// `512m`, `1g`, `1.5GiB`, `536870912`, `256mb`, `1GB`: powers of 1024, as docker and these servers take them.
#[must_use]
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let power = match unit.trim().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    let factor = 1024_u64.pow(power);
    match number.parse::<u64>() {
        Ok(number) => number.checked_mul(factor),
        Err(_fraction) => {
            let number: f64 = number.parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a size that a person wrote: positive, far below 2^53"
            )]
            let bytes = (number * factor as f64) as u64;
            Some(bytes)
        }
    }
}

/// `1m30s`, `500ms`, `10s`, as Go writes them; a bare number is seconds.
#[must_use]
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        let seconds = match &rest[digits..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * seconds).ok()?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_and_the_servers_write_them() {
        for (text, read) in [
            ("536870912", Some(536_870_912)),
            ("512m", Some(536_870_912)),
            ("512MB", Some(536_870_912)),
            ("1.5g", Some(1_610_612_736)),
            ("2GiB", Some(2_147_483_648)),
            ("0", Some(0)),
            ("lots", None),
            ("25%", None),
        ] {
            assert_eq!(bytes(text), read, "{text}");
        }
    }

    #[test]
    fn spans_are_read_as_go_writes_them() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!((duration("soon"), duration("5 s")), (None, None));
    }
}
