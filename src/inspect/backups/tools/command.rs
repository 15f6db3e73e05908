//! Any command that prints the time of the newest backup. Its word is all there is: nothing of the backup is seen.

use jiff::{Timestamp, civil};

use super::{
    super::{
        Limits, Looked,
        ask::{Asker, Question},
    },
    walg::looked,
};
use crate::model::{backup::Backup, coverage::CoverageStatus};

const TOOL: &str = "command";

/// Runs the line in a shell, as the settings say, and judges the time that it prints.
#[must_use]
pub fn command(asker: &Asker, line: &str, limits: &Limits) -> Looked {
    let shell: &[&str] = if cfg!(windows) { &["cmd", "/C", line] } else { &["sh", "-c", line] };
    let answer = asker.text(&Question::new(shell));
    looked(vec![match answer.and_then(|text| time(&text, limits)) {
        Err(why) => Backup::unknown(TOOL, line, why),
        Ok(at) => match limits.recent(at) {
            Err(why) => Backup::refused(TOOL, line, at, why),
            Ok(()) => Backup {
                detail: Some("by the command's word".to_owned()),
                ..Backup::new(TOOL, line, Some(at), CoverageStatus::Covered)
            },
        },
    }])
}

/// A time with its zone, a wall clock, or seconds since 1970.
fn time(text: &str, limits: &Limits) -> Result<Timestamp, String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.ok_or_else(|| "it printed no time".to_owned())?;
    let seconds = || line.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let wall = || limits.zone.to_timestamp(line.parse::<civil::DateTime>().ok()?).ok();
    let date = || limits.zone.to_timestamp(line.parse::<civil::Date>().ok()?.at(0, 0, 0, 0)).ok();
    let at = line.parse().ok().or_else(seconds).or_else(wall).or_else(date);
    at.ok_or_else(|| "what it printed is no time".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, tz::TimeZone};

    use super::{super::super::Live, *};

    #[test]
    fn times_are_read_in_every_usual_form() {
        let limits = Limits {
            max_age: SignedDuration::from_hours(24),
            now: Timestamp::UNIX_EPOCH,
            zone: TimeZone::UTC,
            memory: None,
            live: Live::default(),
        };
        for text in
            ["2026-01-10T12:00:00Z", "\n1768046400\n", "2026-01-10 12:00:00", "2026-01-10T14:00:00+02:00"]
        {
            assert_eq!(time(text, &limits).unwrap().as_second(), 1_768_046_400, "{text}");
        }
        assert_eq!(time("2026-01-10", &limits).unwrap().as_second(), 1_768_003_200);
        assert!(time("", &limits).is_err() && time("yesterday", &limits).is_err());
    }
}
