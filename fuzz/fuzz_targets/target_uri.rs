#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adcp_signing_fuzz::target_uri(data));
