//! `xtask token` says who, and refuses what is no principal.

use std::process::{Command, Output};

fn token(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("token")
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_token_has_three_parts_and_a_new_line() {
    let sub = "01935d3e-7c10-7a4b-9f7e-2b1d5c8e0f11";
    let output = token(&["--role", "commissioner", "--sub", sub]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(text.trim_end().split('.').count(), 3, "{text}");
    assert!(text.ends_with('\n'));
}

#[test]
fn an_unknown_role_or_a_bad_id_is_refused() {
    let sub = "01935d3e-7c10-7a4b-9f7e-2b1d5c8e0f11";
    for arguments in [
        ["--role", "queen", "--sub", sub],
        ["--role", "operator", "--sub", "me"],
    ] {
        let output = token(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}
