//! The catalog from outside: folders with files in, snapshots and problems out.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod places;
mod trust;
#[cfg(test)]
mod waiting;
