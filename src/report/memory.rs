use super::wire::Refusal;
use crate::store::{Store, told};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is remembered of one target: the numbers under which it knows messages. Each is stored as soon as it is known, so
/// that a crash behind it repeats nothing.
#[derive(Clone)]
pub struct Memory {
    store: Option<Store>,
    target: String,
}

impl Memory {
    /// The memory of that target.
    pub fn of(store: &Store, target: &str) -> Memory {
        Memory {
            store: Some(store.clone()),
            target: target.to_owned(),
        }
    }

    /// One that forgets everything at once: for examples.
    pub fn none() -> Memory {
        Memory {
            store: None,
            target: String::new(),
        }
    }

    /// What is remembered about the subject.
    pub async fn recall<T>(&self, subject: impl Into<String>) -> Result<Option<T>, Refusal>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        let (target, subject) = (self.target.clone(), subject.into());
        let read = store.read(move |c| told::recall(c, &target, &subject));
        Ok(read.await?)
    }

    /// Remembers it, in place of what was there.
    pub async fn remember<T>(&self, subject: impl Into<String>, value: T) -> Result<(), Refusal>
    where
        T: Serialize + Send + 'static,
    {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let (target, subject) = (self.target.clone(), subject.into());
        let write = store.write(move |c| told::remember(c, &target, &subject, &value));
        Ok(write.await?)
    }

    /// Forgets it: the target does not know it any more.
    pub async fn forget(&self, subject: impl Into<String>) -> Result<(), Refusal> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let (target, subject) = (self.target.clone(), subject.into());
        let write = store.write(move |c| told::forget(c, &target, &subject));
        Ok(write.await?)
    }
}
