//! Text as a position token, bare and as what a token encodes.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event_store::PositionToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for token in [text.to_owned(), URL_SAFE_NO_PAD.encode(text)] {
        if let Ok(read) = PositionToken::decode(&token) {
            assert_eq!(read.encode(), token);
        }
    }
});
