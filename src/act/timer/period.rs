//! A span of time in the words of cron and of systemd. Pure.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;

/// When to tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticks {
    /// The five fields of a crontab.
    pub(super) cron: String,
    /// `OnCalendar=` of systemd.
    pub(super) calendar: String,
    /// Whether it ticks more often than it should, so that a tick has to be looked at.
    pub(super) too_often: bool,
}

/// The ticks for a period. `spread` decides on the minute, so that not everything starts at once.
pub(super) fn ticks(every: SignedDuration, spread: u32) -> Ticks {
    let seconds = every.as_secs();
    let minute = spread % 60;
    // In the night, where there is a choice.
    let hour = spread / 60 % 5;
    let exact = |cron: String, calendar: String| Ticks { cron, calendar, too_often: false };
    let fits = |unit: i64, whole: i64| seconds % unit == 0 && whole % seconds == 0;
    match seconds {
        WEEK => exact(format!("{minute} {hour} * * 0"), format!("Sun *-*-* {hour:02}:{minute:02}:00")),
        DAY => exact(format!("{minute} {hour} * * *"), format!("*-*-* {hour:02}:{minute:02}:00")),
        HOUR.. if fits(HOUR, DAY) => {
            let hours = seconds / HOUR;
            let from = i64::from(hour) % hours;
            let list = (from..24).step_by(usize::try_from(hours).unwrap_or(1)).map(|hour| hour.to_string());
            let list = if hours == 1 { "*".to_owned() } else { list.collect::<Vec<_>>().join(",") };
            let calendar = if hours == 1 { "*".to_owned() } else { format!("{from:02}/{hours}") };
            exact(format!("{minute} {list} * * *"), format!("*-*-* {calendar}:{minute:02}:00"))
        }
        ..HOUR if seconds >= MINUTE && fits(MINUTE, HOUR) => {
            let minutes = seconds / MINUTE;
            exact(format!("*/{minutes} * * * *"), format!("*-*-* *:00/{minutes}:00"))
        }
        // No calendar says so: tick often, and look.
        HOUR.. => Ticks {
            cron: format!("{minute} * * * *"),
            calendar: format!("*-*-* *:{minute:02}:00"),
            too_often: true,
        },
        _ => Ticks { cron: "* * * * *".to_owned(), calendar: "*-*-* *:*:00".to_owned(), too_often: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_calendar_can_say_is_said_and_the_rest_is_looked_at() {
        let said = |seconds: i64| {
            let ticks = ticks(SignedDuration::from_secs(seconds), 137);
            format!("{} | {}{}", ticks.cron, ticks.calendar, if ticks.too_often { " | look" } else { "" })
        };
        assert_eq!(said(15 * MINUTE), "*/15 * * * * | *-*-* *:00/15:00");
        assert_eq!(said(HOUR), "17 * * * * | *-*-* *:17:00");
        assert_eq!(said(6 * HOUR), "17 2,8,14,20 * * * | *-*-* 02/6:17:00");
        assert_eq!(said(DAY), "17 2 * * * | *-*-* 02:17:00");
        assert_eq!(said(WEEK), "17 2 * * 0 | Sun *-*-* 02:17:00");
        assert_eq!(said(5 * HOUR), "17 * * * * | *-*-* *:17:00 | look");
        assert_eq!(said(30 * DAY), "17 * * * * | *-*-* *:17:00 | look");
        assert_eq!(said(7 * MINUTE), "* * * * * | *-*-* *:*:00 | look");
    }
}
