//! Where servers keep their data: in a folder that their account can reach, and, for servers that
//! are thrown away, in one that is theirs alone.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::account::Account;
use crate::error::ServerError;

/// The folder to keep a server's data in: `preferred`, or, where root works in a folder that the
/// server's own account cannot enter (such as `/root`), one of the same name under `/var/lib`.
#[must_use]
pub fn reachable_folder(preferred: &Path) -> PathBuf {
    let Some(account) = Account::for_servers() else {
        return preferred.to_owned();
    };
    let mut above = preferred.ancestors();
    if above
        .find(|each| each.exists())
        .is_none_or(|each| account.reaches(each))
    {
        return preferred.to_owned();
    }
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(preferred);
    let mut name = OsString::from(format!("{hash:016x}-"));
    name.push(preferred.file_name().unwrap_or(OsStr::new("data")));
    Path::new("/var/lib/artisan-atlas").join(name)
}

/// A folder's path in `parent` that is this process's alone, for a server that is thrown away. What
/// processes that are gone left in `parent` is removed.
#[must_use]
pub fn scratch_folder(parent: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_left_over(&entry.path()) {
            // Best effort: it may belong to another user, or be removed by a neighbour just now.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
    let pid = process::id();
    let started = started_at(pid).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    parent.join(format!("{pid}-{started}-{count}"))
}

/// Makes a folder with these rights, whatever the caller's mask is, and those above it such that a
/// server's account can enter them. A folder that is there already is left as it is.
pub(crate) fn make_folder(folder: &Path, mode: u32) -> Result<(), ServerError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent, 0o755)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome
            .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)))
            .map_err(ServerError::folder(folder)),
    }
}

/// Removes a folder and all in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), ServerError> {
    unless_missing(folder, fs::remove_dir_all(folder))
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(file: &Path) -> Result<(), ServerError> {
    unless_missing(file, fs::remove_file(file))
}

fn unless_missing(path: &Path, outcome: io::Result<()>) -> Result<(), ServerError> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ServerError::folder(path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether the process is gone that a scratch folder's name tells of. Another that was given its id
/// since has another start.
fn is_left_over(folder: &Path) -> bool {
    let name = folder.file_name().and_then(OsStr::to_str);
    let mut parts = name.unwrap_or_default().split('-').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(started)), Some(Ok(_)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    u32::try_from(pid).is_ok_and(|pid| started_at(pid) != Some(started))
}

/// When a process that runs was started, in clock ticks since the machine was: field 22 of its
/// `stat`, in which only the name, in parentheses, may hold anything.
fn started_at(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_folders_are_distinct_and_swept() {
        let parent = std::env::temp_dir().join(format!("atlas-scratch-{}", process::id()));
        // Above the greatest process id there can be.
        let left_over = parent.join("4194305-7-0");
        // An id that is in use again.
        let of_a_forerunner = parent.join(format!("{}-7-0", process::id()));
        let foreign = [parent.join("notes"), parent.join("2026-11-25-1")];
        for folder in [&left_over, &of_a_forerunner].into_iter().chain(&foreign) {
            fs::create_dir_all(folder).unwrap();
        }

        let first = scratch_folder(&parent);
        fs::create_dir_all(&first).unwrap();
        let second = scratch_folder(&parent);

        let kept = first.exists() && foreign.iter().all(|folder| folder.exists());
        let swept = !left_over.exists() && !of_a_forerunner.exists();
        fs::remove_dir_all(&parent).unwrap();
        assert_ne!(first, second);
        assert_eq!((kept, swept), (true, true));
    }

    #[test]
    fn a_new_folder_has_its_rights_and_an_old_one_keeps_its_own() {
        let above = std::env::temp_dir().join(format!("atlas-rights-{}", process::id()));
        let folder = above.join("inner");
        make_folder(&folder, 0o700).unwrap();
        make_folder(&folder, 0o755).unwrap();
        let rights = |folder| fs::metadata(folder).unwrap().permissions().mode() & 0o777;
        let found = (rights(&above), rights(&folder));
        fs::remove_dir_all(&above).unwrap();
        assert_eq!(found, (0o755, 0o700));
    }
}
