//! A piece of a list, and where the next piece begins.

/// The items of one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<T, K> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The key after which the list goes on; none at its end.
    pub next: Option<K>,
}

impl<T, K> Slice<T, K> {
    /// A page without items, the last one.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }

    /// Cuts what was read with one item to spare down to `limit`.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, key: impl FnOnce(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = more.then(|| items.last().map(key)).flatten();
        Self { items, next }
    }
}
