//! Fetches the style sheet, font and icons named in `assets/package-lock.json`, shapes them for a strict content security policy
//! and writes them compressed into `OUT_DIR`, from where `web::assets` and `web::icons` embed them.

#![expect(clippy::disallowed_macros, reason = "cargo listens to what a build script prints")]

#[path = "build/css.rs"]
mod css;
#[path = "build/icons.rs"]
mod icons;
#[path = "build/npm.rs"]
mod npm;

use std::{env, fmt::Write as _, fs, io, io::Write as _, path::Path, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// Changes the address of every asset when the way they are made changes.
const RECIPE: &[u8] = b"1";

fn main() {
    if let Err(error) = run() {
        println!("cargo::error={error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let assets = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("assets");
    let out = PathBuf::from(variable("OUT_DIR")?);
    for watched in [
        "build.rs",
        "build",
        "assets/app.css",
        "assets/icons.txt",
        "assets/favicon.svg",
        "assets/package-lock.json",
    ] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let modules = npm::modules(&assets)?;

    let mut bundle = Bundle {
        out: &out,
        list: String::new(),
    };
    let font = "@fontsource-variable/inter/files";
    let latin = bundle.add(
        "inter-latin",
        "woff2",
        "font/woff2",
        &read(&modules.join(font).join("inter-latin-wght-normal.woff2"))?,
    )?;
    let extended = bundle.add(
        "inter-latin-ext",
        "woff2",
        "font/woff2",
        &read(&modules.join(font).join("inter-latin-ext-wght-normal.woff2"))?,
    )?;
    bundle.named(
        "FAVICON",
        "favicon",
        "svg",
        "image/svg+xml",
        &read(&assets.join("favicon.svg"))?,
    )?;

    let tabler = text(&modules.join("@tabler/core/dist/css/tabler.min.css"))?;
    let mut pictures = 0_usize;
    let tabler = css::lift_pictures(&tabler, |svg| {
        pictures += 1;
        bundle.add(&format!("ui-{pictures}"), "svg", "image/svg+xml", svg.as_bytes())
    })?;
    let own = text(&assets.join("app.css"))?
        .replace("INTER_LATIN_EXT", &extended)
        .replace("INTER_LATIN", &latin);
    let sheet = css::follow_the_system(&format!("{}\n{own}", css::without_imports(&tabler)));
    bundle.named("SITE_CSS", "site", "css", "text/css; charset=utf-8", sheet.as_bytes())?;

    let list = bundle.list;
    write(
        &out.join("assets.rs"),
        format!("pub(super) static ALL: &[Asset] = &[\n{list}];\n").as_bytes(),
    )?;
    write(
        &out.join("icons.rs"),
        icons::source(&text(&assets.join("icons.txt"))?, &modules)?.as_bytes(),
    )
}

/// The files that the server will hand out, each under an address that holds a hash of its content.
struct Bundle<'a> {
    out: &'a Path,
    list: String,
}

impl Bundle<'_> {
    fn named(&mut self, constant: &str, stem: &str, extension: &str, kind: &str, content: &[u8]) -> Result<(), String> {
        let path = self.add(stem, extension, kind, content)?;
        println!("cargo::rustc-env=CLAVIGER_{constant}={path}");
        Ok(())
    }

    /// Adds a file and returns its address.
    fn add(&mut self, stem: &str, extension: &str, kind: &str, content: &[u8]) -> Result<String, String> {
        let hash = Sha256::new().chain_update(RECIPE).chain_update(content).finalize();
        let tag = hash.iter().take(8).fold(String::new(), |mut tag, byte| {
            let _ = write!(tag, "{byte:02x}");
            tag
        });
        let path = format!("/assets/{stem}.{tag}.{extension}");
        let file = self.out.join(format!("{stem}.{extension}.bin"));
        let zipped = extension != "woff2";
        write(
            &file,
            &if zipped {
                gzip(content).map_err(|e| e.to_string())?
            } else {
                content.to_vec()
            },
        )?;
        let _ = writeln!(
            self.list,
            "    Asset {{ path: {path:?}, etag: \"\\\"{tag}\\\"\", kind: {kind:?}, zipped: {zipped}, body: include_bytes!({file:?}) }},"
        );
        Ok(path)
    }
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set; build with cargo"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
