//! Rules for who cannot wait: the same, in less time.

/// What a stretch of time stands behind in a file of rules.
const BEFORE: [&str; 4] = ["[", "for: ", "interval: ", "offset "];
/// How much less time it takes.
pub const TIMES: u64 = 20;

/// The same rules with every stretch of time a twentieth, and a second at least. What they compare
/// with stays as it is: budgets, and bounds in seconds.
#[must_use]
pub fn shortened(rules: &str) -> String {
    BEFORE.iter().fold(rules.to_owned(), |rules, before| {
        let mut parts = rules.split(before);
        let mut shorter = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            shorter += before;
            shorter += &beginning_shortened(part).unwrap_or_else(|| part.to_owned());
        }
        shorter
    })
}

/// A text that begins with a stretch of time.
fn beginning_shortened(text: &str) -> Option<String> {
    let end = text.find(|it: char| !it.is_ascii_digit())?;
    let number: u64 = text.get(..end)?.parse().ok()?;
    let mut rest = text.get(end..)?.chars();
    let seconds = match rest.next()? {
        's' => number,
        'm' => number * 60,
        'h' => number * 3600,
        'd' => number * 86_400,
        _ => return None,
    };
    let shorter = seconds.div_ceil(TIMES);
    Some(format!("{shorter}s{}", rest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_of_time_is_shorter_and_nothing_else_is() {
        let rules = "\
    interval: 15s
      - record: atlas:late:increase5m
        expr: sum(increase(atlas_late_total{le=\"5.2\"}[5m])) > 86400 unless (a offset 1h)
        for: 30s
        labels: [1, 2]
";
        let expected = "\
    interval: 1s
      - record: atlas:late:increase5m
        expr: sum(increase(atlas_late_total{le=\"5.2\"}[15s])) > 86400 unless (a offset 180s)
        for: 2s
        labels: [1, 2]
";
        assert_eq!(shortened(rules), expected);
    }
}
