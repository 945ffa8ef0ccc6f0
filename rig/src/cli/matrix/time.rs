//! Times of a plan, rounded for people. Must not know where an estimate comes from. Units: seconds, minutes, hours. Errors: none. Tests: here.

use std::time::Duration;

/// `42 s`, `7 min`, `2 h 1 min`
pub(super) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_for_people() {
        for (seconds, text) in
            [(0, "0 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (7_260, "2 h 1 min")]
        {
            assert_eq!(minutes(Duration::from_secs(seconds)), text);
        }
    }
}
