//! Who is named as the one to ask, where nobody else is: the user, by the name that the API server knows.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};

use crate::{failure::Failure, steer::desk::Desk, trouble::within};

/// Longest owner that a freeze takes, in characters.
const OWNER: usize = 128;

/// The user's name, as the API server knows it.
///
/// # Errors
/// When it does not say.
pub async fn whoami(desk: &Desk) -> Result<String, Failure> {
    let api = Api::<SelfSubjectReview>::all(desk.client.clone());
    let asked = within(api.create(&PostParams::default(), &SelfSubjectReview::default())).await;
    let review = asked.map_err(|trouble| {
        let failure = desk.failure("ask who you are", trouble, "system:basic-user");
        match failure {
            Failure::Forbidden(told) => {
                Failure::Forbidden(format!("{told}; or say who can be asked: --owner"))
            }
            failure => failure,
        }
    })?;
    let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    let name: String =
        name.unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(OWNER).collect();
    if name.is_empty() {
        return Err(Failure::Usage(
            "the API server does not say who you are: say who can be asked: --owner".to_owned(),
        ));
    }
    Ok(name)
}
