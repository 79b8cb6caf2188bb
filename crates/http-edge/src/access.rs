//! Who may use which route: one table an API. The gate asks it before anything of a request is
//! read but its token; a route without a row is for nobody.

use kernel::Role;

/// How the bearer of a role must stand to what a route names, so as to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// In any way: the route is open to the role for everything that there is.
    Any,
    /// It must be their own: the order that they placed, their account. What is another's is not
    /// there for them.
    Own,
    /// They must have been invited to the order, which is not there for them otherwise.
    Invited,
    /// They must be the workshop that the path names, and invited to the order.
    Named,
    /// They must be the workshop whose offer was confirmed.
    Confirmed,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path as the router and the OpenAPI document have it.
    pub path: &'static str,
    /// The roles that may use the route at all, each with its relation.
    pub roles: &'static [(Role, Relation)],
}

macro_rules! methods {
    ($($name:ident = $method:literal;)*) => {$(
        #[doc = concat!("The row of ", $method, " on a path.")]
        #[must_use]
        pub const fn $name(path: &'static str, roles: &'static [(Role, Relation)]) -> Self {
            Self { method: $method, path, roles }
        }
    )*};
}

impl Row {
    methods! {
        get = "GET";
        post = "POST";
        put = "PUT";
        patch = "PATCH";
    }

    /// How `role` must stand to what the route names; none if it can never use the route.
    #[must_use]
    pub fn relation(&self, role: Role) -> Option<Relation> {
        let row = self.roles.iter().find(|(admitted, _)| *admitted == role);
        row.map(|(_, relation)| *relation)
    }
}

/// The table of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(pub &'static [Row]);

impl Access {
    /// The row of a route. Whoever may GET may ask for the HEAD of it.
    pub(crate) fn row(&self, method: &str, path: &str) -> Option<&Row> {
        let method = if method == "HEAD" { "GET" } else { method };
        let is_it = |row: &&Row| row.method == method && row.path == path;
        self.0.iter().find(is_it)
    }
}
