//! SQLite: has its file, with its write-ahead log, checked by the container's own sqlite3 or Python.

/// Reads the file at `DBSAFE_PATH` whole; `["OK"]` where it is sound, `["NONE"]` where nothing can look.
pub(super) const CHECK: &str = r#"
if command -v sqlite3 >/dev/null; then
  answer=$(sqlite3 "$DBSAFE_PATH" 'pragma integrity_check' 2>&1)
elif python=$(command -v python3) && "$python" -c 'import sqlite3' 2>/dev/null; then
  answer=$("$python" -c 'import os, sqlite3; print(sqlite3.connect(os.environ["DBSAFE_PATH"]).execute("pragma integrity_check").fetchone()[0])' 2>&1)
else echo '["NONE"]'; exit 0; fi
if [ "$answer" = ok ]; then echo '["OK"]'; else printf '%s\n' "$answer" | head -n 3; exit 3; fi
"#;
