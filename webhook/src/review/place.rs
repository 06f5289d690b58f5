//! Where a member stands in the text of a review that was read before, for those who look closer than the decision
//! does: the text is JSON already, so that only strings and brackets count, and nothing behind the member is looked at.

/// The text of the value at a path of members; `None` where there is no such member, or it is written with escapes.
pub(super) fn value<'t>(text: &'t str, path: &[&str]) -> Option<&'t str> {
    let mut at = blank(text, 0);
    for member in path {
        at = self::member(text, at, member)?;
    }
    text.get(at..end(text, at)?)
}

/// The values of some members of an object that begins at a path, in one pass over it; and the object itself.
pub(super) fn values<'t, const N: usize>(
    text: &'t str,
    path: &[&str],
    members: [&str; N],
) -> Option<(&'t str, [Option<&'t str>; N])> {
    let mut begin = blank(text, 0);
    for member in path {
        begin = self::member(text, begin, member)?;
    }
    let (mut found, mut at) = ([None; N], begin);
    while let Some((name, value)) = next(text, at) {
        let end = end(text, value)?;
        if let Some(which) = members.iter().position(|member| *member == name) {
            found[which] = text.get(value..end);
        }
        at = end;
    }
    let close = blank(text, if at == begin { at + 1 } else { at });
    Some((text.get(begin..=close)?, found))
}

/// Where the value of a member begins, in the object that begins at a place.
fn member(text: &str, object: usize, member: &str) -> Option<usize> {
    let mut at = object;
    loop {
        let (name, value) = next(text, at)?;
        if name == member {
            return Some(value);
        }
        at = end(text, value)?;
    }
}

/// The name of the member after a place (the beginning of an object, or the end of a member's value), and where its
/// value begins.
fn next(text: &str, at: usize) -> Option<(&str, usize)> {
    let at = blank(text, at);
    // The bracket that opens the object, or the comma after a member.
    matches!(text.as_bytes().get(at)?, b'{' | b',').then_some(())?;
    let name = blank(text, at + 1);
    let end = string(text.as_bytes(), name)?;
    let colon = blank(text, end);
    Some((text.get(name + 1..end - 1)?, blank(text, colon + 1)))
}

/// The place after the blanks at a place.
fn blank(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The place after the value that begins at a place.
fn end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => string(bytes, at),
        b'{' | b'[' => {
            let (mut at, mut depth) = (at, 0_usize);
            loop {
                match bytes.get(at)? {
                    b'"' => {
                        at = string(bytes, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            let rest = bytes.get(at..)?;
            Some(at + rest.iter().position(ends).unwrap_or(rest.len()))
        }
    }
}

/// The place after the string that begins at a place.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    (*bytes.get(at)? == b'"').then_some(())?;
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const TEXT: &str = " { \"a\" : [1, {\"b\": \"}\\\"\"}] ,\"c\":{\"d\":-1.5e3 , \"e\":null},\"f\":{}} ";

    #[test]
    fn values_are_found_at_any_depth_whatever_stands_between() {
        for (path, found) in [
            (&["a"][..], Some(r#"[1, {"b": "}\""}]"#)),
            (&["c"], Some(r#"{"d":-1.5e3 , "e":null}"#)),
            (&["c", "d"], Some("-1.5e3")),
            (&["c", "e"], Some("null")),
            (&["f"], Some("{}")),
            (&["f", "a"], None),
            (&["g"], None),
            (&["a", "b"], None),
        ] {
            assert_eq!(value(TEXT, path), found, "{path:?}");
        }
        assert_eq!(
            values(TEXT, &["c"], ["e", "x"]),
            Some((r#"{"d":-1.5e3 , "e":null}"#, [Some("null"), None]))
        );
        assert_eq!(values(TEXT, &["f"], ["e"]), Some(("{}", [None])));
    }

    /// JSON of a few levels, with texts that look like its syntax.
    fn json() -> impl Strategy<Value = Value> {
        let text = r#"[a"\\{}\[\],: é]{0,4}"#;
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), text.prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_parser_finds(json in json(), path in prop::collection::vec("[abc]", 0..4)) {
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let expected = path.iter().try_fold(&json, |value, member| value.as_object()?.get(*member));
                let found = value(&text, &path).map(|text| serde_json::from_str::<Value>(text).unwrap());
                prop_assert_eq!(found.as_ref(), expected);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", path in prop::collection::vec("[abc]", 0..3)) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let _ = (value(&text, &path), values(&text, &path, ["a"]));
        }
    }
}
