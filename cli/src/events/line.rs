//! One event as a line. Pure.

use contract::{ChangeEvent, ChangeProgress, envelope::Payload};
use serde::Deserialize;
use serde_json::Value;

use super::args::EventsOutput;
use crate::grid::{painted, safe};

/// The envelope of a message.
#[derive(Debug, Deserialize)]
pub struct Event {
    id: String,
    r#type: String,
    time: String,
    data: Value,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Nothing: a sentence for people.
    pub output: Option<EventsOutput>,
    /// The phase in colour.
    pub colour: bool,
    /// How far rollouts are, too.
    pub progress: bool,
}

impl Event {
    /// The event in a message; `None` where it is none.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }

    /// What tells it from others: one that is told of again has the same.
    #[must_use]
    pub fn key(&self) -> (String, String) {
        (self.id.clone(), self.time.clone())
    }

    /// The line; `None` where it is not asked for. JSON escapes what would end a line or move a cursor.
    #[must_use]
    pub fn line(&self, style: Style) -> Option<String> {
        let is_progress = self.r#type == ChangeProgress::TYPE;
        if is_progress && !style.progress {
            return None;
        }
        Some(match style.output {
            Some(EventsOutput::Cloudevents) => self.whole(),
            Some(EventsOutput::Json) => {
                let mut data = self.data.clone();
                data["time"] = self.time.clone().into();
                format!("{data}\n")
            }
            None => self.sentence(is_progress, style.colour),
        })
    }

    fn whole(&self) -> String {
        let Self { id, r#type, time, data, rest } = self;
        let mut whole = rest.clone();
        let own = [("id", id), ("type", r#type), ("time", time)];
        whole.extend(own.map(|(key, value)| (key.to_owned(), Value::from(value.as_str()))));
        whole.insert("data".to_owned(), data.clone());
        format!("{}\n", Value::from(whole))
    }

    fn sentence(&self, is_progress: bool, colour: bool) -> String {
        let text = |key: &str| safe(self.data[key].as_str().unwrap_or_default());
        let (phase, message) = if is_progress {
            let count = |key: &str| self.data[key].as_i64().unwrap_or_default();
            let (updated, wanted, available) = (count("updated"), count("wanted"), count("available"));
            ("progress".to_owned(), format!("{updated} of {wanted} updated, {available} available"))
        } else if self.r#type == ChangeEvent::TYPE {
            (text("phase"), text("message"))
        } else {
            (safe(&self.r#type), "of a later version".to_owned())
        };
        let gap = " ".repeat(10_usize.saturating_sub(phase.chars().count()));
        // Fractions of a second say nothing to people.
        let time = safe(&self.time);
        let time = time.split_once('.').map_or(time.as_str(), |(second, _)| second).trim_end_matches('Z');
        let (phase, place) = (painted(&phase, colour), format!("{}/{}", text("namespace"), text("name")));
        format!("{time}Z  {phase}{gap}  {place}  {}  {message}\n", text("change"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(more: &Value) -> Event {
        let mut event = json!({
            "specversion": "1.0", "id": "u-1.abc.held", "source": "/roadstead/east", "type": ChangeEvent::TYPE,
            "subject": "shop/web", "time": "2026-01-01T10:00:00.123456789Z", "datacontenttype": "application/json",
            "data": {"namespace": "shop", "name": "web", "change": "abcdefghij", "phase": "held",
                     "message": "waits\x1b[2J\nnow"},
        });
        json_patch::merge(&mut event, more);
        Event::of(event.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_a_sentence_and_moves_no_cursor() {
        let line = event(&json!({})).line(Style::default()).unwrap();
        assert_eq!(line, "2026-01-01T10:00:00Z  held        shop/web  abcdefghij  waits?[2J?now\n");
        let coloured = event(&json!({})).line(Style { colour: true, ..Style::default() }).unwrap();
        assert!(coloured.contains("\x1b[33mheld\x1b[0m        shop/web"), "{coloured}");
    }

    #[test]
    fn a_program_gets_one_object_a_line() {
        for (output, key, value) in [
            (EventsOutput::Cloudevents, "specversion", json!("1.0")),
            (EventsOutput::Cloudevents, "id", json!("u-1.abc.held")),
            (EventsOutput::Json, "phase", json!("held")),
            (EventsOutput::Json, "time", json!("2026-01-01T10:00:00.123456789Z")),
        ] {
            let line = event(&json!({})).line(Style { output: Some(output), ..Style::default() }).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let read: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read[key], value);
        }
    }

    #[test]
    fn progress_is_told_only_to_who_asks_for_it() {
        let progress = event(&json!({
            "type": ChangeProgress::TYPE, "data": {"phase": null, "updated": 1, "wanted": 3, "available": 2},
        }));
        assert_eq!(progress.line(Style::default()), None);
        let line = progress.line(Style { progress: true, ..Style::default() }).unwrap();
        assert!(line.ends_with("progress    shop/web  abcdefghij  1 of 3 updated, 2 available\n"), "{line}");
        assert!(Event::of(b"nonsense").is_none() && Event::of(b"{}").is_none());
    }
}
