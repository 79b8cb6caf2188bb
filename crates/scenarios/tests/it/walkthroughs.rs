//! The walkthroughs of `docs/run-the-services.md` and `docs/failure-modes.md`, run from their own text:
//! their blocks of shell, in order, in one shell with a system of its own, and what they print held
//! against what the pages show.
//!
//! In a page a block of `sh` is run, and the block of `text` that follows is what it prints: `…` stands
//! for anything in a line, and a line of it alone for any lines. A block that cannot be run has a line
//! before it that says so, and why.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use dev_servers::packages::{Need, ensure};
use dev_servers::{free_port, reachable_folder, scratch_folder};
use test_support::eventually;

use crate::kafka::blocking;
use crate::system::{state_folder, target_folder};

const PAGES: [&str; 2] = ["run-the-services.md", "failure-modes.md"];
/// Longer than all of it takes on a busy machine.
const BOUND: Duration = Duration::from_secs(300);
const NOT_RUN: &str = "*Not run by the test";
/// What differs from run to run.
const ANYTHING: char = '…';
/// Begins a line of ours between the lines of the blocks.
const MARK: char = '\u{1e}';
/// Postgres's own programs, which refuse to run as root.
const AS_POSTGRES: [&str; 2] = ["initdb", "pg_ctl"];

/// A block of a page.
#[derive(Debug)]
struct Block {
    /// Page and line.
    place: String,
    commands: String,
    /// What the page shows of its output, if anything.
    shown: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of a page that are run.
fn blocks(name: &str, page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().zip(1..);
    let (mut before, mut skipped) = ("", false);
    while let Some((line, number)) = lines.next() {
        if let Some(mark) = line.strip_prefix("```") {
            let body: Vec<&str> = lines
                .by_ref()
                .map(|(line, _)| line)
                .take_while(|line| *line != "```")
                .collect();
            let body = body.join("\n");
            match mark {
                "sh" if before.starts_with(NOT_RUN) => {
                    assert!(before.len() > NOT_RUN.len() + 5, "{name}:{number} says why");
                    skipped = true;
                }
                "sh" => {
                    skipped = false;
                    blocks.push(Block {
                        place: format!("{name}:{number}"),
                        commands: body,
                        shown: None,
                    });
                }
                // What stands in a file.
                "yaml" => {}
                "text" if skipped => {}
                "text" => {
                    let of = blocks.last_mut().filter(|of| of.shown.is_none());
                    of.unwrap_or_else(|| panic!("{name}:{number} is of no block"))
                        .shown = Some(body);
                }
                mark => panic!("{name}:{number} is neither run nor shown: {mark}"),
            }
            before = "";
        } else if !line.is_empty() {
            before = line;
        }
    }
    blocks
}

/// Whether these lines are those that are shown.
fn is_shown(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], printed) => printed.is_empty(),
        ([first, rest @ ..], printed) if first.trim().chars().eq([ANYTHING]) => {
            (0..=printed.len()).any(|skipped| is_shown(rest, &printed[skipped..]))
        }
        ([first, rest @ ..], [line, others @ ..]) => {
            is_line(first, line.trim_end()) && is_shown(rest, others)
        }
        (_, []) => false,
    }
}

fn is_line(shown: &str, mut line: &str) -> bool {
    let parts: Vec<&str> = shown.split(ANYTHING).collect();
    let (last, firsts) = parts.split_last().unwrap();
    for (number, part) in firsts.iter().enumerate() {
        match line.find(part) {
            Some(0) => line = &line[part.len()..],
            Some(at) if number > 0 => line = &line[at + part.len()..],
            _ => return false,
        }
    }
    if firsts.is_empty() {
        line == *last
    } else {
        line.ends_with(last)
    }
}

/// One script of all blocks, which says between them how each ended.
fn script(blocks: &[Block]) -> String {
    let mut script = String::new();
    for block in blocks {
        let (place, commands) = (&block.place, &block.commands);
        writeln!(script, "echo '{place}' >&2\n{commands}").unwrap();
        writeln!(script, "printf '{MARK}%s\\n' \"$?\"").unwrap();
    }
    script
}

/// The shell, its folder, and everything that it started: gone when this is dropped.
struct Shell {
    process: Child,
    folder: PathBuf,
}

impl Shell {
    fn start(script: &str) -> Self {
        let folder = scratch_folder(&reachable_folder(&state_folder().join("tests")));
        let programs = folder.join("bin");
        fs::create_dir_all(&programs).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        if let Some((uid, gid)) = postgres_account() {
            chown(&folder, Some(uid), Some(gid)).unwrap();
            AS_POSTGRES
                .iter()
                .for_each(|name| run_as(&programs.join(name), uid, gid));
        }
        fs::write(folder.join("walkthrough"), script).unwrap();
        let path = [&programs, &target_folder()].map(|folder| folder.display().to_string());
        let path = format!("{}:{}", path.join(":"), path_of_the_caller());
        let address = || format!("127.0.0.1:{}", free_port().unwrap());
        let process = Command::new("bash")
            .arg(folder.join("walkthrough"))
            .current_dir(root())
            .env_clear()
            .env("PATH", path)
            .env("STATE", &folder)
            .env("ATLAS_PG_PORT", free_port().unwrap().to_string())
            .env("REDIS_PORT", free_port().unwrap().to_string())
            .env("ATLAS_COMMAND_ADDR", address())
            .env("ATLAS_QUERY_ADDR", address())
            .env("ATLAS_PROJECTOR_ADDR", address())
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("printed")).unwrap())
            .stderr(File::create(folder.join("errors")).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// Waits until it has come to its end.
    async fn ended(&mut self) -> ExitStatus {
        let errors = self.folder.join("errors");
        eventually("the end of the walkthroughs", BOUND, || {
            let ended = self.process.try_wait().unwrap();
            let errors = fs::read_to_string(&errors).unwrap();
            async move { ended.ok_or(errors) }
        })
        .await
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let kill = |signal: &str, whom: &str| {
            // It may have ended as it should.
            let mut kill = Command::new("kill");
            kill.args([signal, "--", whom]).stderr(Stdio::null());
            kill.status().ok();
        };
        kill("-KILL", &format!("-{}", self.process.id()));
        self.process.wait().ok();
        // A session of its own.
        if let Ok(pid) = fs::read_to_string(self.folder.join("postgres/postmaster.pid"))
            && let Some(pid) = pid.lines().next()
        {
            kill("-QUIT", pid);
        }
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pages' shell finds programs where the caller's does"
)]
fn path_of_the_caller() -> String {
    std::env::var("PATH").unwrap()
}

/// Whom Postgres is to run as, where we are root.
fn postgres_account() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = line.unwrap().split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

/// A program of this name that is Postgres's own, run as this account.
fn run_as(file: &Path, uid: u32, gid: u32) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let script = format!(
        "#!/bin/sh\nprogram=$(pg_config --bindir)/{name}\ncd /\n\
         exec setpriv --reuid={uid} --regid={gid} --clear-groups \"$program\" \"$@\"\n"
    );
    fs::write(file, script).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_block_of_the_pages_does_and_prints_what_the_page_says() {
    blocking(|| ensure(&[Need::Curl, Need::Redis]))
        .await
        .unwrap();
    let pages = PAGES.map(|name| {
        let page = fs::read_to_string(root().join("docs").join(name)).unwrap();
        blocks(name, &page)
    });
    assert!(pages.iter().all(|blocks| blocks.len() > 5));
    let blocks: Vec<Block> = pages.into_iter().flatten().collect();
    let mut shell = Shell::start(&script(&blocks));
    let ended = shell.ended().await;
    let (printed, errors) = (shell.read("printed"), shell.read("errors"));
    assert!(ended.success(), "{ended}: {errors}");

    let mut rest = printed.as_str();
    for block in &blocks {
        let place = &block.place;
        let (output, after) = rest
            .split_once(MARK)
            .unwrap_or_else(|| panic!("{place}: {rest}"));
        let (status, after) = after.split_once('\n').unwrap();
        assert_eq!(status, "0", "{place} failed: {output}{errors}");
        if let Some(shown) = &block.shown {
            let shown: Vec<&str> = shown.lines().collect();
            let printed: Vec<&str> = output.lines().collect();
            assert!(is_shown(&shown, &printed), "{place} printed:\n{output}");
        }
        rest = after;
    }
    assert_eq!(rest, "");
}

#[test]
fn what_a_page_shows_is_compared_line_by_line() {
    let is_shown = |shown: &str, printed: &str| {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (shown, printed) = (lines(shown), lines(printed));
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let printed: Vec<&str> = printed.iter().map(String::as_str).collect();
        is_shown(&shown, &printed)
    };
    assert!(is_shown("one\ntwo", "one\ntwo"));
    assert!(is_shown("a…c…\n…\nz", "abcd\nanything\nat all\nz"));
    assert!(is_shown("…\nz", "z"));
    assert!(!is_shown("one", "one and more") && !is_shown("one", "one\ntwo"));
    assert!(!is_shown("a…c", "abcd") && !is_shown("b…", "ab") && !is_shown("one\ntwo", "one"));
}

#[test]
fn a_block_that_is_not_run_says_why_and_none_is_passed_over() {
    let page = "# A\n\n```sh\nls\n```\n\nAs said:\n\n```text\nfile\n```\n\n*Not run by the test, which \
                has one:*\n\n```sh\nrm\n```\n\n```text\nnothing\n```\n";
    let found = blocks("page", page);
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].place, &*found[0].commands), ("page:3", "ls"));
    assert_eq!(found[0].shown.as_deref(), Some("file"));
    for unknown in [
        "```console\n$ ls\n```",
        "```text\nof nothing\n```",
        "*Not run by the test*\n```sh\nls\n```",
    ] {
        assert!(std::panic::catch_unwind(|| blocks("page", unknown)).is_err());
    }
}
