//! Child processes that die with their parent, write to a log file, and stop within a bound.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid, getppid, kill_process, set_parent_process_death_signal};

pub use rustix::process::Signal;

/// How often a state that nothing announces is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// How much of a log tells why a server did not start.
pub(crate) const LAST_LINES: usize = 12;

/// Why a child process could not be started, reached or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be run at all.
    #[error("cannot run {name} ({program})")]
    Spawn {
        /// The process's name in our own words.
        name: String,
        /// The program that was tried.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its log file could not be made.
    #[error("cannot write the log {}", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A signal could not be sent, or the end not be awaited.
    #[error("cannot control {name}")]
    Control {
        /// The process's name in our own words.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A running child process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Runs `command` in a process group of its own, so that Ctrl-C reaches only us, with output
    /// and errors appended to `log`. Should this process end in any way, the child is sent
    /// `at_our_death`.
    ///
    /// # Errors
    /// [`ProcessError::Log`] and [`ProcessError::Spawn`].
    pub fn spawn(
        name: &str,
        mut command: Command,
        log: &Path,
        at_our_death: Signal,
    ) -> Result<Self, ProcessError> {
        let log_error = |source| ProcessError::Log {
            path: log.to_owned(),
            source,
        };
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(log_error)?;
        let errors = output.try_clone().map_err(log_error)?;
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            spawn_bound_to_us(command, at_our_death).map_err(|source| ProcessError::Spawn {
                name: name.to_owned(),
                program,
                source,
            })?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its name in our own words, as given to [`Process::spawn`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// [`ProcessError::Control`] when the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        self.child
            .try_wait()
            .map_err(|source| self.control_error(source))
    }

    /// Sends a signal, if it still runs.
    ///
    /// # Errors
    /// [`ProcessError::Control`].
    pub fn signal(&mut self, signal: Signal) -> Result<(), ProcessError> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|errno| self.control_error(errno.into()))
    }

    /// Sends `signal`, waits up to `bound` for the end, and then kills. Returns how it ended.
    ///
    /// # Errors
    /// [`ProcessError::Control`].
    pub fn stop(&mut self, signal: Signal, bound: Duration) -> Result<ExitStatus, ProcessError> {
        self.signal(signal)?;
        let deadline = Instant::now() + bound;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        self.kill()
    }

    /// Ends it at once, as a crash would, and waits for that.
    ///
    /// # Errors
    /// [`ProcessError::Control`].
    pub fn kill(&mut self) -> Result<ExitStatus, ProcessError> {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.map_err(|source| self.control_error(source))
    }

    /// The file that its output goes to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_log_lines(&self, lines: usize) -> String {
        last_lines(&self.log, lines)
    }

    fn control_error(&self, source: io::Error) -> ProcessError {
        ProcessError::Control {
            name: self.name.clone(),
            source,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed: nothing is left to do then.
        drop(self.kill());
    }
}

/// Runs a command in the foreground, with our own input and output unless it says otherwise, and
/// waits for its end. It ends when we do.
///
/// # Errors
/// When it cannot be run at all.
pub fn run_to_end(command: Command) -> io::Result<ExitStatus> {
    spawn_bound_to_us(command, Signal::TERM)?.wait()
}

/// The same for a command whose output is read along: each line goes on to our own output, and to
/// `line`.
///
/// # Errors
/// When it cannot be run at all, or the output not be passed on.
pub fn run_to_end_with(mut command: Command, mut line: impl FnMut(&str)) -> io::Result<ExitStatus> {
    command.stdout(Stdio::piped());
    let mut child = spawn_bound_to_us(command, Signal::TERM)?;
    let mut ours = io::stdout();
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        while output.read_until(b'\n', &mut bytes)? > 0 {
            ours.write_all(&bytes)?;
            ours.flush()?;
            line(String::from_utf8_lossy(&bytes).trim_end());
            bytes.clear();
        }
    }
    child.wait()
}

/// The last lines of a text file, or nothing where there is none.
pub(crate) fn last_lines(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    let first = all.len().saturating_sub(lines);
    all.get(first..).unwrap_or_default().join("\n")
}

type SpawnJob = Box<dyn FnOnce() + Send>;

/// Spawns from a thread that lives as long as this process does: the system sends the death signal
/// when the spawning *thread* ends, and a test's thread ends before its process.
fn spawn_bound_to_us(mut command: Command, at_our_death: Signal) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<SpawnJob>> = OnceLock::new();
    die_with_parent(&mut command, at_our_death);
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<SpawnJob>();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        sender
    });
    let (answer, child) = mpsc::sync_channel(1);
    let job = Box::new(move || drop(answer.send(command.spawn())));
    spawner
        .send(job)
        .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    child
        .recv()
        .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?
}

/// Makes the child ask for a signal at the death of its parent, and die at once if that has
/// happened already. It runs after the change of user, which would undo it.
fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let in_child = move || {
        set_parent_process_death_signal(Some(signal))?;
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
    };
    #[expect(
        unsafe_code,
        reason = "the only way to run code between fork and exec; it makes two system calls and \
                  allocates nothing"
    )]
    // SAFETY: both calls are async-signal-safe, and no memory is allocated or lock taken.
    unsafe {
        command.pre_exec(in_child);
    }
}
