//! The only module that prints: tables to standard output, remarks and errors to standard error.

use std::io::{self, Write};

use crate::error::{Error, Result};

/// Lines on standard output.
pub(crate) fn lines(lines: &[String]) -> Result<()> {
    let mut out = io::stdout().lock();
    lines
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
        .and_then(|()| out.flush())
        .map_err(|error| Error::file("cannot write to", "standard output", error))
}

/// A remark on standard error.
pub(crate) fn note(line: impl AsRef<str>) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(io::stderr(), "{}", line.as_ref());
}
