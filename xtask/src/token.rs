//! `token`: a bearer token of the development profile, signed with HS256.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, ValueEnum};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::caller;
use crate::failure::Failure;
use crate::issuer;

/// What processes that we start verify tokens with, unless the caller says otherwise. It protects
/// nothing: everybody can read it here.
pub(crate) const DEVELOPMENT_SECRET: &str = "artisan-atlas-development-secret-known-to-everyone";

const DEFAULT_NAME: &str = "artisan-atlas";

/// Who the token speaks for.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The principal's role.
    #[arg(long)]
    role: Role,
    /// The principal's id, a UUID.
    #[arg(long, value_parser = parse_uuid)]
    sub: String,
    /// How long the token is good for.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8_760))]
    hours: u32,
    /// Sets a claim to a JSON value, whatever the other options say, such as exp=1. What is no JSON
    /// is text.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = parse_claim)]
    claims: Vec<(String, Value)>,
}

/// The roles of principals.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Places orders.
    Commissioner,
    /// Makes offers and the work.
    Workshop,
    /// Runs the marketplace.
    Operator,
    /// Reads.
    Analyst,
}

impl Role {
    /// Its name in a token.
    pub(crate) fn claim(self) -> &'static str {
        match self {
            Self::Commissioner => "commissioner",
            Self::Workshop => "workshop",
            Self::Operator => "operator",
            Self::Analyst => "analyst",
        }
    }
}

/// Prints a token on standard output: of the development issuer if it runs, else signed with the
/// secret that `up` gives to its processes.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut claims = claims(options.role, &options.sub, options.hours);
    claims.extend(options.claims.iter().cloned());
    println!("{}", sign_as_configured(claims)?);
    Ok(())
}

/// A token for somebody, as [`run`] makes it.
pub(crate) fn issue(role: Role, sub: &str, hours: u32) -> Result<String, Failure> {
    sign_as_configured(claims(role, sub, hours))
}

/// A token for a day in a system that the caller's environment does not configure.
pub(crate) fn of_development(role: Role, sub: &str) -> Result<String, Failure> {
    let claims = claims_of(role, sub, 24, DEFAULT_NAME, DEFAULT_NAME);
    sign(&Value::Object(claims), DEVELOPMENT_SECRET)
}

fn claims(role: Role, sub: &str, hours: u32) -> Map<String, Value> {
    let issuer = || configured("ATLAS_JWT_ISSUER", DEFAULT_NAME);
    let issuer = issuer::running().map_or_else(issuer, issuer::url);
    let audience = configured("ATLAS_JWT_AUDIENCE", DEFAULT_NAME);
    claims_of(role, sub, hours, &issuer, &audience)
}

fn claims_of(
    role: Role,
    sub: &str,
    hours: u32,
    issuer: &str,
    audience: &str,
) -> Map<String, Value> {
    let ends = seconds_since_epoch() + u64::from(hours) * 3_600;
    [
        ("sub", json!(sub)),
        ("role", json!(role.claim())),
        ("iss", json!(issuer)),
        ("aud", json!(audience)),
        ("exp", json!(ends)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

fn configured(name: &str, default: &str) -> String {
    caller::variable(name).unwrap_or(default.to_owned())
}

fn sign_as_configured(claims: Map<String, Value>) -> Result<String, Failure> {
    if let Some(address) = issuer::running() {
        return issuer::sign(address, &Value::Object(claims));
    }
    let secret = configured("ATLAS_JWT_SECRET", DEVELOPMENT_SECRET);
    sign(&Value::Object(claims), &secret)
}

fn sign(claims: &Value, secret: &str) -> Result<String, Failure> {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Failure::Secret)?;
    mac.update(message.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Ok(format!("{message}.{signature}"))
}

/// The time of the machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a token ends by the clock of the machine; xtask has no domain"
)]
pub(crate) fn seconds_since_epoch() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn parse_uuid(text: &str) -> Result<String, &'static str> {
    let shape: String = text
        .chars()
        .map(|each| if each.is_ascii_hexdigit() { 'h' } else { each })
        .collect();
    if shape == "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh" {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("not a UUID such as 01935d3e-7c10-7a4b-9f7e-2b1d5c8e0f11")
    }
}

fn parse_claim(text: &str) -> Result<(String, Value), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            Ok((name.to_owned(), value))
        }
        _ => Err("not a name and a value, such as exp=1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7515, appendix A.1, would need its exact header; this one was made with
    /// `openssl dgst -sha256 -hmac`.
    #[test]
    fn signs_as_others_do() {
        let token = sign(&json!({"sub": "a"}), "secret").unwrap();
        assert_eq!(
            token,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIn0.qBdA9L_PTGPhu7ipY7Xs4Eol-m79U_HNIifGEFJXeJQ"
        );
    }

    #[test]
    fn takes_uuids_and_nothing_else() {
        let upper = "01935D3E-7C10-7A4B-9F7E-2B1D5C8E0F11";
        assert_eq!(parse_uuid(upper), Ok(upper.to_ascii_lowercase()));
        assert!(parse_uuid("01935d3e7c107a4b9f7e2b1d5c8e0f11").is_err());
        assert!(parse_uuid("").is_err());
    }

    #[test]
    fn a_claim_is_json_or_else_text() {
        let claim = |text| parse_claim(text).unwrap();
        assert_eq!(claim("exp=1"), ("exp".to_owned(), json!(1)));
        assert_eq!(claim("aud=[\"a\"]"), ("aud".to_owned(), json!(["a"])));
        assert_eq!(claim("role=a=b"), ("role".to_owned(), json!("a=b")));
        assert!(parse_claim("exp").is_err() && parse_claim("=1").is_err());
    }
}
