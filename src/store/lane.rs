//! One thread with one connection. Jobs that wait together are run in one transaction, each in a savepoint of its own,
//! and answered after the commit.

use super::StoreError;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// How many jobs share one commit at most, so that the first of them does not wait forever.
const BATCH: usize = 512;

/// Told whether the transaction was committed; hands the job's result to its caller.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Does its work on the connection (or is told why there is none) and says whether its effect may stay.
type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> (bool, Answer) + Send>;

/// The answer to a job that was handed in.
pub struct Handed<T, E>(oneshot::Receiver<Result<T, E>>);

impl<T, E: From<StoreError>> Future for Handed<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| Err(StoreError::Closed.into())))
    }
}

#[derive(Clone)]
pub(super) struct Lane {
    jobs: Sender<Job>,
}

impl Lane {
    pub(super) fn start(name: &str, connection: Connection, transactions: bool) -> Lane {
        let (jobs, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let work = move || serve(&connection, &inbox, transactions);
        if let Err(error) = thread.spawn(work) {
            // The inbox is dropped with the closure, so that every caller is told that the database is closed.
            tracing::error!(%error, "cannot start the database's thread");
        }
        Lane { jobs }
    }

    /// Hands the job in at once, in the order of the calls; the answer may be waited for, or not.
    pub(super) fn run<T, E>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Handed<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A flaw in one act is that act's end, and not the end of the database for all others.
            let act = |c| catch_unwind(AssertUnwindSafe(|| act(c)));
            let result = match connection.map(act) {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(StoreError::Flaw.into()),
                Err(error) => Err(error.into()),
            };
            let stays = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                let result = result.and_then(|value| Ok(committed.map(|()| value)?));
                if let Ok(value) = &result {
                    after(value);
                }
                // A caller that stopped waiting does not need the answer.
                let _ = reply.send(result);
            });
            (stays, answer)
        });
        // When nobody takes the job any more it is dropped, and with it the sender of its answer.
        let _ = self.jobs.send(job);
        Handed(answer)
    }
}

fn serve(connection: &Connection, inbox: &Receiver<Job>, transactions: bool) {
    while let Ok(first) = inbox.recv() {
        if transactions {
            commit_together(connection, first, inbox);
        } else {
            let (_, answer) = first(Ok(connection));
            tell(answer, Ok(()));
        }
    }
}

fn commit_together(connection: &Connection, first: Job, inbox: &Receiver<Job>) {
    let begun = connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(StoreError::from);
    let mut answers = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next.take() {
        answers.push(match &begun {
            // A full disk makes SQLite give up the whole transaction: whoever comes next must not write outside of one.
            Ok(()) if connection.is_autocommit() => job(Err(StoreError::Full)).1,
            Ok(()) => in_savepoint(connection, job),
            Err(error) => job(Err(error.clone())).1,
        });
        if answers.len() < BATCH {
            next = inbox.try_recv().ok();
        }
    }
    let committed = begun.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
    if committed.is_err() {
        // After a failed commit (a full disk) the transaction may still be open; the next one needs it gone.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for answer in answers {
        tell(answer, committed.clone());
    }
}

/// Whatever becomes of who is told, the next job is done.
fn tell(answer: Answer, committed: Result<(), StoreError>) {
    let told = catch_unwind(AssertUnwindSafe(|| answer(committed)));
    if told.is_err() {
        tracing::error!("a mistake after the database had done its part");
    }
}

/// A job that fails is undone alone: those that share its transaction do not pay for it.
fn in_savepoint(connection: &Connection, job: Job) -> Answer {
    if let Err(error) = connection.execute_batch("SAVEPOINT job") {
        return job(Err(error.into())).1;
    }
    let (stays, answer) = job(Ok(connection));
    let closed = connection.execute_batch(if stays {
        "RELEASE job"
    } else {
        "ROLLBACK TO job; RELEASE job"
    });
    match closed {
        Ok(()) => answer,
        Err(error) => Box::new(move |_| answer(Err(error.into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> Lane {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (n INTEGER)")
            .unwrap();
        Lane::start("test", connection, true)
    }

    async fn count(lane: &Lane) -> i64 {
        lane.run(
            |c| Ok::<_, StoreError>(c.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?),
            |_| (),
        )
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_failing_job_is_undone_alone() {
        let lane = lane();
        let good = lane.run(
            |c| Ok::<_, StoreError>(c.execute("INSERT INTO t VALUES (1)", [])?),
            |_| (),
        );
        let bad = lane.run(
            |c| {
                c.execute("INSERT INTO t VALUES (2)", [])?;
                Err::<(), _>(StoreError::Content("no".to_owned()))
            },
            |_| (),
        );
        let (good, bad) = tokio::join!(good, bad);
        assert!(good.is_ok() && bad.is_err());
        assert_eq!(count(&lane).await, 1);
    }

    #[tokio::test]
    async fn a_job_with_a_flaw_is_undone_alone_and_the_next_ones_are_done() {
        let lane = lane();
        let flaw = lane.run(
            |c| {
                c.execute("INSERT INTO t VALUES (1)", [])?;
                panic!("a flaw");
                #[allow(unreachable_code)]
                Ok::<_, StoreError>(())
            },
            |_| (),
        );
        let good = lane.run(
            |c| Ok::<_, StoreError>(c.execute("INSERT INTO t VALUES (2)", [])?),
            |_| panic!("another one"),
        );
        let (flaw, good) = tokio::join!(flaw, good);
        assert!(matches!(flaw, Err(StoreError::Flaw)), "{flaw:?}");
        // It was written, and nobody can be told.
        assert!(matches!(good, Err(StoreError::Closed)), "{good:?}");
        assert_eq!(count(&lane).await, 1);
    }

    #[tokio::test]
    async fn what_follows_a_commit_happens_in_the_order_of_commits() {
        let lane = lane();
        let (seen, order) = mpsc::channel();
        let jobs = (0..100).map(|n| {
            let seen = seen.clone();
            let lane = lane.clone();
            async move {
                lane.run(
                    move |c| Ok::<_, StoreError>(c.execute("INSERT INTO t VALUES (?1)", [n])?),
                    move |_| seen.send(n).unwrap(),
                )
                .await
                .unwrap();
            }
        });
        for job in jobs {
            job.await;
        }
        assert_eq!(
            order.try_iter().collect::<Vec<_>>(),
            (0..100).collect::<Vec<_>>()
        );
    }
}
