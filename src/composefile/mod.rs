//! Compose files as text: where a field is written, and how it is changed without touching anything else.
//!
//! Compose itself says what its files *mean* (`docker compose config`). This room knows where that is *written*, and
//! edits it there: comments, order, indentation, quotes and line endings stay as they are. Imports only `model`.
//!
//! A field is named by its path in compose's model: `["services", "db", "healthcheck", "test"]`.
//!
//! ```
//! use dbsafe::composefile::{Document, Value};
//!
//! let mut file = Document::read("services:\n  db: # ours\n    image: postgres:15\n")?;
//! assert_eq!(file.place(&["services", "db", "image"]).line, 3);
//! // Not written anywhere: the nearest thing that is.
//! assert_eq!(file.place(&["services", "db", "restart"]).line, 2);
//!
//! file.set(&["services", "db", "restart"], &Value::text("always"))?;
//! assert_eq!(file.text(), "services:\n  db: # ours\n    image: postgres:15\n    restart: always\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Document`] is one file: `get`, `has`, `place`; `set` (replaces, or inserts with what is missing above it),
//!   `append` (an item of a list), `list_to_map` (`depends_on`'s short form to its long one).
//! - [`service`] has the changes that know compose's short forms: a named volume mounted and declared
//!   (`service::mount_volume`), an environment value (`service::set_environment`).
//! - [`Sources`] are all files of a project, and in which of them a field stands: `-f` files, `include`, `extends`.
//! - [`replace_file`] writes the result: whole or not at all, with the old one's mode and owner.
//!
//! After each edit the text is parsed anew and must be the old document with just that change; an edit that is not
//! refuses itself with a sentence and leaves the document as it was. So do those that could change something
//! elsewhere: values that an anchor shares, or that a merge (`<<`) brings in.

mod edit;
mod node;
mod place;
mod render;
pub mod service;
mod sources;
mod value;
mod write;

pub use self::{
    edit::EditError,
    node::ReadError,
    place::{Document, Place},
    sources::{Located, Sources, standard_files},
    value::Value,
    write::{WriteError, replace_file},
};

#[cfg(test)]
mod edit_tests;
