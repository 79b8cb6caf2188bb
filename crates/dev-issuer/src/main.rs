//! `dev-issuer` is an OpenID Connect issuer for development: authorization code with PKCE, refresh
//! tokens, keys as a JWK Set, and a page that asks who you are.
//!
//! Deliberately absent: passwords, registration of clients, and anything on disk. Whoever reaches it
//! can be anybody, so it listens on the loopback interface alone. Start at [`routes`].

mod clock;
mod grants;
mod keys;
mod page;
mod people;
mod routes;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Pid, getppid};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use grants::Grants;
use keys::SigningKey;
use people::Person;
use routes::Issuer;

/// How often it is looked whether the parent is still there.
const LOOK_FOR_PARENT: Duration = Duration::from_millis(250);

/// An OpenID Connect issuer that believes everybody.
///
/// Prints `ready issuer=URL` on standard output, and stays until SIGTERM, SIGINT, or the end of the
/// process that started it.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where it listens: an address of the loopback interface.
    #[arg(long, value_parser = loopback)]
    listen: SocketAddr,
    /// An origin of the pages that may sign people in.
    #[arg(long = "origin", value_name = "URL", required = true)]
    origins: Vec<String>,
    /// The client id of the pages.
    #[arg(long)]
    client: String,
    /// For whom access tokens are meant.
    #[arg(long)]
    audience: String,
    /// Somebody to be, as a JSON object of `name`, `role` and `sub`.
    #[arg(long = "person", value_name = "JSON", required = true, value_parser = Person::parse)]
    people: Vec<Person>,
}

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("no key could be made")]
    Key(#[from] keys::NoKey),
    #[error("its process failed")]
    Process(#[from] io::Error),
}

fn main() -> ExitCode {
    // Before anything else: a parent that ends meanwhile is another one afterwards.
    let parent = getppid();
    let Err(failed) = serve(Cli::parse(), parent) else {
        return ExitCode::SUCCESS;
    };
    let mut text = failed.to_string();
    let mut source = std::error::Error::source(&failed);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("dev-issuer: {text}");
    ExitCode::FAILURE
}

fn serve(cli: Cli, parent: Option<Pid>) -> Result<(), Failed> {
    let key = SigningKey::generate()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Listening for the end before saying that it has begun.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = TcpListener::bind(cli.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let issuer = Arc::new(Issuer {
            url: url.clone(),
            origins: cli.origins,
            client: cli.client,
            audience: cli.audience,
            people: cli.people,
            key,
            grants: Grants::default(),
        });
        let mut stdout = io::stdout();
        writeln!(stdout, "ready issuer={url}")?;
        stdout.flush()?;
        tokio::select! {
            served = axum::serve(listener, routes::all(issuer)) => served?,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = ended(parent) => {}
        }
        Ok(())
    })
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("whoever reaches it can be anybody: loopback only".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits for the end of the process that started this one.
async fn ended(parent: Option<Pid>) {
    let mut look = tokio::time::interval(LOOK_FOR_PARENT);
    while getppid() == parent {
        look.tick().await;
    }
}
