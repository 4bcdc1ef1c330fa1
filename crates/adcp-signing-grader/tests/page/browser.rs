//! The page in a real browser: layout, contrast, keyboard and print.

use std::{
    env, fs,
    path::Path,
    process::{Command, id},
};

use adcp_signing_grader::html;
use serde_json::Value;

use super::{HOSTILE, report_of};

/// What `browser.cjs` measured in one way of looking at the page.
fn looks(page: &str, name: &str) -> Option<Vec<Value>> {
    let Some(folder) = env::var_os("ADCP_TEST_BROWSER_FOLDER") else {
        let cure = "`cargo xtask emulators up browser` installs it";
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "there is no browser: {cure}");
        eprintln!("skipped: there is no browser; {cure}");
        return None;
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.html", id()));
    fs::write(&file, page).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browser.cjs");
    let output = Command::new("node").arg(script).arg(folder).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let looks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(looks.len(), 5, "light and dark, narrow and wide, and print");
    Some(looks)
}

#[test]
fn the_page_is_readable_in_light_and_dark_on_phones_and_paper() {
    let page = html::page(&report_of(&format!("{HOSTILE}{}", "a".repeat(300))));
    let Some(looks) = looks(&page, "readable") else { return };
    for look in &looks {
        let name = &look["name"];
        assert_eq!(look["overflow"], 0, "{name} scrolls sideways by so many pixels");
        assert_eq!(look["texts_of_low_contrast"], serde_json::json!([]), "{name}");
        assert!(look["texts"].as_u64().unwrap() > 40, "{name}: texts were measured");
        assert_eq!(look["requests"], 0, "{name} loads something");
        assert_eq!(look["complaints"], serde_json::json!([]), "{name}");
        assert_eq!(look["scripts"], 0, "{name}");
        assert_eq!(look["landmarks"], serde_json::json!(["HEADER", "MAIN", "FOOTER"]), "{name}");
        if name == "print" {
            assert_eq!(look["exchange_is_printed"], true, "what is closed is printed as well");
            assert_eq!(look["background"], "rgb(255, 255, 255)", "paper is white");
        } else {
            assert_eq!(look["opened_by_keyboard"], true, "{name}");
            let dark = name.as_str().unwrap().starts_with("dark");
            let background = if dark { "rgb(13, 17, 23)" } else { "rgb(255, 255, 255)" };
            assert_eq!(look["background"], background, "{name}");
        }
    }
}
