//! Tells a person how far the work is.

/// Is told how far the work is. Called from several threads.
pub trait Progress: Send + Sync {
    /// Another stage begins. `bytes` is what it will read, where that is known.
    fn stage(&self, what: &str, bytes: Option<u64>);
    /// Whether somebody sees it, so that it is worth finding out how much there is to do.
    fn is_seen(&self) -> bool;
    /// How much the stage will read, found out while it is at work.
    fn total(&self, bytes: u64);
    /// So many more bytes were read.
    fn advance(&self, bytes: u64);
    /// Everything is done, or given up.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _what: &str, _bytes: Option<u64>) {}
    fn is_seen(&self) -> bool {
        false
    }
    fn total(&self, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}
}

/// Draws a line on a terminal: what is done, the rate, the time left.
#[derive(Debug)]
pub struct Bar {
    bar: indicatif::ProgressBar,
}

impl Bar {
    /// A line on standard error.
    #[must_use]
    pub fn on_terminal() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self { bar }
    }

    fn draw(&self, template: &str) {
        if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

impl Progress for Bar {
    fn stage(&self, what: &str, bytes: Option<u64>) {
        self.draw("  {spinner} {msg} {bytes} {bytes_per_sec}");
        self.bar.reset();
        self.bar.unset_length();
        self.bar.set_message(crate::ui::clean(what));
        if let Some(bytes) = bytes {
            self.total(bytes);
        }
    }

    fn is_seen(&self) -> bool {
        true
    }

    fn total(&self, bytes: u64) {
        self.draw("  {msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        self.bar.set_length(bytes);
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
