//! JSON that expressions look at: as text, read as far as they look, or as a value that was read before.

use serde_json::Value;

/// JSON.
#[derive(Clone, Copy, Debug)]
pub enum Json<'a> {
    /// The text of an object, checked to be JSON.
    Text(&'a str),
    /// A value.
    Value(&'a Value),
}
