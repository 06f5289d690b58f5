//! Waiting for a condition with a deadline. The only place where a test lets time pass.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for what should happen soon. Long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(25);

/// Looks again and again until `look` is `Ok`; its errors say what was seen instead.
///
/// # Errors
/// When it is not so within the time; the last thing seen is the source of the error.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    let mut seen = anyhow::anyhow!("the look itself did not end");
    // A look that hangs is cut off at the deadline, not later.
    while let Ok(look) = tokio::time::timeout_at(deadline, look()).await {
        match look {
            Ok(found) => return Ok(found),
            Err(error) => seen = error,
        }
        if Instant::now() + LOOK > deadline {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(seen.context(format!("not within {within:?}: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_failure_names_what_was_waited_for_and_what_was_seen() {
        let mut looks = 0;
        let waited = eventually::<()>("the gate is open", Duration::from_millis(60), async || {
            looks += 1;
            anyhow::bail!("gate is closed, look {looks}")
        });
        let said = format!("{:#}", waited.await.unwrap_err());
        assert!(said.contains("the gate is open") && said.contains("gate is closed"), "{said}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_ends_at_the_deadline() {
        let waited = eventually::<()>("x", Duration::from_millis(40), async || std::future::pending().await);
        assert!(format!("{:#}", waited.await.unwrap_err()).contains("did not end"));
    }
}
