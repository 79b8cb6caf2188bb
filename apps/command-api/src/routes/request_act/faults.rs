//! What is wrong with the body of a request: all of it, each where it stands.

use http_edge::FieldError;
use order_domain::value::FaultKind;

/// What was found wrong.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn add(&mut self, pointer: &str, detail: &str) {
        self.0.push(FieldError {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        });
    }

    /// What has to be there.
    pub(super) fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(pointer, &FaultKind::Missing.to_string());
        }
        value
    }

    /// What is there, read.
    pub(super) fn taken<T, U>(
        &mut self,
        pointer: &str,
        value: Option<T>,
        read: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U> {
        match read(value?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.add(pointer, &why);
                None
            }
        }
    }

    /// What was read, if nothing was wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<FieldError>> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            Some(_) | None => Err(self.0),
        }
    }
}
