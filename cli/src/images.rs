//! The cell IMAGES: what runs and what was submitted, as short as a person can still tell them apart. Pure.

use crate::row::Image;

/// Longest image in a table that is not wide.
const IMAGE: usize = 48;
/// Characters of an image's digest that are kept in a table that is not wide.
const DIGEST: usize = 12;

/// `old → new` of each container whose image changes; the container's name where there are several.
#[must_use]
pub fn images(images: &[Image], wide: bool) -> String {
    let name = |image: &str| if wide { image.to_owned() } else { short(image) };
    let differs = |image: &&Image| image.old.as_ref() != Some(&image.new);
    let changed: Vec<_> = images.iter().filter(differs).collect();
    let (shown, same) = if changed.is_empty() { (images.iter().collect(), true) } else { (changed, false) };
    let texts = shown.into_iter().map(|image| {
        let text = match &image.old {
            _ if same => name(&image.new),
            Some(old) => format!("{} → {}", name(old), name(&image.new)),
            None => name(&image.new),
        };
        if images.len() > 1 { format!("{}={text}", image.container) } else { text }
    });
    let texts: Vec<_> = texts.collect();
    texts.join(", ") + if same && !images.is_empty() { " (same)" } else { "" }
}

/// An image's name cut where it says least: the end of the digest, the begin of the registry.
fn short(image: &str) -> String {
    let (name, digest) = image.split_once("@sha256:").map_or((image, None), |(name, hex)| (name, Some(hex)));
    let length = name.chars().count();
    let mut text = if length > IMAGE {
        std::iter::once('…').chain(name.chars().skip(length - IMAGE + 1)).collect()
    } else {
        name.to_owned()
    };
    if let Some(hex) = digest {
        text.push('@');
        text.extend(hex.chars().take(DIGEST));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(old: Option<&str>, new: &str) -> Image {
        Image { container: "app".into(), old: old.map(str::to_owned), new: new.into() }
    }

    #[test]
    fn images_say_what_changes() {
        let digest = format!("{}@sha256:{}", "r.example/app", "a".repeat(64));
        for (list, text) in [
            (vec![image(Some("a:1"), "a:2")], "a:1 → a:2"),
            (vec![image(None, "a:2")], "a:2"),
            (vec![image(Some("a:2"), "a:2")], "a:2 (same)"),
            (vec![image(None, &digest)], "r.example/app@aaaaaaaaaaaa"),
            (vec![image(Some("a:1"), "a:2"), image(Some("b:1"), "b:1")], "app=a:1 → a:2"),
            (vec![], ""),
        ] {
            assert_eq!(images(&list, false), text);
        }
        assert_eq!(images(&[image(None, &digest)], true), digest);
        let long = short(&format!("{}/end:1", "x".repeat(80)));
        assert_eq!(
            (long.chars().count(), long.ends_with("/end:1"), long.starts_with('…')),
            (IMAGE, true, true)
        );
    }
}
