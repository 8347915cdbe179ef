//! Nothing: this crate exists for `tests/it`, which looks at the product from outside. Some of its
//! tests read the tree (who depends on whom, what templates may not do, what documents promise);
//! the others start the real binary and use it as browsers and programs do.

#![forbid(unsafe_code)]
