//! A small library in C that is loaded into the agent before the C library, so that some system calls end otherwise.

use std::process::Command;

use tempfile::TempDir;

/// A library that was built for this test.
pub struct Preload {
    folder: TempDir,
    name: &'static str,
}

impl Preload {
    /// Compiles `tests/support/NAME.c`; the C compiler is the one that builds the Kafka client.
    pub fn build(name: &'static str) -> Preload {
        let folder = TempDir::new().expect("a temporary folder");
        let library = Preload { folder, name };
        let source = format!("{}/tests/support/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(library.path())
            .args([&source, "-ldl"])
            .status()
            .expect("a C compiler");
        assert!(status.success(), "{source} compiles");
        library
    }

    /// What an agent is started with.
    pub fn environment(&self) -> (&'static str, String) {
        ("LD_PRELOAD", self.path())
    }

    fn path(&self) -> String {
        let path = self.folder.path().join(self.name).with_extension("so");
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}
