//! The development issuer of a system: started on demand, and asked for tokens.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dev_servers::Process;
use serde_json::Value;

use crate::caller;
use crate::children;
use crate::failure::Failure;
use crate::people::Person;
use crate::workspace;

/// Where it listens.
pub(crate) const ADDRESS: &str = "ATLAS_ISSUER_ADDR";
/// Its port, unless the caller says otherwise.
pub(crate) const PORT: u16 = 8_083;
/// The client that the pages are to it.
const CLIENT: &str = "artisan-atlas-pages";
/// How long it may take to sign, if it is there at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Starts it for pages of these origins.
pub(crate) fn start(
    address: SocketAddr,
    origins: &[String],
    people: &[Person],
    release: bool,
    logs: &Path,
) -> Result<Process, Failure> {
    let mut issuer = Command::new(workspace::program("dev-issuer", release));
    let audience = caller::variable("ATLAS_JWT_AUDIENCE");
    issuer
        .args(["--listen", &address.to_string(), "--client", CLIENT])
        .args(["--audience", audience.as_deref().unwrap_or("artisan-atlas")]);
    for origin in origins {
        issuer.args(["--origin", origin]);
    }
    for person in people {
        issuer.args(["--person", &person.argument()]);
    }
    children::start("dev-issuer", issuer, logs)
}

/// What the processes are told of it.
pub(crate) fn configuration(address: SocketAddr) -> [(String, String); 3] {
    let variable = |name: &str, value: String| (name.to_owned(), value);
    [
        variable("ATLAS_JWT_ISSUER", url(address)),
        variable("ATLAS_JWT_JWKS", format!("{}/jwks", url(address))),
        variable("ATLAS_PAGES_CLIENT_ID", CLIENT.to_owned()),
    ]
}

/// Its name, which is also where it is.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The address of the issuer that runs, if one does: where the caller says, or by default.
pub(crate) fn running() -> Option<SocketAddr> {
    let default = || format!("127.0.0.1:{PORT}");
    let address = caller::variable(ADDRESS).unwrap_or_else(default);
    let address = address.parse().ok()?;
    let status = crate::http::status(address, "/jwks").ok()?;
    (status == 200).then_some(address)
}

/// A token of these claims, signed with its key.
pub(crate) fn sign(address: SocketAddr, claims: &Value) -> Result<String, Failure> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWERED_WITHIN))
        .build();
    let answer = ureq::Agent::new_with_config(config)
        .post(format!("{}/sign", url(address)))
        .header("content-type", "application/json")
        .send(claims.to_string())
        .and_then(|mut answer| answer.body_mut().read_to_string());
    answer.map_err(|source| Failure::Issuer(source.into()))
}
