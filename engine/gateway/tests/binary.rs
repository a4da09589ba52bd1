//! The binary as it is built.
//!
//! That there is such a test has Cargo build the binary before any test runs. The end-to-end tests start it too: they
//! then find it there, and nothing is compiled beside tests that watch the clock.

use std::process::Command;

#[test]
fn it_says_which_version_it_is() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let said = command.arg("--version").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let version = concat!("tollgate ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&said.stdout), version);
}
