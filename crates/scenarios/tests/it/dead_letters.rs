//! Dead letters in an operator's hands: each code lands where it should and the partition goes on, a
//! redrive does what its preview showed, and foreign text never reaches a terminal.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::kafka;
use crate::system::{System, target_folder};

const BOUND: Duration = Duration::from_secs(60);
const TOPIC: &str = "atlas.order-events.v1";
pub(crate) const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";
pub(crate) const SOMEBODY: &str = "01938f6e-0000-7000-8000-000000000002";
pub(crate) const AT: &str = "2026-11-25T11:00:00Z";
/// An account that is of another policy stays so.
const WITHOUT_RECOMPUTE: &[&str] = &["run", "--only", "read-models,relay,bonus"];
/// What a terminal obeys, and what turns a line round.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\u{8}\r\u{202e}\u{2066}\u{85}end";

/// A message as a test gives it.
pub(crate) struct Message {
    pub(crate) id: Uuid,
    headers: Vec<(String, Option<Vec<u8>>)>,
    value: Option<Vec<u8>>,
}

impl Message {
    /// One of an order that was placed, with these headers in the place of its own.
    fn placed(number: u128, value: &Value) -> Self {
        let id = Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0001_0000_0000 + number);
        Self::of(id, value)
    }

    /// One of this event.
    fn of(id: Uuid, value: &Value) -> Self {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        Self {
            id,
            headers: vec![
                ("ce_id".to_owned(), text(&id.to_string())),
                ("ce_type".to_owned(), text("atlas.order.OrderPlaced")),
            ],
            value: Some(value.to_string().into_bytes()),
        }
    }

    pub(crate) fn good(number: u128) -> Self {
        Self::placed(
            number,
            &json!({ "commissionerId": SOMEBODY, "occurredAt": AT }),
        )
    }

    /// One that tells nothing but which event of the store it was.
    pub(crate) fn stored(id: Uuid) -> Self {
        Self::of(id, &json!({}))
    }

    /// One of a workshop that was credited, which no audit of commissioners counts.
    pub(crate) fn credited(number: u128) -> Self {
        let value = json!({
            "beneficiaryId": SOMEBODY, "beneficiaryRole": "workshop", "occurredAt": AT,
        });
        let message = Self::placed(number, &value);
        // Its key too.
        let subject = message.id.to_string();
        message
            .with("ce_type", Some(b"atlas.order.WorkshopCredited"))
            .with("ce_subject", Some(subject.as_bytes()))
    }

    pub(crate) fn with(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.headers.push((name.to_owned(), Some(value.to_vec())));
        }
        self
    }

    fn valued(self, value: Option<Vec<u8>>) -> Self {
        Self { value, ..self }
    }

    /// Whether this is what a topic has, but for what a redrive adds.
    pub(crate) fn is(&self, message: &Value) -> bool {
        let value = serde_json::from_slice::<Value>(self.value.as_deref().unwrap_or(b"null"));
        let headers = self.headers.iter().all(|(name, value)| {
            let value = value.as_deref().map(String::from_utf8_lossy);
            message["headers"][name].as_str() == value.as_deref()
        });
        headers && message["value"] == value.unwrap()
    }

    /// Puts it among the dead letters, as a consumer of another release would have.
    pub(crate) async fn lie_in(&self, pool: &PgPool, detail: &str) {
        let header = |name: &str| {
            let found = self.headers.iter().find(|(known, _)| known == name);
            let text = String::from_utf8(found?.1.clone()?).ok()?;
            (!text.is_empty()).then_some(text)
        };
        let (names, values): (Vec<String>, Vec<Option<Vec<u8>>>) =
            self.headers.iter().cloned().unzip();
        sqlx::query(
            "INSERT INTO ops.dead_letters
                 (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
                  header_values, ce_id, ce_type, code, kind, detail, cause, attempts,
                  first_failed_at, last_failed_at, last_partition, last_offset)
             VALUES ($1, 'atlas-bonus', $2, 'before', 0, 1000000 + ('x' || left(md5($1::text), 12))
                         ::bit(48)::bigint, $3, $4, $5, $6, $7, $8, 'INVALID_JSON', 'malformed',
                     $9, $9, 1, now() - interval '1 h', now() - interval '1 h', 0, -1)",
        )
        .bind(self.id)
        .bind(TOPIC)
        .bind(self.id.to_string().into_bytes())
        .bind(&self.value)
        .bind(names)
        .bind(values)
        .bind(header("ce_id").and_then(|text| Uuid::parse_str(&text).ok()))
        .bind(header("ce_type"))
        .bind(detail)
        .execute(pool)
        .await
        .unwrap();
    }
}

/// The projector as an operator runs it.
pub(crate) fn projector(system: &System, brokers: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(arguments)
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .stdin(Stdio::null());
    command
}

pub(crate) async fn run(mut command: Command) -> Output {
    kafka::blocking(move || command.output()).await.unwrap()
}

pub(crate) async fn json_of(system: &System, brokers: &str, arguments: &[&str]) -> Value {
    let output = run(projector(
        system,
        brokers,
        &[arguments, &["--format", "json"]].concat(),
    ))
    .await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn redrive(system: &System, brokers: &str, id: Uuid) -> Output {
    let id = id.to_string();
    let arguments = [
        "dlq",
        "redrive",
        "--yes",
        "--operator",
        OPERATOR,
        "--reason",
        "again",
    ];
    run(projector(
        system,
        brokers,
        &[&arguments[..], &["--id", &id]].concat(),
    ))
    .await
}

async fn show(system: &System, brokers: &str, id: Uuid) -> Value {
    json_of(system, brokers, &["dlq", "show", &id.to_string()]).await
}

async fn points(pool: &PgPool) -> Option<i64> {
    sqlx::query_scalar("SELECT lifetime_points FROM bonus.accounts WHERE beneficiary_id::text = $1")
        .bind(SOMEBODY)
        .fetch_optional(pool)
        .await
        .unwrap()
        .flatten()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_lands_where_it_should_and_a_redrive_does_what_its_preview_showed() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system =
        System::start_with(&brokers, &[("ATLAS_POLICY_CONFLICT", "dead-letter")]).await;
    system.projector.kill();
    system.projector = system.another_projector().with_arguments(WITHOUT_RECOMPUTE);
    system.projector.start();
    system.projector.until(true).await;
    let pool = system.database.pool_owner().await;

    let bad = |number, value: Value| Message::placed(number, &value);
    let poison = [
        ("INVALID_JSON", Message::good(1).valued(Some(b"{".to_vec()))),
        ("VALUE_MISSING", Message::good(2).valued(None)),
        (
            "VALUE_TOO_LARGE",
            Message::good(3).valued(Some(vec![b' '; (1 << 20) + 1])),
        ),
        ("CE_ID_MISSING", Message::good(4).with("ce_id", None)),
        (
            "CE_TYPE_MISSING",
            Message::good(5).with("ce_type", Some(&[0xff])),
        ),
        ("BENEFICIARY_MISSING", bad(6, json!({ "occurredAt": AT }))),
        (
            "BENEFICIARY_INVALID",
            bad(7, json!({ "commissionerId": 7, "occurredAt": AT })),
        ),
        (
            "TIME_INVALID",
            bad(
                8,
                json!({ "commissionerId": SOMEBODY, "occurredAt": "soon" }),
            ),
        ),
        (
            "UNSUPPORTED_MAJOR_VERSION",
            Message::good(9).with("ce_dataschema", Some(b"urn:atlas:order:OrderPlaced:2.0")),
        ),
        ("REPEATED_FAILURE", Message::good(10)),
    ];
    let refused = poison[9].1.id;
    sqlx::raw_sql(&format!(
        "ALTER TABLE bonus.ledger ADD CONSTRAINT refused CHECK (source_event_id <> '{refused}')"
    ))
    .execute(&pool)
    .await
    .unwrap();
    for (code, message) in &poison {
        message.lie_in(&pool, "of another release").await;
        let came_back = redrive(&system, &brokers, message.id).await;
        assert_eq!(came_back.status.code(), Some(1), "{code}: {came_back:?}");
        let told = String::from_utf8(came_back.stderr).unwrap();
        assert!(told.contains(code), "{told}");
        let row = show(&system, &brokers, message.id).await;
        assert_eq!(
            (&row["code"], &row["returned"]),
            (&json!(code), &json!(1)),
            "{row}"
        );
        let attempts = if *code == "REPEATED_FAILURE" { 6 } else { 2 };
        assert_eq!(row["attempts"], attempts, "{row}");
        assert_eq!(row["closedAt"], Value::Null, "{row}");
    }
    assert_eq!(points(&pool).await, None);

    // The cause is gone: the preview shows what the redrive then does.
    sqlx::raw_sql("ALTER TABLE bonus.ledger DROP CONSTRAINT refused")
        .execute(&pool)
        .await
        .unwrap();
    let id = refused.to_string();
    let arguments = ["dlq", "redrive", "--preview", "--id", &id];
    let shown = json_of(&system, &brokers, &arguments).await;
    assert_eq!(points(&pool).await, None, "a preview changes nothing");
    let changes = shown["changes"].as_array().unwrap();
    let tables: Vec<&Value> = changes.iter().map(|change| &change["table"]).collect();
    assert_eq!(tables, ["bonus.accounts", "bonus.ledger"], "{shown}");
    assert_eq!(changes[0]["before"], Value::Null);
    assert_eq!(changes[0]["after"]["lifetime_points"], 40);
    let done = redrive(&system, &brokers, refused).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let account: Value = sqlx::query_scalar(
        "SELECT to_jsonb(a) FROM bonus.accounts a WHERE beneficiary_id::text = $1",
    )
    .bind(SOMEBODY)
    .fetch_one(&pool)
    .await
    .unwrap();
    let mut expected = changes[0]["after"].clone();
    // The instant of the award is that of the clock.
    expected["changed_at"] = account["changed_at"].clone();
    assert_eq!(account, expected);
    assert_eq!(
        show(&system, &brokers, refused).await["closedAs"],
        "redriven"
    );

    for (code, number, account) in [
        (
            "ACCOUNT_REJECTED",
            11,
            "lifetime_points = 9223372036854775807",
        ),
        ("POLICY_VERSION_CONFLICT", 12, "policy_version = 2"),
    ] {
        sqlx::query(&format!(
            "UPDATE bonus.accounts SET {account} WHERE beneficiary_id::text = $1"
        ))
        .bind(SOMEBODY)
        .execute(&pool)
        .await
        .unwrap();
        let message = Message::good(number);
        message.lie_in(&pool, "of another release").await;
        redrive(&system, &brokers, message.id).await;
        let row = show(&system, &brokers, message.id).await;
        assert_eq!(
            (&row["code"], &row["returned"]),
            (&json!(code), &json!(1)),
            "{row}"
        );
        sqlx::query("UPDATE bonus.accounts SET lifetime_points = 40, policy_version = 1")
            .execute(&pool)
            .await
            .unwrap();
    }

    // What is left is given up; every act is told.
    let arguments = [
        "dlq",
        "discard",
        "--yes",
        "--operator",
        OPERATOR,
        "--reason",
        "over",
    ];
    let arguments = [&arguments[..], &["--kind", "contract"]].concat();
    let discarded = json_of(&system, &brokers, &arguments).await;
    assert_eq!(discarded["discarded"], 6);
    let acts = json_of(&system, &brokers, &["acts"]).await;
    let acts = acts["acts"].as_array().unwrap();
    assert_eq!(acts[0]["act"], "discard");
    assert_eq!(acts[0]["subject"]["count"], 6);
    let closing = acts.iter().filter(|act| act["result"]["closed"] == 1);
    assert_eq!(closing.count(), 1, "{acts:?}");
    assert_eq!(acts.len(), 14, "{acts:?}");
    let unnamed = run(projector(&system, &brokers, &["dlq", "discard", "--yes"])).await;
    assert_eq!(unnamed.status.code(), Some(2), "{unnamed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_that_is_interrupted_says_what_is_under_way_and_loses_nothing() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let pool = system.database.pool_owner().await;
    system.projector.kill();
    for number in 0..3 {
        Message::good(number)
            .lie_in(&pool, "of another release")
            .await;
    }
    let arguments = [
        "dlq",
        "redrive",
        "--yes",
        "--operator",
        OPERATOR,
        "--reason",
        "again",
    ];
    let mut command = projector(&system, &brokers, &arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    eventually("the first to be claimed", BOUND, || async {
        let claimed: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM ops.dead_letters WHERE claimed_by IS NOT NULL",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if claimed == 1 { Ok(()) } else { Err(claimed) }
    })
    .await;
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let ended = kafka::blocking(move || child.wait_with_output())
        .await
        .unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("the same command takes them up"), "{told}");

    system.projector.start();
    let done = run(projector(&system, &brokers, &arguments)).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(points(&pool).await, Some(120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_text_never_reaches_a_terminal_and_json_stays_exact() {
    let system = System::start("127.0.0.1:1").await;
    let pool = system.database.pool_owner().await;
    let value = format!("first line\n\tsecond {HOSTILE}");
    let message = Message::good(1)
        .with("ce_type", Some(HOSTILE.as_bytes()))
        .with(
            &format!("name{HOSTILE}"),
            Some(format!("value{HOSTILE}").as_bytes()),
        )
        .with("bytes", Some(&[0xff, 0x1b, 0x00]))
        .valued(Some(value.clone().into_bytes()));
    message.lie_in(&pool, &format!("detail {HOSTILE}")).await;
    sqlx::query(
        "INSERT INTO store.parked (reader, aggregate_type, aggregate_id, sequence, event_id,
                                   position, event, reason, recorded_at)
         VALUES ('orders@1', 'order', $1, 2, gen_random_uuid(), 5, $1, $1, now())",
    )
    .bind(format!("odd {HOSTILE}"))
    .execute(&pool)
    .await
    .unwrap();
    let id = message.id.to_string();
    for arguments in [
        &["status"][..],
        &["dlq", "list"],
        &["dlq", "groups"],
        &["dlq", "show", &id],
        &["dlq", "list", "--format", "json"],
        &["dlq", "show", &id, "--format", "json"],
        &["dlq", "discard", "--operator", OPERATOR, "--reason", "over"],
        &["acts"],
    ] {
        let plain = run(projector(&system, "127.0.0.1:1", arguments)).await;
        let quoted: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
        let program = target_folder().join("projector");
        let line = format!("'{}' {}", program.display(), quoted.join(" "));
        let mut terminal = Command::new("script");
        terminal
            .args(["--quiet", "--command", &line, "/dev/null"])
            .env("ATLAS_DATABASE_URL", system.database.url_app())
            .env("ATLAS_KAFKA_BROKERS", "127.0.0.1:1")
            .stdin(Stdio::null());
        let terminal = run(terminal).await;
        let is_show = arguments[1..].first() == Some(&"show");
        for shown in [&plain.stdout, &plain.stderr, &terminal.stdout] {
            assert_harmless(shown, is_show);
        }
        if arguments[0] != "acts" {
            let shown = String::from_utf8(terminal.stdout).unwrap();
            assert!(shown.contains("end"), "{arguments:?}: {shown}");
        }
    }
    let row = show(&system, "127.0.0.1:1", message.id).await;
    assert_eq!(row["ceType"], HOSTILE);
    assert_eq!(row["value"]["text"], value);
    assert_eq!(row["headers"][2]["name"], format!("name{HOSTILE}"));
    assert_eq!(row["headers"][3]["value"]["base64"], "/xsA");
    assert_eq!(row["detail"], format!("detail {HOSTILE}"));
}

/// No control but the ends of lines (and tabs where a message is shown), and nothing that turns
/// text round.
fn assert_harmless(shown: &[u8], keeps_tabs: bool) {
    let text = std::str::from_utf8(shown).unwrap().replace("\r\n", "\n");
    for character in text.chars() {
        let is_kept = character == '\n' || (keeps_tabs && character == '\t');
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{61c}');
        assert!(
            is_kept || !(character.is_control() || turns),
            "{character:?} in {text:?}"
        );
    }
}
