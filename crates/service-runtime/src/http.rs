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
    /// For how long requests are taken after the process was told to stop.
    pub drain: Duration,
}

impl RequestConfig {
    /// `ATLAS_REQUEST_TIMEOUT_MS`.
    pub const TIMEOUT: Variable = Variable::with_default(
        "ATLAS_REQUEST_TIMEOUT_MS",
        "10000",
        "how long a request may take, in milliseconds",
    );
    /// `ATLAS_DRAIN_MS`.
    pub const DRAIN: Variable = Variable::optional(
        "ATLAS_DRAIN_MS",
        "for how long requests are taken after SIGTERM, in milliseconds: without it 5000 in the \
         production profile, and 0 in development",
    );
    /// Longer than balancers take to notice, asked twice a second or so.
    const DRAIN_IN_PRODUCTION: Duration = Duration::from_secs(5);

    fn read_drain(reader: &mut Reader) -> Result<Duration, Faulty> {
        let set = reader.optional(&Self::DRAIN, millis(0..=120_000));
        let unset = match Profile::read(reader)? {
            Profile::Production => Self::DRAIN_IN_PRODUCTION,
            Profile::Development => Duration::ZERO,
        };
        Ok(set?.unwrap_or(unset))
    }
}

impl Section for RequestConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let timeout = reader.required(&Self::TIMEOUT, millis(1..=600_000));
        let drain = Self::read_drain(reader);
        Ok(Self {
            timeout: timeout?,
            drain: drain?,
        })
    }
}

/// Whose bearer tokens are trusted.
#[derive(Debug)]
pub struct TokenConfig {
    /// What verifies them.
    pub keys: TokenKeys,
    /// The only `iss` that is taken.
    pub issuer: String,
    /// The `aud` that must be among a token's.
    pub audience: String,
}

/// What verifies tokens.
#[derive(Debug)]
pub enum TokenKeys {
    /// An HS256 secret, by its bytes as they stand; in the development profile only.
    Secret(SecretSlice<u8>),
    /// The JWK Set at this address: a URL of `http` or `https`, or else the path of a file.
    Published(String),
}

impl TokenConfig {
    /// `ATLAS_JWT_SECRET`.
    pub const SECRET: Variable = Variable::optional(
        "ATLAS_JWT_SECRET",
        "the secret that signs tokens (HS256), 32 bytes at least, in the development profile only",
    )
    .secret();
    /// `ATLAS_JWT_JWKS`.
    pub const JWKS: Variable = Variable::optional(
        "ATLAS_JWT_JWKS",
        "where the issuer of tokens publishes its keys (JWKS): a path, or a URL of http or https",
    );
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

    fn read_keys(reader: &mut Reader) -> Result<TokenKeys, Faulty> {
        let profile = Profile::read(reader);
        let secret = reader.bytes(&Self::SECRET).map(SecretSlice::from);
        let published = reader.optional(&Self::JWKS, key_address);
        let production = profile == Ok(Profile::Production);
        if production && secret.is_some() {
            return Err(reader.fault(
                &Self::SECRET,
                "is refused because ATLAS_PROFILE is production: set ATLAS_JWT_JWKS instead",
            ));
        }
        match (secret, published?) {
            (Some(_), Some(_)) => Err(reader.fault(
                &Self::SECRET,
                "is set beside ATLAS_JWT_JWKS, and only one of them can be trusted: unset the other",
            )),
            (Some(secret), None) if secret.expose_secret().len() < Self::SHORTEST_SECRET => {
                Err(reader.fault(&Self::SECRET, "is shorter than 32 bytes"))
            }
            (Some(secret), None) => Ok(TokenKeys::Secret(secret)),
            (None, Some(address)) => Ok(TokenKeys::Published(address)),
            (None, None) if production => Err(reader.fault(&Self::JWKS, "is not set")),
            (None, None) => {
                Err(reader.fault(&Self::SECRET, "is not set, and neither is ATLAS_JWT_JWKS"))
            }
        }
    }
}

fn key_address(address: &str) -> Result<String, &'static str> {
    match address.split_once("://") {
        None | Some(("http" | "https", _)) => Ok(address.to_owned()),
        Some(_) => Err("expected the path of a file, or a URL of http or https"),
    }
}

impl Section for TokenConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let keys = Self::read_keys(reader);
        let issuer = reader.required(&Self::ISSUER, text);
        let audience = reader.required(&Self::AUDIENCE, text);
        Ok(Self {
            keys: keys?,
            issuer: issuer?,
            audience: audience?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn faults<const N: usize>(variables: [(&str, &str); N]) -> String {
        let outcome = Reader::of(variables).read::<TokenConfig>();
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn a_secret_is_taken_as_it_stands_and_never_shown() {
        let padded = format!("{SECRET}== \n");
        let mut reader = Reader::of([("ATLAS_JWT_SECRET", padded.as_str())]);
        let tokens = reader.read::<TokenConfig>().unwrap();
        let TokenKeys::Secret(secret) = &tokens.keys else {
            panic!("{tokens:?}")
        };
        assert_eq!(secret.expose_secret(), padded.as_bytes());
        assert!(!format!("{tokens:?}").contains(SECRET));
        assert_eq!(tokens.issuer, "artisan-atlas");
    }

    #[test]
    fn published_keys_are_at_a_path_or_a_url() {
        for address in ["keys.json", "/etc/keys.json", "https://issuer.example/keys"] {
            let mut reader =
                Reader::of([("ATLAS_JWT_JWKS", address), ("ATLAS_PROFILE", "production")]);
            let tokens = reader.read::<TokenConfig>().unwrap();
            assert!(
                matches!(&tokens.keys, TokenKeys::Published(read) if read == address),
                "{tokens:?}"
            );
        }
        let foreign = faults([("ATLAS_JWT_JWKS", "ftp://issuer.example/keys")]);
        assert!(
            foreign.contains("ATLAS_JWT_JWKS cannot be read"),
            "{foreign}"
        );
    }

    #[test]
    fn one_of_secret_and_published_keys_is_trusted_and_a_secret_only_in_development() {
        let production = ("ATLAS_PROFILE", "production");
        let (secret, keys) = (("ATLAS_JWT_SECRET", SECRET), ("ATLAS_JWT_JWKS", "keys"));
        for (found, expected) in [
            (
                faults([]),
                "ATLAS_JWT_SECRET is not set, and neither is ATLAS_JWT_JWKS",
            ),
            (faults([production]), "ATLAS_JWT_JWKS is not set"),
            (
                faults([secret, production]),
                "ATLAS_JWT_SECRET is refused because",
            ),
            (
                faults([secret, keys, production]),
                "ATLAS_JWT_SECRET is refused because",
            ),
            (
                faults([secret, keys]),
                "ATLAS_JWT_SECRET is set beside ATLAS_JWT_JWKS",
            ),
            (
                faults([("ATLAS_JWT_SECRET", "0123456789abcdef0123456789abcde")]),
                "ATLAS_JWT_SECRET is shorter than 32 bytes",
            ),
        ] {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn production_drains_by_itself_and_development_does_not() {
        const PRODUCTION: (&str, &str) = ("ATLAS_PROFILE", "production");
        let drain = |outcome: Result<RequestConfig, _>| outcome.unwrap().drain.as_millis();
        assert_eq!(drain(Reader::of([]).read()), 0);
        assert_eq!(drain(Reader::of([PRODUCTION]).read()), 5000);
        for (set, read) in [("0", 0), ("700", 700)] {
            let set = ("ATLAS_DRAIN_MS", set);
            assert_eq!(drain(Reader::of([PRODUCTION, set]).read()), read);
            assert_eq!(drain(Reader::of([set]).read()), read);
        }
        let mut reader = Reader::of([("ATLAS_DRAIN_MS", "long")]);
        assert!(reader.read::<RequestConfig>().is_err());
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
