//! Why a consumer cannot handle a message, in words that stay the same.

use std::fmt;

/// What is wrong with a message that cannot be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterCode {
    /// The value is no JSON object.
    InvalidJson,
    /// There is no value.
    ValueMissing,
    /// The value is larger than 1 MiB.
    ValueTooLarge,
    /// There is no `ce_id` that is a UUID.
    CeIdMissing,
    /// There is no `ce_type`.
    CeTypeMissing,
    /// The value names nobody who benefits.
    BeneficiaryMissing,
    /// The beneficiary's id or role cannot be read.
    BeneficiaryInvalid,
    /// The time is missing, cannot be read, or lies more than a day ahead.
    TimeInvalid,
    /// The payload follows another major version of its schema.
    UnsupportedMajorVersion,
    /// The message can be read, and the account's rules refuse it.
    AccountRejected,
}

impl DeadLetterCode {
    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "INVALID_JSON",
            Self::ValueMissing => "VALUE_MISSING",
            Self::ValueTooLarge => "VALUE_TOO_LARGE",
            Self::CeIdMissing => "CE_ID_MISSING",
            Self::CeTypeMissing => "CE_TYPE_MISSING",
            Self::BeneficiaryMissing => "BENEFICIARY_MISSING",
            Self::BeneficiaryInvalid => "BENEFICIARY_INVALID",
            Self::TimeInvalid => "TIME_INVALID",
            Self::UnsupportedMajorVersion => "UNSUPPORTED_MAJOR_VERSION",
            Self::AccountRejected => "ACCOUNT_REJECTED",
        }
    }
}

impl fmt::Display for DeadLetterCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
