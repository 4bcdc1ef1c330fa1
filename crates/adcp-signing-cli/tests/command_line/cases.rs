//! The cases of `tests/cases`, each from a public bug report. `FORMAT.md` there explains them.

use std::fs;

use fancy_regex::{Regex, RegexBuilder};

use super::*;

#[test]
fn every_case_from_a_public_report_has_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "there is no case to run");
    let failures: Vec<String> = cases.iter().filter_map(|case| run_case(case).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

/// Runs a case in a copy of its folder. The error names the case, the outcome and what differs.
fn run_case(folder: &Path) -> Result<(), String> {
    let case: Value = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    for member in ["title", "source", "report", "why"] {
        assert!(case[member].is_string(), "{} has no {member}", folder.display());
    }
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = copy.path().join(entry.file_name());
        fs::copy(entry.path(), &path).unwrap();
        restrict(&path);
    }
    let output = command(&case, copy.path());
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let outcomes = match &case["expect"] {
        Value::Array(outcomes) => outcomes.as_slice(),
        outcome => std::slice::from_ref(outcome),
    };
    assert!(!outcomes.is_empty(), "{} expects nothing", folder.display());
    let differences: Vec<String> =
        outcomes.iter().map_while(|outcome| difference(outcome, &output, &said)).collect();
    if differences.len() < outcomes.len() && !said.contains("panicked at") {
        return Ok(());
    }
    Err(format!(
        "{}: {}\n  {}\nexit code {:?}, output:\n{said}",
        folder.file_name().unwrap().display(),
        case["title"].as_str().unwrap(),
        differences.join("\n  "),
        output.status.code(),
    ))
}

#[cfg(unix)]
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_: &Path) {}

fn command(case: &Value, folder: &Path) -> Output {
    let mut args = texts(&case["args"]);
    if args.starts_with(&["verify"]) && args.contains(&"--ndjson") {
        args.push("--allow-unsigned");
    }
    let stdin = match case["stdin"].as_str() {
        Some(file) => Stdio::from(fs::File::open(folder.join(file)).unwrap()),
        None => Stdio::null(),
    };
    Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .args(args)
        .current_dir(folder)
        .stdin(stdin)
        .output()
        .unwrap()
}

/// How a run differs from an outcome.
fn difference(outcome: &Value, output: &Output, said: &str) -> Option<String> {
    let members = outcome.as_object().unwrap();
    let known = ["exit", "output", "output_lacks", "answers"];
    assert!(members.keys().all(|member| known.contains(&member.as_str())), "{outcome}");
    let code = json!(output.status.code());
    match &outcome["exit"] {
        Value::Null => {}
        Value::Array(codes) if codes.contains(&code) => {}
        exit if *exit == code => {}
        exit => return Some(format!("the exit code is not {exit}")),
    }
    differs_from_patterns(said, &outcome["output"], &outcome["output_lacks"]).or_else(|| {
        let expected = outcome["answers"].as_array()?;
        let answers: Result<Vec<Value>, _> =
            stdout(output).lines().map(serde_json::from_str).collect();
        match answers {
            Err(error) => Some(format!("an answer is not JSON: {error}")),
            Ok(answers) if answers.len() != expected.len() => {
                Some(format!("there are {} answers, not {}", answers.len(), expected.len()))
            }
            Ok(answers) => {
                expected.iter().zip(&answers).find_map(|(wanted, answer)| differs(wanted, answer))
            }
        }
    })
}

/// How an answer differs from what is wanted of it.
fn differs(wanted: &Value, answer: &Value) -> Option<String> {
    wanted.as_object().unwrap().iter().find_map(|(rule, members)| {
        members.as_object().unwrap().iter().find_map(|(member, wanted)| {
            let value = &answer[member];
            let text = value.as_str().unwrap_or_default();
            match rule.as_str() {
                "equals" => (value != wanted).then(|| format!("{member} is not {wanted}")),
                "differs" => (value == wanted).then(|| format!("{member} is {wanted}")),
                "matches" => differs_from_patterns(text, wanted, &Value::Null),
                "lacks" => differs_from_patterns(text, &Value::Null, wanted),
                other => panic!("a case has the unknown rule {other}"),
            }
        })
    })
}

fn differs_from_patterns(text: &str, found: &Value, absent: &Value) -> Option<String> {
    let is_found = |pattern: &str| pattern_of(pattern).is_match(text).unwrap();
    let missing = texts(found).into_iter().find(|pattern| !is_found(pattern));
    let present = texts(absent).into_iter().find(|pattern| is_found(pattern));
    missing
        .map(|pattern| format!("nothing matches {pattern:?}"))
        .or_else(|| present.map(|pattern| format!("{pattern:?} is found")))
}

fn pattern_of(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).case_insensitive(true).build().unwrap()
}

/// The texts of a list, or none.
fn texts(list: &Value) -> Vec<&str> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap()).collect()
}
