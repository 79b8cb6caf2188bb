//! The opaque token by which a reader waits for what a writer wrote.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::Position;
use crate::generation::Generation;

/// A place in the global log of one generation of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionToken {
    /// The generation that the position belongs to.
    pub generation: Generation,
    /// The place.
    pub position: Position,
}

/// A text that is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed position token")]
pub struct MalformedToken;

impl PositionToken {
    /// The store's id, the generation's number and the position, 32 bytes in base64url without
    /// padding.
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = self.generation.store.as_bytes().to_vec();
        bytes.extend(self.generation.number.to_be_bytes());
        bytes.extend(self.position.get().to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// When it is not exactly what [`PositionToken::encode`] writes.
    pub fn decode(text: &str) -> Result<Self, MalformedToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedToken)?;
        let (store, rest) = bytes.split_first_chunk().ok_or(MalformedToken)?;
        let (number, rest) = rest.split_first_chunk().ok_or(MalformedToken)?;
        let position = rest.try_into().map_err(|_| MalformedToken)?;
        let token = Self {
            generation: Generation {
                store: Uuid::from_bytes(*store),
                number: i64::from_be_bytes(*number),
            },
            position: Position::new(i64::from_be_bytes(position)),
        };
        if token.generation.number < 1 || token.position < Position::START {
            return Err(MalformedToken);
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: i64, position: i64) -> PositionToken {
        PositionToken {
            generation: Generation {
                store: Uuid::from_u128(7),
                number,
            },
            position: Position::new(position),
        }
    }

    #[test]
    fn tokens_read_back_and_nothing_else_does() {
        for good in [token(3, 41), token(1, 0), token(i64::MAX, i64::MAX)] {
            let text = good.encode();
            assert!(text.len() <= 128);
            assert_eq!(PositionToken::decode(&text), Ok(good));
            for odd in [format!("{text}A"), format!("{text}="), text[1..].to_owned()] {
                assert_eq!(PositionToken::decode(&odd), Err(MalformedToken), "{odd}");
            }
        }
        for odd in [token(0, 1), token(1, -1)] {
            let odd = odd.encode();
            assert_eq!(PositionToken::decode(&odd), Err(MalformedToken), "{odd}");
        }
        for odd in ["", "3-41", "My0tMQ", "MS0x"] {
            assert_eq!(PositionToken::decode(odd), Err(MalformedToken), "{odd}");
        }
    }
}
