//! Foreign text on a terminal: what would move the cursor, change colours or turn the line round is
//! shown as an escape, never sent.

use std::fmt::Write as _;

/// One line of text: controls, newline and tab too, are shown as escapes.
pub(crate) fn line(text: &str) -> String {
    escape(text, false)
}

/// Text that may have several lines: newline and tab stay.
pub(crate) fn block(text: &str) -> String {
    escape(text, true)
}

/// JSON that says the same, in characters that a terminal shows: foreign ones stand in strings
/// alone, where each has an escape.
pub(crate) fn json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !is_hostile(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // A String takes everything.
            write!(shown, "\\u{unit:04x}").ok();
        }
    }
    shown
}

fn escape(text: &str, keeps_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' if keeps_lines => shown.push(character),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            '\\' => shown.push_str("\\\\"),
            _ if is_hostile(character) => {
                // A String takes everything.
                write!(shown, "\\u{{{:x}}}", u32::from(character)).ok();
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// C0, DEL, C1, line and paragraph separators, and what changes the direction of text or hides in
/// it.
const fn is_hostile(character: char) -> bool {
    matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_exact_in_characters_that_a_terminal_shows() {
        let hostile: String = ('\u{0}'..='\u{10ffff}')
            .filter(|c| is_hostile(*c))
            .collect();
        let given = serde_json::json!({ "a\u{202e}": format!("{hostile}\n\"木") });
        let shown = json(&serde_json::to_string_pretty(&given).unwrap());
        assert!(
            !shown.chars().any(|c| c != '\n' && is_hostile(c)),
            "{shown}"
        );
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, given);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_comes_through() {
        for code in 0..=0x10_ffff_u32 {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let text = line(&format!("a{character}b"));
            assert!(
                !text.chars().any(|c| c.is_control() || is_hostile(c)),
                "{code:x}: {text:?}"
            );
        }
        assert_eq!(
            line("\u{1b}[2J\u{9b}1m\u{202e}x"),
            r"\u{1b}[2J\u{9b}1m\u{202e}x"
        );
        assert_eq!(line("a\\u{1b}\nb"), r"a\\u{1b}\nb");
        assert_eq!(block("a\nb\tc\u{7}"), "a\nb\tc\\u{7}");
        assert_eq!(line("Ö 木 🪑"), "Ö 木 🪑");
    }
}
