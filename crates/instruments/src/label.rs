//! Labels: what tells the series of an instrument apart.

/// A label and what it may say.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it may say.
    pub values: Values,
}

/// What a label may say. Whatever it is, clients cannot make up a value.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// One of these.
    OneOf(fn() -> Vec<&'static str>),
    /// One for each of what is described here, of which there are few.
    EachOf(&'static str),
}

impl Label {
    /// One that says one of these.
    #[must_use]
    pub const fn one_of(name: &'static str, values: fn() -> Vec<&'static str>) -> Self {
        Self {
            name,
            values: Values::OneOf(values),
        }
    }

    /// One that names one of what is described.
    #[must_use]
    pub const fn each_of(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            values: Values::EachOf(what),
        }
    }
}

/// Every combination of values that is known from the start; none where a label's are not.
pub(crate) fn known_from_the_start(labels: &[Label]) -> Vec<Vec<metrics::Label>> {
    let mut known = vec![Vec::new()];
    for label in labels {
        let values = match label.values {
            Values::OneOf(values) => values(),
            Values::EachOf(_) => Vec::new(),
        };
        known = known
            .iter()
            .flat_map(|so_far| {
                values.iter().map(|value| {
                    let mut longer = so_far.clone();
                    longer.push(metrics::Label::from_static_parts(label.name, value));
                    longer
                })
            })
            .collect();
    }
    known
}
