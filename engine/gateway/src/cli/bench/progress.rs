//! One line on the terminal that tells how a run goes; nothing where standard error is no terminal.

use std::io::{IsTerminal as _, Write as _};

use tollgate_loadtest::load::Progress;

use super::super::table::clean;

/// A line that is written over and over.
pub(super) struct ProgressLine {
    is_shown: bool,
    rounds: u32,
}

impl ProgressLine {
    pub(super) fn new(rounds: u32) -> Self {
        Self {
            is_shown: std::io::stderr().is_terminal(),
            rounds,
        }
    }

    pub(super) fn show(&mut self, name: &str, round: u32, progress: Progress) {
        if self.is_shown {
            let line = text(name, round, self.rounds, progress);
            // Nobody looks any more: then nobody is told.
            self.is_shown = write!(std::io::stderr(), "\r\u{1b}[K{line}").is_ok();
        }
    }

    pub(super) fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn text(name: &str, round: u32, rounds: u32, progress: Progress) -> String {
    let Progress {
        elapsed,
        planned,
        sent,
        answered,
        failed,
        under_way,
    } = progress;
    format!(
        "{} {round}/{rounds}  {:.0} of {:.0} s  {sent} sent, {answered} answered, {failed} failed, {under_way} under way",
        clean(name),
        elapsed.as_secs_f64(),
        planned.as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_line_says_where_a_run_is() {
        let progress = Progress {
            elapsed: Duration::from_millis(2600),
            planned: Duration::from_secs(12),
            sent: 10,
            answered: 7,
            failed: 1,
            under_way: 2,
        };
        assert_eq!(
            text("tollgate", 2, 3, progress),
            "tollgate 2/3  3 of 12 s  10 sent, 7 answered, 1 failed, 2 under way"
        );
    }
}
