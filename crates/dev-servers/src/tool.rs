//! Running a server's own tools to their end.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::error::ServerError;

/// Runs a tool with this input and returns what it printed.
pub(crate) fn run_tool(
    tool: &'static str,
    mut command: Command,
    input: &str,
) -> Result<String, ServerError> {
    let not_run = |source| ServerError::ToolNotRun { tool, source };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_run)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(not_run)?;
    }
    let output = child.wait_with_output().map_err(not_run)?;
    let words = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    let printed = words(&output.stdout);
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = words(&output.stderr);
    Err(ServerError::ToolFailed {
        tool,
        output: if complaint.is_empty() {
            printed
        } else {
            complaint
        },
    })
}
