//! Configuration: the environment, read once, with every fault reported at once.
//!
//! A section is a struct beside what it configures that implements [`Section`]. It asks a
//! [`Reader`] for each of its [`Variable`]s before it gives up on any, so that one start names
//! everything that is wrong. What was read can be shown without its secrets, and listed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A part of the configuration.
pub trait Section: Sized {
    /// Reads the section.
    ///
    /// # Errors
    /// [`Faulty`] if any variable is missing or wrong; the reader holds what is wrong with it.
    /// Read every variable before the first `?`, so that all faults are found.
    fn read(reader: &mut Reader) -> Result<Self, Faulty>;
}

/// What happens when a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The process refuses to start.
    Refused,
    /// What it configures stays off.
    Off,
    /// This value is taken.
    Default(&'static str),
}

/// One environment variable that a process reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is, in the words that an operator is shown.
    pub purpose: &'static str,
    /// What happens without it.
    pub absence: Absence,
    /// Whether its value is kept out of every output.
    pub secret: bool,
}

impl Variable {
    const fn new(name: &'static str, purpose: &'static str, absence: Absence) -> Self {
        Self {
            name,
            purpose,
            absence,
            secret: false,
        }
    }

    /// A variable without which the process does not start.
    #[must_use]
    pub const fn required(name: &'static str, purpose: &'static str) -> Self {
        Self::new(name, purpose, Absence::Refused)
    }

    /// A variable without which something stays off.
    #[must_use]
    pub const fn optional(name: &'static str, purpose: &'static str) -> Self {
        Self::new(name, purpose, Absence::Off)
    }

    /// A variable that has a default.
    #[must_use]
    pub const fn with_default(
        name: &'static str,
        default: &'static str,
        purpose: &'static str,
    ) -> Self {
        Self::new(name, purpose, Absence::Default(default))
    }

    /// The same variable, its value kept out of every output.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// A section could not be read; its reader knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faulty;

/// What is wrong with one variable, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub variable: Variable,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, problem } = self;
        write!(f, "{} {problem}; it is {}", variable.name, variable.purpose)
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has faults: {}", list(.0))]
pub struct Faults(pub Vec<Fault>);

fn list(faults: &[Fault]) -> String {
    let texts: Vec<_> = faults.iter().map(Fault::to_string).collect();
    texts.join(" | ")
}

type Lookup = Box<dyn Fn(&str) -> Option<OsString>>;

/// Gives variables to sections, and remembers which were asked for and what was wrong.
pub struct Reader {
    lookup: Lookup,
    shown: BTreeMap<&'static str, (Variable, String)>,
    faults: Vec<Fault>,
}

impl Reader {
    /// Reads this process's environment.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one owner of the environment"
        )]
        Self::new(|name| std::env::var_os(name))
    }

    /// Reads these variables and no others.
    #[must_use]
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let variables: BTreeMap<String, OsString> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Self::new(move |name| variables.get(name).cloned())
    }

    fn new(lookup: impl Fn(&str) -> Option<OsString> + 'static) -> Self {
        Self {
            lookup: Box::new(lookup),
            shown: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// The variable's value, or its default. An empty value counts as none.
    ///
    /// # Errors
    /// If it is required and not set, or `parse` refuses it.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Faulty> {
        self.optional(variable, parse)?
            .ok_or_else(|| self.fault(variable, "is not set"))
    }

    /// The variable's value or its default, if there is either.
    ///
    /// # Errors
    /// If `parse` refuses it.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Faulty> {
        let Some(bytes) = self.bytes(variable) else {
            return Ok(None);
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(self.fault(variable, "is not UTF-8"));
        };
        parse(&text)
            .map(Some)
            .map_err(|error| self.fault(variable, refusal(variable, &text, &error)))
    }

    /// The variable's bytes as they stand, or its default's, if there is either.
    pub fn bytes(&mut self, variable: &Variable) -> Option<Vec<u8>> {
        let set = (self.lookup)(variable.name)
            .map(OsString::into_encoded_bytes)
            .filter(|bytes| !bytes.is_empty());
        let value = match (set, variable.absence) {
            (Some(bytes), _) => Some(bytes),
            (None, Absence::Default(default)) => Some(default.as_bytes().to_vec()),
            (None, Absence::Refused | Absence::Off) => None,
        };
        let shown = match &value {
            None => "(not set)".to_owned(),
            Some(_) if variable.secret => "(hidden)".to_owned(),
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        self.shown.insert(variable.name, (*variable, shown));
        value
    }

    /// Records what is wrong with a variable: "is …".
    pub fn fault(&mut self, variable: &Variable, problem: impl Into<String>) -> Faulty {
        let fault = Fault {
            variable: *variable,
            problem: problem.into(),
        };
        // Two sections may read one variable; one report is enough.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        Faulty
    }

    /// Every variable that was asked for, by name.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        self.shown.values().map(|(variable, _)| *variable)
    }

    /// Every variable that was asked for and the value in force, secrets hidden, by name.
    pub fn effective(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.shown
            .iter()
            .map(|(name, (_, value))| (*name, value.as_str()))
    }

    /// Reads a whole configuration.
    ///
    /// # Errors
    /// All faults of all variables read until now.
    pub fn read<C: Section>(&mut self) -> Result<C, Faults> {
        match C::read(self) {
            Ok(config) if self.faults.is_empty() => Ok(config),
            Ok(_) | Err(Faulty) => Err(Faults(std::mem::take(&mut self.faults))),
        }
    }
}

fn refusal(variable: &Variable, value: &str, error: &impl fmt::Display) -> String {
    if variable.secret {
        format!("cannot be read: {error}")
    } else {
        format!("cannot be read from {value:?}: {error}")
    }
}

/// Every variable that a configuration reads, by name.
#[must_use]
pub fn variables<C: Section>() -> Vec<Variable> {
    let mut reader = Reader::of([]);
    // The faults of an empty environment are of no interest here.
    drop(C::read(&mut reader));
    reader.variables().collect()
}

/// Two sections, read together so that the faults of both are reported.
impl<A: Section, B: Section> Section for (A, B) {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let (a, b) = (A::read(reader), B::read(reader));
        Ok((a?, b?))
    }
}

/// A parser of whole milliseconds within bounds.
pub fn millis(bounds: RangeInclusive<u64>) -> impl FnOnce(&str) -> Result<Duration, String> {
    move |text| match text.parse() {
        Ok(millis) if bounds.contains(&millis) => Ok(Duration::from_millis(millis)),
        Ok(_) | Err(_) => Err(format!(
            "expected whole milliseconds from {} to {}",
            bounds.start(),
            bounds.end()
        )),
    }
}

/// A parser of a whole number within bounds.
pub fn count(bounds: RangeInclusive<u32>) -> impl FnOnce(&str) -> Result<u32, String> {
    move |text| match text.parse() {
        Ok(count) if bounds.contains(&count) => Ok(count),
        Ok(_) | Err(_) => Err(format!(
            "expected a whole number from {} to {}",
            bounds.start(),
            bounds.end()
        )),
    }
}

/// A parser that takes any text.
///
/// # Errors
/// Never.
pub fn text(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

/// For whom the process runs: whether conveniences of development are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// On a developer's machine.
    Development,
    /// For real people.
    Production,
}

impl Profile {
    /// `ATLAS_PROFILE`.
    pub const VARIABLE: Variable = Variable::with_default(
        "ATLAS_PROFILE",
        "development",
        "\"development\" or \"production\"",
    );
}

impl Section for Profile {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        reader.required(&Self::VARIABLE, |text| match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err("no such profile"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: Variable = Variable::required("T_URL", "where the thing is").secret();
    const WAIT: Variable = Variable::with_default("T_WAIT_MS", "250", "how long it waits");
    const EXTRA: Variable = Variable::optional("T_EXTRA", "what comes on top");

    #[derive(Debug, PartialEq)]
    struct Thing {
        url: String,
        wait: Duration,
        extra: Option<u8>,
    }

    impl Section for Thing {
        fn read(reader: &mut Reader) -> Result<Self, Faulty> {
            let url = reader.required(&URL, text);
            let wait = reader.required(&WAIT, millis(1..=1000));
            let extra = reader.optional(&EXTRA, str::parse);
            Ok(Self {
                url: url?,
                wait: wait?,
                extra: extra?,
            })
        }
    }

    #[test]
    fn what_is_set_wins_over_defaults() {
        let mut reader = Reader::of([("T_URL", "here"), ("T_WAIT_MS", "7"), ("T_EXTRA", "3")]);
        let thing = reader.read::<Thing>();
        assert_eq!(
            thing,
            Ok(Thing {
                url: "here".to_owned(),
                wait: Duration::from_millis(7),
                extra: Some(3),
            })
        );
    }

    #[test]
    fn an_empty_value_is_no_value() {
        let mut reader = Reader::of([("T_URL", "here"), ("T_WAIT_MS", ""), ("T_EXTRA", "")]);
        let thing = reader.read::<Thing>().unwrap();
        assert_eq!(thing.wait, Duration::from_millis(250));
        assert_eq!(thing.extra, None);
    }

    #[test]
    fn all_faults_are_reported_at_once_with_what_to_do() {
        let mut reader = Reader::of([("T_WAIT_MS", "soon"), ("T_EXTRA", "300")]);
        let faults = reader.read::<Thing>().unwrap_err();
        assert_eq!(
            faults.to_string(),
            "the configuration has faults: T_URL is not set; it is where the thing is | \
             T_WAIT_MS cannot be read from \"soon\": expected whole milliseconds from 1 to 1000; \
             it is how long it waits | \
             T_EXTRA cannot be read from \"300\": number too large to fit in target type; \
             it is what comes on top"
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut reader = Reader::of([("T_URL", "s3cret")]);
        assert!(reader.read::<Thing>().is_ok());
        let effective: Vec<_> = reader.effective().collect();
        assert_eq!(
            effective,
            [
                ("T_EXTRA", "(not set)"),
                ("T_URL", "(hidden)"),
                ("T_WAIT_MS", "250"),
            ]
        );
    }

    #[test]
    fn a_refused_secret_is_not_shown_either() {
        let mut reader = Reader::of([("T_URL", "s3cret")]);
        let refused = reader.required(&URL, |_| Err::<(), _>("expected more"));
        assert_eq!(refused, Err(Faulty));
        assert_eq!(
            reader.faults.first().map(Fault::to_string).as_deref(),
            Some("T_URL cannot be read: expected more; it is where the thing is")
        );
    }

    #[test]
    fn variables_are_listed_even_where_some_are_missing() {
        let names: Vec<_> = variables::<Thing>().iter().map(|v| v.name).collect();
        assert_eq!(names, ["T_EXTRA", "T_URL", "T_WAIT_MS"]);
    }

    #[test]
    fn a_profile_is_one_of_two() {
        let read = |value| Reader::of([("ATLAS_PROFILE", value)]).read::<Profile>();
        assert_eq!(read(""), Ok(Profile::Development));
        assert_eq!(read("production"), Ok(Profile::Production));
        assert!(read("staging").is_err());
    }
}
