//! Which Compose it is. What changed between the versions that we know is asked here, by name.

/// Compose's version, as far as it decides what a command removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    text: String,
    number: (u32, u32, u32),
}

impl Version {
    /// From `compose version --short`: `2.26.1-4`, `v2.40.3-desktop.1`, `5.6.1`.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim().trim_start_matches('v').to_owned();
        let mut parts = text.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
        let mut number = || parts.next().unwrap_or(0);
        let number = (number(), number(), number());
        Self { text, number }
    }

    /// The program in Python of before: always by its files, and with rules of its own.
    pub(super) fn is_old(&self) -> bool {
        self.number.0 == 1
    }

    /// Why this compose may do other things than those we know. There was no 3 and no 4.
    pub(super) fn doubt(&self) -> Option<String> {
        let known = match self.number {
            (1, minor, _) => minor == 29,
            (2, minor, _) => minor >= 20,
            (major, ..) => major == 5,
        };
        (!known).then(|| {
            let text = if self.text.is_empty() { "of an unknown version" } else { &self.text };
            format!("what Compose {text} removes: dbsafe knows 1.29, the versions from 2.20 on, and 5")
        })
    }

    /// Until 2.29, `-p NAME down SERVICE` with an unknown service goes down with *everything*: the list of
    /// services is empty once the unknown ones are taken out. Later ones do nothing.
    pub(super) fn takes_all_for_unknown_services(&self) -> bool {
        self.number < (2, 30, 0)
    }

    /// Until 2.28, a one-off is an orphan like any other container: where its service is unknown.
    pub(super) fn knows_ended_one_offs(&self) -> bool {
        self.number >= (2, 29, 0)
    }

    /// From 2.30 on, a container without a service's label has its own name for a service.
    pub(super) fn names_nameless_services(&self) -> bool {
        self.number >= (2, 30, 0)
    }

    /// Until 2.29.3, whatever depends on a replaced service is replaced after it; since, it is stopped and started
    /// where its dependency says `restart`.
    pub(super) fn replaces_dependants(&self) -> bool {
        self.number < (2, 29, 4)
    }

    /// Compose 2.26 (seen) takes the dependencies out of a service's configuration for `--no-deps`, and so finds it
    /// changed; 2.40 (seen) does not. In between either may hold.
    pub(super) fn hashes_dependencies(&self) -> bool {
        self.number < (2, 40, 0)
    }

    /// Compose 2.26 (seen) looks for orphans in `run --remove-orphans` only where there are dependencies to start; 2.40
    /// (seen) always. In between either may hold.
    pub(super) fn may_run_without_orphans(&self) -> bool {
        self.number < (2, 40, 0)
    }

    /// Until 2.29.2, `up -V` replaces nothing that is up to date.
    pub(super) fn renewal_forces(&self) -> bool {
        self.number >= (2, 29, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_version_is_read() {
        for (text, number) in [
            ("2.26.1-4\n", (2, 26, 1)),
            ("v2.40.3-desktop.1", (2, 40, 3)),
            ("5.6.1", (5, 6, 1)),
            ("2.30+ds1", (2, 30, 0)),
            ("1.29.2", (1, 29, 2)),
        ] {
            assert_eq!(Version::read(text).number, number, "{text}");
            assert_eq!(Version::read(text).doubt(), None, "{text}");
        }
    }

    #[test]
    fn an_unknown_version_is_in_doubt() {
        for text in ["", "dev", "1.28.6", "2.19.0", "3.0.0", "6.0.0"] {
            assert!(Version::read(text).doubt().is_some(), "{text}");
        }
    }
}
