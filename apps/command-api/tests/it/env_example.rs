//! `.env.example` says of every variable that the process reads what happens without it.

use command_api::Config;
use service_runtime::TelemetryConfig;
use service_runtime::config::{Absence, variables};

#[test]
fn every_variable_is_listed_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let read = variables::<(TelemetryConfig, Config)>();
    assert!(read.len() > 10, "{read:?}");
    for variable in read {
        let set = format!("{}=", variable.name);
        let unset = format!("# {set}");
        let value = text.lines().find_map(|line| line.strip_prefix(&set));
        let is_listed = value.is_some() || text.lines().any(|line| line.starts_with(&unset));
        assert!(is_listed, "{} is not listed", variable.name);
        match variable.absence {
            Absence::Default(default) => assert_eq!(value, Some(default), "{}", variable.name),
            Absence::Refused => assert!(value.is_some(), "{} must be set", variable.name),
            Absence::Off => {}
        }
    }
}
