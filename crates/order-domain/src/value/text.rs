//! Texts: trimmed, bounded in Unicode scalar values, free of control characters but newline and
//! tab. A stored text is read as it stands, whatever the rules have become since.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FaultKind;

/// Trims a text and holds it against the rules.
fn read(text: &str, max: usize) -> Result<String, FaultKind> {
    let trimmed = text.trim();
    let actual = trimmed.chars().count();
    if !(1..=max).contains(&actual) {
        return Err(FaultKind::TextLength { max, actual });
    }
    if trimmed
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(FaultKind::ControlCharacter);
    }
    Ok(trimmed.to_owned())
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have, in Unicode scalar values.
            pub const MAX: usize = $max;

            /// Reads a client's text, trimmed.
            ///
            /// # Errors
            /// It is blank, too long, or holds a control character.
            pub fn parse(text: &str) -> Result<Self, FaultKind> {
                read(text, Self::MAX).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// What a request is called.
    Title, 200
}
text! {
    /// What is asked for, in the commissioner's words.
    Brief, 10_000
}
text! {
    /// The name of an entry of the directory.
    WorkshopName, 200
}
text! {
    /// What a workshop offers, in its words.
    OfferDescription, 5_000
}
text! {
    /// What a stage is called; unique in its offer.
    StageName, 120
}
text! {
    /// What a stage is about.
    StageDescription, 2_000
}
text! {
    /// Why somebody declines, withdraws or cancels.
    Reason, 2_000
}
text! {
    /// What one side has to know: what is to be changed, or why a dispute was resolved so.
    Note, 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_trimmed() {
        assert_eq!(
            Title::parse(" \n Oak table\t ").unwrap().as_str(),
            "Oak table"
        );
    }

    #[test]
    fn length_counts_scalar_values_after_trimming() {
        let longest = format!("  {}  ", "ä".repeat(200));
        assert!(Title::parse(&longest).is_ok());
        assert_eq!(
            Title::parse(&"🪑".repeat(201)),
            Err(FaultKind::TextLength {
                max: 200,
                actual: 201
            })
        );
        // A family emoji is one glyph and seven scalar values.
        assert!(StageName::parse(&"👨‍👩‍👧‍👦".repeat(17)).is_ok());
        assert!(StageName::parse(&"👨‍👩‍👧‍👦".repeat(18)).is_err());
    }

    #[test]
    fn a_blank_text_is_refused() {
        for blank in ["", " ", "\n\t", "\u{a0}\u{2003}"] {
            assert_eq!(
                Reason::parse(blank),
                Err(FaultKind::TextLength {
                    max: 2_000,
                    actual: 0
                }),
                "{blank:?}"
            );
        }
    }

    #[test]
    fn newline_and_tab_are_the_only_control_characters() {
        assert!(Brief::parse("a\n\tb").is_ok());
        for bad in ["a\rb", "a\0b", "a\u{7f}b", "a\u{85}b", "a\u{1b}[0m"] {
            assert_eq!(
                Brief::parse(bad),
                Err(FaultKind::ControlCharacter),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_stored_text_is_read_as_it_stands() {
        for stored in ["Oak table", "", " a ", "Oak\u{7}table", &"x".repeat(250)] {
            let json = serde_json::to_string(stored).unwrap();
            let title: Title = serde_json::from_str(&json).unwrap();
            assert_eq!(title.as_str(), stored);
            assert_eq!(serde_json::to_string(&title).unwrap(), json);
        }
    }
}
