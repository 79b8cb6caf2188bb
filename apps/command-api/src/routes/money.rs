//! Money, as bodies carry it.

use order_domain::value::{Currency, MoneyInput};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// An amount in a currency.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Money)]
pub(super) struct MoneyBody {
    /// A decimal greater than zero: at most 12 digits before the point and 2 after it.
    #[schema(
        value_type = String,
        pattern = r"^(?!0+(\.0+)?$)[0-9]{1,12}(\.[0-9]{1,2})?$",
        example = "1250.00"
    )]
    amount: Option<String>,
    #[schema(required, schema_with = currencies)]
    currency: Option<String>,
}

/// An amount in the currency of the request.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Price)]
pub(super) struct PriceBody {
    /// A decimal greater than zero: at most 12 digits before the point and 2 after it.
    #[schema(
        value_type = String,
        pattern = r"^(?!0+(\.0+)?$)[0-9]{1,12}(\.[0-9]{1,2})?$",
        example = "1180.00"
    )]
    amount: Option<String>,
    /// The code of the request's currency, which may have left ISO 4217 since it was placed.
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Option<String>,
}

fn currencies() -> Object {
    let codes = Currency::in_force().map(|currency| currency.as_str().to_owned());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes))
        .description(Some("An ISO 4217 code in capitals."))
        .examples(["EUR"])
        .build()
}

impl From<PriceBody> for MoneyInput {
    fn from(body: PriceBody) -> Self {
        Self {
            amount: body.amount,
            currency: body.currency,
        }
    }
}

impl From<MoneyBody> for MoneyInput {
    fn from(body: MoneyBody) -> Self {
        Self {
            amount: body.amount,
            currency: body.currency,
        }
    }
}
