//! Child processes end when they should.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use dev_servers::{Process, Signal};

fn shell(script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let log = crate::scratch().with_extension("log");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    Process::spawn("a shell", command, &log, Signal::KILL).unwrap()
}

fn wait_for_log(process: &Process, line: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while process.last_log_lines(1) != line {
        assert!(Instant::now() < deadline, "no line {line:?} in the log");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_ignores_the_signal_is_killed_after_the_bound() {
    let mut process = shell("trap '' TERM; echo ready; while :; do read line < /dev/zero; done");
    wait_for_log(&process, "ready");
    let status = process
        .stop(Signal::TERM, Duration::from_millis(50))
        .unwrap();
    fs::remove_file(process.log()).unwrap();
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn a_process_that_obeys_the_signal_ends_as_it_wants() {
    let mut process = shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do :; done");
    wait_for_log(&process, "ready");
    let status = process.stop(Signal::TERM, Duration::from_secs(10)).unwrap();
    let words = process.last_log_lines(2);
    fs::remove_file(process.log()).unwrap();
    assert_eq!((status.code(), words.as_str()), (Some(3), "ready\nbye"));
}

#[test]
fn a_dropped_process_is_gone() {
    let process = shell("echo ready; while :; do :; done");
    wait_for_log(&process, "ready");
    let (id, log) = (process.id(), process.log().to_owned());
    drop(process);
    fs::remove_file(log).unwrap();
    assert!(!fs::exists(format!("/proc/{id}")).unwrap());
}
