//! A terminal that is drawn on again and again: its other screen, without a cursor, keys as they are pressed. All
//! of it is given back when the screen is dropped.

use std::io::{self, Read as _, Write as _};

use tokio::sync::mpsc;

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    /// Ctrl-C, which is no signal here.
    Interrupt,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    /// Look again, without waiting.
    Now,
}

pub(super) struct Screen {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Screen {
    pub(super) fn open() -> Self {
        let screen = Self {
            #[cfg(unix)]
            before: keys_as_pressed(),
        };
        write("\x1b[?1049h\x1b[?25l\x1b[2J");
        screen
    }

    /// Keys from now on; none where stdin is no terminal.
    pub(super) fn keys(&self) -> mpsc::UnboundedReceiver<Key> {
        let (sender, receiver) = mpsc::unbounded_channel();
        #[cfg(unix)]
        if self.before.is_some() {
            // A thread of its own: a read from a terminal cannot be given up, and the process ends without it.
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok(read @ 1..) = io::stdin().lock().read(&mut buffer) {
                    for key in keys(&buffer[..read]) {
                        if sender.send(key).is_err() {
                            return;
                        }
                    }
                }
            });
        }
        #[cfg(not(unix))]
        drop(sender);
        receiver
    }

    /// Draws every line in its place, in one go; what stood there before is gone.
    pub(super) fn draw(&self, lines: &[String]) {
        let mut frame = "\x1b[?2026h\x1b[H".to_owned();
        for (index, line) in lines.iter().enumerate() {
            frame.push_str(if index > 0 { "\r\n" } else { "" });
            frame.push_str(line);
            frame.push_str("\x1b[0m\x1b[K");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        write(&frame);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        write("\x1b[0m\x1b[?25h\x1b[?1049l");
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, before);
        }
    }
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    // A terminal that is gone is no error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Lets keys come one by one, unseen; Ctrl-C is one of them. Answered is how it was before.
#[cfg(unix)]
fn keys_as_pressed() -> Option<rustix::termios::Termios> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(io::stdin()).ok()?;
    let mut wanted = before.clone();
    wanted.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    tcsetattr(io::stdin(), OptionalActions::Now, &wanted).ok()?;
    Some(before)
}

/// The keys in what a terminal sent at once.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    const LONG: &[(&[u8], Key)] = &[
        (b"\x1b[A", Key::Up),
        (b"\x1bOA", Key::Up),
        (b"\x1b[B", Key::Down),
        (b"\x1bOB", Key::Down),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[H", Key::Top),
        (b"\x1b[1~", Key::Top),
        (b"\x1b[F", Key::Bottom),
        (b"\x1b[4~", Key::Bottom),
    ];
    let mut found = Vec::new();
    while let [first, rest @ ..] = bytes {
        if let Some((sequence, key)) = LONG.iter().find(|(sequence, _)| bytes.starts_with(sequence)) {
            found.push(*key);
            bytes = &bytes[sequence.len()..];
            continue;
        }
        bytes = rest;
        found.extend(match first {
            3 => Some(Key::Interrupt),
            // Ctrl-D and Ctrl-\, too.
            b'q' | b'Q' | 4 | 28 => Some(Key::Quit),
            b'k' => Some(Key::Up),
            b'j' => Some(Key::Down),
            b'b' => Some(Key::PageUp),
            b' ' => Some(Key::PageDown),
            b'g' => Some(Key::Top),
            b'G' => Some(Key::Bottom),
            b'r' | b'R' | b'\r' | b'\n' => Some(Key::Now),
            _ => None,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(keys(b"j\x1b[Aq"), [Key::Down, Key::Up, Key::Quit]);
        assert_eq!(keys(b"\x03"), [Key::Interrupt]);
        assert_eq!(keys(b"\x1b[6~\x1bOBx"), [Key::PageDown, Key::Down]);
    }
}
