use super::git::Outcome;
use super::sandbox::Sandbox;
use std::path::PathBuf;
use std::process::Command;

/// A file system of its own below a server's state and environments, on a loop device. What its image holds at any moment is
/// what a disk would hold if the power were cut then: everything else is only in memory.
pub struct Disk {
    kind: &'static str,
    image: PathBuf,
    cuts: u32,
}

/// Nothing may reach the disk early that nobody has synced: long intervals between the file system's own commits, and no
/// help for programs that forget to sync.
const OPTIONS: [(&str, &str); 2] = [
    (
        "ext4",
        "loop,commit=900,data=writeback,noauto_da_alloc,errors=remount-ro",
    ),
    ("btrfs", "loop,commit=300"),
];

impl Disk {
    /// The file systems that it is tried on: one that syncs much at once, and one that syncs exactly what it is asked for.
    pub const KINDS: [&str; 2] = ["ext4", "btrfs"];

    /// Makes one and mounts it at `state` and `srv` of the sandbox. Nothing, with the reason printed, where that cannot be
    /// done.
    pub fn below(sandbox: &Sandbox, kind: &'static str) -> Option<Disk> {
        let image = sandbox.join("disk.img");
        let size = std::fs::File::create(&image).and_then(|file| file.set_len(192 << 20));
        size.expect("an image");
        let make = format!("mkfs.{kind}");
        let made = Command::new(&make).arg("-q").arg(&image).output();
        if !made.is_ok_and(|made| made.status.success()) {
            eprintln!("skipped: there is no {make} here");
            return None;
        }
        let disk = Disk {
            kind,
            image,
            cuts: 0,
        };
        disk.mount(sandbox).then_some(disk)
    }

    fn mount(&self, sandbox: &Sandbox) -> bool {
        let options = OPTIONS.iter().find(|(kind, _)| *kind == self.kind);
        let options = options.map_or("loop", |(_, options)| options);
        let image = self.image.display().to_string();
        let disk = sandbox.join("disk").display().to_string();
        if !sandbox.mount(&["-t", self.kind, "-o", options, &image], "disk") {
            return false;
        }
        ["state", "srv"].iter().all(|name| {
            let from = sandbox.dir(format!("disk/{name}"));
            assert!(from.starts_with(&disk));
            sandbox.mount(&["--bind", &from.display().to_string()], name)
        })
    }

    /// Brings everything that was written so far to the disk.
    pub fn settle(&self, sandbox: &Sandbox) {
        Outcome::of(
            Command::new("sync")
                .arg("--file-system")
                .arg(sandbox.join("disk")),
        )
        .ok();
    }

    /// Makes the file system find itself broken, so that it can only be read from now on. False where that cannot be done.
    pub fn breaks(&self, sandbox: &Sandbox) -> bool {
        let place = sandbox.join("disk").display().to_string();
        let source = Outcome::of(Command::new("findmnt").args(["-nro", "SOURCE", &place])).ok();
        let device = source.trim().trim_start_matches("/dev/");
        let trigger = format!("/sys/fs/{}/{device}/trigger_fs_error", self.kind);
        std::fs::write(trigger, "1").is_ok()
    }

    /// Cuts the power: whatever runs in the sandbox is gone, and the disk holds what had reached it.
    pub fn cut(&mut self, sandbox: &Sandbox) {
        self.cuts += 1;
        let cut = sandbox.join(format!("cut-{}.img", self.cuts));
        let copy = ["--sparse=always", "--reflink=never"];
        Outcome::of(Command::new("cp").args(copy).arg(&self.image).arg(&cut)).ok();
        sandbox.sweep();
        sandbox.unmount_all();
        self.image = cut;
        assert!(self.mount(sandbox), "the disk can be mounted after the cut");
    }
}
