//! Child processes that cannot outlive the tests, whatever happens to the tests.
//!
//! Linux can send a signal to a child when the thread that started it ends (`setpriv --pdeathsig`). Test threads end
//! all the time, so one thread that lives as long as the process starts all children. Shared servers sit in statics,
//! which Rust never drops: this is what ends them.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{ports, wait};

/// How a process is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Term,
    Quit,
    Kill,
    Stop,
    Cont,
    Hup,
    Usr2,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
            Self::Hup => "HUP",
            Self::Usr2 => "USR2",
        }
    }
}

/// A running child, ended and reaped when dropped; all it prints is kept.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ending: Signal,
    output: Output,
}

/// What a process has printed, on both channels, in the order of arrival. Clones see the same text.
#[derive(Clone, Debug, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }

    fn keep(&self, mut from: impl Read + Send + 'static) {
        let output = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                output.0.lock().expect("no writer panics").extend_from_slice(&buffer[..read]);
            }
        });
    }
}

impl Process {
    /// Starts `program` with `arguments`; `ending` is what it gets when it is dropped or when the tests die.
    pub fn start(spawn: Spawn<'_>, ending: Signal) -> Self {
        Self::start_into(spawn, ending, Output::default())
    }

    /// As [`Process::start`], and adds what it prints to an output that is there already.
    pub fn start_into(spawn: Spawn<'_>, ending: Signal, output: Output) -> Self {
        let mut child = keeper_spawn(spawn.command(ending));
        output.keep(child.stdout.take().expect("piped"));
        output.keep(child.stderr.take().expect("piped"));
        Self { child, ending, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Sends a signal; nothing happens to a process that has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.has_ended().is_none() {
            send(signal, &self.pid().to_string());
        }
    }

    /// The way it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process")
    }

    /// Sends a signal and waits until the process is gone. A paused one is woken first, or it would never hear.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.signal(Signal::Cont);
        wait::until("a process to end", Duration::from_secs(20), || self.has_ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.ending);
        self.signal(Signal::Cont);
        // Polite first; what does not listen within the time is killed.
        let ended = wait::within(Duration::from_secs(5), || self.has_ended());
        if ended.is_some() {
            return;
        }
        self.signal(Signal::Kill);
        drop(self.child.wait());
    }
}

/// Starts a server on a free port and waits until it is ready. Where it ends early another process may have been
/// faster at the port: two more ports are tried.
pub fn serve(name: &str, spawn: impl Fn(u16) -> Process, is_ready: impl Fn(u16) -> bool) -> (u16, Process) {
    for _ in 0..3 {
        let port = ports::free();
        let mut process = spawn(port);
        if await_ready(name, &mut process, || is_ready(port)) {
            return (port, process);
        }
        eprintln!("{name} ended early on port {port}: {}", process.output().text());
    }
    panic!("{name} cannot be started");
}

/// True when the process is ready, false when it ended before that.
pub fn await_ready(name: &str, process: &mut Process, is_ready: impl Fn() -> bool) -> bool {
    wait::until(&format!("{name} to be ready"), Duration::from_secs(30), || {
        if process.has_ended().is_some() {
            return Some(false);
        }
        is_ready().then_some(true)
    })
}

/// What to start, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct Spawn<'a> {
    pub program: &'a str,
    pub arguments: &'a [String],
    pub environment: &'a [(String, String)],
    /// The user to become; only root can.
    pub user: Option<&'a str>,
}

impl Spawn<'_> {
    fn command(&self, ending: Signal) -> Command {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig").arg(ending.name());
        command.args(become_user(self.user)).arg("--").arg(self.program).args(self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Runs a preparing command to its end; fails the test with its output when it fails.
pub fn run(program: &str, arguments: &[String], user: Option<&str>) -> String {
    let done = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .args(become_user(user))
        .arg("--")
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{program} {arguments:?} failed: {text}");
    text
}

/// True when this process may become somebody else.
pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").expect("Linux").lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Sends a signal to a process that a test has started.
pub fn send(signal: Signal, pid: &str) {
    // `kill` is a builtin of every shell; the program of that name is not on every machine.
    let done = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "kill", signal.name(), pid]).status();
    done.expect("a shell");
    if signal == Signal::Stop {
        // A signal is sent before it is obeyed: until then a thread may go on answering.
        wait::until_true("a process to stop", Duration::from_secs(20), || is_still(pid));
    }
}

/// True when every thread of a process is stopped, or the process is gone.
fn is_still(pid: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    states.all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 'Z', 'X'])))
}

/// The processes that a process has started itself.
pub fn children_of(pid: u32) -> Vec<String> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

fn become_user(user: Option<&str>) -> Vec<String> {
    user.filter(|_| is_root())
        .map(|user| vec![format!("--reuid={user}"), format!("--regid={user}"), "--init-groups".to_owned()])
        .unwrap_or_default()
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Has the keeper start a command: the one thread that lives as long as this process.
fn keeper_spawn(command: Command) -> Child {
    static KEEPER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                answer.send(command.spawn()).expect("whoever asked waits");
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = channel();
    keeper.lock().expect("nobody panics here").send((command, answer)).expect("the keeper lives");
    answered.recv().expect("the keeper answers").expect("the program can be started; `make setup` installs it")
}
