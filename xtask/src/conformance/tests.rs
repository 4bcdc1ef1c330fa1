//! What is joined, how it looks, and what is refused.

use super::{table::WIDTH, *};

fn report(name: &str, cases: &[(&str, &str, Option<&str>)]) -> Value {
    let cases: Vec<Value> = cases
        .iter()
        .map(|(case, result, reason)| json!({"case": case, "result": result, "reason": reason}))
        .collect();
    json!({"name": name, "cases": cases})
}

fn left(reports: &[Value]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, report) in reports.iter().enumerate() {
        fs::write(folder.path().join(format!("{at}.json")), report.to_string()).unwrap();
    }
    folder
}

fn joined(reports: &[Value]) -> Matrix {
    let mut matrix = Matrix::default();
    matrix.add_suite(left(reports).path(), 1).unwrap();
    matrix
}

fn two_backends() -> Matrix {
    let none = Some("one key\nversion");
    joined(&[
        report(
            "a-kms, Emu, ed25519",
            &[("signs", "passed", None), ("rotates", "not applicable", none)],
        ),
        report(
            "a-kms, Emu, rsa-pss-sha512",
            &[("signs", "passed", None), ("rotates", "not applicable", none)],
        ),
        report(
            "b, Real, ecdsa-p256-sha256",
            &[("signs", "failed", Some("took 9 s")), ("rotates", "passed", None)],
        ),
    ])
}

#[test]
fn a_cell_has_a_mark_for_each_algorithm_and_every_reason_stands_beneath() {
    let expected = "\nConformance\n\n\
                    \x20        a-kms  b\n\
                    \x20        Emu    Real\n\
                    case     E   R    P\n\
                    signs    ✓   ✓    ✗\n\
                    rotates  –   –    ✓\n\
                    \n\
                    E Ed25519, P P-256, R RSA-PSS; a blank: the server does not have the algorithm.\n\
                    ✗ signs (b/Real P): took 9 s\n\
                    – rotates (a-kms/Emu ER): one key version\n";
    assert_eq!(two_backends().text(), expected);
    assert_eq!(Matrix::default().text(), "");
}

#[test]
fn a_reason_that_cases_share_stands_once() {
    let why = Some("no versions");
    let matrix = joined(&[report(
        "b, S, ed25519",
        &[("x", "passed", None), ("y", "not applicable", why), ("z", "not applicable", why)],
    )]);
    assert!(matrix.text().contains("\n– y, z (b/S E): no versions\n"), "{}", matrix.text());
}

#[test]
fn a_table_that_is_too_wide_numbers_its_columns_and_every_line_fits() {
    let cases =
        [("a-case-with-a-name-of-thirty-ch", "not applicable", Some("a reason ".repeat(30)))];
    let cases: Vec<_> =
        cases.iter().map(|(case, mark, why)| (*case, *mark, why.as_deref())).collect();
    let reports: Vec<Value> = (0..9)
        .map(|at| {
            let cases = [&cases[..], &[("signs", "passed", None)]].concat();
            report(&format!("a-long-backend-name, server-{at}, ed25519"), &cases)
        })
        .collect();
    let text = joined(&reports).text();
    assert!(
        text.contains("1 a-long-backend-name/server-0, 2 a-long-backend-name/server-1"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}

#[test]
fn the_page_and_the_object_say_the_same() {
    let page = two_backends().markdown();
    assert!(page.contains("\n| rotates | –   – |   ✓   |\n"), "{page}");
    assert!(page.contains("\n- ✗ signs (b/Real P): took 9 s\n"), "{page}");
    let object = two_backends().json();
    assert_eq!(object.as_array().unwrap().len(), 3);
    assert_eq!(object[1]["algorithm"], "rsa-pss-sha512");
    assert_eq!(
        object[2]["cases"][0],
        json!({"case": "signs", "result": "failed", "reason": "took 9 s"})
    );
}

#[test]
fn a_suite_that_left_less_than_it_ran_is_refused_with_the_reason() {
    let passed = [("signs", "passed", None)];
    let skipped = [("signs", "skipped", Some("X is not set"))];
    for (reports, servers, says) in [
        (vec![], 1, "left no conformance report"),
        (vec![report("b, S, ed25519", &passed)], 2, "2 servers were up, but only 1"),
        (vec![report("b, S, ed25519", &skipped)], 1, "no case passed on b/S"),
        (vec![report("b, S, ed25519", &[])], 1, "it has no case"),
        (vec![report("b, ed25519", &passed)], 1, "not `BACKEND, SERVER, ALGORITHM`"),
        (vec![report("b, S, ed448", &passed)], 1, "`ed448` is not one"),
        (vec![report("b, S, ed25519", &passed); 2], 1, "there are two of"),
        (vec![report("b, S, ed25519", &[("signs", "fine", None)])], 1, "unknown variant"),
    ] {
        let error = Matrix::default().add_suite(left(&reports).path(), servers).unwrap_err();
        assert!(format!("{error:#}").contains(says), "{error:#}");
    }
}
