//! Bytes as a cursor, as they are and behind the mark of the list that is asked for.
#![no_main]

use axum::extract::FromRequestParts;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use fuzz::COMMANDS;
use http_edge::{Listing, Page};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fuzz_target!(|data: &[u8]| {
    let list = Listing::of(&"things");
    let empty = URL_SAFE_NO_PAD.decode(list.next(&0)).expect("base64");
    let marked = [&empty[..empty.len() - 1], data].concat();
    let raw = String::from_utf8_lossy(data).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    for cursor in [raw, URL_SAFE_NO_PAD.encode(marked)] {
        let request = Request::get(format!("/?cursor={cursor}")).body(());
        let (mut parts, ()) = request.expect("a request").into_parts();
        let page = COMMANDS.run(Page::from_request_parts(&mut parts, &()));
        let Ok(page) = page else {
            continue;
        };
        drop(page.after::<(DateTime<Utc>, Uuid)>(&list));
        drop(page.after::<Uuid>(&list));
        if let Ok(Some((number, text))) = page.after::<(i64, String)>(&list) {
            // What is read can be given out again.
            let again = list.next(&(number, &text));
            assert!(!again.is_empty() && !text.contains('\0'));
        }
    }
});
