//! What the commands print that only read files: plan, check, scenario.
//!
//! Every `cli/*.toml` is one command; its output stands beside it. Must not need root, guests or a network.

use std::path::Path;

#[test]
fn commands_print_what_they_are_documented_to_print() {
    trycmd::TestCases::new()
        .register_bin("rig", Path::new(env!("CARGO_BIN_EXE_rig")))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "")
        .env("RIG_CALLED_AS", "rig")
        .case("tests/cli/*.toml");
}
