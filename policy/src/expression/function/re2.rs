//! Patterns as Go's `regexp` reads them, written as the `regex` crate reads them: its classes `\d`, `\s`, `\w` are of
//! all scripts where Go's are of ASCII, and it knows operators in classes that Go takes literally.

/// The pattern for the `regex` crate, or why Go would refuse it, or we do.
pub fn translated(pattern: &str) -> Result<String, String> {
    let mut translated = String::with_capacity(pattern.len() * 2);
    let mut characters = pattern.chars().peekable();
    let mut class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => escape(characters.next(), class, &mut translated)?,
            '[' if class => {
                let named = characters.peek() == Some(&':');
                translated.push_str(if named { "[" } else { "\\[" });
                if named {
                    // `[:alpha:]` ends with its own bracket.
                    for character in characters.by_ref() {
                        translated.push(character);
                        if character == ']' {
                            break;
                        }
                    }
                }
            }
            '[' => {
                class = true;
                translated.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
                if characters.next_if_eq(&']').is_some() {
                    translated.push_str("\\]");
                }
            }
            ']' if class => {
                class = false;
                translated.push(']');
            }
            // Twice they are operators of the crate.
            '&' | '~' if class => translated.extend(['\\', character]),
            '-' if class && characters.peek() == Some(&'-') => {
                return Err("write '-' in a class once, at its end".to_owned());
            }
            '(' if characters.peek() == Some(&'?') => {
                translated.push('(');
                group(&mut characters, &mut translated)?;
            }
            other => translated.push(other),
        }
    }
    Ok(translated)
}

fn escape(character: Option<char>, class: bool, translated: &mut String) -> Result<(), String> {
    translated.push_str(match character {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => "[\\t\\n\\f\\r ]",
        Some('S') => "[^\\t\\n\\f\\r ]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('b') if !class => "(?-u:\\b)",
        Some(known @ ('a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P')) => {
            translated.extend(['\\', known]);
            return Ok(());
        }
        Some(known @ ('A' | 'z')) if !class => {
            translated.extend(['\\', known]);
            return Ok(());
        }
        // The crate takes a sign of any kind, as Go does, but for those that it means something by.
        Some(sign) if sign.is_ascii_punctuation() && !matches!(sign, '<' | '>') => {
            translated.extend(['\\', sign]);
            return Ok(());
        }
        Some(other) => return Err(format!("\\{other} is not supported in a pattern")),
        None => return Err("nothing after \\".to_owned()),
    });
    Ok(())
}

/// What is after `(?`: a name, or flags that Go knows.
fn group(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    translated: &mut String,
) -> Result<(), String> {
    characters.next();
    translated.push('?');
    while let Some(character) = characters.next() {
        translated.push(character);
        match character {
            ')' | ':' => return Ok(()),
            'P' | '<' => {
                for character in characters.by_ref() {
                    translated.push(character);
                    if character == '>' {
                        break;
                    }
                }
                return Ok(());
            }
            'i' | 'm' | 's' | 'U' | '-' => {}
            other => return Err(format!("(?{other} is not supported in a pattern")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_of_ascii_and_go_has_no_operators_in_them() {
        assert_eq!(translated(r"^\d+[\w.&-]$").as_deref(), Ok(r"^[0-9]+[[0-9A-Za-z_].\&-]$"));
        assert_eq!(translated("[[a]").as_deref(), Ok(r"[\[a]"));
        assert_eq!(translated("[[:alpha:]]").as_deref(), Ok("[[:alpha:]]"));
        assert_eq!(translated("[]a]").as_deref(), Ok(r"[\]a]"));
        assert!(translated("(?x) a").is_err());
        assert!(translated(r"\Qa").is_err());
        assert!(translated("(?=a)").is_err());
    }
}
