//! The page `docs/order-states.md`, made by running the rules: every command, by everybody, in
//! every situation. It is for the people on both sides of an order, and in their words. The diagram is
//! written a second time as data, for the console to draw.

mod words;

use std::fs;
use std::path::Path;

use kernel::Actor;
use serde_json::{Value, json};

use super::scenario::*;
use super::scenes::{ACTORS, Scene, command_names, commands, order_states};
use super::{CommandName, OrderCommand, OrderState, evolve};
use words::{meaning, name, step, step_and_end};

const BEGINNING: &str = "\
# An order's life

What can happen to a commission from its placement to its end, who may do it, and what is recorded.
This page is made by running the rules in every situation that they tell apart (`cargo xtask
diagrams`); a test fails when it no longer says what they do.
";

const WHO: &str = "
## Who may do what

**C** is the commissioner of the order. **W** is the workshop concerned: the invited one while the
order is negotiated, the confirmed one from then on. **O** is an operator of the marketplace, who
may act in the place of either, and who decides disputes. Nobody else may do anything: no analyst,
no other commissioner, no other workshop. In an empty cell the step is refused to those who could
take it in another state (`ILLEGAL_TRANSITION`); who may never take it is told that
(`FORBIDDEN`), and who is no party to the order learns nothing of it (`NOT_FOUND`).
";

const FOLLOWS: &str = "
## What follows

Each step is recorded as one or more facts, which the parties read on the order's timeline. A round
is open as long as an invited workshop has not answered; the answer that leaves none open closes it:
`AllResponsesReceived` if an offer stands, `AllInvitationsClosed` if none does.
";

const REFUSED: &str = "
## What is refused although the state allows it

These are the refusals that a situation has. What is refused for the values of a step, such as an
edit that changes nothing or a stage that is not the current one, is described with the command API.
An offer *stands* from the moment it is submitted until it is withdrawn or the negotiation ends.
";

/// What comes of one command in one situation, when somebody gives it who may.
struct Cell {
    scene: Scene,
    command: OrderCommand,
    before: Option<OrderState>,
    /// The facts and the state that the order comes to, or the code of the refusal.
    outcome: Result<(String, OrderState), &'static str>,
}

impl Cell {
    fn of(scene: Scene, command: OrderCommand) -> Self {
        let given = scene.given();
        let before = given.order.state();
        let places = command.name() == CommandName::PlaceOrder;
        let actor = if places { COMMISSIONER } else { OPERATOR };
        let outcome = match given.when(actor, command.clone()).outcome {
            Ok(events) => {
                let facts = events.iter().map(|event| event.fact.event_type());
                let facts: Vec<_> = facts.map(|fact| format!("`{fact}`")).collect();
                let after = events.iter().try_fold(given.order, evolve).unwrap();
                Ok((facts.join(", "), after.state().unwrap()))
            }
            Err(rejection) => Err(rejection.code().as_str()),
        };
        Self {
            scene,
            command,
            before,
            outcome,
        }
    }

    fn all() -> Vec<Self> {
        let scenes = Scene::ALL.into_iter();
        scenes
            .flat_map(|scene| commands().into_iter().map(move |c| Self::of(scene, c)))
            .collect()
    }

    /// Why the situation has this refusal: for most offers and answers, the seat is why.
    fn reason(&self, code: &str) -> String {
        let order = self.scene.given().order;
        let seat = order.invitation(ALDER);
        let seat = seat.filter(|_| ["INVITATION_NOT_OPEN", "OFFER_NOT_STANDING"].contains(&code));
        seat.map_or(self.scene.words().to_owned(), |seat| {
            format!("the invitation is {}", seat.status())
        })
    }

    /// The state that an accepted command leads to, if it is another.
    fn moves_to(&self) -> Option<OrderState> {
        let (_, after) = self.outcome.as_ref().ok()?;
        Some(*after).filter(|after| self.before != Some(*after))
    }
}

/// Adds `item` to what is kept under `key`, in the order in which keys came.
fn gather<K: PartialEq>(groups: &mut Vec<(K, Vec<String>)>, key: K, item: String) {
    match groups.iter_mut().find(|(known, _)| *known == key) {
        Some((_, items)) if items.contains(&item) => {}
        Some((_, items)) => items.push(item),
        None => groups.push((key, vec![item])),
    }
}

/// The steps that lead from one state to another.
type Arrow = ((Option<OrderState>, OrderState), Vec<String>);

fn arrows(cells: &[Cell]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for cell in cells {
        if let Some(after) = cell.moves_to() {
            let arrow = (cell.before, after);
            gather(&mut arrows, arrow, words::arrow(&cell.command, after));
        }
    }
    arrows
}

/// The diagram as data: the states in the order of an order's life, and what leads where.
fn drawing(cells: &[Cell]) -> Value {
    let arrows = arrows(cells);
    let states = order_states().into_iter().map(|state| {
        let ends = !arrows.iter().any(|((before, _), _)| *before == Some(state));
        json!({ "state": state.as_str(), "meaning": meaning(state), "ends": ends })
    });
    let steps = arrows.iter().map(|((before, after), steps)| {
        json!({ "from": before.map(OrderState::as_str), "to": after.as_str(), "steps": steps })
    });
    json!({ "states": states.collect::<Vec<_>>(), "arrows": steps.collect::<Vec<_>>() })
}

fn diagram(cells: &[Cell]) -> String {
    let arrows = arrows(cells);
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    for state in order_states() {
        lines.push(format!("    state \"{}\" as {state}", name(state)));
    }
    for ((before, after), steps) in &arrows {
        let before = before.map_or("[*]", OrderState::as_str);
        lines.push(format!("    {before} --> {after}: {}", steps.join(", or ")));
    }
    for state in order_states() {
        if !arrows.iter().any(|((before, _), _)| *before == Some(state)) {
            lines.push(format!("    {state} --> [*]"));
        }
    }
    let meanings = order_states().into_iter();
    let meanings: Vec<_> = meanings
        .map(|state| format!("- **{}**: {}.", name(state), meaning(state)))
        .collect();
    format!(
        "\n## The states\n\n```mermaid\n{}\n```\n\n{}\n",
        lines.join("\n"),
        meanings.join("\n")
    )
}

/// Whether the actor may give the command in any situation of the state.
fn may(actor: Actor, command: CommandName, state: Option<OrderState>) -> bool {
    let given = Scene::ALL.map(Scene::given).into_iter();
    given
        .filter(|given| given.order.state() == state)
        .any(|given| {
            let ends = commands().into_iter().filter(|c| c.name() == command);
            ends.into_iter()
                .any(|c| given.when(actor, c).outcome.is_ok())
        })
}

fn who_may_what() -> String {
    let states: Vec<_> = std::iter::once(None)
        .chain(order_states().into_iter().map(Some))
        .collect();
    let heads = states
        .iter()
        .map(|state| state.map_or("no order yet", name));
    let mut rows = vec![row("step", heads.map(str::to_owned)), rule(states.len())];
    for command in command_names() {
        let cells = states.iter().map(|state| {
            let letters = [("C", COMMISSIONER), ("W", by(ALDER)), ("O", OPERATOR)];
            let letters = letters
                .into_iter()
                .filter(|(_, actor)| may(*actor, command, *state));
            letters
                .map(|(letter, _)| letter)
                .collect::<Vec<_>>()
                .join(" ")
        });
        rows.push(row(step(command), cells));
    }
    format!("{WHO}\n{}\n", rows.join("\n"))
}

fn what_follows(cells: &[Cell]) -> String {
    let mut groups = Vec::new();
    for cell in cells {
        if let Ok((facts, after)) = &cell.outcome {
            let key = (
                step_and_end(&cell.command),
                cell.before,
                facts.clone(),
                *after,
            );
            gather(&mut groups, key, cell.scene.words().to_owned());
        }
    }
    groups.sort_by_key(|((step, ..), _)| position(step));
    let mut rows = vec![
        row("step", ["when", "recorded", "the order is then"]),
        rule(3),
    ];
    for ((step, before, facts, after), scenes) in &groups {
        let ways = groups
            .iter()
            .filter(|((other, state, ..), _)| (other, state) == (step, before));
        // What comes of a step in the same way throughout a state needs no situation.
        let when = match before.map(name) {
            Some(state) if ways.count() == 1 => state.to_owned(),
            Some(state) => format!("{state}: {}", scenes.join("; or ")),
            None => scenes.join("; or "),
        };
        rows.push(row(step, [when, facts.clone(), name(*after).to_owned()]));
    }
    format!("{FOLLOWS}\n{}\n", rows.join("\n"))
}

fn what_is_refused(cells: &[Cell]) -> String {
    let mut groups = Vec::new();
    for cell in cells {
        match cell.outcome {
            Err("ILLEGAL_TRANSITION" | "NOT_FOUND") | Ok(_) => {}
            Err(code) => {
                let key = (step_and_end(&cell.command), code);
                gather(&mut groups, key, cell.reason(code));
            }
        }
    }
    groups.sort_by_key(|((step, _), _)| position(step));
    let mut rows = vec![row("step", ["when", "answer"]), rule(2)];
    for ((step, code), reasons) in groups {
        rows.push(row(&step, [reasons.join("; or "), format!("`{code}`")]));
    }
    format!("{REFUSED}\n{}\n", rows.join("\n"))
}

/// Where a step stands among all.
fn position(step: &str) -> Option<usize> {
    commands()
        .iter()
        .position(|command| step_and_end(command) == step)
}

fn row<S: AsRef<str>>(first: &str, rest: impl IntoIterator<Item = S>) -> String {
    let mut line = format!("| {first} |");
    for cell in rest {
        line.push_str(&format!(" {} |", cell.as_ref()));
    }
    line
}

fn rule(columns: usize) -> String {
    format!("|---|{}", "---|".repeat(columns))
}

#[test]
fn the_page_says_what_the_rules_do() {
    let cells = Cell::all();
    let page = [
        BEGINNING.to_owned(),
        diagram(&cells),
        who_may_what(),
        what_follows(&cells),
        what_is_refused(&cells),
    ]
    .concat();
    is_written("docs/order-states.md", &page);
    let drawing = format!("{:#}\n", drawing(&cells));
    is_written("web/console/src/generated/order-states.json", &drawing);
}

/// Compares with what is checked in, or writes it.
fn is_written(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    if blessed {
        fs::write(&path, text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{file} is not what the rules say: run cargo xtask diagrams"
    );
}

#[test]
fn nobody_else_may_do_anything() {
    let parties = [COMMISSIONER, by(ALDER), OPERATOR];
    let states = || order_states().into_iter().map(Some).chain([None]);
    for actor in ACTORS.into_iter().filter(|actor| !parties.contains(actor)) {
        for command in command_names() {
            assert!(
                !states().any(|state| may(actor, command, state)),
                "{actor:?} {command}"
            );
        }
    }
}
