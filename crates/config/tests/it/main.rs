//! Settings from outside: layers in, settings or mistakes out.

#[cfg(test)]
mod settings;
