//! How findings are shown: text for people, JSON for programs. Imports `model` (and the words of `ui`).

pub mod audit;
pub mod backups;
pub mod diff;
pub mod document;
pub mod sarif;
pub mod table;
pub mod text;
pub mod words;
