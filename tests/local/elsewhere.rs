//! Commands that act on the local engine of another process.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Parser;
use cloud_tasks::cli::{Command, Console};
use cloud_tasks::{Config, Task};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command as Process};

use crate::dead::stage::{Charge, Shop, Stage, local};
use crate::support::child;
use crate::support::wait::within;

const SERVES: &str = "elsewhere::serves_in_a_process_of_its_own";
const COMMANDS: &str = "elsewhere::runs_a_command_in_a_process_of_its_own";
const READY: &str = "the engine listens at ";

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

fn config() -> Config {
    Config::from_env().unwrap().with_app_name("laptop")
}

/// The service: one task is dead, and one waits. It stops when its input ends.
#[tokio::test]
#[ignore = "the part of a child process"]
async fn serves_in_a_process_of_its_own() {
    let Some(_) = child::api() else { return };
    let stage = Stage::set_with(config()).await;
    Charge { invoice: 7 }.asap().on(&stage.runtime).await.unwrap();
    stage.idle("laptop").await;
    let later = Charge { invoice: 8 }.later(Duration::from_secs(3600));
    later.on(&stage.runtime).await.unwrap();
    writeln!(std::io::stdout(), "\n{READY}{}", stage.engine.url()).unwrap();

    let ended = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(ended).await.unwrap().unwrap();

    stage.strike().await;
}

#[tokio::test]
#[ignore = "the part of a child process"]
async fn runs_a_command_in_a_process_of_its_own() {
    let Some(line) = child::api() else { return };
    let (runtime, engine) = local(config(), Shop::default()).await;
    let args = Args::parse_from(["laptop"].into_iter().chain(line.split(' ')));
    let mut console = Console::plain(std::io::stderr(), std::io::stderr());

    let code = args.command.run_on(&runtime, &mut console).await;

    writeln!(std::io::stderr(), "exit code {code}").unwrap();
    engine.stop().await;
}

/// A user with a directory for the files of running programs.
struct User {
    directory: PathBuf,
}

struct Service {
    url: String,
    process: Child,
    input: Option<ChildStdin>,
    /// Open, so that the process can write to it until its end.
    _output: Lines<BufReader<ChildStdout>>,
}

impl User {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("cloud-tasks-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn process(&self, part: &str, api: &str) -> Process {
        let mut process = child::command(part, api);
        process.env("XDG_RUNTIME_DIR", &self.directory);
        process
    }

    async fn serve(&self, vars: &[(&str, &str)]) -> Service {
        let mut process = self.process(SERVES, "serve");
        process.envs(vars.iter().copied());
        let mut process = process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = loop {
            let line = within(lines.next_line())
                .await
                .unwrap()
                .expect("a service that starts");
            if let Some(url) = line.strip_prefix(READY) {
                break url.to_owned();
            }
        };
        let input = process.stdin.take();
        Service {
            url,
            process,
            input,
            _output: lines,
        }
    }

    /// What a command prints, with its exit code.
    async fn run(&self, line: &str) -> String {
        self.run_with(line, &[]).await
    }

    async fn run_with(&self, line: &str, vars: &[(&str, &str)]) -> String {
        let mut process = self.process(COMMANDS, line);
        let output = within(process.envs(vars.iter().copied()).output()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.directory.join("cloud-tasks"));
        files.map_or_else(
            |_| Vec::new(),
            |files| files.map(|file| file.unwrap().path()).collect(),
        )
    }
}

impl Drop for User {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

impl Service {
    async fn stop(mut self) {
        drop(self.input.take());
        assert!(within(self.process.wait()).await.unwrap().success());
    }
}

const NOBODY: &str = "error: nothing was done: no local engine of this service runs on this machine; start the service first, \
                      with the same project, location and application name or endpoint\nexit code 1\n";

#[tokio::test]
async fn commands_act_on_the_engine_of_the_process_that_serves() {
    let user = User::new("acts");
    let service = user.serve(&[]).await;

    let paused = user.run("queues pause laptop").await;
    let info = user.run("queues info laptop --json").await;
    let dead = user.run("dead list --topic dead-charges").await;
    let replayed = user
        .run("dead replay --topic dead-charges --yes --idle-timeout 0")
        .await;
    let none = user.run("dead list --topic dead-charges --idle-timeout 0").await;
    let waiting = user.run("tasks list").await;
    let plan = user.run("initialize-tasks --plan").await;

    assert_eq!(paused, "paused laptop\nexit code 0\n");
    assert!(info.contains(r#""state": "paused""#), "{info}");
    assert!(
        dead.contains("Charge  laptop  3         the shop is closed\n"),
        "{dead}"
    );
    assert!(
        replayed.starts_with(
            "Dead tasks of dead-charges: 1 enqueued, 0 duplicates, 0 skipped, 0 failed, 0 left, 0 returned\n"
        ),
        "{replayed}"
    );
    assert_eq!(none, "No dead tasks in dead-charges\nexit code 0\n");
    assert_eq!(waiting.matches("  Charge  ").count(), 2, "{waiting}");
    let looked_at = format!("note: looked at the local engine at {}, which loses", service.url);
    assert!(plan.contains(&looked_at), "{plan}");
    service.stop().await;
}

#[tokio::test]
async fn without_a_running_engine_commands_say_so_and_do_nothing() {
    let user = User::new("nobody");

    for line in [
        "queues pause laptop",
        "tasks list",
        "dead list --topic dead-charges",
        "initialize-tasks --plan",
    ] {
        assert_eq!(user.run(line).await, NOBODY, "{line}");
    }
    let list = user.run("list").await;

    assert!(list.ends_with("exit code 0\n"), "{list}");
    assert_eq!(user.files(), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn the_file_of_an_engine_is_its_users_alone_and_goes_with_it_and_a_stale_one_is_recognized() {
    let user = User::new("files");
    let first = user.serve(&[]).await;
    let second = user.serve(&[]).await;
    let file = user.files().pop().unwrap();
    let of_second = std::fs::read(&file).unwrap();

    first.stop().await;
    assert_eq!(std::fs::read(&file).unwrap(), of_second);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    let port = second.url.rsplit(':').next().unwrap().to_owned();
    second.stop().await;
    assert_eq!(user.files(), [] as [PathBuf; 0]);
    // A killed engine leaves its file. Its port may be another engine's by now.
    std::fs::write(&file, &of_second).unwrap();
    let nobody = user.run("queues pause laptop").await;
    let other = User::new("others");
    let others = other.serve(&[("CLOUD_TASKS_LOCAL_ENGINE_PORT", &port)]).await;
    let not_ours = user.run("queues pause laptop").await;
    let info = other.run("queues info laptop --json").await;

    assert_eq!((nobody.as_str(), not_ours.as_str()), (NOBODY, NOBODY));
    assert!(info.contains(r#""state": "running""#), "{info}");
    others.stop().await;
}

#[tokio::test]
async fn an_engine_listens_at_the_port_of_the_settings_and_a_command_with_the_same_settings_finds_it() {
    let user = User::new("port");
    let free = user.serve(&[]).await;
    let port = free.url.rsplit(':').next().unwrap().to_owned();
    free.stop().await;
    let vars = [("CLOUD_TASKS_LOCAL_ENGINE_PORT", port.as_str())];

    let service = user.serve(&vars).await;
    let paused = user.run_with("queues pause laptop", &vars).await;
    let info = user.run_with("queues info laptop --json", &vars).await;

    assert_eq!(service.url, format!("http://127.0.0.1:{port}"));
    assert_eq!(paused, "paused laptop\nexit code 0\n");
    assert!(info.contains(r#""state": "paused""#), "{info}");
    service.stop().await;
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
