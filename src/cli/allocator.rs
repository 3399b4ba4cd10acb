//! What a server asks of glibc's allocator, so that its memory stays what it uses. Another C library's does neither.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The variable by which glibc is told the most arenas (mallopt(3), `M_ARENA_MAX`), and how many.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// The variable with glibc's tunables (ld.so(8); the manual's "Memory Allocation Tunables"): free blocks of each size
/// that a thread keeps for itself, seven unless told otherwise.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=32");

/// The variable by which the program that was started again knows that it was. Where a file has capabilities of its own
/// (setcap(8), for port 443) glibc from 2.39 on takes the two others away before anything of ours runs (ld.so(8),
/// "Secure-execution mode"), and it would be started again for ever.
const AGAIN: &str = "_MSR_LITE_STARTED_AGAIN";

/// Has all threads share one arena and keep more free blocks of their own: starts this program again in its own place
/// (same process, same files) with [`ARENAS`] and [`TUNABLES`] set, which glibc reads before anything of ours runs. What
/// is set already stays. Does nothing where both are or where that was done once, and returns where the program cannot be
/// started again (no `/proc`): it then runs as it would have.
///
/// Otherwise each thread has an arena of its own, up to eight for each core. A page of the store's cache is taken from
/// the arena of whichever thread reads it and given back to that one by whichever thread needs room in the cache, so
/// that in time each arena has held a cache's worth and returns little of it: with a million tags and a cache of
/// 32 MiB, 139 MiB where 40 were in use (docs/performance.md, "Memory").
///
/// The arena has one lock, for which threads sleep at once. A request takes and gives back more than seven blocks of
/// some sizes, and so came to the lock a dozen times; whether its threads met there decided between 13 and 26 µs of CPU
/// (docs/performance.md, "Threads and memory"). Only blocks up to 1 KiB are kept by threads; the most that 32 of each
/// size can take is 1 MiB for a thread.
pub(super) fn share_one_arena() {
    let missing: Vec<_> = [ARENAS, TUNABLES].into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if cfg!(not(target_env = "gnu")) || missing.is_empty() || std::env::var_os(AGAIN).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    again.envs(missing).env(AGAIN, "1");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Comes back only if it failed.
    let _ = again.args(arguments).exec();
}

/// Has the allocator keep what a push's buffers take for those that follow.
///
/// glibc gives the free memory at the end of an arena back to the kernel as soon as it is more than 128 KiB, or twice
/// the largest block that was mapped by itself and freed (mallopt(3), `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD`). A
/// push reads into buffers of 256 KiB and has some six of them in memory; every batch that was written would go back
/// and be cleared and mapped in again, page by page, for the next one. Freeing one block of 2 MiB, of which no page is
/// ever touched, is the measure for both: up to 4 MiB stay per arena that buffers were freed in.
///
/// Measured, release build, pushes of 256 MiB in one stream over HTTP: 60,000 page faults per three pushes and 1.72 CPU
/// seconds per GiB without, some hundred and 1.60 with; 3 to 8 MiB more of peak RSS. Copying into pooled buffers
/// instead avoids the faults as well, but the copy costs as much as they do.
pub(super) fn keep_freed_buffers() {
    const MEASURE: usize = 2 << 20;
    // Unless hidden from the compiler, a block that nobody uses is not allocated at all.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(MEASURE)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Page faults of this thread that needed no disk (`proc_pid_stat(5)`, field 10).
    #[cfg(target_env = "gnu")]
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(7).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn freed_buffers_are_used_again() {
        keep_freed_buffers();
        let batch = || drop(std::hint::black_box([(); 6].map(|()| vec![1_u8; 256 * 1024])));
        batch();
        let before = faults();
        for _ in 0..20 {
            batch();
        }
        // Were they given back, every batch would cost 384 faults of 4 KiB.
        let each = (faults() - before) / 20;
        assert!(each < 40, "{each} page faults per batch");
    }
}
