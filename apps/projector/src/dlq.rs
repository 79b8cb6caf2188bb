//! `projector dlq`: dead letters, looked at, sent again, given up.

pub(crate) mod discard;
mod groups;
mod list;
pub(crate) mod redrive;
pub(crate) mod selection;
mod show;

use clap::Subcommand;

use crate::cli::Exit;
use crate::session;

/// What to do about dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Show those that are open, newest first.
    List(list::ListOptions),
    /// Show those that are open by group: of one code, type and cause.
    Groups(groups::GroupsOptions),
    /// Show one, open or closed, with its message.
    Show(show::ShowOptions),
    /// Send those that are open again, the oldest first: the cause is gone.
    Redrive(redrive::RedriveOptions),
    /// Close those that are open without sending them: they are given up.
    Discard(discard::DiscardOptions),
}

/// Runs a command.
pub(crate) fn dlq(command: DlqCommand) -> Exit {
    match command {
        DlqCommand::List(options) => session::run("projector dlq list", async |session| {
            list::list(session, options).await
        }),
        DlqCommand::Groups(options) => session::run("projector dlq groups", async |session| {
            groups::groups(session, options).await
        }),
        DlqCommand::Show(options) => session::run("projector dlq show", async |session| {
            show::show(session, options).await
        }),
        DlqCommand::Redrive(options) => session::run("projector dlq redrive", async |session| {
            redrive::redrive(session, options).await
        }),
        DlqCommand::Discard(options) => session::run("projector dlq discard", async |session| {
            discard::discard(session, options).await
        }),
    }
}
