//! What operators are shown of dead letters: lists, groups and one whole, whatever their producers
//! wrote.

use kernel::{IdSource as _, RandomIds};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::people::OPERATOR;
use crate::scene::Scene;

const LIST: &str = "/v1/ops/dead-letters";
const GROUPS: &str = "/v1/ops/dead-letters/groups";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0000_0000_0000 + number)
}

/// An open row with a key and a value.
pub(crate) async fn put(pool: &PgPool, id: Uuid, key: &[u8], value: &[u8]) {
    sqlx::query(
        "INSERT INTO ops.dead_letters
             (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
              header_values, code, kind, detail, cause, attempts, first_failed_at,
              last_failed_at, last_partition, last_offset)
         SELECT $1, 'group', 'facts', 'id', 0, count(*), $2, $3, '{}', '{}', 'INVALID_JSON',
                'malformed', 'detail 1', 'detail #', 1, now(), now(), 0, count(*)
         FROM ops.dead_letters",
    )
    .bind(id)
    .bind(key)
    .bind(value)
    .execute(pool)
    .await
    .unwrap();
}

/// So many rows of six topics and seven groups, the newer half of them closed.
async fn fill(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO ops.dead_letters
             (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
              header_values, ce_id, ce_type, code, kind, detail, cause, attempts,
              first_failed_at, last_failed_at, last_partition, last_offset, closed_as, closed_at)
         SELECT ('01938f6e-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'group',
                'facts ' || n % 6, 'id', n % 6, n, n::text::bytea, 'x', '{ce_id}',
                ARRAY['x'::bytea], gen_random_uuid(), 'type ' || n % 7,
                CASE WHEN n % 2 = 0 THEN 'INVALID_JSON' ELSE 'CE_ID_MISSING' END,
                CASE WHEN n % 2 = 0 THEN 'malformed' ELSE 'contract' END,
                'detail ' || n, 'detail #', 1, now() - n * interval '1 s', now(), n % 6, n,
                CASE WHEN n > $1 / 2 THEN 'handled' END, CASE WHEN n > $1 / 2 THEN now() END
         FROM generate_series(1, $1) n",
    )
    .bind(count)
    .execute(pool)
    .await
    .unwrap();
}

async fn asked(scene: &Scene, path: &str) -> Value {
    let reply = scene.api.get(path).by(OPERATOR).send().await;
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.body
}

fn told<'v>(body: &'v Value, member: &str) -> Vec<&'v Value> {
    let items = body["items"].as_array().unwrap().iter();
    items.map(|item| &item[member]).collect()
}

/// How many items there are on all the pages.
async fn count(scene: &Scene, path: &str) -> usize {
    let body = asked(scene, &format!("{path}limit=200")).await;
    assert_eq!(body["nextCursor"], Value::Null);
    body["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_list_has_each_row_as_it_stands_newest_first() {
    let scene = Scene::set().await;
    put(&scene.pool, id(1), b"a key", b"a value").await;
    put(&scene.pool, id(2), &[0xff; 2000], b"").await;
    sqlx::query(
        "UPDATE ops.dead_letters SET closed_as = 'redriven', closed_at = now(), key = NULL,
                value = NULL, header_names = NULL, header_values = NULL, has_bytes = false
         WHERE id = $1",
    )
    .bind(id(1))
    .execute(&scene.pool)
    .await
    .unwrap();
    let body = asked(&scene, LIST).await;
    assert_eq!(told(&body, "id"), [&json!(id(2)), &json!(id(1))]);
    let (open, closed) = (&body["items"][0], &body["items"][1]);
    assert_eq!(
        (&open["state"], &open["closedAt"], &open["closedHow"]),
        (&json!("open"), &json!(null), &json!(null))
    );
    assert_eq!(open["key"]["encoding"], "base64");
    assert_eq!(
        (&open["key"]["length"], &open["key"]["cut"]),
        (&json!(2000), &json!(true))
    );
    assert_eq!(
        (&closed["state"], &closed["closedHow"], &closed["key"]),
        (&json!("closed"), &json!("redriven"), &json!(null))
    );
    assert!(closed["closedAt"].is_string(), "{closed}");

    let whole = asked(&scene, &format!("{LIST}/{}", id(1))).await;
    assert_eq!(
        (&whole["hasBytes"], &whole["value"], &whole["headers"]),
        (&json!(false), &json!(null), &json!([]))
    );
}

#[tokio::test]
async fn filters_are_taken_together_and_unknown_words_refused() {
    let scene = Scene::set().await;
    fill(&scene.pool, 84).await;
    for (query, expected) in [
        ("?", 84),
        ("?state=open&", 42),
        ("?state=closed&", 42),
        ("?code=INVALID_JSON&", 42),
        ("?code=INVALID_JSON&state=open&", 21),
        ("?kind=contract&topic=facts%201&", 14),
        ("?kind=contract&topic=facts%202&", 0),
        ("?type=type%203&", 12),
        ("?type=type%203&state=open&kind=contract&", 3),
        ("?group=none&", 0),
    ] {
        assert_eq!(
            count(&scene, &format!("{LIST}{query}")).await,
            expected,
            "{query}"
        );
    }
    let groups = asked(&scene, GROUPS).await;
    let first = &groups["items"][0];
    let (group, size) = (first["group"].as_str().unwrap(), &first["count"]);
    let of_group = format!("{LIST}?state=open&group={group}&");
    assert_eq!(json!(count(&scene, &of_group).await), *size);
    assert_eq!(
        count(&scene, &format!("{GROUPS}?code=CE_ID_MISSING&")).await,
        7
    );

    for path in [LIST, GROUPS] {
        for odd in [
            "code=INVALID",
            "kind=odd",
            "topic=%00",
            "type=a%00",
            "cursor=odd",
        ] {
            let path = format!("{path}?{odd}");
            let reply = scene.api.get(&path).by(OPERATOR).send().await;
            assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{path}");
        }
    }
    let foreign = asked(&scene, &format!("{LIST}?limit=1")).await;
    let cursor = foreign["nextCursor"].as_str().unwrap();
    let path = format!("{LIST}?state=open&cursor={cursor}");
    let reply = scene.api.get(path).by(OPERATOR).send().await;
    assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST");
}

#[tokio::test]
async fn a_walk_has_each_row_once_while_others_come() {
    let scene = Scene::set().await;
    fill(&scene.pool, 50).await;
    for state in ["", "&state=open"] {
        let mut seen = Vec::new();
        let mut path = format!("{LIST}?limit=7{state}");
        let first = format!("{path}&cursor=");
        loop {
            let body = asked(&scene, &path).await;
            seen.extend(told(&body, "id").into_iter().cloned());
            put(&scene.pool, RandomIds.next(), b"new", b"").await;
            let Some(cursor) = body["nextCursor"].as_str() else {
                break;
            };
            path = format!("{first}{cursor}");
        }
        let newest = if state.is_empty() { 50 } else { 25 };
        let expected = (1..=newest).rev().map(|number| json!(id(number)));
        let old: Vec<_> = seen
            .into_iter()
            .filter(|seen| seen.as_str().unwrap() < "01938f6f")
            .collect();
        assert_eq!(old, expected.collect::<Vec<_>>(), "{state}");
    }
}

#[tokio::test]
async fn groups_come_largest_first_each_on_one_page() {
    let scene = Scene::set().await;
    fill(&scene.pool, 100).await;
    let all = asked(&scene, GROUPS).await;
    let sizes = told(&all, "count");
    let sizes: Vec<i64> = sizes.iter().map(|size| size.as_i64().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    assert_eq!((sizes.len(), sizes.iter().sum::<i64>()), (14, 50));

    let mut seen = Vec::new();
    let mut path = format!("{GROUPS}?limit=3");
    loop {
        let body = asked(&scene, &path).await;
        seen.extend(told(&body, "group").into_iter().cloned());
        let Some(cursor) = body["nextCursor"].as_str() else {
            break;
        };
        path = format!("{GROUPS}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), told(&all, "group"));
}

#[tokio::test]
async fn hostile_bytes_are_shown_and_bounded() {
    let scene = Scene::set().await;
    let key = b"\x00\x1b]0;owned\x07\xe2\x80\xae\"\\</script>";
    put(&scene.pool, id(1), key, &[0xfe, 0x00, 0x1b]).await;
    let long = "\u{1}".repeat(64 * 1024 - 1) + "\u{e4} and more";
    put(&scene.pool, id(2), b"", long.as_bytes()).await;
    let names: Vec<String> = (0..150).map(|n| format!("\u{1b}[31m {n}")).collect();
    let values: Vec<Option<Vec<u8>>> = (0..150)
        .map(|n| (n % 2 == 0).then(|| vec![0xc0; 5000]))
        .collect();
    sqlx::query(
        "UPDATE ops.dead_letters SET header_names = $2, header_values = $3,
                ce_type = E'\\x1b[2J\\u202e', detail = E'\\x01\"'
         WHERE id = $1",
    )
    .bind(id(1))
    .bind(&names)
    .bind(&values)
    .execute(&scene.pool)
    .await
    .unwrap();

    let one = asked(&scene, &format!("{LIST}/{}", id(1))).await;
    let content = std::str::from_utf8(key).unwrap();
    assert_eq!(
        one["key"],
        json!({"encoding": "utf8", "content": content, "length": key.len(), "cut": false})
    );
    assert_eq!(
        one["value"],
        json!({"encoding": "base64", "content": "/gAb", "length": 3, "cut": false})
    );
    assert_eq!(
        (&one["ceType"], &one["detail"]),
        (&json!("\u{1b}[2J\u{202e}"), &json!("\u{1}\""))
    );
    let headers = one["headers"].as_array().unwrap();
    assert_eq!((headers.len(), &one["headerCount"]), (100, &json!(150)));
    assert_eq!(headers[1], json!({"name": "\u{1b}[31m 1", "value": null}));
    assert_eq!(
        (
            &headers[2]["value"]["encoding"],
            &headers[2]["value"]["cut"]
        ),
        (&json!("base64"), &json!(true))
    );

    let two = asked(&scene, &format!("{LIST}/{}", id(2))).await;
    let value = &two["value"];
    assert_eq!(
        (&value["encoding"], &value["length"], &value["cut"]),
        (&json!("utf8"), &json!(long.len()), &json!(true))
    );
    assert_eq!(value["content"], "\u{1}".repeat(64 * 1024 - 1));
    let listed = asked(&scene, LIST).await;
    assert_eq!(listed["items"][1]["key"], one["key"]);
}

#[tokio::test]
async fn an_unknown_id_is_not_found_and_an_odd_one_malformed() {
    let scene = Scene::set().await;
    for (id, expected) in [
        (id(1).to_string(), "404 NOT_FOUND"),
        ("1".to_owned(), "400 MALFORMED_REQUEST"),
        ("group".to_owned(), "400 MALFORMED_REQUEST"),
    ] {
        let call = scene.api.get(format!("{LIST}/{id}")).by(OPERATOR);
        assert_eq!(call.send().await.outcome(), expected, "{id}");
    }
}

/// The plans of what a connection has prepared, each with these arguments.
pub(crate) async fn plans(
    pool: &PgPool,
    about: &str,
    arguments: impl Fn(&str) -> &'static str,
) -> Vec<(String, String)> {
    let mut connection = pool.acquire().await.unwrap();
    let statements: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, statement
         FROM pg_prepared_statements
         WHERE strpos(statement, $1) > 0 AND strpos(statement, 'pg_prepared_statements') = 0",
    )
    .bind(about)
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    sqlx::raw_sql("SET plan_cache_mode = force_custom_plan")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut plans = Vec::new();
    for (name, statement) in statements {
        let explain = format!("EXPLAIN EXECUTE {name} ({})", arguments(&statement));
        let lines: Vec<String> = sqlx::query_scalar(&explain)
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        plans.push((statement, lines.join("\n")));
    }
    plans
}

#[tokio::test]
async fn each_statement_is_served_by_an_index_where_most_rows_are_closed() {
    let scene = Scene::set().await;
    fill(&scene.pool, 20_000).await;
    let owner = scene.owner().await;
    sqlx::raw_sql(
        "UPDATE ops.dead_letters SET closed_as = 'handled', closed_at = now()
         WHERE \"offset\" > 200 AND closed_at IS NULL",
    )
    .execute(&owner)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM ANALYZE ops.dead_letters")
        .execute(&owner)
        .await
        .unwrap();
    let (api, pool) = scene.instance_and_its_connection().await;
    for path in [
        LIST.to_owned(),
        format!("{LIST}?state=open"),
        format!("{LIST}?state=closed"),
        GROUPS.to_owned(),
        format!("{LIST}/{}", id(1)),
    ] {
        let reply = api.get(&path).by(OPERATOR).send().await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
    }
    let arguments = |statement: &str| {
        if statement.contains("GROUP BY") {
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 51, NULL, NULL"
        } else if statement.contains("LIMIT") {
            "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
             'ffffffff-ffff-ffff-ffff-ffffffffffff', 51, 1024"
        } else {
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
        }
    };
    let plans = plans(&pool, "ops.dead_letters", arguments).await;
    assert_eq!(plans.len(), 5, "{plans:?}");
    for (statement, plan) in plans {
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
        let is_sorted = plan.contains("Sort") && !statement.contains("GROUP BY");
        assert!(!is_sorted, "{statement}\n{plan}");
    }
}
