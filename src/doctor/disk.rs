//! Room on the disks, in bytes and in files.

use crate::config::Server;
use crate::system::folder::Folder;
use crate::system::reserve;
use crate::web::types::{Finding, Health};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const AREA: &str = "disk";
/// Below this a deployment may fail, whatever the size of the disk.
const FEW_BYTES: u64 = 512 << 20;
const FEW_FILES: u64 = 10_000;
/// Below this share of the disk somebody should look, and below a fifth of it somebody has to.
const LOW_PERCENT: u64 = 10;

/// How full a disk is.
#[derive(Debug, Clone, Copy, Default)]
struct Fill {
    free: u64,
    total: u64,
    /// Free files and all of them; nothing where they are not counted.
    files: Option<(u64, u64)>,
}

/// Each disk that holds state or an environment, once.
pub(super) fn look(server: &Server) -> Vec<Finding> {
    let roots = server.environments().map(|env| env.root.clone());
    let mut disks: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for path in std::iter::once(server.state_dir.clone()).chain(roots) {
        // What is not there yet will be where its nearest folder is.
        let there = path
            .ancestors()
            .find_map(|path| Some((path, path.metadata().ok()?)));
        if let Some((path, facts)) = there {
            disks.entry(facts.dev()).or_insert_with(|| path.to_owned());
        }
    }
    let mut found: Vec<Finding> = disks.values().map(|path| of(path)).collect();
    found.extend(reserve(&server.state_dir));
    found
}

/// Whether room is kept for the way back, where a server has ever kept any.
fn reserve(state_dir: &Path) -> Option<Finding> {
    let path = reserve::path(state_dir);
    let is_missing = state_dir.join("teal.db").exists() && !path.exists();
    is_missing.then(|| {
        Finding::warning(
            AREA,
            format!(
                "{}: no room is kept for a rollback on a full disk",
                path.display()
            ),
            format!(
                "make room (df -h {}); the server keeps some again by itself, while it runs",
                state_dir.display()
            ),
        )
    })
}

fn of(path: &Path) -> Finding {
    let told = Folder::open(path).and_then(|folder| folder.free());
    let room = match told {
        Ok(room) => room,
        Err(error) => return Finding::unknown(AREA, error.to_string(), "type it as root"),
    };
    let fill = Fill {
        free: room.bytes,
        total: room.of_bytes,
        files: room.files.zip(room.of_files),
    };
    finding(path, fill)
}

fn finding(path: &Path, fill: Fill) -> Finding {
    let shown = path.display();
    let (health, why) = judge(fill);
    let what = format!("{shown}: {why}");
    let fix = format!(
        "make room (df -h {shown}; df -i {shown}); `backups` and `backups_size` say how many releases are kept"
    );
    match health {
        Health::Problem => Finding::problem(AREA, what, fix),
        Health::Warning => Finding::warning(AREA, what, fix),
        _ => Finding::good(AREA, what),
    }
}

/// The worse one of bytes and files, in words.
fn judge(fill: Fill) -> (Health, String) {
    let bytes = (
        level(fill.free, fill.total, FEW_BYTES),
        format!(
            "{:.1} of {:.1} GB are free",
            fill.free as f64 / 1e9,
            fill.total as f64 / 1e9
        ),
    );
    let files = fill.files.map(|(free, total)| {
        let words = format!("{free} of {total} inodes are free");
        (level(free, total, FEW_FILES), words)
    });
    match files {
        Some(files) if files.0 > bytes.0 => files,
        _ => bytes,
    }
}

fn level(free: u64, total: u64, few: u64) -> Health {
    let share = u128::from(free) * 100;
    let low = u128::from(total) * u128::from(LOW_PERCENT);
    if free < few || share * 5 < low {
        Health::Problem
    } else if share < low {
        Health::Warning
    } else {
        Health::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn of(free: u64, files: Option<(u64, u64)>) -> (Health, String) {
        judge(Fill {
            free,
            total: 100 * GB,
            files,
        })
    }

    #[test]
    fn a_disk_is_well_filling_or_full_by_bytes_or_by_files() {
        assert_eq!(
            of(50 * GB, None),
            (Health::Good, "50.0 of 100.0 GB are free".to_owned())
        );
        assert_eq!(of(9 * GB, None).0, Health::Warning);
        assert_eq!(of(GB, None).0, Health::Problem);
        let many = Some((500_000, 1_000_000));
        assert_eq!(of(50 * GB, many).0, Health::Good);
        let few = Some((60_000, 1_000_000));
        assert_eq!(
            of(50 * GB, few),
            (
                Health::Warning,
                "60000 of 1000000 inodes are free".to_owned()
            )
        );
        assert_eq!(of(GB, few).1, "1.0 of 100.0 GB are free");
        // A tenth of a small disk is too little, however large the share.
        assert_eq!(level(100 << 20, 1 << 30, FEW_BYTES), Health::Problem);
        assert!(
            finding(Path::new("/srv"), Fill::default())
                .fix
                .unwrap()
                .contains("df -i /srv")
        );
    }
}
