//! `demo`: one commission, told step by step in a system of its own, from the request to the
//! messages on Kafka and the points, and checked as it is told.

mod cast;
mod commission;
mod comparison;
mod error;
mod events;
mod json;
mod message;
mod onward;
mod points;
mod teller;
mod timeline;
mod topics;

use clap::Args;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::stack::{Plan, Stack, StackOptions};
use crate::workspace;
use cast::Cast;
use commission::Commission;
use teller::Teller;
use topics::Scope;

pub(crate) use commission::next_year;
pub(crate) use comparison::{Difference, compare, firsts};
pub(crate) use error::{DemoError, list};
pub(crate) use events::{Domain, Event};
pub(crate) use teller::{head, say};
pub(crate) use topics::read as read_topic;

/// The folder of its logs and configuration, under `target/atlas`: a system that `up` runs keeps its
/// own.
const FOLDER: &str = "demo";

/// How to tell it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Ends after the story, instead of staying up until Ctrl-C.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    system: StackOptions,
}

/// Starts everything, tells the story, and stays where that is wanted. Ctrl-C ends it in order, and
/// is a failure only if it cuts the story short.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let own_broker = options.system.kafka.is_none();
    let cast = Cast::draw()?;
    let plan = Plan::make(
        options.system,
        workspace::state().join(FOLDER),
        cast.people(),
    )?;
    let interrupt = Interrupt::listen()?;
    let mut stack = Stack::start(&plan, &interrupt)?;
    stack.write_environment()?;

    let cast = cast.with_tokens()?;
    let mut teller = Teller::new(&mut stack, &interrupt)?;
    let told = tell(&mut teller, &cast, own_broker);
    if told.is_err() {
        // A process that has ended explains a failure better than who missed it.
        stack.check()?;
    }
    let commission = told?;
    if !options.once {
        onward::tell(&stack, &cast, &commission)?;
        match stack.watch(&interrupt) {
            Err(Failure::Interrupted) => {}
            outcome => outcome?,
        }
    }
    stack.stop()
}

fn tell(teller: &mut Teller<'_>, cast: &Cast, own_broker: bool) -> Result<Commission, Failure> {
    topics::wait_for_broker(teller)?;

    head("A commission, step by step")?;
    let commission = commission::carry_out(teller, cast)?;

    head("What happened, in words")?;
    let timeline = timeline::tell(teller, cast, &commission)?;

    head("What Clara earned")?;
    points::tell(teller, cast)?;

    head("What others read on Kafka")?;
    // Whoever brings a broker may have other messages on it.
    let scope = if own_broker {
        Scope::Everything
    } else {
        Scope::Keys([&commission.order_id, &cast.commissioner.id])
    };
    let events = events::read(teller)?;
    let orders = topics::tell(teller, Domain::Order, &events, scope)?;
    let accounts = topics::tell(teller, Domain::Bonus, &events, scope)?;
    compare_timeline(&timeline, &events, &commission)?;
    say(&format!(
        "\nChecked: the timeline has every event of the order; the topics have exactly the\n\
         {orders} order events and {accounts} account events of the store, in order per key, as \
         CloudEvents."
    ))?;
    Ok(commission)
}

/// The timeline tells every event of the order, and nothing else.
fn compare_timeline(
    timeline: &[String],
    events: &[Event],
    commission: &Commission,
) -> Result<(), DemoError> {
    let of_order =
        |event: &&Event| event.domain == Domain::Order && event.key == commission.order_id;
    let stored: Vec<String> = events
        .iter()
        .filter(of_order)
        .map(|event| event.name.clone())
        .collect();
    if timeline == stored {
        return Ok(());
    }
    Err(DemoError::TimelineDiffers {
        timeline: timeline.join(", "),
        store: stored.join(", "),
    })
}
