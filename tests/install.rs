//! The install script, in a home of its own, with a binary that is already built. Needs no engine.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// Its name has what a shell could trip over.
    fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("it's a home ").tempdir().unwrap() }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    fn command(&self, program: &str, shell: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.env("SHELL", format!("/bin/{shell}")).stdin(Stdio::null());
        command
    }

    /// Runs the script; answers its status and all that it said.
    fn install(&self, shell: &str, arguments: &[&str]) -> (bool, String) {
        self.run(concat!(env!("CARGO_MANIFEST_DIR"), "/install"), shell, arguments)
    }

    fn run(&self, script: &str, shell: &str, arguments: &[&str]) -> (bool, String) {
        let output = self.command(script, shell).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// Whatever is named after us, at any depth.
    fn files_of_ours(&self) -> Vec<PathBuf> {
        let find = ["-type", "f", "-name", "*dbsafe*"];
        let found = Command::new("find").arg(self.folder.path()).args(find).output().unwrap();
        String::from_utf8(found.stdout).unwrap().lines().map(PathBuf::from).collect()
    }

    fn install_binary(&self, shell: &str, more: &[&str]) -> (bool, String) {
        self.install(shell, &[&["--binary", env!("CARGO_BIN_EXE_docker-dbsafe")], more].concat())
    }

    /// The same with a terminal, and a line typed into it.
    fn install_on_terminal(&self, typed: &str) -> String {
        let words = [env!("CARGO_MANIFEST_DIR"), "/install' --binary '", env!("CARGO_BIN_EXE_docker-dbsafe")];
        let mut command = self.command("script", "bash");
        command.args(["-qec", &format!("'{}'", words.concat()), "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}

const PLUGIN: &str = ".docker/cli-plugins/docker-dbsafe";

#[test]
fn the_line_is_added_once_works_and_goes_with_the_plugin() {
    for (shell, file) in
        [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/conf.d/docker-dbsafe.fish")]
    {
        let home = Home::new();
        if shell != "fish" {
            // Without an end of its last line, and not to be read by others.
            fs::write(home.path(file), "# mine").unwrap();
            fs::set_permissions(home.path(file), fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(!home.install_binary(shell, &[]).1.contains("added"), "nobody asked for it");
        let (good, said) = home.install_binary(shell, &["--shell-init"]);
        assert!(good && said.contains("added a line"), "{said}");
        let once = home.read(file);
        assert!(home.install_binary(shell, &["--shell-init"]).1.contains("has the line already"));
        assert_eq!(home.read(file), once);
        let known = home
            .command(shell, shell)
            .args(["-i", "-c", "type docker"])
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        assert!(known.is_err() || known.as_ref().unwrap().contains("function"), "{shell}: {known:?}");

        let hooks = home.command(home.path(PLUGIN).to_str().unwrap(), shell).args(["hooks", "on"]).status();
        assert!(hooks.unwrap().success() && home.read(".docker/config.json").contains("dbsafe"));
        let (good, said) = home.install(shell, &["--uninstall"]);
        assert_eq!(home.read(".docker/config.json"), "{}");
        assert!(good && said.contains("took the line out"), "{said}");
        assert_eq!(home.files_of_ours(), Vec::<PathBuf>::new());
        if shell == "fish" {
            assert!(!home.path(file).exists());
        } else {
            assert_eq!(home.read(file), "# mine\n");
            let mode = fs::metadata(home.path(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(home.install(shell, &["--uninstall"]).0, "twice is no error");
    }
}

#[test]
fn a_line_of_ones_own_is_left_as_it_is() {
    let home = Home::new();
    let own = "eval \"$(docker dbsafe shell-init bash)\"\n";
    fs::write(home.path(".bashrc"), own).unwrap();
    assert!(home.install_binary("bash", &["--shell-init"]).1.contains("has the line already"));
    home.install("bash", &["--uninstall"]);
    assert_eq!(home.read(".bashrc"), own);
}

#[test]
fn on_a_terminal_it_asks() {
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let home = Home::new();
    let said = home.install_on_terminal("n\n");
    assert!(said.contains("Add the line? [Y/n]") && !home.path(".bashrc").exists(), "{said}");
    let said = home.install_on_terminal("\n");
    assert!(said.contains("added a line") && home.read(".bashrc").contains("shell-init bash"), "{said}");
    assert!(!home.install_on_terminal("\n").contains("Add the line?"));
}

#[test]
fn what_cannot_be_done_is_said() {
    let home = Home::new();
    let (good, said) = home.install("bash", &["--binary", "/no/such"]);
    assert!(!good && said.contains("is no program"), "{said}");
    let (good, said) = home.install("bash", &["--binary"]);
    assert!(!good && said.contains("takes a file"), "{said}");
    let (good, said) = home.install_binary("tcsh", &["--shell-init"]);
    assert!(!good && said.contains("tcsh is not known") && home.path(PLUGIN).exists(), "{said}");
}

#[test]
fn a_tarball_installs_without_rust_upgrades_and_goes_without_a_trace() {
    let home = Home::new();
    // Without what is only for debugging it is a tenth of the size.
    let binary = home.path("built");
    let strip =
        Command::new("strip").arg("-so").arg(&binary).arg(env!("CARGO_BIN_EXE_docker-dbsafe")).status();
    assert!(strip.unwrap().success());
    let made = home.path("made");
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/package");
    let (good, said) =
        home.run(package, "bash", &["--binary", binary.to_str().unwrap(), "--out", made.to_str().unwrap()]);
    assert!(good, "{said}");
    let sh = |script: &str| {
        let output = home.command("sh", "bash").args(["-ec", script]).current_dir(&made).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    sh("sha256sum -c SHA256SUMS; tar xzf *.tar.gz; cd */; sha256sum -c SHA256SUMS");
    let listed = sh("dpkg-deb -c *.deb");
    assert!(listed.contains("./usr/libexec/docker/cli-plugins/docker-dbsafe"), "{listed}");
    assert!(listed.contains("./usr/share/man/man1/docker-dbsafe.1.gz"), "{listed}");
    assert!(!listed.lines().any(|line| !line.contains(" root/root ")), "{listed}");

    // Rust is not on this path.
    let programs = "PATH=/usr/bin:/bin; export PATH; ! command -v cargo";
    let page = ".local/share/man/man1/docker-dbsafe.1";
    for _ in ["first", "upgrade"] {
        let said = sh(&format!("{programs}; docker-dbsafe-*/install --shell-init"));
        assert!(said.contains("installed") && !said.contains("building"), "{said}");
        assert!(home.read(page).contains("docker dbsafe"));
        assert_eq!(fs::read(home.path(PLUGIN)).unwrap(), fs::read(&binary).unwrap());
    }
    sh(&format!("{programs}; docker-dbsafe-*/install --uninstall; rm -r \"$PWD\""));
    fs::remove_file(&binary).unwrap();
    assert_eq!(home.files_of_ours(), Vec::<PathBuf>::new());
    assert_eq!(home.read(".bashrc"), "");
}
