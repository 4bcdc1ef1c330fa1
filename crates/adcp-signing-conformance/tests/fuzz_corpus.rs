//! Every file of the fuzz corpus through its fuzz target, so that what fuzzing found stays fixed on
//! the stable toolchain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target fails by panicking"
)]

use std::{fs, path::Path};

#[expect(unreachable_pub, reason = "the fuzz targets use the file as a crate of its own")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

fn run(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "only {} files in {}", files.len(), folder.display());
    for file in files {
        let data = fs::read(&file).unwrap();
        println!("{}", file.display());
        run(&data);
        // Every prefix is an input of its own, and ends where a parser may not expect it.
        for end in 0..data.len().min(2048) {
            run(&data[..end]);
        }
    }
}

#[test]
fn structured_fields() {
    run("structured_fields", targets::structured_fields);
}

#[test]
fn target_uri() {
    run("target_uri", targets::target_uri);
}

#[test]
fn json() {
    run("json", targets::json);
}

#[test]
fn verification() {
    run("verification", targets::verification);
}
