//! libFuzzer's way to [`fuzz::expression`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::expression(input));
