//! Money: an exact amount in a currency, told as a decimal string.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{FaultKind, Faults};

/// Digits before the point at most.
const INTEGER_DIGITS: usize = 12;
/// Digits after the point at most, and always when shown.
const FRACTION_DIGITS: u32 = 2;

/// The code of a currency.
///
/// A client asks in a code that ISO 4217 has in force, and offers in that of the request. A stored
/// code stays readable after its currency has gone, so this holds the code and not the list's
/// entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a client's code.
    ///
    /// # Errors
    /// It is not the code, in capitals, of a currency in force. `XXX` (no currency) and `XTS`
    /// (for tests) are on the list and name none.
    pub fn parse(code: &str) -> Result<Self, FaultKind> {
        use iso_currency::Currency as Iso;
        Iso::from_code(code)
            .filter(|iso| !matches!(iso, Iso::XXX | Iso::XTS) && iso.is_superseded().is_none())
            .ok_or(FaultKind::UnknownCurrency)?;
        Self::from_code(code)
    }

    /// Every currency that [`parse`](Self::parse) takes, in the order of the alphabet.
    pub fn in_force() -> impl Iterator<Item = Self> {
        let letters = || b'A'..=b'Z';
        letters()
            .flat_map(move |a| letters().map(move |b| (a, b)))
            .flat_map(move |(a, b)| letters().map(move |c| Self([a, b, c])))
            .filter(|code| Self::parse(code.as_str()).is_ok())
    }

    /// Reads three capitals, whether any list has them.
    fn from_code(code: &str) -> Result<Self, FaultKind> {
        <[u8; 3]>::try_from(code.as_bytes())
            .ok()
            .filter(|letters| letters.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or(FaultKind::UnknownCurrency)
    }

    /// The three capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for Currency {
    type Error = FaultKind;

    fn try_from(code: String) -> Result<Self, FaultKind> {
        Self::from_code(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({self})")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount greater than zero, with its currency. A stored amount is read as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// The amount, at two fraction digits at least.
    #[must_use]
    pub const fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Money {
    /// Amount with two fraction digits, then the code: `1250.00 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// Reads an amount: digits, and after a point one or two more; a decimal has digits on both sides
/// of its point.
fn read_amount(text: &str) -> Result<Decimal, FaultKind> {
    let (integer, fraction) = match text.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if !is_digits(integer, INTEGER_DIGITS)
        || !fraction.is_none_or(|part| is_digits(part, FRACTION_DIGITS as usize))
    {
        return Err(FaultKind::MalformedAmount);
    }
    let mut amount = Decimal::from_str_exact(text).map_err(|_| FaultKind::MalformedAmount)?;
    if amount.is_zero() {
        return Err(FaultKind::ZeroAmount);
    }
    amount.rescale(FRACTION_DIGITS);
    Ok(amount)
}

/// Money as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneyInput {
    /// A decimal string.
    pub amount: Option<String>,
    /// An ISO 4217 code.
    pub currency: Option<String>,
}

impl MoneyInput {
    /// Reads what stands at `pointer`, in a currency in force.
    pub(crate) fn read(self, pointer: &str, faults: &mut Faults) -> Option<Money> {
        self.read_in(Currency::parse, pointer, faults)
    }

    /// Reads what stands at `pointer`, in the currency of something that only the decision knows,
    /// which may have left the list.
    pub(crate) fn read_in_any_currency(self, pointer: &str, faults: &mut Faults) -> Option<Money> {
        self.read_in(Currency::from_code, pointer, faults)
    }

    fn read_in(
        self,
        currency: fn(&str) -> Result<Currency, FaultKind>,
        pointer: &str,
        faults: &mut Faults,
    ) -> Option<Money> {
        let amount = faults.required(format!("{pointer}/amount"), self.amount, |text| {
            read_amount(&text)
        });
        let currency = faults.required(format!("{pointer}/currency"), self.currency, |code| {
            currency(&code)
        });
        Some(Money {
            amount: amount?,
            currency: currency?,
        })
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Wire {
    amount: String,
    currency: Currency,
}

impl TryFrom<Wire> for Money {
    type Error = FaultKind;

    fn try_from(wire: Wire) -> Result<Self, FaultKind> {
        let stored = Decimal::from_str_exact(&wire.amount);
        let mut amount = stored.map_err(|_| FaultKind::MalformedAmount)?;
        if amount.scale() < FRACTION_DIGITS {
            amount.rescale(FRACTION_DIGITS);
        }
        Ok(Self {
            amount,
            currency: wire.currency,
        })
    }
}

impl From<Money> for Wire {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount.to_string(),
            currency: money.currency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Fault;

    fn read(amount: &str, currency: &str) -> Result<Money, Vec<Fault>> {
        let mut faults = Faults::default();
        let input = MoneyInput {
            amount: Some(amount.to_owned()),
            currency: Some(currency.to_owned()),
        };
        let money = input.read("/budget", &mut faults);
        faults.finish(money)
    }

    #[test]
    fn an_amount_is_shown_with_two_fraction_digits() {
        for (text, shown) in [
            ("1250", "1250.00 EUR"),
            ("1250.5", "1250.50 EUR"),
            ("0.01", "0.01 EUR"),
            ("007.50", "7.50 EUR"),
            ("999999999999.99", "999999999999.99 EUR"),
        ] {
            assert_eq!(read(text, "EUR").unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_amount_is_plain_digits_with_at_most_one_point() {
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "+5",
            "-5",
            "1e3",
            " 5",
            "5 ",
            "5.001",
            "1,5",
            "1_000",
            "1.2.3",
            "1000000000000",
            "0000000000001",
            "٣",
            "0x1",
            "NaN",
        ] {
            assert_eq!(
                read(text, "EUR"),
                Err(vec![Fault::new(
                    "/budget/amount",
                    FaultKind::MalformedAmount
                )]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn nothing_is_no_amount() {
        for text in ["0", "0.0", "000.00"] {
            assert_eq!(
                read(text, "EUR"),
                Err(vec![Fault::new("/budget/amount", FaultKind::ZeroAmount)])
            );
        }
    }

    #[test]
    fn a_currency_is_a_code_in_force() {
        for code in [
            "", "eur", "Eur", "EURO", "E€", "ABC", "XXX", "XTS", "HRK", " EUR",
        ] {
            assert_eq!(
                read("1", code),
                Err(vec![Fault::new(
                    "/budget/currency",
                    FaultKind::UnknownCurrency
                )]),
                "{code:?}"
            );
        }
        for code in ["EUR", "USD", "JPY", "CHF", "KWD"] {
            assert!(read("1", code).is_ok(), "{code}");
        }
    }

    #[test]
    fn a_currency_shows_its_code_to_whoever_debugs() {
        let euro = Currency::parse("EUR").unwrap();
        assert_eq!(format!("{euro:?}"), "Currency(EUR)");
    }

    #[test]
    fn a_stored_currency_outlives_its_place_on_the_list() {
        for code in ["HRK", "ZWL", "DEM"] {
            let stored = format!(r#"{{"amount":"12.00","currency":"{code}"}}"#);
            let money: Money = serde_json::from_str(&stored).unwrap();
            assert_eq!(serde_json::to_string(&money).unwrap(), stored);
        }
    }

    #[test]
    fn a_stored_amount_is_read_as_it_stands() {
        for amount in ["0.00", "1234567890123456.00", "12.345", "-3.00"] {
            let stored = format!(r#"{{"amount":"{amount}","currency":"EUR"}}"#);
            let money: Money = serde_json::from_str(&stored).unwrap();
            assert_eq!(serde_json::to_string(&money).unwrap(), stored);
        }
    }

    #[test]
    fn both_fields_are_judged_at_once() {
        let mut faults = Faults::default();
        let money = MoneyInput::default().read("/request/budget", &mut faults);
        assert_eq!(
            faults.finish(money),
            Err(vec![
                Fault::new("/request/budget/amount", FaultKind::Missing),
                Fault::new("/request/budget/currency", FaultKind::Missing),
            ])
        );
    }

    #[test]
    fn the_currencies_in_force_are_those_that_are_taken() {
        let codes: Vec<_> = Currency::in_force().collect();
        assert!(codes.is_sorted_by_key(|code| code.as_str().to_owned()));
        for code in ["EUR", "JPY", "CHF", "KWD"] {
            assert!(codes.contains(&Currency::parse(code).unwrap()), "{code}");
        }
        for code in ["XXX", "XTS", "DEM"] {
            assert!(!codes.iter().any(|it| it.as_str() == code), "{code}");
        }
    }
}
