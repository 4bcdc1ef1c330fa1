//! A service's own client in Python, which keeps a fake of the service honest.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A Python that has a service's own client.
#[derive(Debug, Clone)]
pub struct PythonClient {
    python: PathBuf,
}

impl PythonClient {
    /// The Python that the variable names. Without it, that of a virtual environment at `place`,
    /// which is made where it does not have these requirements.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find(variable: &str, place: &Path, requirements: &Path) -> Result<Self, String> {
        if let Some(python) = env::var_os(variable) {
            return Ok(Self { python: python.into() });
        }
        let python = place.join("bin/python");
        let installed = place.join("requirements.txt");
        let wanted = fs::read_to_string(requirements)
            .map_err(|error| format!("{} cannot be read: {error}", requirements.display()))?;
        if !fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(place))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
            run(Command::new(&python).args(pip).arg(requirements))?;
            fs::write(&installed, wanted)
                .map_err(|error| format!("{} cannot be written: {error}", installed.display()))?;
        }
        Ok(Self { python })
    }

    /// Runs a script, and gives what it printed.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn run(&self, script: &Path) -> Result<String, String> {
        let run = run(Command::new(&self.python).arg(script))?;
        String::from_utf8(run.stdout)
            .map_err(|error| format!("{} printed no text: {error}", script.display()))
    }
}

fn run(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(run) if run.status.success() => Ok(run),
        Ok(run) => Err(format!(
            "{program} failed ({}):\n{}",
            run.status,
            String::from_utf8_lossy(&run.stderr)
        )),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_fails_is_told_with_its_last_words() {
        let shell = PythonClient { python: "sh".into() };
        let folder =
            env::temp_dir().join(format!("adcp-signing-python-client-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let script = folder.join("script");
        fs::write(&script, "echo out; echo aside >&2\n").unwrap();
        assert_eq!(shell.run(&script).unwrap(), "out\n");
        fs::write(&script, "echo why >&2; exit 3\n").unwrap();
        let error = shell.run(&script).unwrap_err();
        assert!(error.contains("exit status: 3") && error.ends_with("why\n"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
