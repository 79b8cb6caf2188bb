//! What a process that answers HTTP is told: where to listen, how long a request may take, whose
//! tokens to trust.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice};

use crate::config::{Faulty, Profile, Reader, Section, Variable, millis, text};

/// Reads the address in `variable` as host address and port.
///
/// # Errors
/// If it is none.
pub fn listen_address(reader: &mut Reader, variable: &Variable) -> Result<SocketAddr, Faulty> {
    reader.required(variable, |text| {
        text.parse()
            .map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8080")
    })
}

/// The bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestConfig {
    /// How long a request may take before it is answered with 504.
    pub timeout: Duration,
}

impl RequestConfig {
    /// `ATLAS_REQUEST_TIMEOUT_MS`.
    pub const TIMEOUT: Variable = Variable::with_default(
        "ATLAS_REQUEST_TIMEOUT_MS",
        "10000",
        "how long a request may take, in milliseconds",
    );
}

impl Section for RequestConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let timeout = reader.required(&Self::TIMEOUT, millis(1..=600_000));
        Ok(Self { timeout: timeout? })
    }
}

/// Whose bearer tokens are trusted.
#[derive(Debug)]
pub struct TokenConfig {
    /// The HS256 secret, by its bytes as they stand.
    pub secret: SecretSlice<u8>,
    /// The only `iss` that is taken.
    pub issuer: String,
    /// The `aud` that must be among a token's.
    pub audience: String,
}

impl TokenConfig {
    /// `ATLAS_JWT_SECRET`.
    pub const SECRET: Variable = Variable::required(
        "ATLAS_JWT_SECRET",
        "the secret that signs tokens (HS256), 32 bytes at least, in the development profile only",
    )
    .secret();
    /// `ATLAS_JWT_ISSUER`.
    pub const ISSUER: Variable = Variable::with_default(
        "ATLAS_JWT_ISSUER",
        "artisan-atlas",
        "who must have issued a token",
    );
    /// `ATLAS_JWT_AUDIENCE`.
    pub const AUDIENCE: Variable = Variable::with_default(
        "ATLAS_JWT_AUDIENCE",
        "artisan-atlas",
        "for whom a token must be meant",
    );

    const SHORTEST_SECRET: usize = 32;

    fn read_secret(reader: &mut Reader) -> Result<SecretSlice<u8>, Faulty> {
        let profile = Profile::read(reader);
        let Some(secret) = reader.bytes(&Self::SECRET).map(SecretSlice::from) else {
            return Err(reader.fault(&Self::SECRET, "is not set"));
        };
        if secret.expose_secret().len() < Self::SHORTEST_SECRET {
            return Err(reader.fault(&Self::SECRET, "is shorter than 32 bytes"));
        }
        match profile? {
            Profile::Development => Ok(secret),
            Profile::Production => Err(reader.fault(
                &Self::SECRET,
                "is refused because ATLAS_PROFILE is production, whose tokens are verified by \
                 published keys; this release has the development profile only",
            )),
        }
    }
}

impl Section for TokenConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let secret = Self::read_secret(reader);
        let issuer = reader.required(&Self::ISSUER, text);
        let audience = reader.required(&Self::AUDIENCE, text);
        Ok(Self {
            secret: secret?,
            issuer: issuer?,
            audience: audience?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_secret_is_taken_as_it_stands_and_never_shown() {
        let padded = format!("{SECRET}== \n");
        let mut reader = Reader::of([("ATLAS_JWT_SECRET", padded.as_str())]);
        let tokens = reader.read::<TokenConfig>().unwrap();
        assert_eq!(tokens.secret.expose_secret(), padded.as_bytes());
        assert!(!format!("{tokens:?}").contains(SECRET));
        assert_eq!(tokens.issuer, "artisan-atlas");
    }

    #[test]
    fn a_short_secret_and_a_production_profile_are_refused() {
        let mut short = Reader::of([("ATLAS_JWT_SECRET", "0123456789abcdef0123456789abcde")]);
        let faults = short.read::<TokenConfig>().unwrap_err().to_string();
        assert!(faults.contains("ATLAS_JWT_SECRET is shorter than 32 bytes"));

        let mut production = Reader::of([
            ("ATLAS_JWT_SECRET", SECRET),
            ("ATLAS_PROFILE", "production"),
        ]);
        let faults = production.read::<TokenConfig>().unwrap_err().to_string();
        assert!(faults.contains("ATLAS_PROFILE is production"));
    }

    #[test]
    fn an_address_needs_its_port() {
        const ADDR: Variable = Variable::with_default("T_ADDR", "127.0.0.1:80", "an address");
        let mut reader = Reader::of([("T_ADDR", "127.0.0.1")]);
        assert_eq!(listen_address(&mut reader, &ADDR), Err(Faulty));
        let mut reader = Reader::of([]);
        assert_eq!(
            listen_address(&mut reader, &ADDR),
            Ok(SocketAddr::from(([127, 0, 0, 1], 80)))
        );
    }
}
