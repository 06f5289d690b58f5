//! libFuzzer's way to [`fuzz::subject`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::subject(input));
