//! Asks the API server whose a token is. Answers are remembered for a while, and only so many questions are asked in a
//! second: whoever connects again and again must not become a load on the API server.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, Client, api::PostParams};
use ops::chain;
use sha2::{Digest as _, Sha256};

use super::account::Account;

/// How long an answer counts: a token that is taken back goes on for as much longer.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Answers that are remembered; beyond, all are forgotten.
const ANSWERS: usize = 10_000;
/// Questions to the API server in a second, over all clients.
const RATE: f64 = 20.0;
/// Longest wait for the API server: servers wait two seconds for all of it.
const REVIEW: Duration = Duration::from_millis(1_500);

/// What is known of a token: of its digest, so that no token is kept.
type Known = HashMap<[u8; 32], (Instant, Result<Account, String>)>;

pub(super) struct Reviews {
    api: Api<TokenReview>,
    audience: String,
    known: Mutex<Known>,
    budget: Mutex<Budget>,
}

impl Reviews {
    pub(super) fn new(client: Client, audience: String) -> Self {
        let budget = Mutex::new(Budget { left: RATE, at: Instant::now() });
        Self { api: Api::all(client), audience, known: Mutex::default(), budget }
    }

    /// Whose token it is, or why it is nobody's. The reason holds nothing of the token.
    pub(super) async fn who(&self, token: &str) -> Result<Account, String> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = lock(&self.known).get(&digest).filter(|(at, _)| at.elapsed() < REMEMBERED).cloned();
        if let Some((_, answer)) = known {
            return answer;
        }
        if !lock(&self.budget).take(Instant::now()) {
            return Err("too many clients connect at the same time; try again".to_owned());
        }
        let answer = match tokio::time::timeout(REVIEW, self.review(token)).await {
            Ok(Ok(answer)) => answer,
            // Not remembered: it says nothing of the token.
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "the API server does not review tokens");
                return Err("the API server does not answer; try again".to_owned());
            }
            Err(_) => return Err("the API server does not answer; try again".to_owned()),
        };
        let mut known = lock(&self.known);
        if known.len() >= ANSWERS {
            known.clear();
        }
        known.insert(digest, (Instant::now(), answer.clone()));
        answer
    }

    async fn review(&self, token: &str) -> Result<Result<Account, String>, kube::Error> {
        let audiences = Some(vec![self.audience.clone()]);
        let spec = TokenReviewSpec { token: token.to_owned(), audiences };
        let review = TokenReview { spec, ..TokenReview::default() };
        let answer = self.api.create(&PostParams::default(), &review).await?;
        let status = answer.status.unwrap_or_default();
        // An API server that knows nothing of audiences would take a token that was made for anybody.
        let meant = status.audiences.iter().flatten().any(|audience| *audience == self.audience);
        if status.authenticated != Some(true) || !meant {
            return Ok(Err(format!("the token is void, or not made for the audience {}", self.audience)));
        }
        Ok(Account::of(&status.user.and_then(|user| user.username).unwrap_or_default()))
    }
}

/// Fills up by [`RATE`] a second.
struct Budget {
    left: f64,
    at: Instant,
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * RATE).min(RATE);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_questions_are_asked_in_a_second() {
        let begun = Instant::now();
        let mut budget = Budget { left: RATE, at: begun };
        let asked = |budget: &mut Budget, at| (0..100).filter(|_| budget.take(at)).count();
        assert_eq!(asked(&mut budget, begun), 20);
        assert_eq!(asked(&mut budget, begun + Duration::from_millis(500)), 10);
        assert_eq!(asked(&mut budget, begun + Duration::from_mins(5)), 20);
    }
}
