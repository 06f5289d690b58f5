//! The ledger in NATS: one key of a bucket, written with the revision that was read. The bucket is in memory: it
//! is counted again from the objects when it is lost.

use std::{future::Future, time::Duration};

use async_nats::{
    Subscriber,
    jetstream::{
        Context, kv,
        kv::{Operation, UpdateErrorKind},
        stream::StorageType,
    },
};
use bytes::Bytes;
use contract::stream::LEASES;
use ops::BoxError;

use super::Ledger;

/// Longest wait for one answer of the store.
const REQUEST: Duration = Duration::from_secs(3);

/// The store of one cluster's ledger.
pub struct Store {
    context: Context,
    replicas: usize,
    key: String,
    bucket: Option<kv::Store>,
}

/// What became of a write.
pub(super) enum Written {
    /// It stands, at this revision.
    At(u64),
    /// Somebody else wrote first.
    Conflict,
}

impl Store {
    /// `replicas` counts for a bucket that is created now.
    #[must_use]
    pub fn new(context: Context, cluster: &str, replicas: usize) -> Self {
        Self { context, replicas, key: format!("slots.{cluster}"), bucket: None }
    }

    /// Every write of the ledger by whoever, as a signal to read it again: also those that were refused.
    pub(super) async fn writes(&self) -> Result<Subscriber, BoxError> {
        within(async { Ok(self.context.client().subscribe(format!("$KV.{LEASES}.{}", self.key)).await?) })
            .await
    }

    /// The ledger and its revision; `None` where the store has none, with the revision to write at.
    pub(super) async fn read(&mut self) -> Result<(Option<Ledger>, u64), BoxError> {
        let key = self.key.clone();
        let bucket = self.bucket().await?;
        match within(async { Ok(bucket.entry(key).await?) }).await {
            // What does not parse is not ours: it is written over.
            Ok(Some(entry)) if entry.operation == Operation::Put => {
                Ok((serde_json::from_slice(&entry.value).ok(), entry.revision))
            }
            Ok(Some(entry)) => Ok((None, entry.revision)),
            Ok(None) => Ok((None, 0)),
            Err(error) => Err(self.lost(error)),
        }
    }

    pub(super) async fn write(&mut self, value: Bytes, revision: u64) -> Result<Written, BoxError> {
        let key = self.key.clone();
        let bucket = self.bucket().await?;
        match within(async { Ok(bucket.update(key, value, revision).await) }).await {
            Ok(Ok(revision)) => Ok(Written::At(revision)),
            Ok(Err(error)) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(Written::Conflict),
            Ok(Err(error)) => Err(self.lost(error.into())),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// After an error the bucket is looked up again: it may have been lost.
    fn lost(&mut self, error: BoxError) -> BoxError {
        self.bucket = None;
        error
    }

    async fn bucket(&mut self) -> Result<kv::Store, BoxError> {
        if let Some(bucket) = &self.bucket {
            return Ok(bucket.clone());
        }
        let config = kv::Config {
            bucket: LEASES.to_owned(),
            history: 1,
            storage: StorageType::Memory,
            num_replicas: self.replicas,
            ..kv::Config::default()
        };
        let bucket = within(async {
            match self.context.get_key_value(LEASES).await {
                Ok(bucket) => Ok(bucket),
                // There is none, or the look-up failed: then this fails as well, and says why.
                Err(_) => Ok(self.context.create_key_value(config).await?),
            }
        })
        .await?;
        self.bucket = Some(bucket.clone());
        Ok(bucket)
    }
}

async fn within<T>(request: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    tokio::time::timeout(REQUEST, request).await?
}
