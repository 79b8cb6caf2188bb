//! Why a consumer cannot handle a message, in words that stay the same, and the headers that say so.

use std::fmt;

/// Names of the headers that a dead letter has beside its own.
pub mod dead_letter_header {
    /// What they all begin with.
    pub const PREFIX: &str = "dlq-";
    /// What is wrong, in a word: a [`DeadLetterCode`](super::DeadLetterCode).
    pub const CODE: &str = "dlq-code";
    /// Of which kind that is: a [`DeadLetterKind`](super::DeadLetterKind).
    pub const KIND: &str = "dlq-kind";
    /// What is wrong, in a sentence.
    pub const DETAIL: &str = "dlq-detail";
    /// The topic that the message lay on when it failed last.
    pub const TOPIC: &str = "dlq-topic";
    /// The partition that it lay on.
    pub const PARTITION: &str = "dlq-partition";
    /// Its place in the partition.
    pub const OFFSET: &str = "dlq-offset";
    /// How often it was tried, over all its redrives.
    pub const ATTEMPTS: &str = "dlq-attempts";
    /// When it failed first.
    pub const FIRST_FAILED_AT: &str = "dlq-first-failed-at";
    /// Which consumer group gave it up.
    pub const CONSUMER: &str = "dlq-consumer";
    /// On a message that is sent again: the id of its dead letter.
    pub const REDRIVE_OF: &str = "redrive-of";
}

/// Of which kind the fault of a dead letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterKind {
    /// The value is nothing that can be read.
    Malformed,
    /// What every producer has to say is missing or wrong.
    Contract,
    /// The account was computed under another policy than the one in force.
    PolicyConflict,
    /// The rules refuse it.
    Domain,
    /// It fails by itself alone, for no reason that has a code.
    Infrastructure,
}

impl DeadLetterKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Malformed,
        Self::Contract,
        Self::PolicyConflict,
        Self::Domain,
        Self::Infrastructure,
    ];

    /// The kind on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Contract => "contract",
            Self::PolicyConflict => "policy-conflict",
            Self::Domain => "domain",
            Self::Infrastructure => "infrastructure",
        }
    }
}

impl fmt::Display for DeadLetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    /// The account is of another policy version than the one in force.
    PolicyVersionConflict,
    /// The message can be read, and the account's rules refuse it.
    AccountRejected,
    /// The message fails alone while its neighbours pass, every time that it is tried.
    RepeatedFailure,
}

impl DeadLetterCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::InvalidJson,
        Self::ValueMissing,
        Self::ValueTooLarge,
        Self::CeIdMissing,
        Self::CeTypeMissing,
        Self::BeneficiaryMissing,
        Self::BeneficiaryInvalid,
        Self::TimeInvalid,
        Self::UnsupportedMajorVersion,
        Self::PolicyVersionConflict,
        Self::AccountRejected,
        Self::RepeatedFailure,
    ];

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
            Self::PolicyVersionConflict => "POLICY_VERSION_CONFLICT",
            Self::AccountRejected => "ACCOUNT_REJECTED",
            Self::RepeatedFailure => "REPEATED_FAILURE",
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> DeadLetterKind {
        match self {
            Self::InvalidJson | Self::ValueMissing | Self::ValueTooLarge => {
                DeadLetterKind::Malformed
            }
            Self::CeIdMissing
            | Self::CeTypeMissing
            | Self::BeneficiaryMissing
            | Self::BeneficiaryInvalid
            | Self::TimeInvalid
            | Self::UnsupportedMajorVersion => DeadLetterKind::Contract,
            Self::PolicyVersionConflict => DeadLetterKind::PolicyConflict,
            Self::AccountRejected => DeadLetterKind::Domain,
            Self::RepeatedFailure => DeadLetterKind::Infrastructure,
        }
    }
}

impl fmt::Display for DeadLetterCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
