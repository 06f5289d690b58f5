//! What the streams have kept, read message by message: without a consumer, which nobody but the executor may make.
//! <https://docs.nats.io/reference/reference-protocols/nats_api_reference>

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::future::try_join_all;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Absence, Nats};

/// `JetStream`'s codes for a message and a stream that are not there.
/// <https://github.com/nats-io/nats-server/blob/main/server/errors.json>
const NO_MESSAGE: u64 = 10037;
const NO_STREAM: u64 = 10059;

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the stream.
    pub sequence: u64,
    /// When the stream took it.
    pub time: Timestamp,
    /// What it says.
    pub payload: Vec<u8>,
}

/// A stream.
#[derive(Clone, Debug, Deserialize)]
pub struct Kept {
    /// What it is like.
    pub config: Value,
    /// What is in it.
    pub state: State,
}

/// What is in a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct State {
    /// Messages.
    pub messages: u64,
    /// Sequence of the oldest.
    pub first_seq: u64,
    /// Sequence of the newest.
    pub last_seq: u64,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Message {
    seq: u64,
    time: Timestamp,
    #[serde(default)]
    data: String,
}

impl Nats {
    /// The stream; `None` where there is none.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn stream(&self, stream: &str) -> Result<Option<Kept>, Absence> {
        let answer = self.ask(format!("$JS.API.STREAM.INFO.{stream}"), String::new()).await?;
        read(&answer, "", NO_STREAM)
    }

    /// The consumers of a stream, as the server tells of them.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn consumers(&self, stream: &str) -> Result<Vec<Value>, Absence> {
        let mut all = Vec::new();
        loop {
            let from = json!({ "offset": all.len() }).to_string();
            let answer = self.ask(format!("$JS.API.CONSUMER.LIST.{stream}"), from).await?;
            let page: Vec<Value> = read(&answer, "consumers", NO_STREAM)?.unwrap_or_default();
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
            if all.len() as u64 >= total(&answer) {
                return Ok(all);
            }
        }
    }

    /// The first message from a sequence on whose subject matches; `None`: there is none.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn next(&self, stream: &str, filter: &str, from: u64) -> Result<Option<Stored>, Absence> {
        self.message(stream, &json!({ "seq": from, "next_by_subj": filter })).await
    }

    /// Everything that is kept from a sequence on, of several filters that have nothing in common, in the stream's order.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn kept(&self, stream: &str, filters: &[String], from: u64) -> Result<Vec<Stored>, Absence> {
        let of_one = |filter: &String| {
            let filter = filter.clone();
            async move {
                let (mut found, mut from) = (Vec::new(), from);
                while let Some(next) = self.next(stream, &filter, from).await? {
                    from = next.sequence + 1;
                    found.push(next);
                }
                Ok::<_, Absence>(found)
            }
        };
        let found = try_join_all(filters.iter().map(of_one)).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_key(|message| message.sequence);
        Ok(found)
    }

    /// The newest message of a subject; `None`: there is none.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn last(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Absence> {
        self.message(stream, &json!({ "last_by_subj": subject })).await
    }

    /// Takes a message out of a stream.
    ///
    /// # Errors
    /// When NATS does not do it.
    pub async fn delete(&self, stream: &str, sequence: u64) -> Result<(), Absence> {
        let which = json!({ "seq": sequence, "no_erase": true }).to_string();
        let answer = self.ask(format!("$JS.API.STREAM.MSG.DELETE.{stream}"), which).await?;
        read::<bool>(&answer, "success", NO_MESSAGE).map(drop)
    }

    /// Sequence of the first message that a stream took at that time or later; after the last one where there is none.
    ///
    /// # Errors
    /// When NATS does not say.
    pub async fn first_since(&self, stream: &str, time: Timestamp) -> Result<u64, Absence> {
        let Some(Kept { state, .. }) = self.stream(stream).await? else { return Ok(1) };
        let (mut low, mut high) = (state.first_seq, state.last_seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.next(stream, ">", middle).await? {
                Some(found) if found.time < time => low = found.sequence + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    async fn message(&self, stream: &str, which: &Value) -> Result<Option<Stored>, Absence> {
        let answer = self.ask(format!("$JS.API.STREAM.MSG.GET.{stream}"), which.to_string()).await?;
        let Some(Message { seq, time, data }) = read(&answer, "message", NO_MESSAGE)? else {
            return Ok(None);
        };
        let payload = BASE64_STANDARD.decode(data).map_err(|error| unclear(&error))?;
        Ok(Some(Stored { sequence: seq, time, payload }))
    }
}

/// A field of an answer, or all of it; `None` where the server says that there is no such thing.
fn read<T: DeserializeOwned>(answer: &[u8], field: &str, none: u64) -> Result<Option<T>, Absence> {
    let mut answer: Value = serde_json::from_slice(answer).map_err(|error| unclear(&error))?;
    if let Some(error) = answer.get_mut("error").map(Value::take) {
        let Refusal { err_code, description } =
            serde_json::from_value(error).map_err(|error| unclear(&error))?;
        let refused = || Absence::Away(format!("NATS says: {}", description.replace(char::is_control, " ")));
        return if err_code == none || err_code == NO_STREAM { Ok(None) } else { Err(refused()) };
    }
    let value = if field.is_empty() { answer } else { answer[field].take() };
    if value.is_null() {
        Ok(None)
    } else {
        serde_json::from_value(value).map(Some).map_err(|error| unclear(&error))
    }
}

fn total(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["total"].as_u64().unwrap_or_default()
}

fn unclear(error: &dyn std::fmt::Display) -> Absence {
    Absence::Away(format!("NATS answered what this program does not understand: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_nothing_and_a_refusal_is_told() {
        let gone = br#"{"error": {"code": 404, "err_code": 10037, "description": "no message found"}}"#;
        assert_eq!(read::<Value>(gone, "message", NO_MESSAGE), Ok(None));
        let refused = br#"{"error": {"code": 503, "err_code": 10008, "description": "no\nquorum"}}"#;
        let said = read::<Value>(refused, "message", NO_MESSAGE).unwrap_err().to_string();
        assert_eq!(said, "NATS says: no quorum");
        assert!(read::<Value>(b"", "message", NO_MESSAGE).is_err());
    }

    #[test]
    fn a_message_is_read_with_its_time() {
        let answer =
            br#"{"message": {"subject": "a", "seq": 7, "data": "e30=", "time": "2026-01-01T10:00:00.5Z"}}"#;
        let Message { seq, time, data } = read(answer, "message", NO_MESSAGE).unwrap().unwrap();
        assert_eq!((seq, time.to_string().as_str(), data.as_str()), (7, "2026-01-01T10:00:00.5Z", "e30="));
    }
}
