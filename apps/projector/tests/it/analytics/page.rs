//! `docs/analytics.md`: its story is told, and each of its queries answers what the page says.
