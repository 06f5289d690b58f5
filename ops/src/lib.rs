//! What both workloads do around their work: arguments, log, admin endpoint, readiness, tasks and shutdown,
//! and the connections to NATS and to Kubernetes. Nothing here knows what a change is for.

pub mod admin;
pub mod args;
pub mod kubernetes;
pub mod log;
pub mod namespaces;
pub mod nats;
pub mod policies;
pub mod publish;
pub mod readiness;
pub mod retry_after;
#[cfg(feature = "seeded-bugs")]
pub mod seeded;
pub mod streams;
pub mod tasks;

/// Any error, where the caller only tells of it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error with its causes on one line, for logs: `cannot reach X: connection refused`.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Runs a workload: installs the crypto provider, and turns an error into one line and an exit code.
pub async fn start<E>(run: impl Future<Output = Result<(), E>>) -> std::process::ExitCode
where
    E: AsRef<dyn std::error::Error + 'static>,
{
    // It fails only where one is installed already, and then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run.await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            std::process::ExitCode::FAILURE
        }
    }
}
