//! Subjects: whatever the names, one goes there and back, and none is wider than it says; and a subject that is
//! read is one that we would have made.

use contract::{Lane, subject::ChangeSubject};

/// Three names, separated by zero bytes; and the same bytes as a subject.
pub fn subject(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(read) = ChangeSubject::parse(&text) {
        assert_eq!(read.encode().as_deref(), Ok(&*text), "{read:?}");
    }
    let mut names = text.splitn(3, '\0').map(str::to_owned);
    let (Some(cluster), Some(namespace), Some(name)) = (names.next(), names.next(), names.next()) else {
        return;
    };
    let lane = [Lane::Urgent, Lane::Normal, Lane::Bulk][input.len() % 3];
    let subject = ChangeSubject { cluster, lane, namespace, name };
    let Ok(encoded) = subject.encode() else { return };
    assert!(
        encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=.".contains(&byte)),
        "{encoded:?}"
    );
    assert_eq!(encoded.split('.').count(), 7, "{encoded:?}");
    assert_eq!(ChangeSubject::parse(&encoded).as_ref(), Ok(&subject));
}
