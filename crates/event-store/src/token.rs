//! The opaque token by which a reader waits for what a writer wrote.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Position;

/// A place in the global log of one generation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionToken {
    /// The generation that the position belongs to.
    pub generation: i64,
    /// The place.
    pub position: Position,
}

/// A text that is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed position token")]
pub struct MalformedToken;

impl PositionToken {
    /// `<generation>-<position>` in base64url without padding.
    #[must_use]
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}-{}", self.generation, self.position))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// When it is not exactly what [`PositionToken::encode`] writes.
    pub fn decode(text: &str) -> Result<Self, MalformedToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedToken)?;
        let plain = String::from_utf8(bytes).map_err(|_| MalformedToken)?;
        let (generation, position) = plain.split_once('-').ok_or(MalformedToken)?;
        let token = Self {
            generation: generation.parse().map_err(|_| MalformedToken)?,
            position: Position::new(position.parse().map_err(|_| MalformedToken)?),
        };
        if token.generation < 1 || token.position < Position::START || token.encode() != text {
            return Err(MalformedToken);
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_nothing_else_does() {
        let token = PositionToken {
            generation: 3,
            position: Position::new(41),
        };
        assert_eq!(PositionToken::decode(&token.encode()), Ok(token));
        for odd in ["", "3-41", "My0tMQ", "MC00MQ", "Mys0MQ"] {
            assert_eq!(PositionToken::decode(odd), Err(MalformedToken), "{odd}");
        }
    }
}
