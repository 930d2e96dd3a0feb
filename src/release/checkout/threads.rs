use std::thread;

/// How many threads share the work on so many paths; below `worth` of them a second one costs more than it saves.
pub(super) fn sharing(paths: usize, worth: usize) -> usize {
    if paths < worth {
        return 1;
    }
    thread::available_parallelism().map_or(1, |count| count.get().min(4))
}
