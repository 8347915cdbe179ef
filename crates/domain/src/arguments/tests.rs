//! Tests of the check as a whole; the parts have theirs beside them.

mod between;
mod choosing;
mod hostile;
mod keeping;
mod kinds;
mod limits;
mod properties;
pub(crate) mod samples;
mod shapes;
