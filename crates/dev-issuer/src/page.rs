//! The page that asks who you are.

use crate::people::Person;

const STYLE: &str = "/style.css";

/// What it looks like.
pub(crate) const CSS: &str = "\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 28rem; margin: 4rem auto; padding: 0 1rem; }
ul { list-style: none; padding: 0; display: grid; gap: .5rem; }
a { display: block; padding: .75rem 1rem; border: 1px solid; border-radius: .5rem;
    color: inherit; text-decoration: none; }
a:hover, a:focus-visible { outline: 3px solid Highlight; }
small { display: block; opacity: .75; }
";

/// A link for each person. `address` gives the address of the one with this number.
pub(crate) fn choose(people: &[Person], address: impl Fn(usize) -> String) -> String {
    let links: String = people
        .iter()
        .enumerate()
        .map(|(number, person)| {
            format!(
                "<li><a href=\"{}\">{}<small>{}</small></a></li>",
                escape(&address(number)),
                escape(&person.name),
                escape(&person.role),
            )
        })
        .collect();
    document(
        "Who are you?",
        &format!("<p>This is a development system: it believes you.</p><ul>{links}</ul>"),
    )
}

/// A request that cannot be answered where it came from.
pub(crate) fn refused(why: &str) -> String {
    document("This cannot be", &format!("<p>{}</p>", escape(why)))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"{STYLE}\"></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
