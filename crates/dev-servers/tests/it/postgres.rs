//! A private Postgres starts, keeps what it should, and says why where it does not.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use dev_servers::{Port, PostgresOptions, PrivatePostgres, ServerError, Shutdown};

fn options(folder: &Path) -> PostgresOptions {
    PostgresOptions {
        folder: folder.to_owned(),
        port: Port::Free,
        keep: true,
        binaries: None,
        roles: crate::workspace().join("deploy/roles.sql"),
    }
}

fn run(server: &PrivatePostgres, role: &str, sql: &str) -> Result<(), ServerError> {
    let file = std::env::temp_dir().join(format!("atlas-{}.sql", server.port()));
    fs::write(&file, sql).unwrap();
    let outcome = server.run_file(role, "atlas", &file);
    fs::remove_file(file).unwrap();
    outcome
}

#[test]
fn committed_rows_survive_a_hard_stop_and_a_new_server_in_the_folder() {
    let folder = crate::scratch();
    let mut server = PrivatePostgres::start(options(&folder)).unwrap();
    server.create_database("atlas").unwrap();
    run(&server, "atlas_owner", "CREATE TABLE kept (number integer)").unwrap();

    server.stop(Shutdown::Immediate).unwrap();
    server.restart().unwrap();
    run(&server, "atlas_owner", "INSERT INTO kept VALUES (7)").unwrap();
    drop(server);

    let server = PrivatePostgres::start(options(&folder)).unwrap();
    server.create_database("atlas").unwrap(); // there already: kept as it is
    let divides_by_zero_unless_7 = "SELECT 1 / (SELECT (number = 7)::int FROM kept)";
    run(&server, "atlas_owner", divides_by_zero_unless_7).unwrap();
    drop(server);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nothing_is_left_of_a_server_that_keeps_nothing() {
    let folder = crate::scratch();
    let mut options = options(&folder);
    options.keep = false;
    let server = PrivatePostgres::start(options).unwrap();
    let refused = run(&server, "atlas_app", "SELECT 1").unwrap_err();
    assert!(refused.to_string().contains("does not exist"), "{refused}");
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_busy_port_is_named() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let mut options = options(&crate::scratch());
    options.port = Port::Fixed(port);
    let refused = PrivatePostgres::start(options).unwrap_err();
    assert!(matches!(refused, ServerError::PortInUse(named) if named == port));
}
