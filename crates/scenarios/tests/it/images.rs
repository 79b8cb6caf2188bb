//! What `deploy/Dockerfile` says of each image, done with the programs of this build: its command runs
//! as nobody in particular on a read-only file system without any right, and its probe says so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dev_servers::packages::{Need, ensure};
use dev_servers::{Process, Signal, free_port, reachable_folder, scratch_folder};
use test_support::{TestDatabase, eventually};

use crate::kafka::blocking;
use crate::system::{SECRET, state_folder, target_folder};

const BOUND: Duration = Duration::from_secs(20);
/// Mounts everything again under its first argument, for reading, and runs the rest there without any
/// right, as the user of its second.
const READ_ONLY: &str = r#"
root=$1; user=$2; shift 2
mount --rbind / "$root"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv $user --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
"#;
/// Nobody in particular.
const NOBODY: &str = "--reuid 65532 --regid 65532 --clear-groups";

/// An image, as the Dockerfile has it.
struct Image {
    name: &'static str,
    /// The variable that says where it listens.
    address: &'static str,
    command: Vec<String>,
    probe: Vec<String>,
    port: String,
}

impl Image {
    fn of(name: &'static str, address: &'static str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/Dockerfile");
        let text = fs::read_to_string(file).unwrap();
        let (_, stage) = text
            .split_once(&format!("FROM ground AS {name}\n"))
            .unwrap();
        let stage = stage.split("\nFROM ").next().unwrap();
        // The probe is the indented one: it goes on from HEALTHCHECK.
        let words = |prefix: &str| {
            let line = stage.lines().find_map(|line| line.strip_prefix(prefix));
            serde_json::from_str(line.unwrap()).unwrap()
        };
        let port = stage.lines().find_map(|line| line.strip_prefix("EXPOSE "));
        Self {
            name,
            address,
            command: words("CMD "),
            probe: words("    CMD "),
            port: port.unwrap().to_owned(),
        }
    }

    /// Its command, with the program from `programs`, under a root of its own. Who is not root makes
    /// one where users may have namespaces, and is nobody in particular already.
    fn command(&self, programs: &Path, root: &Path) -> Command {
        let (program, arguments) = self.command.split_first().unwrap();
        let program = programs.join(program);
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let (unshare, user): (&[&str], _) = if is_root {
            (&["--mount"], NOBODY)
        } else {
            (&["--user", "--map-root-user", "--mount"], "")
        };
        let mut command = if may(unshare) {
            let mut command = Command::new("unshare");
            command.args(unshare).args(["sh", "-euc", READ_ONLY, "sh"]);
            command.arg(root).arg(user).arg(program);
            command
        } else {
            eprintln!(
                "NOT TRIED: {} on a read-only root, because this user may have no namespaces; \
                 root tries it",
                self.name
            );
            Command::new(program)
        };
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Its probe, of the process on this port.
    fn probe(&self, port: u16) -> Command {
        let here = format!(":{}/", self.port);
        let there = format!(":{port}/");
        let (program, arguments) = self.probe.split_first().unwrap();
        let mut probe = Command::new(program);
        probe.args(arguments.iter().map(|it| it.replace(&here, &there)));
        probe
    }
}

/// Whether we may have these namespaces.
fn may(unshare: &[&str]) -> bool {
    let mut probe = Command::new("unshare");
    probe.args(unshare).arg("true");
    probe.output().is_ok_and(|output| output.status.success())
}

/// A copy of the programs that everybody may read.
fn programs(folder: &Path) -> PathBuf {
    let programs = folder.join("bin");
    fs::create_dir_all(&programs).unwrap();
    for name in ["command-api", "query-api", "projector"] {
        fs::copy(target_folder().join(name), programs.join(name)).unwrap();
    }
    for each in [folder, &programs] {
        fs::set_permissions(each, fs::Permissions::from_mode(0o755)).unwrap();
    }
    programs
}

#[tokio::test]
async fn each_image_runs_as_nobody_on_a_read_only_root_and_its_probe_says_so() {
    blocking(|| ensure(&[Need::Curl])).await.unwrap();
    let database = TestDatabase::create().await;
    let folder = scratch_folder(&reachable_folder(&state_folder().join("tests")));
    let (programs, root) = (programs(&folder), folder.join("root"));
    fs::create_dir_all(&root).unwrap();
    for image in [
        Image::of("command-api", "ATLAS_COMMAND_ADDR"),
        Image::of("query-api", "ATLAS_QUERY_ADDR"),
        Image::of("projector", "ATLAS_PROJECTOR_ADDR"),
    ] {
        let port = free_port().unwrap();
        let mut command = image.command(&programs, &root);
        command
            .env("ATLAS_DATABASE_URL", database.url_app())
            .env("ATLAS_JWT_SECRET", SECRET)
            // Nobody listens there: without Kafka a projector is degraded, and as ready.
            .env("ATLAS_KAFKA_BROKERS", "127.0.0.1:9")
            .env(image.address, format!("127.0.0.1:{port}"));
        let log = folder.join(format!("{}.log", image.name));
        let mut process = Process::spawn(image.name, command, &log, Signal::KILL).unwrap();
        let what = format!("the probe of {}", image.name);
        eventually(&what, BOUND, async || {
            let mut probe = image.probe(port);
            let output = blocking(move || probe.output()).await.unwrap();
            if output.status.success() {
                Ok(())
            } else {
                Err(fs::read_to_string(&log).unwrap_or_default())
            }
        })
        .await;
        process.signal(Signal::TERM).unwrap();
        let ended = eventually("its end", BOUND, || {
            let ended = process.ended().unwrap();
            async move { ended.ok_or("it runs") }
        });
        assert!(ended.await.success(), "{}", image.name);
    }
    fs::remove_dir_all(folder).unwrap();
}
