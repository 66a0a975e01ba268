//! Keeps `src/generated/` equal to what the protos give.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// File names and what the files hold.
type Files = BTreeMap<String, Vec<u8>>;

const REGENERATE: &str = "LONGCAST_REGENERATE=1 cargo test --release --workspace --test generated_code";

#[test]
fn generated_code_is_current() -> Result<(), Box<dyn Error>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    let wanted = generate()?;
    if std::env::var_os("LONGCAST_REGENERATE").is_some_and(|value| value == "1") {
        return write_files(&dir, &wanted);
    }
    let found = read_files(&dir)?;
    let stale: Vec<&String> = wanted
        .keys()
        .chain(found.keys().filter(|name| !wanted.contains_key(*name)))
        .filter(|name| wanted.get(*name) != found.get(*name))
        .collect();
    assert!(
        stale.is_empty(),
        "generated code is not what the protos give: {stale:?}; regenerate it with `{REGENERATE}`"
    );
    Ok(())
}

#[test]
fn generating_twice_gives_the_same_bytes() -> Result<(), Box<dyn Error>> {
    assert_eq!(generate()?, generate()?);
    Ok(())
}

/// Returns what `src/generated/` should hold, without `protoc` or `rustfmt`.
fn generate() -> Result<Files, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([root])?;
    compiler.open_files(protos(&root.join("longcast/v1"))?)?;
    compiler.include_imports(true);

    // The comments become the documentation of the Rust code; reflection needs none.
    compiler.include_source_info(true);
    let with_comments = compiler.file_descriptor_set();
    compiler.include_source_info(false);
    let descriptor_set = compiler.encode_file_descriptor_set();

    let dir = Scratch::new()?;
    tonic_prost_build::configure()
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .emit_rerun_if_changed(false)
        .out_dir(&dir.0)
        .compile_fds(with_comments)?;
    let mut files = read_files(&dir.0)?;
    files.insert("descriptor_set.bin".to_owned(), descriptor_set);
    Ok(files)
}

/// Returns the paths of the protos in `dir`, sorted, so that the output has one order.
fn protos(dir: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_files(dir: &Path) -> Result<Files, Box<dyn Error>> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read(entry.path())?);
    }
    Ok(files)
}

/// Makes `dir` hold `files` and nothing else.
fn write_files(dir: &Path, files: &Files) -> Result<(), Box<dyn Error>> {
    for name in read_files(dir)?.keys() {
        if !files.contains_key(name) {
            fs::remove_file(dir.join(name))?;
        }
    }
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes)?;
    }
    Ok(())
}

/// An empty folder that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Box<dyn Error>> {
        // The tests of this file run at the same time, in one process.
        let thread = std::thread::current().id();
        let name = format!("generated-{}-{thread:?}", std::process::id());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What remains lies in the build folder and does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}
