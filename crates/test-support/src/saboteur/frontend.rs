//! What a client says to Postgres: as much of the protocol as it takes to know which statement it
//! runs.

use std::collections::BTreeMap;

/// Version 3.0, with which a session begins.
const STARTUP: u32 = 196_608;

/// One client, as far as it was heard.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    heard: Vec<u8>,
    has_begun: bool,
    /// The texts of prepared statements, by name.
    prepared: BTreeMap<Vec<u8>, String>,
    last: String,
}

impl Frontend {
    /// Takes in what the client sends; the statements that it runs with it.
    pub(super) fn hears(&mut self, bytes: &[u8]) -> Vec<String> {
        self.heard.extend_from_slice(bytes);
        let mut steps = Vec::new();
        while let Some((kind, body)) = self.next() {
            match kind {
                b'P' => self.prepares(&body),
                b'B' => steps.extend(self.binds(&body)),
                b'Q' => steps.push(self.queries(&body)),
                _ => {}
            }
        }
        steps
    }

    /// The next whole message; those before the session have no kind.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = usize::from(self.has_begun);
        let length = self.heard.get(head..head + 4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let end = head + usize::try_from(length).ok()?;
        let message = self.heard.get(..end)?.to_vec();
        self.heard.drain(..end);
        let body = message.get(head + 4..).unwrap_or_default().to_vec();
        if self.has_begun {
            return Some((*message.first()?, body));
        }
        let version = body.get(..4).and_then(|bytes| bytes.try_into().ok());
        self.has_begun = version.map(u32::from_be_bytes) == Some(STARTUP);
        Some((0, body))
    }

    fn prepares(&mut self, body: &[u8]) {
        let mut parts = body.split(|byte| *byte == 0);
        if let (Some(name), Some(text)) = (parts.next(), parts.next()) {
            let text = String::from_utf8_lossy(text).into_owned();
            self.prepared.insert(name.to_vec(), text);
        }
    }

    fn binds(&mut self, body: &[u8]) -> Option<String> {
        let name = body.split(|byte| *byte == 0).nth(1)?;
        let text = self.prepared.get(name)?.clone();
        self.last.clone_from(&text);
        Some(text)
    }

    fn queries(&mut self, body: &[u8]) -> String {
        let text = body.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        format!("{text} after {}", self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [kind, &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn statements_are_told_by_their_texts_however_they_come() {
        let ssl = message(b"", &80_877_103_u32.to_be_bytes());
        let startup = message(b"", &[&STARTUP.to_be_bytes()[..], b"user\0a\0\0"].concat());
        let parse = message(b"P", b"one\0SELECT 1\0\0\0");
        let bind = message(b"B", b"\0one\0\0\0\0\0\0\0");
        let commit = message(b"Q", b"COMMIT\0");
        let all = [ssl, startup, parse, bind, commit].concat();
        let expected = ["SELECT 1", "COMMIT after SELECT 1"];
        assert_eq!(Frontend::default().hears(&all), expected);
        let mut bytewise = Frontend::default();
        let steps: Vec<_> = all
            .iter()
            .flat_map(|byte| bytewise.hears(&[*byte]))
            .collect();
        assert_eq!(steps, expected);
    }
}
