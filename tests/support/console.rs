//! A console whose output is read.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

use clap::Parser;
use cloud_tasks::Runtime;
use cloud_tasks::cli::{Command, Console};

/// A binary that mounts the commands.
#[derive(Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// Runs a command: the exit code, and what went to standard output and to standard error.
pub(crate) async fn run(
    runtime: &Runtime,
    words: &[&str],
    answers: Option<&'static str>,
) -> (u8, String, String) {
    run_with(runtime, words, |console| match answers {
        Some(answers) => console.with_answers(Cursor::new(answers)),
        None => console,
    })
    .await
}

/// Runs a command on a console that is changed before.
pub(crate) async fn run_with(
    runtime: &Runtime,
    words: &[&str],
    change: impl FnOnce(Console) -> Console,
) -> (u8, String, String) {
    let (out, err) = (Pipe::default(), Pipe::default());
    let mut console = change(Console::plain(out.clone(), err.clone()));
    let args = Args::try_parse_from(["shop"].iter().chain(words)).unwrap();
    let code = args.command.run_on(runtime, &mut console).await;
    (code, out.text(), err.text())
}

/// What was printed.
#[derive(Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
