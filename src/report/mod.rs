//! How findings are shown: text for people, JSON for programs. Imports `model` (and the words of `ui`).

pub mod backups;
pub mod document;
pub mod table;
pub mod text;
pub mod words;
