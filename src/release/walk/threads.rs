use std::thread;

/// Does two things at once, where one of them mostly waits for the disk or there is a processor to spare.
pub(in crate::release) fn both<A: Send, B>(
    beside: impl FnOnce() -> A + Send,
    here: impl FnOnce() -> B,
) -> (A, B) {
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        match beside.join() {
            Ok(beside) => (beside, here),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Does the work in parts, on a few threads where there are at least `worth` pieces of it: below that a second thread
/// costs more than it saves. The results come in the order of the work.
pub(in crate::release) fn share_out<I, T, E>(
    work: &[I],
    worth: usize,
    part: impl Fn(&[I]) -> Result<Vec<T>, E> + Sync,
) -> Result<Vec<T>, E>
where
    I: Sync,
    T: Send,
    E: Send,
{
    let threads = match work.len() < worth {
        true => 1,
        false => thread::available_parallelism().map_or(1, |count| count.get().min(4)),
    };
    if threads == 1 {
        return part(work);
    }
    let part = &part;
    thread::scope(|scope| {
        let mut parts = work.chunks(work.len().div_ceil(threads));
        let first = parts.next().unwrap_or_default();
        let workers: Vec<_> = parts
            .map(|piece| scope.spawn(move || part(piece)))
            .collect();
        let mut done = part(first)?;
        for worker in workers {
            match worker.join() {
                Ok(piece) => done.extend(piece?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(done)
    })
}
