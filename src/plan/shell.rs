//! The docker commands in a line that a shell is about to run. Only what is certain is taken for known: whatever the
//! shell alone can tell is said to be unknown, and nothing is run.

use std::{iter::Peekable, str::Chars};

/// A word, as far as it is known before the shell has run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    pub text: String,
    pub known: Known,
}

/// How much is known of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Known {
    #[default]
    Whole,
    /// One word, of which the shell puts in a part.
    Partly,
    /// Any number of words.
    Nothing,
}

/// One thing that the line does, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `cd`; `None` where only the shell knows where to.
    Folder(Option<String>),
    /// `export NAME=VALUE`.
    Export(String, Option<String>),
    /// A parenthesis: folder and variables of before come back with its end.
    Enter,
    Leave,
    Docker(DockerCommand),
    /// Something runs docker, and it is not certain with what. A clause.
    Unknown(String),
}

/// A docker command in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerCommand {
    /// It is `docker-compose`, and not `docker`.
    pub is_old_compose: bool,
    /// Variables set for it alone; `None` where only the shell knows the value.
    pub environment: Vec<(String, Option<String>)>,
    /// What comes after `docker`.
    pub words: Vec<Word>,
}

/// A command as it is written, before it is known what it runs.
#[derive(Debug, Default)]
struct Simple {
    words: Vec<Word>,
    /// Texts behind `<<`.
    documents: Vec<String>,
}

enum Token {
    Command(Simple),
    Enter,
    Leave,
}

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "fish", "ash"];
/// Programs that run what they are told, in languages or places that we do not read.
const RUNNERS: &[&str] = &[
    "python",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
    "awk",
    "gawk",
    "ssh",
    "parallel",
    "find",
    "watch",
    "script",
    "tmux",
    "screen",
    "su",
    "runuser",
    "nsenter",
    "chroot",
    "systemd-run",
    "at",
    "batch",
    "crontab",
    "pwsh",
    "powershell",
    "cmd",
    "wsl",
    "source",
    ".",
    "trap",
    "alias",
];
/// Words before a command that change nothing of it.
const KEYWORDS: &[&str] = &["if", "then", "else", "elif", "do", "while", "until", "!", "time", "coproc", "{"];
/// Deeper is a bomb.
const MOST_NESTED: usize = 16;

/// Whether a line has nothing to do with docker, so that nobody need be asked.
#[must_use]
pub fn is_about_docker(line: &str) -> bool {
    let plain: String = line.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
    plain.to_ascii_lowercase().contains("docker")
}

/// What a line does, as far as docker is concerned.
///
/// # Errors
/// Where the line is not understood, in a clause.
pub fn steps(line: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    read(line, 0, &mut steps)?;
    Ok(steps)
}

fn read(line: &str, depth: usize, steps: &mut Vec<Step>) -> Result<(), String> {
    if depth > MOST_NESTED {
        return Err("it is nested too deeply".to_owned());
    }
    let mut lexer =
        Lexer { rest: line.chars().peekable(), nested: Vec::new(), awaited: Vec::new(), leaves: false };
    while let Some(token) = lexer.next_token()? {
        for nested in std::mem::take(&mut lexer.nested) {
            steps.push(Step::Enter);
            read(&nested, depth + 1, steps)?;
            steps.push(Step::Leave);
        }
        match token {
            Token::Enter => steps.push(Step::Enter),
            Token::Leave => steps.push(Step::Leave),
            Token::Command(simple) => understand(simple, depth, steps)?,
        }
    }
    Ok(())
}

/// Finds out what a command runs.
fn understand(simple: Simple, depth: usize, steps: &mut Vec<Step>) -> Result<(), String> {
    let Simple { words, documents } = simple;
    let mut rest = words.as_slice();
    let mut environment = Vec::new();
    loop {
        let Some(first) = rest.first() else {
            // Assignments and nothing more hold for what follows.
            steps.extend(environment.into_iter().map(|(name, value)| Step::Export(name, value)));
            return Ok(());
        };
        let after = &rest[1..];
        let name = first.text.rsplit('/').next().unwrap_or_default().trim_end_matches(".exe");
        if let Some((variable, value)) = assignment(first) {
            environment.push((variable, value));
            rest = after;
            continue;
        }
        if first.known != Known::Whole {
            if mentions_docker(&words) {
                steps.push(Step::Unknown("which program it runs is only known to the shell".to_owned()));
            }
            return Ok(());
        }
        match name {
            word if KEYWORDS.contains(&word) => rest = after,
            "sudo" | "doas" | "env" | "command" | "exec" | "nohup" | "nice" | "ionice" | "timeout"
            | "setsid" | "builtin" | "stdbuf" => {
                let Some(skipped) = after_wrapper(name, after) else {
                    if mentions_docker(after) {
                        steps.push(Step::Unknown(format!("what {name} runs is not certain")));
                    }
                    return Ok(());
                };
                rest = skipped;
            }
            "docker" | "docker-compose" => {
                let is_old_compose = name == "docker-compose";
                steps.push(Step::Docker(DockerCommand {
                    is_old_compose,
                    environment,
                    words: after.to_vec(),
                }));
                return Ok(());
            }
            "xargs" => {
                if let Some(at) = after.iter().position(|word| is_docker(&word.text)) {
                    let is_old_compose = after[at].text.ends_with("compose");
                    let mut words = after[at + 1..].to_vec();
                    words.push(Word { text: String::new(), known: Known::Nothing });
                    steps.push(Step::Docker(DockerCommand { is_old_compose, environment, words }));
                } else if mentions_docker(after) {
                    steps.push(Step::Unknown("what xargs runs is not certain".to_owned()));
                }
                return Ok(());
            }
            "cd" | "pushd" => {
                let to = after.iter().find(|word| !word.text.starts_with('-'));
                let known = to.filter(|word| word.known == Known::Whole && !word.text.starts_with('~'));
                steps.push(Step::Folder(known.map(|word| word.text.clone())));
                return Ok(());
            }
            "popd" => {
                steps.push(Step::Folder(None));
                return Ok(());
            }
            "export" => {
                steps.extend(
                    after.iter().filter_map(assignment).map(|(name, value)| Step::Export(name, value)),
                );
                return Ok(());
            }
            "eval" => return run_text(after, " ", depth, steps),
            shell if SHELLS.contains(&shell) => {
                for document in &documents {
                    nested(document, depth, steps)?;
                }
                let flag = after.iter().position(|word| {
                    word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c')
                });
                return match flag {
                    Some(at) => run_text(&after[at + 1..(at + 2).min(after.len())], "", depth, steps),
                    None => Ok(()),
                };
            }
            runner if RUNNERS.contains(&runner) => {
                if mentions_docker(after) || documents.iter().any(|text| is_about_docker(text)) {
                    steps.push(Step::Unknown(format!("{runner} runs something with docker in it")));
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}

/// What a text runs that a shell is given.
fn run_text(words: &[Word], between: &str, depth: usize, steps: &mut Vec<Step>) -> Result<(), String> {
    if words.iter().any(|word| word.known != Known::Whole) {
        if mentions_docker(words) {
            steps.push(Step::Unknown("the text that a shell is given is only known to the shell".to_owned()));
        }
        return Ok(());
    }
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(between);
    nested(&text, depth, steps)
}

fn nested(text: &str, depth: usize, steps: &mut Vec<Step>) -> Result<(), String> {
    if !is_about_docker(text) {
        return Ok(());
    }
    steps.push(Step::Enter);
    read(text, depth + 1, steps)?;
    steps.push(Step::Leave);
    Ok(())
}

fn is_docker(text: &str) -> bool {
    matches!(text.rsplit('/').next().unwrap_or_default(), "docker" | "docker-compose")
}

fn mentions_docker(words: &[Word]) -> bool {
    words.iter().any(|word| is_about_docker(&word.text))
}

/// `NAME=VALUE`.
fn assignment(word: &Word) -> Option<(String, Option<String>)> {
    let (name, value) = word.text.split_once('=')?;
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    valid.then(|| (name.to_owned(), (word.known == Known::Whole).then(|| value.to_owned())))
}

/// The words after a wrapper's own; `None` where its flags are not those we know.
fn after_wrapper<'a>(name: &str, words: &'a [Word]) -> Option<&'a [Word]> {
    // Flags with a value of their own.
    let valued: &[&str] = match name {
        "sudo" => &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "--user", "--group", "--chdir"],
        "doas" => &["-u", "-C"],
        "env" => &["-u", "-C", "--unset", "--chdir"],
        "nice" => &["-n"],
        "ionice" => &["-c", "-n"],
        "timeout" => &["-k", "-s", "--signal", "--kill-after"],
        "exec" => &["-a"],
        "stdbuf" => &["-i", "-o", "-e"],
        _ => &[],
    };
    // They change the folder, or run something else.
    let strange = ["-D", "--chdir", "-C", "-S", "--split-string", "-i", "-s", "-R"];
    let mut rest = words;
    while let Some(word) = rest.first().filter(|word| word.text.starts_with('-') && word.text.len() > 1) {
        if word.known != Known::Whole {
            return None;
        }
        if name != "timeout" && name != "stdbuf" && strange.contains(&word.text.as_str()) {
            return None;
        }
        let takes = usize::from(valued.contains(&word.text.as_str()));
        rest = rest.get(1 + takes..)?;
        if word.text == "--" {
            break;
        }
    }
    if name == "timeout" { rest.get(1..) } else { Some(rest) }
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    /// What `$(…)` and its kin run.
    nested: Vec<String>,
    /// The ends of the texts that begin on the next line.
    awaited: Vec<String>,
    /// A parenthesis has ended the command before it.
    leaves: bool,
}

impl Lexer<'_> {
    fn next_token(&mut self) -> Result<Option<Token>, String> {
        if std::mem::take(&mut self.leaves) {
            return Ok(Some(Token::Leave));
        }
        let mut simple = Simple::default();
        let mut word: Option<Word> = None;
        let mut skips_word = false;
        loop {
            let c = self.rest.next();
            let ends_word = c.is_none_or(|c| c.is_whitespace() || ";&|()<>".contains(c));
            if ends_word && let Some(done) = word.take() {
                // `2>file`: the number belongs to the redirection.
                let is_number = matches!(c, Some('<' | '>')) && done.text.bytes().all(|b| b.is_ascii_digit());
                if !std::mem::take(&mut skips_word) && !is_number && done.text != "}" {
                    simple.words.push(done);
                }
            }
            match c {
                None => {
                    return Ok((!simple.words.is_empty()).then_some(Token::Command(simple)));
                }
                Some('\n') => {
                    for end in std::mem::take(&mut self.awaited) {
                        simple.documents.push(self.document(&end));
                    }
                    return Ok(Some(Token::Command(simple)));
                }
                Some(';' | '&' | '|') => return Ok(Some(Token::Command(simple))),
                // `name()`, and an array: neither is a command that we know.
                Some('(') if mentions_docker(&simple.words) => {
                    return Err("a parenthesis stands where none was expected".to_owned());
                }
                Some('(') => return Ok(Some(Token::Enter)),
                Some(')') => {
                    self.leaves = true;
                    return Ok(Some(Token::Command(simple)));
                }
                Some('<' | '>') => skips_word = self.redirection(c == Some('<'))?,
                Some(c) if c.is_whitespace() => {}
                // The line goes on.
                Some('\\') if self.rest.next_if_eq(&'\n').is_some() => {}
                Some('#') if word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                Some(c) => self.part(c, word.get_or_insert_default())?,
            }
        }
    }

    /// Behind `<` or `>`; whether a word follows that names a file.
    fn redirection(&mut self, reads: bool) -> Result<bool, String> {
        if self.rest.next_if_eq(&'(').is_some() {
            let inner = self.until_closed()?;
            self.nested.push(inner);
            return Ok(false);
        }
        if reads && self.rest.next_if_eq(&'<').is_some() {
            if self.rest.next_if_eq(&'<').is_some() {
                return Ok(true);
            }
            self.rest.next_if_eq(&'-');
            while self.rest.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
            let mut end = String::new();
            while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() && !";&|()<>".contains(*c)) {
                end.extend((!"'\"\\".contains(c)).then_some(c));
            }
            self.awaited.push(end);
            return Ok(false);
        }
        while self.rest.next_if(|c| matches!(c, '>' | '&' | '|')).is_some() {}
        Ok(true)
    }

    /// One character, or one quoted part, of a word.
    fn part(&mut self, c: char, word: &mut Word) -> Result<(), String> {
        match c {
            '\'' => loop {
                match self.rest.next().ok_or("a quote is not closed")? {
                    '\'' => return Ok(()),
                    c => word.text.push(c),
                }
            },
            '"' => loop {
                match self.rest.next().ok_or("a quote is not closed")? {
                    '"' => return Ok(()),
                    '\\' => {
                        let next = self.rest.next().ok_or("a quote is not closed")?;
                        if !"\"\\$`\n".contains(next) {
                            word.text.push('\\');
                        }
                        word.text.extend((next != '\n').then_some(next));
                    }
                    '$' => self.expansion(word, Known::Partly)?,
                    '`' => self.backticks(word, Known::Partly)?,
                    c => word.text.push(c),
                }
            },
            '\\' => {
                let next = self.rest.next();
                word.text.extend(next.filter(|c| *c != '\n'));
            }
            '$' => self.expansion(word, Known::Nothing)?,
            '`' => self.backticks(word, Known::Nothing)?,
            '*' | '?' | '[' => {
                word.text.push(c);
                word.known = word.known.max(Known::Nothing);
            }
            '{' if !word.text.is_empty() || self.rest.peek().is_some_and(|c| !c.is_whitespace()) => {
                word.text.push(c);
                word.known = Known::Nothing;
            }
            c => word.text.push(c),
        }
        Ok(())
    }

    fn expansion(&mut self, word: &mut Word, known: Known) -> Result<(), String> {
        match self.rest.peek().copied() {
            Some('(') => {
                self.rest.next();
                let inner = self.until_closed()?;
                // What arithmetic is, runs nothing; reading it as a command finds no docker in it.
                self.nested.push(inner);
            }
            Some('{') => while self.rest.next().ok_or("a brace is not closed")? != '}' {},
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?$!-'\"".contains(c) => {
                if c.is_ascii_alphanumeric() || c == '_' {
                    while self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_').is_some() {}
                } else if !"'\"".contains(c) {
                    self.rest.next();
                }
            }
            _ => {
                word.text.push('$');
                return Ok(());
            }
        }
        word.known = word.known.max(known);
        Ok(())
    }

    fn backticks(&mut self, word: &mut Word, known: Known) -> Result<(), String> {
        let mut inner = String::new();
        loop {
            match self.rest.next().ok_or("a backtick is not closed")? {
                '`' => break,
                '\\' => inner.extend(self.rest.next()),
                c => inner.push(c),
            }
        }
        self.nested.push(inner);
        word.known = word.known.max(known);
        Ok(())
    }

    /// What stands before the parenthesis that closes the one just read.
    fn until_closed(&mut self) -> Result<String, String> {
        let (mut inner, mut open, mut quote) = (String::new(), 1, None);
        loop {
            let c = self.rest.next().ok_or("a parenthesis is not closed")?;
            match (quote, c) {
                (None, '(') => open += 1,
                (None, ')') => open -= 1,
                (None, '\'' | '"') => quote = Some(c),
                (Some(closing), c) if c == closing => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => {
                    inner.push(c);
                    inner.extend(self.rest.next());
                    continue;
                }
                _ => {}
            }
            if open == 0 {
                return Ok(inner);
            }
            inner.push(c);
        }
    }

    /// The lines until one that is `end`.
    fn document(&mut self, end: &str) -> String {
        let mut document = String::new();
        loop {
            let mut line = String::new();
            while let Some(c) = self.rest.next_if(|c| *c != '\n') {
                line.push(c);
            }
            let is_last = self.rest.next().is_none();
            if line.trim_start_matches('\t') == end || is_last && line.is_empty() {
                return document;
            }
            document.push_str(&line);
            document.push('\n');
            if is_last {
                return document;
            }
        }
    }
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
