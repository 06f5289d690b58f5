//! libFuzzer's way to [`fuzz::write`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::write(input));
