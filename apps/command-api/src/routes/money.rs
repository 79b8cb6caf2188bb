//! Money, as bodies carry it.

use order_domain::value::MoneyInput;
use serde::Deserialize;
use utoipa::ToSchema;

/// An amount in a currency.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Money)]
pub(super) struct MoneyBody {
    /// A decimal greater than zero: at most 12 digits before the point and 2 after it.
    #[schema(value_type = String, pattern = r"^[0-9]{1,12}(\.[0-9]{1,2})?$", example = "1250.00")]
    amount: Option<String>,
    /// An ISO 4217 code in capitals.
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Option<String>,
}

impl From<MoneyBody> for MoneyInput {
    fn from(body: MoneyBody) -> Self {
        Self {
            amount: body.amount,
            currency: body.currency,
        }
    }
}
