//! Which account of the machine a server runs as, and which folders that account can reach.
//! Postgres refuses to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// A user and group of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The account to run as: `postgres` or else `nobody` for root, and `None` (no change) for
    /// everybody else.
    pub(crate) fn for_servers() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| find_account(&passwd, name))
    }

    /// Whether it may pass through a folder and all those above it.
    pub(crate) fn reaches(self, folder: &Path) -> bool {
        let Ok(folder) = fs::canonicalize(folder) else {
            return false;
        };
        folder.ancestors().all(|each| {
            let Ok(metadata) = fs::metadata(each) else {
                return false;
            };
            let may_enter = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            metadata.permissions().mode() & may_enter != 0
        })
    }
}

fn find_account(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let mut numbers = fields.skip(1).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(uid)), Some(Ok(gid))) => Some(Account { uid, gid }),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n\
                          broken:x:one:two::/:\n";

    #[test]
    fn finds_uid_and_gid_by_name() {
        let nobody = Account {
            uid: 65_534,
            gid: 65_533,
        };
        assert_eq!(find_account(PASSWD, "nobody"), Some(nobody));
        assert_eq!(find_account(PASSWD, "postgres"), None);
        assert_eq!(find_account(PASSWD, "broken"), None);
    }

    #[test]
    fn a_folder_is_reached_only_through_open_ones() {
        let folder = std::env::temp_dir().join(format!("atlas-account-{}", std::process::id()));
        let inner = folder.join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let owner = fs::metadata(&folder).unwrap();
        let stranger = Account {
            uid: owner.uid() + 1,
            gid: owner.gid() + 1,
        };
        let closed = stranger.reaches(&inner);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).unwrap();
        let open = stranger.reaches(&inner);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!((closed, open), (false, true));
    }
}
