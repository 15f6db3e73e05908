//! Which version the compose plugin is. Starting it to ask takes as long as planning a command, so the answer is
//! remembered for as long as the program's file does not change.

use std::{fs, io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    program::{ComposeProgram, ProgramError},
    unchanged::FileIdentity,
};

const LIMIT: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Remembered {
    file: FileIdentity,
    version: String,
}

impl ComposeProgram {
    /// What `compose version --short` says. `memory` is our own file to remember it in.
    ///
    /// # Errors
    /// Where it cannot be started or does not end.
    pub async fn version(&self, memory: Option<&Path>) -> Result<String, ProgramError> {
        // A script may start another program, whose change its own file does not show.
        let identity = FileIdentity::of(self.path()).filter(|_| !is_script(self.path()));
        let (Some(file), Some(memory)) = (identity, memory) else { return self.ask_version().await };
        if let Some(known) = load(memory).filter(|known| known.file == file) {
            return Ok(known.version);
        }
        let version = self.ask_version().await?;
        if !version.is_empty() {
            // Forgetting costs time only.
            let _ = save(memory, &Remembered { file, version: version.clone() });
        }
        Ok(version)
    }

    async fn ask_version(&self) -> Result<String, ProgramError> {
        let output = self.output(&["version", "--short"], LIMIT).await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn is_script(path: &Path) -> bool {
    use io::Read as _;
    let mut head = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_err() || head == *b"#!"
}

fn load(memory: &Path) -> Option<Remembered> {
    serde_json::from_slice(&fs::read(memory).ok()?).ok()
}

fn save(memory: &Path, known: &Remembered) -> io::Result<()> {
    fs::create_dir_all(memory.parent().unwrap_or(Path::new(".")))?;
    let temporary = memory.with_extension(std::process::id().to_string());
    fs::write(&temporary, serde_json::to_vec(known).map_err(io::Error::other)?)?;
    fs::rename(&temporary, memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_asked_every_time_and_a_program_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (program, memory) =
            (folder.path().join("docker-compose"), folder.path().join("cache/compose.json"));
        fs::write(&program, "#!/bin/sh\n").unwrap();
        assert!(is_script(&program));
        fs::write(&program, "\x7fELF").unwrap();
        assert!(!is_script(&program));
        let file = FileIdentity::of(&program).unwrap();
        save(&memory, &Remembered { file, version: "5.6.1".to_owned() }).unwrap();
        let known = load(&memory).unwrap();
        assert_eq!(known.version, "5.6.1");
        assert_eq!(Some(&known.file), FileIdentity::of(&program).as_ref());
        fs::write(&program, "\x7fELF of another").unwrap();
        assert_ne!(Some(&known.file), FileIdentity::of(&program).as_ref());
        fs::write(&memory, "{").unwrap();
        assert!(load(&memory).is_none());
    }
}
