//! The console: output and questions.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use crate::base::text::{safe_json, safe_lines};

/// The console of a command: its output, and the input for its questions.
pub struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// The input for questions; `None` if nobody can answer.
    answers: Option<Box<dyn BufRead + Send>>,
    color: bool,
    progress: bool,
}

impl Console {
    /// The terminal or the pipes of this process.
    ///
    /// It asks questions if standard input and standard error are terminals. It uses colours if standard output is a
    /// terminal and `NO_COLOR` is not set.
    pub fn standard() -> Self {
        let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self {
            color: anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            out: Box::new(anstream::stdout()),
            err: Box::new(anstream::stderr()),
            answers: asks.then(|| Box::new(io::BufReader::new(io::stdin())) as _),
            progress: io::stderr().is_terminal(),
        }
    }

    /// Pipes, without colours and without questions.
    pub fn plain(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        Self {
            out: Box::new(out),
            err: Box::new(err),
            answers: None,
            color: false,
            progress: false,
        }
    }

    /// Sets the input for questions.
    pub fn with_answers(mut self, answers: impl BufRead + Send + 'static) -> Self {
        self.answers = Some(Box::new(answers));
        self
    }

    /// Sets whether to use colours.
    pub fn with_color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    pub(crate) fn shows_progress(&self) -> bool {
        self.progress
    }

    /// Prints a sanitized result. Lines that begin with `[+]`, `[~]` or `[-]` are coloured.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        match self.write(text) {
            // The reader has closed the pipe, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        for line in safe_lines(text).lines() {
            let color = match line.get(..3).filter(|_| self.color) {
                Some("[+]") => "\u{1b}[32m",
                Some("[~]") => "\u{1b}[33m",
                Some("[-]") => "\u{1b}[31m",
                _ => "",
            };
            let reset = if color.is_empty() { "" } else { "\u{1b}[0m" };
            writeln!(self.out, "{color}{line}{reset}")?;
        }
        self.out.flush()
    }

    /// Prints a result as JSON on several lines.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string_pretty(value)?;
        self.print(&safe_json(&json))
    }

    /// Prints a result as JSON on one line; line breaks in JSON are between values.
    pub(crate) fn print_json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        self.print(&safe_json(&json).replace(['\n', '\r'], " "))
    }

    /// Prints a note or an error.
    pub(crate) fn error(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "{}", safe_lines(text))?;
        self.err.flush()
    }

    /// Asks for confirmation; `None` if nobody can answer.
    pub(crate) fn confirm(&mut self, question: &str) -> io::Result<Option<bool>> {
        let Some(answers) = &mut self.answers else {
            return Ok(None);
        };
        write!(self.err, "{} [y/N] ", safe_lines(question))?;
        self.err.flush()?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("color", &self.color)
            .finish_non_exhaustive()
    }
}
