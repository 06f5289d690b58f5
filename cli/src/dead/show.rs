//! `kubectl roadstead dead show`: what is known of one change that was given up, and how to put it back.

use super::{args::Show, letter::GivenUp, named};
use crate::{
    connection,
    failure::Failure,
    grid::{UNKNOWN, safe},
    moment::second,
    nats::Nats,
    read::Reader,
    screen::Screen,
};

/// Prints it.
///
/// # Errors
/// When it was not given up, or cannot be read. Without NATS less is shown, and that is no error.
pub async fn run(args: &Show, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.access, args.namespace.as_deref()).await?;
    let nats = Nats::open(&args.reach, &connection).await;
    let reader = Reader::new(connection, false);
    let deployment = named(&reader, &args.name).await?;
    let mut given_up = GivenUp::of(&deployment).ok_or_else(|| {
        let name = &args.name;
        Failure::NotFound(format!(
            "no change of Deployment {name} was given up; see: kubectl roadstead get {name}"
        ))
    })?;
    match nats {
        Ok(nats) => {
            if let Err(absence) = given_up.explain(&nats).await {
                screen.note(&format!("Why cannot be shown: {absence}"));
            }
            if let Err(absence) = given_up.open(&nats).await {
                screen.note(&format!("The letter itself cannot be shown: {absence}"));
            }
        }
        Err(absence) => screen.note(&format!("Why cannot be shown without NATS: {absence}")),
    }
    let text = match args.output {
        Some(_) => serde_json::to_string_pretty(&given_up)? + "\n",
        None => text(&given_up),
    };
    screen.print(&text)
}

fn text(given_up: &GivenUp) -> String {
    let GivenUp { namespace, name, change, requested_by, buried_at, attempts, error, letter } = given_up;
    let known = |text: &Option<String>| safe(text.as_deref().unwrap_or(UNKNOWN));
    let letter = letter.as_ref();
    let error = letter.map(|letter| &letter.error).or(error.as_ref());
    let lines = [
        ("Deployment", format!("{namespace}/{name}")),
        ("Change", known(change)),
        ("Given up", known(&buried_at.as_ref().map(|time| second(time.0)))),
        ("Tries", known(&attempts.map(|attempts| attempts.to_string()))),
        ("Requester", known(requested_by)),
        ("Error", known(&error.cloned())),
        ("Message", known(&letter.map(|letter| format!("{} on {}", letter.sequence, letter.subject)))),
        ("Put back", format!("kubectl roadstead dead replay {name} -n {namespace}")),
    ];
    let lines = lines.map(|(title, text)| format!("{:<12}{text}", format!("{title}:")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead::letter::tests::dead;

    #[test]
    fn it_says_how_to_put_it_back_whatever_else_is_known() {
        let mut given_up = GivenUp::of(&dead()).unwrap();
        given_up.error = Some("no\x1b[2J".into());
        let text = text(&given_up);
        assert!(text.contains("Error:      no?[2J\n") && text.contains("Tries:      <unknown>\n"), "{text}");
        assert!(text.ends_with("Put back:   kubectl roadstead dead replay web -n shop\n"), "{text}");
    }
}
